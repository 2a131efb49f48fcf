//! Runs of one suite that must agree: serial pytest's and xdist's.

use std::collections::BTreeMap;

use crate::{Counts, Env, Invocation, Junit, Outcome, Suite};

/// As first argument: compare without a junit file, where pytest itself cannot write it.
pub const NO_JUNIT: &str = "no junit";

fn with_junit(run: Invocation, args: &[&str]) -> Invocation {
    match args {
        [NO_JUNIT, rest @ ..] => run.args(rest),
        all => run.args(all).junit(),
    }
}

/// What is compared: everything that must not depend on how tests were distributed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Face {
    /// The exit code.
    pub code: i32,
    /// The counts of the final line.
    pub counts: Counts,
    /// Node ids that ran, sorted, with repetitions.
    pub ids: Vec<String>,
    /// What each test put on record of itself.
    pub outcomes: BTreeMap<String, String>,
    /// The junit file, if one was asked for.
    pub junit: Option<Junit>,
}

impl Face {
    /// Of a run that was made with [`Invocation::junit`].
    pub fn of(suite: &Suite, outcome: &Outcome) -> Self {
        let truth = suite.truth();
        Self {
            code: outcome.code(),
            counts: outcome.counts(),
            ids: truth.ids(),
            outcomes: truth.outcomes(),
            junit: suite.junit_path().exists().then(|| suite.junit()),
        }
    }

    /// Of serial pytest on a fresh copy of a suite.
    pub fn serial(env: &Env, make: impl Fn() -> Suite, args: &[&str]) -> Self {
        let suite = make();
        let outcome = with_junit(Invocation::pytest(env, &suite), args).run();
        Self::of(&suite, &outcome)
    }

    /// Of xdist on a fresh copy of a suite. Fails if a process or a temporary file is left.
    pub fn distributed(env: &Env, make: impl Fn() -> Suite, n: u32, args: &[&str]) -> (Self, Outcome) {
        let suite = make();
        let outcome = with_junit(Invocation::xdist(env, &suite).n(n), args).limit(120).run();
        outcome.expect_no_survivors();
        assert_eq!(suite.left_behind(), Vec::<String>::new(), "files left in TMPDIR\n{}", outcome.describe());
        (Self::of(&suite, &outcome), outcome)
    }

    /// Fails the test with what differs and the run's output.
    #[track_caller]
    pub fn expect_same(&self, other: &Self, outcome: &Outcome) {
        let seen = outcome.describe();
        assert_eq!(self.ids, other.ids, "node ids that ran\n{seen}");
        assert_eq!(self.outcomes, other.outcomes, "outcomes on record\n{seen}");
        assert_eq!(self.junit.is_some(), other.junit.is_some(), "whether there is a junit file\n{seen}");
        if let (Some(left), Some(right)) = (&self.junit, &other.junit) {
            left.expect_same(right, &seen);
        }
        assert_eq!(self.counts, other.counts, "counts\n{seen}");
        assert_eq!(self.code, other.code, "exit code\n{seen}");
    }
}
