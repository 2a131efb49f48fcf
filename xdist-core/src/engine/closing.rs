//! The end of the run: everybody leaves, and what there is to say is said.

use super::environment::Environment;
use super::members::MemberRole;
use super::{Engine, Stage};
use crate::event::{Ended, RunEvent};
use crate::exit;
use crate::ids::TestIndex;
use crate::protocol::{Ended as SessionEnd, ToPython};
use crate::run::RunState;

impl Engine<'_> {
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
        let tests = self.run.as_ref().map(RunState::not_run).unwrap_or_default();
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
        let several = self.environments.iter().any(Environment::is_used);
        let ends = || {
            self.environments.iter().filter(move |one| !several || one.is_used()).filter_map(|one| one.ended.as_ref())
        };
        let fine = [exit::OK, exit::NO_TESTS_COLLECTED].map(i64::from);
        ends().find(|ended| !fine.contains(&ended.after)).or_else(|| ends().next())
    }
}
