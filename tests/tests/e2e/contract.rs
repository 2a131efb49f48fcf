//! What tests, conftests and plugins find in a worker.

use xdist_tests::{Env, Invocation, Suite};

fn check(env: &Env, n: u32, args: &[&str]) {
    let suite = Suite::named("contract");
    let run = Invocation::xdist(env, &suite).n(n).args(args).arg("--testrunuid=the-run-of-the-test");
    let outcome = run.var("E2E_COUNT", n.to_string()).var("E2E_RUN", "the-run-of-the-test").run();
    outcome.expect_code(0).expect_no_survivors();
    assert_eq!(outcome.counts().get("passed"), 45, "{}", outcome.describe());
}

#[test]
fn holds_with_current_pytest() {
    check(&Env::usual(), 2, &[]);
    check(&Env::usual(), 8, &[]);
}

#[test]
fn holds_at_each_fork_level() {
    check(&Env::usual(), 2, &["--fork=imported"]);
    check(&Env::usual(), 2, &["--fork=never"]);
}

#[test]
fn holds_with_other_versions_of_pytest() {
    check(&Env::named("py311-pytest84"), 2, &[]);
    check(&Env::named("py311-pytest74"), 2, &[]);
}

#[test]
fn holds_where_pytest_xdist_is_installed() {
    check(&Env::named("py311-xdist"), 2, &[]);
}

#[test]
fn holds_with_pypy() {
    check(&Env::named("pypy39-pytest84"), 2, &[]);
}

#[test]
fn every_worker_has_its_own_identity() {
    let suite = Suite::one(
        "
import os, time, pytest
@pytest.mark.parametrize('n', range(40))
def test_it(n, worker_id, tmp_path_factory):
    assert os.environ['PYTEST_XDIST_WORKER'] == worker_id
    time.sleep(0.02)
",
    );
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(4).run();
    outcome.expect_code(0);
    let truth = suite.truth();
    assert_eq!(truth.workers().into_iter().collect::<Vec<_>>(), ["gw0", "gw1", "gw2", "gw3"]);
    let mut pairs: Vec<_> = truth.started().into_iter().map(|ran| (ran.worker, ran.pid)).collect();
    pairs.sort();
    pairs.dedup();
    assert_eq!(pairs.len(), 4, "one process a worker: {pairs:?}");
}

#[test]
fn no_more_workers_than_tests() {
    let suite = Suite::one("def test_one(): pass\ndef test_two(): pass\n");
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(16).run();
    outcome.expect_code(0);
    assert!(suite.truth().workers().len() <= 2);
    outcome.expect_no_text("gw5");
}

#[test]
fn random_state_differs_among_workers_unless_the_suite_seeds_it() {
    const DRAW: &str = "
import random, time, pytest
from truth_file import log
@pytest.mark.parametrize('n', range(8))
def test_it(n):
    log('drew %r' % random.random())
    time.sleep(0.05)
";
    let suite = Suite::one(DRAW);
    Invocation::xdist(&Env::usual(), &suite).n(4).run().expect_code(0);
    let mut drawn: Vec<_> = suite.truth().logged().into_iter().map(|(text, _)| text).collect();
    drawn.sort();
    drawn.dedup();
    assert_eq!(drawn.len(), 8, "workers draw different numbers");
}

#[test]
fn auto_counts_come_from_hook_and_environment() {
    let tests = "import time, pytest\n@pytest.mark.parametrize('n', range(30))\ndef test_it(n): time.sleep(0.02)\n";
    let suite = Suite::one(tests);
    let run = Invocation::xdist(&Env::usual(), &suite).args(["-n", "auto"]);
    run.var("PYTEST_XDIST_AUTO_NUM_WORKERS", "3").run().expect_code(0);
    assert_eq!(suite.truth().workers().len(), 3);
    let conftest = "pytest_plugins = ['truth_log']\ndef pytest_xdist_auto_num_workers(config): return 4\n";
    let suite = Suite::of(&[("test_it.py", tests), ("conftest.py", conftest)]);
    Invocation::xdist(&Env::usual(), &suite).args(["-n", "auto"]).run().expect_code(0);
    assert_eq!(suite.truth().workers().len(), 4);
    let suite = Suite::one(tests);
    Invocation::xdist(&Env::usual(), &suite).args(["-n", "6", "--maxprocesses=2"]).run().expect_code(0);
    assert_eq!(suite.truth().workers().len(), 2);
}
