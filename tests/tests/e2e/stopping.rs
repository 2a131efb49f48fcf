//! Stopping before the end: `-x`, `--maxfail`, `pytest.exit`, an interrupt inside a test.

use xdist_tests::{Env, Invocation, Suite};

/// 200 tests of 20 ms; those whose number the condition names fail.
fn suite(fails: &str) -> Suite {
    Suite::one(&format!(
        "
import time, pytest
@pytest.mark.parametrize('n', range(200))
def test_it(n):
    time.sleep(0.02)
    assert not ({fails})
"
    ))
}

#[test]
fn at_the_first_failure_no_further_test_starts() {
    for n in [1, 2, 8] {
        let suite = suite("n == 9");
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(n).arg("-x").run();
        outcome.expect_code(1).expect_no_survivors();
        let counts = outcome.counts();
        assert_eq!(counts.get("failed"), 1, "{}", outcome.describe());
        let truth = suite.truth();
        // A sibling may begin one more test in the instant between the record and the stop mark.
        let later = truth.started_after_first_failure().len();
        assert!(later < n as usize, "{later} tests started after the failure\n{}", outcome.describe());
        assert_eq!(truth.finished().len(), truth.ids().len(), "running tests finish\n{}", outcome.describe());
        assert_eq!(counts.get("passed") + 1, truth.ids().len() as u64, "all of them count\n{}", outcome.describe());
        outcome.expect_text("stopping after 1 failures");
    }
}

#[test]
fn at_maxfail_the_count_is_exact_and_nothing_is_invented() {
    for n in [1, 8] {
        let suite = suite("True");
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(n).arg("--maxfail=3").junit().run();
        outcome.expect_code(1).expect_no_survivors().expect_text("stopping after 3 failures");
        let failed = outcome.counts().get("failed");
        let limit = 3 + u64::from(n) - 1;
        assert!((3..=limit).contains(&failed), "{failed} failures\n{}", outcome.describe());
        assert_eq!(failed, suite.truth().ids().len() as u64, "{}", outcome.describe());
        assert_eq!(suite.junit().number("failures") as u64, failed);
    }
}

#[test]
fn maxfail_counts_errors_in_set_up_too() {
    let suite = Suite::one(
        "
import time, pytest
@pytest.fixture
def broken(): raise OSError
@pytest.mark.parametrize('n', range(100))
def test_it(n, broken):
    pass
",
    );
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).arg("--maxfail=2").run();
    outcome.expect_code(1);
    assert!(suite.truth().ids().len() <= 4, "{}", outcome.describe());
}

#[test]
fn options_in_ini_count() {
    let suite = suite("n == 0");
    suite.write("pytest.ini", "[pytest]\naddopts = -x -n 2\n");
    let outcome = Invocation::xdist(&Env::usual(), &suite).run();
    outcome.expect_code(1).expect_text("stopping after 1 failures").expect_text("gw");
    assert!(suite.truth().ids().len() < 60, "{}", outcome.describe());
}

#[test]
fn exit_in_a_test_ends_the_run_with_its_code() {
    for n in [1, 4] {
        // The other workers are in their first test when one worker leaves, and stay there until that is known.
        let suite = Suite::one(
            "
import os, time, pytest
@pytest.mark.parametrize('n', range(200))
def test_it(n):
    if n == 5:
        open('leaving', 'w').close()
        pytest.exit('enough of it', returncode=42)
    if n > 5:
        until = time.monotonic() + 60
        while not os.path.exists('leaving') and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.5)
",
        );
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(n).junit().run();
        outcome.expect_code(42).expect_text("enough of it").expect_no_survivors();
        outcome.expect_no_text("INTERNALERROR").expect_no_text("crashed");
        assert!(suite.truth().ids().len() < 20, "the run went on\n{}", outcome.describe());
    }
}

#[test]
fn an_interrupt_inside_a_test_ends_the_run() {
    for n in [1, 4] {
        let suite = Suite::one(
            "
import time, pytest
@pytest.mark.parametrize('n', range(200))
def test_it(n):
    time.sleep(0.02)
    if n == 5:
        raise KeyboardInterrupt
",
        );
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(n).run();
        outcome.expect_code(2).expect_text("test_it.py:7: KeyboardInterrupt\n(to show").expect_no_survivors();
        outcome.expect_no_text("INTERNALERROR").expect_no_text("crashed");
        assert!(suite.truth().ids().len() < 60, "the run went on\n{}", outcome.describe());
    }
}

#[test]
fn session_should_stop_ends_the_run_as_serially() {
    let make = || {
        Suite::of(&[
            ("test_it.py", "import pytest\n@pytest.mark.parametrize('n', range(50))\ndef test_it(n): pass\n"),
            (
                "conftest.py",
                "pytest_plugins = ['truth_log']\ndef pytest_runtest_logreport(report):\n    pass\n\
                 def pytest_runtest_teardown(item):\n    if item.name == 'test_it[3]':\n        \
                 item.session.shouldstop = 'a plugin says so'\n",
            ),
        ])
    };
    let serial = Invocation::pytest(&Env::usual(), &make()).run();
    let suite = make();
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).run();
    outcome.expect_code(serial.code()).expect_text("a plugin says so").expect_no_survivors();
    assert!(suite.truth().ids().len() < 50, "the run went on\n{}", outcome.describe());
}
