//! Faults injected on purpose: processes killed at every stage, forks refused, descriptors and disks used up, tests that
//! abuse their process. A run ends in bounded time, says what happened, keeps every verdict, and leaves nothing behind.

mod abuse;
mod deaths;
pub(crate) mod fast;
mod forks;
mod hangs;
mod leftovers;
mod limits;
mod memory;
mod places;

use xdist_tests::{Env, Invocation, Outcome, Suite};

/// The suite whose processes can be killed, and forks refused, at chosen moments.
fn suite() -> Suite {
    Suite::named("faults")
}

/// A run of it with the aids on the path; never longer than 40 seconds.
fn xdist(suite: &Suite, n: u32) -> Invocation {
    let run = Invocation::xdist(&Env::usual(), suite).n(n).junit().limit(40);
    run.var("PYTHONPATH", suite.path("aids")).var("FAULT_PLACE", suite.root())
}

/// No process and no temporary directory is left.
#[track_caller]
fn expect_clean(suite: &Suite, outcome: &Outcome) {
    outcome.expect_no_survivors();
    assert_eq!(suite.left_behind(), Vec::<String>::new(), "{}", outcome.describe());
}

/// Every test has run once and passed, and says so on the terminal and in junit.xml.
#[track_caller]
fn expect_all_passed(suite: &Suite, outcome: &Outcome, tests: usize) {
    expect_clean(suite, outcome);
    outcome.expect_code(0);
    assert_eq!(suite.truth().ids().len(), tests, "each test runs once\n{}", outcome.describe());
    assert_eq!(outcome.counts().get("passed"), tests as u64, "{}", outcome.describe());
    assert_eq!(suite.junit().verdicts().len(), tests, "{}", outcome.describe());
}
