//! Ends: of processes, of patience, of the run.

use std::time::{Duration, Instant};

use execnet_rs::process::HowEnded;
use rustix::process::Signal as Kill;

use super::environment::{EnvironmentId, HOME, Progress};
use super::happening::{MemberId, Signal};
use super::members::MemberRole;
use super::remains::Remains;
use super::site::{HERE, SiteId};
use super::{Engine, EngineError, Stage, page};
use crate::event::{Ended, RunEvent};
use crate::exit;
use crate::ids::{TestIndex, WorkerId};
use crate::protocol::{Ended as SessionEnd, ToPython};
use crate::run::{Death, Input};

/// After the user's interrupt, running tests have this long to end.
const INTERRUPT_GRACE: Duration = Duration::from_secs(10);
/// When what they test has changed, they have this long.
const CHANGE_GRACE: Duration = Duration::from_secs(3);
/// A process whose session is over has this long to leave.
const LEAVE_GRACE: Duration = Duration::from_secs(10);
/// After the user's interrupt the plugin host has this long, on top, for the reports of plugins.
const HOST_GRACE: Duration = Duration::from_secs(30);
/// Why the plugin host was killed.
const HOST_STAYED: &str = "SIGKILL from xdist, because plugins went on for 30 s after the interrupt";
/// A process that lost its connection has this long to end.
const UNLINKED_GRACE: Duration = Duration::from_secs(1);
/// A session that takes longer to end is named; it may take its time, as serially.
const FINISH_PATIENCE: Duration = Duration::from_secs(10);
/// Why a process was killed that lost its connection and lives on.
pub(super) const UNLINKED: &str =
    "loss of its connection to xdist (the test closed it, or ran another program in its place)";
/// Why a process was killed that did not leave.
const STAYED: &str = "SIGKILL from xdist, because a thread or an exit handler held it 10 s after its session";
/// Output that may belong to a crash is held this long before it is shown.
const HOLD: Duration = Duration::from_millis(500);

