//! How a run ended, and what it wrote.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use crate::procs::marked;
use crate::wait::until;
use crate::{Counts, Proc};

/// A finished run.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub(crate) shown: String,
    pub(crate) mark: String,
    pub(crate) status: ExitStatus,
    /// Standard output, lossily decoded.
    pub stdout: String,
    /// Standard error, lossily decoded.
    pub stderr: String,
    /// Wall time.
    pub elapsed: Duration,
}

impl Outcome {
    /// The exit code; a run that a signal ended fails the test.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| self.fail("was ended by a signal"))
    }

    /// The signal that ended it, if one did.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Fails the test unless the exit code is this one.
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.code(), code, "exit code\n{}", self.describe());
        self
    }

    /// Fails the test unless stdout or stderr holds this text.
    #[track_caller]
    pub fn expect_text(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "no {text:?} in\n{}", self.describe());
        self
    }

    /// Fails the test if stdout or stderr holds this text.
    #[track_caller]
    pub fn expect_no_text(&self, text: &str) -> &Self {
        assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "{text:?} in\n{}", self.describe());
        self
    }

    /// The counts of the final line.
    #[track_caller]
    pub fn counts(&self) -> Counts {
        Counts::of_output(&self.stdout).unwrap_or_else(|| self.fail("has no final line"))
    }

    /// How often a text stands in stdout and stderr together.
    pub fn occurrences(&self, text: &str) -> usize {
        self.stdout.matches(text).count() + self.stderr.matches(text).count()
    }

    /// Processes of the run that are still alive after `limit`; empty as soon as none is.
    pub fn survivors(&self, limit: Duration) -> Vec<Proc> {
        until(limit, || marked(&self.mark).is_empty());
        marked(&self.mark)
    }

    /// Fails the test if a process of the run lives on.
    #[track_caller]
    pub fn expect_no_survivors(&self) -> &Self {
        let survivors = self.survivors(Duration::from_secs(5));
        assert!(survivors.is_empty(), "processes live on: {survivors:#?}\n{}", self.describe());
        self
    }

    /// Command line, exit and output, for messages.
    pub fn describe(&self) -> String {
        format!("{}\n{}\n--- stdout\n{}\n--- stderr\n{}", self.shown, self.status, self.stdout, self.stderr)
    }

    fn fail(&self, why: &str) -> ! {
        panic!("{why}: {}", self.describe());
    }
}
