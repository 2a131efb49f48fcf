//! How a run ends: why it stopped, and its exit code, which is serial pytest's.

use crate::exit;

/// Why a run stops before every test has its verdict, with pytest's words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The closing line: `stopping after 1 failures`, `KeyboardInterrupt`.
    pub reason: String,
    /// Lines beneath it.
    pub detail: String,
    /// The exit code, unless something worse happened.
    pub code: u8,
}

impl Stop {
    pub(super) fn new(reason: impl Into<String>, code: u8) -> Self {
        Self { reason: reason.into(), detail: String::new(), code }
    }

    /// `--maxfail` was met.
    pub(super) fn failures(count: u32) -> Self {
        Self::new(format!("stopping after {count} failures"), exit::TESTS_FAILED)
    }
}

/// What decides an exit code.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Failed reports, by pytest's own rule, collection errors included.
    pub(super) failures: u32,
    /// Tests that took their worker down.
    pub(super) crashes: u32,
    /// Tests without a verdict although nothing asked the run to stop.
    pub(super) lost: usize,
    /// A worker collected more tests than the run has.
    pub(super) left_out: bool,
    /// A worker ended badly after its last verdict.
    pub(super) bad_end: bool,
    pub(super) internal_error: bool,
    /// No worker could be started, and no test has a verdict.
    pub(super) never_started: bool,
    /// Exit statuses of workers' sessions before and after plugins had their say.
    pub(super) ends: Vec<(i64, i64)>,
}

impl Tally {
    pub(super) fn exit_code(&self, stop: Option<&Stop>, collected: u32) -> u8 {
        let code = self.own_exit_code(stop, collected);
        if self.internal_error || self.never_started { code } else { self.after_plugins(code) }
    }

    /// The exit code before plugins had their say.
    pub(super) fn own_exit_code(&self, stop: Option<&Stop>, collected: u32) -> u8 {
        if self.internal_error {
            return exit::INTERNAL_ERROR;
        }
        if self.never_started {
            return exit::WORKER_NOT_STARTED;
        }
        let broken = self.crashes > 0 || self.bad_end;
        if let Some(stop) = stop {
            if stop.code == exit::OK && broken { exit::TESTS_FAILED } else { stop.code }
        } else if self.failures > 0 || self.crashes > 0 || self.lost > 0 || self.bad_end || self.left_out {
            exit::TESTS_FAILED
        } else if collected == 0 {
            exit::NO_TESTS_COLLECTED
        } else {
            exit::OK
        }
    }

    /// Plugins may have changed the exit status that they were shown. Each worker's session shows them its own, so a
    /// change counts for the run when the run's status is the one it was made from.
    fn after_plugins(&self, code: u8) -> u8 {
        let mut alike = self.ends.iter().filter(|(before, _)| *before == i64::from(code));
        let excused = alike.clone().all(|(_, after)| *after == 0);
        // What crashed or got lost stays a failure whatever a plugin makes of the tests it saw.
        let excusable = excused && self.crashes == 0 && self.lost == 0 && !self.bad_end && !self.left_out;
        match alike.find(|(before, after)| before != after && (*after != 0 || excusable)) {
            Some((_, after)) => u8::try_from(*after).unwrap_or(exit::TESTS_FAILED),
            None => code,
        }
    }
}
