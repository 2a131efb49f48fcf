//! What is kept of a verdict: no more than the cache's rules ask for.

use crate::event::Verdict;
use crate::report::Report;

/// What happened to one test.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Trace {
    /// No verdict: not started, or interrupted.
    #[default]
    NotRun,
    /// Plainly passed.
    Passed,
    /// Anything else, report by report.
    Steps(Box<[Step]>),
}

/// What one report means.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    /// The report's own node id, where it is not its test's.
    pub(super) nodeid: Option<Box<str>>,
    pub(super) outcome: Outcome,
    /// Whether it is a report of the call phase.
    pub(super) call: bool,
}

/// A report's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed,
    Skipped,
    /// A plugin's own word.
    Other,
}

impl Trace {
    pub(super) fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Passed { .. } => Self::Passed,
            Verdict::Reported(reports) => Self::Steps(reports.iter().map(Step::of).collect()),
            Verdict::Crashed(crashed) => {
                let crash = Step { nodeid: None, outcome: Outcome::Failed, call: false };
                Self::Steps(crashed.reports.iter().map(Step::of).chain([crash]).collect())
            }
            Verdict::Interrupted => Self::NotRun,
        }
    }
}

impl Trace {
    /// Whether some report failed.
    fn has_failed(&self) -> bool {
        matches!(self, Self::Steps(steps) if steps.iter().any(|step| step.outcome == Outcome::Failed))
    }

    /// Takes in one more verdict on the test, of another worker (`--dist=each`): a failure counts, wherever it was.
    pub(super) fn add(&mut self, other: Self) {
        if other != Self::NotRun && (other.has_failed() || !self.has_failed()) {
            *self = other;
        }
    }
}

impl Step {
    fn of(report: &Report) -> Self {
        Self {
            nodeid: Some(report.nodeid.as_str()).filter(|own| !own.is_empty()).map(Into::into),
            outcome: match report.outcome.as_str() {
                "passed" => Outcome::Passed,
                "failed" => Outcome::Failed,
                "skipped" => Outcome::Skipped,
                _ => Outcome::Other,
            },
            call: report.when == "call",
        }
    }
}
