//! What follows from the end of a process, once everything that it had sent is read.

use execnet_rs::process::HowEnded;

use super::environment::{EnvironmentId, HOME};
use super::finish::UNLINKED;
use super::happening::MemberId;
use super::members::MemberRole;
use super::remains::Remains;
use super::site::HERE;
use super::{Engine, EngineError, Stage};
use crate::event::RunEvent;
use crate::exit;
use crate::ids::{TestIndex, WorkerId};
use crate::protocol::BoxDied;
use crate::run::{Death, Input};

impl Engine<'_> {
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
        let left = remains.left;
        let succession = self.succession(worker);
        let entry = self.members.get_mut(member);
        if left.lost_link {
            UNLINKED.clone_into(&mut entry.cause);
        }
        let starved = entry.cause.is_empty() && self.starved.explains(site, &how.to_string(), remains.oom_kills);
        let elapsed = entry.test_began.map(|began| began.elapsed()).unwrap_or_default();
        let mut how_text = match (entry.never_was.as_str(), entry.cause.as_str()) {
            ("", "") if starved => format!("out of memory: {how}"),
            ("", "") => how.to_string(),
            ("", cause) => cause.to_owned(),
            (never_was, _) => never_was.to_owned(),
        };
        if !left.phase().is_empty() {
            how_text = format!("{how_text} in {}", left.phase());
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
        let death = Death { how: how_text, clean, output, elapsed, over: left.over().to_vec(), succession };
        self.feed(Input::Gone(worker, death));
        if starved {
            self.advise(&worker.to_string());
        }
    }

    /// The process that a test had for itself has died.
    pub(super) fn box_died(&mut self, member: MemberId, test: TestIndex, mut died: BoxDied) {
        let starved = self.starved.explains(self.site_of(member), &died.how, died.oom_kills);
        if starved {
            died.how = format!("out of memory: {}", died.how);
        }
        self.about(member, test, |worker, test| Input::BoxDied(worker, test, died));
        if starved {
            let name = format!("a box on {}", self.members.get(member).name);
            self.advise(&name);
        }
    }

    /// Says once what the user can do if there is too little memory.
    fn advise(&mut self, name: &str) {
        if let Some(advice) = self.starved.advice(name) {
            self.emit(&RunEvent::Notice(advice));
        }
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
