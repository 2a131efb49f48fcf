//! What has to end: signals to this program, processes that should leave, patience; and what processes still write.

use std::time::{Duration, Instant};

use rustix::process::Signal as Kill;

use super::environment::{HOME, Progress};
use super::happening::{MemberId, Signal};
use super::members::MemberRole;
use super::site::{HERE, SiteId};
use super::{Engine, Stage};
use crate::event::RunEvent;
use crate::exit;
use crate::run::Input;

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
}