impl Engine<'_> {
    /// Bytes from a process's stdout or stderr.
    pub(super) fn output(&mut self, member: MemberId, stderr: bool, bytes: &[u8]) {
        if matches!(self.stage, Stage::Facts | Stage::Plain) || (self.stage == Stage::Ending && !self.configured) {
            self.observer.raw(stderr, bytes);
            return;
        }
        let entry = self.members.get_mut(member);
        entry.output.push(stderr, bytes);
        entry.output_since.get_or_insert_with(Instant::now);
        if self.facts.display.live_output || entry.output.is_large() {
            self.show_output(member);
        }
    }

    /// Shows the lines that a process wrote.
    pub(super) fn show_output(&mut self, member: MemberId) {
        let home = self.members.get(member).environment;
        // Of an environment that does not come up it is the reason; of one that is up it follows the header.
        let early = self.environment(home).progress != Progress::Collecting || !self.configured;
        let entry = self.members.get_mut(member);
        if entry.output.is_empty() || (early && home != HOME) {
            return;
        }
        entry.output_since = None;
        let lines = entry.output.take();
        // The collector is its environment's first worker as far as the user is concerned.
        let first = self.environment(home).workers.first().copied();
        let worker = self.worker_of(member).or(first).unwrap_or_default();
        for (stderr, line) in lines {
            self.emit(&RunEvent::Output { worker, stderr, line });
        }
    }

    /// A connection is gone while its process may live on: it can do nothing more for us.
    pub(super) fn link_closed(&mut self, member: MemberId, fault: Option<String>) {
        let plain = self.stage == Stage::Plain && Some(member) == self.home().session;
        let entry = self.members.get_mut(member);
        entry.unlink();
        let disturbed = fault.is_some();
        if let Some(fault) = fault {
            entry.cause = format!("a disturbed connection to xdist, to which something else wrote ({fault})");
        }
        if entry.exited().is_none() && entry.leave_by.is_none() && !plain {
            entry.leave_by = Some((Instant::now() + UNLINKED_GRACE, UNLINKED));
        }
        if disturbed && !plain {
            // What it starts from now on cannot be known.
            self.kill(member, Kill::KILL);
        }
    }

    /// A process has nothing left to do but leave.
    pub(super) fn leave_soon(&mut self, member: MemberId) {
        self.members.get_mut(member).leave_by = Some((Instant::now() + LEAVE_GRACE, STAYED));
    }

    /// Draws the consequences once a process has ended and everything it sent was read.
    pub(super) fn bury(&mut self, member: MemberId) -> Result<(), EngineError> {
        let worker = self.worker_of(member);
        // Nobody could use the verdict yet: wait for the run to begin.
        if worker.is_some() && self.run.is_none() && self.stage == Stage::Collecting {
            return Ok(());
        }
        if !self.members.get_mut(member).bury() {
            return Ok(());
        }
        let how = self.members.get(member).exited().unwrap_or(HowEnded::Unknown);
        if self.site_of(member) != HERE {
            // Its end and its last words came by different ways: only now both are known.
            self.end_group(member, how);
        }
        if worker.is_none() {
            self.orphaned_forks(member);
        }
        match self.members.get(member).role {
            MemberRole::Server if self.members.get(member).environment != HOME => {
                self.environment_server_gone(member, how);
            }
            MemberRole::Server if self.stage == Stage::Interpreter && Some(member) == self.home().server => {
                return self.server_failed(&how.to_string());
            }
            // A session that is there goes on without it.
            MemberRole::Server
                if Some(member) == self.home().server && self.stage == Stage::Facts && !self.session_made(HOME) =>
            {
                self.fail(&format!(
                    "the fork server ended with {how} before it had made a process for pytest: run xdist again"
                ));
            }
            MemberRole::Server => {}
            MemberRole::Session => self.session_gone(member, how),
            MemberRole::Host => self.host_gone(how),
            MemberRole::Worker(worker, _) => self.worker_gone(member, worker, how),
        }
        Ok(())
    }

    /// Buries workers that ended before the run began.
    pub(super) fn bury_early(&mut self) {
        for member in self.members.living() {
            if self.worker_of(member).is_some() {
                // Only a fork server's end can be an error here.
                let _ = self.bury(member);
            }
        }
    }

    /// Whether the session's process exists or has existed.
    pub(super) fn session_made(&self, home: EnvironmentId) -> bool {
        self.environment(home).session.is_some_and(|session| self.members.get(session).pid.is_some())
    }

    fn session_gone(&mut self, member: MemberId, how: HowEnded) {
        let home = self.members.get(member).environment;
        if Some(member) != self.environment(home).session {
            return;
        }
        let bringing_up = matches!(self.stage, Stage::Hosting | Stage::Collecting) && self.interrupted.is_none();
        if home != HOME && bringing_up && self.environment(home).ended.is_none() {
            return self.environment_session_gone(member, how);
        }
        if home == HOME && self.stage == Stage::Running && !self.home().is_used() {
            return;
        }
        let never_was = std::mem::take(&mut self.members.get_mut(member).never_was);
        match self.stage {
            Stage::Facts if !never_was.is_empty() => {
                self.fail(&format!("the system refuses to make a process for pytest: {never_was}"));
                self.exit = Some(exit::WORKER_NOT_STARTED);
            }
            Stage::Plain => {
                self.exit = Some(plain_exit(how));
                self.wind_up();
            }
            Stage::Facts | Stage::Hosting | Stage::Collecting if self.interrupted.is_some() => {
                self.exit = Some(exit::INTERRUPTED);
                self.wind_up();
            }
            Stage::Facts | Stage::Hosting | Stage::Collecting if self.home().ended.is_none() => {
                let output = self.members.get_mut(member).output.take_all();
                let doing = match self.stage {
                    Stage::Facts => "while its arguments were parsed",
                    Stage::Hosting => "before collection",
                    _ => "during collection",
                };
                let cause = std::mem::take(&mut self.members.get_mut(member).cause);
                let how_text = if cause.is_empty() { how.to_string() } else { cause };
                let mut text = format!("pytest ended {doing}, with {how_text}");
                if !output.trim().is_empty() {
                    text = format!("{text}; it wrote:\n{}", output.trim_end());
                }
                self.error = Some(format!("error: {text}"));
                // As serial pytest would end, but never green.
                self.exit = Some(match how {
                    HowEnded::Exited(code) if code != 0 => plain_exit(how),
                    _ => exit::INTERNAL_ERROR,
                });
                self.wind_up();
            }
            _ => {
                self.show_output(member);
                let lost = self.site_gone(self.site_of(member)).is_some();
                if self.stage == Stage::Running && self.interrupted.is_none() && !lost {
                    self.emit(&RunEvent::Notice(format!("the collector ended with {how}; running workers go on")));
                }
            }
        }
    }

    /// Processes that a dead one was asked to fork and never did.
    fn orphaned_forks(&mut self, dead: MemberId) {
        for member in self.members.living() {
            let entry = self.members.get(member);
            if entry.asked == Some(dead) && entry.pid.is_none() {
                self.give_up(member, "the process that was to fork it is gone".to_owned());
            }
        }
    }

    fn worker_gone(&mut self, member: MemberId, worker: WorkerId, how: HowEnded) {
        let site = self.site_of(member);
        let incarnation = self.members.get(member).incarnation;
        let remains = match self.members.get_mut(member).remains.take() {
            Some(remains) => *remains,
            None if site == HERE => Remains::here(self.page.as_ref(), self.directory.path(), worker, incarnation),
            None => Remains::default(),
        };
        let (phase, set_up) = page::phase(remains.phase);
        let succession = self.succession(worker);
        let entry = self.members.get_mut(member);
        if remains.lost_link {
            UNLINKED.clone_into(&mut entry.cause);
        }
        let elapsed = entry.test_began.map(|began| began.elapsed()).unwrap_or_default();
        let mut how_text = match (entry.never_was.as_str(), entry.cause.as_str()) {
            ("", "") => how.to_string(),
            ("", cause) => cause.to_owned(),
            (never_was, _) => never_was.to_owned(),
        };
        if !phase.is_empty() {
            how_text = format!("{how_text} in {phase}");
        }
        // It ended as it said it would: what it still wrote is ordinary output.
        let clean = how == HowEnded::Exited(i32::try_from(entry.announced.unwrap_or(0)).unwrap_or(-1));
        let captured = remains.captured;
        entry.output.finish();
        if clean {
            self.show_output(member);
        }
        let mut output = self.members.get_mut(member).output.take_all();
        if !captured.is_empty() {
            output = format!("{output}{}{captured}", if output.is_empty() { "" } else { "\n" });
        }
        let death = Death { how: how_text, clean, output, elapsed, set_up, succession };
        self.feed(Input::Gone(worker, death));
    }

    /// A signal to this program.
    pub(super) fn signal(&mut self, signal: Signal) {
        if signal == Signal::Suspend {
            return self.suspend();
        }
        if self.stage == Stage::Plain {
            self.typed_in_plain |= signal != Signal::Change;
            // Ctrl-C reaches pytest through the terminal; the others are for us alone.
            if let Some(session) = self.home().session.filter(|_| signal != Signal::Interrupt) {
                self.kill(session, signal.as_rustix());
            }
            return;
        }
        if self.interrupted.replace(signal).is_some() {
            self.kill_all();
            return;
        }
        let grace = if signal == Signal::Change { CHANGE_GRACE } else { INTERRUPT_GRACE };
        self.kill_at = Some(Instant::now() + grace);
        if self.run.is_some() {
            self.feed(Input::Interrupt(signal.name().to_owned()));
            return;
        }
        if self.configured {
            self.emit(&RunEvent::Stopping { why: signal.name().to_owned() });
        }
        if matches!(self.stage, Stage::Interpreter | Stage::Hosting) || self.awaits_environments() {
            self.exit = Some(exit::INTERRUPTED);
            self.end_unborn();
            self.wind_up();
        }
        self.interrupt_workers();
    }

    /// Interrupts whatever runs tests or collects.
    pub(super) fn interrupt_workers(&mut self) {
        for member in self.members.living() {
            if self.members.get(member).role == MemberRole::Session && self.stage == Stage::Running {
                continue;
            }
            // The host follows the run: it hears of the interrupt that way, unless it still is configured.
            let hosts = self.is_host(member) && self.stage != Stage::Ending && !self.awaits_host();
            if self.members.get(member).role != MemberRole::Server && !hosts {
                self.kill(member, Kill::INT);
                // One that was stopped could not take it.
                self.kill(member, Kill::CONT);
            }
        }
    }

    fn kill_all(&mut self) {
        self.ends_all = true;
        for member in self.members.living() {
            self.kill(member, Kill::KILL);
        }
        if self.stage != Stage::Running {
            self.exit.get_or_insert(exit::INTERRUPTED);
        }
    }

    /// Patience with what the user interrupted is over; the host still has to tell of it.
    fn kill_stragglers(&mut self) {
        for member in self.members.living() {
            if self.is_host(member) {
                self.members.get_mut(member).leave_by.get_or_insert((Instant::now() + HOST_GRACE, HOST_STAYED));
            } else if !self.outlives(member) {
                self.kill(member, Kill::KILL);
            }
        }
        if self.stage != Stage::Running {
            self.exit.get_or_insert(exit::INTERRUPTED);
        }
    }

    /// Time passes.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        self.tell_tree_progress();
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill_at = None;
            self.kill_stragglers();
        }
        for member in self.members.living() {
            let entry = self.members.get(member);
            if let Some((by, why)) = entry.leave_by
                && by <= now
                && entry.exited().is_none()
                && entry.pid.is_some()
            {
                let entry = self.members.get_mut(member);
                entry.leave_by = None;
                if entry.cause.is_empty() {
                    why.clone_into(&mut entry.cause);
                }
                self.kill(member, Kill::KILL);
            }
            self.name_slow_end(member, now);
            let entry = self.members.get(member);
            if entry.output_since.is_some_and(|since| now.duration_since(since) >= HOLD) && entry.exited().is_none() {
                self.show_output(member);
            }
        }
        self.name_long_tests(now);
        self.ask_host(now);
        self.observer.tick();
    }

    fn name_long_tests(&mut self, now: Instant) {
        for (worker, test, elapsed) in self.long.due(now) {
            self.emit(&RunEvent::StillRunning { test, worker, elapsed });
        }
    }

    /// Says once who is waited for, when a worker's session does not come to its end.
    fn name_slow_end(&mut self, member: MemberId, now: Instant) {
        let entry = self.members.get_mut(member);
        let Some(since) = entry.ending_since else { return };
        if entry.exited().is_none() && now.duration_since(since) >= FINISH_PATIENCE {
            entry.ending_since = None;
            let text = format!(
                "waiting for {} (process {}), whose session has nothing left to run and takes long to finish; Ctrl-C ends it",
                entry.name,
                entry.pid.unwrap_or_default(),
            );
            self.emit(&RunEvent::Notice(text));
        }
    }

    /// A process was stopped by a signal, not by us.
    pub(super) fn stopped(&mut self, site: SiteId, pid: u32) {
        let Some(member) = self.members.with_pid(site, pid).filter(|_| self.stage != Stage::Plain) else { return };
        // With this process; word of it may come a little later.
        if self.suspension.explains_a_stop() {
            return;
        }
        let name = &self.members.get(member).name;
        let host = if site == HERE { String::new() } else { format!(" on {}", self.site(site).name) };
        let text = format!(
            "{name} (process {pid}{host}) was stopped by a signal; the run waits for it: `kill -CONT {pid}` lets it go on, Ctrl-C \
             ends the run"
        );
        self.emit(&RunEvent::Notice(text));
    }

    /// Nothing more is to be run: everybody may leave.
    pub(super) fn wind_up(&mut self) {
        if self.stage == Stage::Ending {
            return;
        }
        let collecting = self.stage == Stage::Collecting;
        if self.run.is_none() && self.environments.iter().any(|one| one.early_workers) {
            self.set_stop_page();
        }
        for member in self.members.living() {
            let entry = self.members.get(member);
            let collecting = collecting && self.environment(entry.environment).ended.is_none();
            match entry.role {
                MemberRole::Server if self.outlives(member) => {}
                MemberRole::Server => {
                    entry.tell(ToPython::Finish);
                    self.leave_soon(member);
                }
                MemberRole::Session => {
                    entry.tell(ToPython::Finish);
                    // Ending its session may take the project's own time.
                    if !collecting {
                        self.leave_soon(member);
                    }
                }
                MemberRole::Worker(..) if self.run.is_none() => {
                    entry.tell(ToPython::Stop);
                    self.leave_soon(member);
                }
                MemberRole::Worker(..) | MemberRole::Host => {}
            }
        }
        self.stage = Stage::Ending;
        self.bury_early();
    }

    /// Whether every process is over and done with.
    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Ending && self.members.living().into_iter().all(|member| self.outlives(member))
    }

    /// The run's end, told to the observer; returns the exit code.
    pub(super) fn close(&mut self) -> u8 {
        if self.configured {
            for warning in self.observer.closing() {
                self.warnings.count += 1;
                self.emit(&RunEvent::Warning(warning));
            }
        }
        self.tell_failed_environments();
        if let Some(history) = &mut self.history {
            history.write();
        }
        let mut code = self.after_host(self.run_exit_code());
        let mut reason = self.reason();
        if let Some(limit) = self.facts.max_warnings.filter(|limit| code == exit::OK && self.warnings.count > *limit) {
            code = exit::MAX_WARNINGS_ERROR;
            reason =
                Some(format!("Tests pass, but maximum allowed warnings exceeded: {} > {limit}", self.warnings.count));
        }
        // A usage error is the last word of a host's session.
        let said = code == exit::USAGE_ERROR && self.host_finished();
        let error = self.error.take().or_else(|| self.session_message().filter(|_| !said));
        if self.configured || error.is_some() {
            let ended = Ended {
                exit: code,
                detail: self.detail(),
                reason,
                error,
                not_run: self.not_run(),
                elapsed: self.began.elapsed(),
                suite_properties: std::mem::take(&mut self.suite_properties),
                started_at: self.began_at,
            };
            self.emit(&RunEvent::Ended(Box::new(ended)));
        }
        self.late_warnings();
        code
    }

    /// Tests that have no verdict; once for every worker that was to run it.
    fn not_run(&self) -> Vec<TestIndex> {
        let tests = self.run.as_ref().map(crate::run::RunState::not_run).unwrap_or_default();
        let shown = |test| self.layout.as_ref().map_or(test, |layout| layout.shown(test));
        tests.into_iter().map(shown).collect()
    }

    pub(super) fn run_exit_code(&self) -> u8 {
        if let Some(code) = self.exit {
            return code;
        }
        if self.internal_error {
            return exit::INTERNAL_ERROR;
        }
        if let Some(run) = &self.run {
            return if self.host.is_some() { run.own_exit_code() } else { run.exit_code() };
        }
        let unrun =
            self.interrupted.is_some() || self.layout.as_ref().is_some_and(|known| !known.collection.ids.is_empty());
        match self.session_ended() {
            // Nothing was run: a session that ended well does not make that a success.
            Some(ended) if ended.before == 0 && ended.after == 0 && unrun => exit::INTERRUPTED,
            Some(ended) => u8::try_from(ended.after).unwrap_or(exit::INTERNAL_ERROR),
            None if self.interrupted.is_some() => exit::INTERRUPTED,
            None => exit::INTERNAL_ERROR,
        }
    }

    pub(super) fn reason(&self) -> Option<String> {
        match (&self.run, self.layout.as_ref().map(|layout| &layout.collection)) {
            // It was said at length.
            (_, Some(_)) if self.internal_error => None,
            (Some(run), _) => run.stop().map(|stop| stop.reason.clone()),
            (None, Some(collection)) if collection.stopped.is_some() => collection.stopped.clone(),
            (None, Some(collection)) => {
                let errors = collection.reports.iter().filter(|report| report.outcome == "failed").count();
                let plural = if errors == 1 { "" } else { "s" };
                (errors > 0).then(|| format!("Interrupted: {errors} error{plural} during collection"))
            }
            (None, None) => self.interrupted.map(|_| "KeyboardInterrupt".to_owned()),
        }
    }

    /// What pytest prints beneath the reason.
    pub(super) fn detail(&self) -> String {
        match (&self.run, self.layout.as_ref().map(|layout| &layout.collection)) {
            (Some(run), _) => run.stop().filter(|_| !self.internal_error).map(|stop| stop.detail.clone()),
            (None, collection) => collection.map(|collection| collection.stop_detail.clone()),
        }
        .unwrap_or_default()
    }

    pub(super) fn session_message(&self) -> Option<String> {
        self.session_ended().map(|ended| ended.message.clone()).filter(|message| !message.is_empty())
    }

    /// How the session that collected ended, if it ran no test: of several, one that did not end well.
    fn session_ended(&self) -> Option<&SessionEnd> {
        let several = self.environments.iter().any(super::Environment::is_used);
        let ends = || {
            self.environments.iter().filter(move |one| !several || one.is_used()).filter_map(|one| one.ended.as_ref())
        };
        let fine = [exit::OK, exit::NO_TESTS_COLLECTED].map(i64::from);
        ends().find(|ended| !fine.contains(&ended.after)).or_else(|| ends().next())
    }
}

/// The exit code of a process in whose place we stand; a signal becomes `128 + n`, as in a shell.
fn plain_exit(how: HowEnded) -> u8 {
    match how {
        HowEnded::Exited(code) => u8::try_from(code).unwrap_or(exit::INTERNAL_ERROR),
        HowEnded::Signaled(number) => u8::try_from(128 + number).unwrap_or(exit::INTERNAL_ERROR),
        HowEnded::Unknown => exit::INTERNAL_ERROR,
    }
}
