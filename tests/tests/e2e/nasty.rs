//! Tests that abuse their own process: descriptors, directory, environment, signal handlers, forks.

use xdist_tests::{Env, Invocation, Suite};

fn check(env: &Env, n: u32, args: &[&str]) {
    let suite = Suite::named("nasty");
    let model = suite.model();
    let outcome = Invocation::xdist(env, &suite).n(n).args(args).junit().run();
    outcome.expect_no_survivors();
    let truth = suite.truth();
    assert_eq!(truth.ids(), model.ids(), "each test starts once\n{}", outcome.describe());
    assert_eq!(outcome.counts(), model.counts, "{}", outcome.describe());
    outcome.expect_code(model.exit);
    assert_eq!(suite.junit().verdicts().len(), model.tests.len());
}

#[test]
fn on_two_workers() {
    check(&Env::usual(), 2, &[]);
}

#[test]
fn on_one_worker() {
    check(&Env::usual(), 1, &[]);
}

#[test]
fn with_capturing_of_python_only() {
    check(&Env::usual(), 2, &["--capture=sys"]);
}

#[test]
fn with_pytest_74() {
    check(&Env::named("py311-pytest74"), 2, &[]);
}

#[test]
fn closed_descriptors() {
    for n in [1, 2] {
        for capture in ["--capture=sys", "--capture=no"] {
            let suite = Suite::named("closing");
            let model = suite.model();
            let run = Invocation::xdist(&Env::usual(), &suite).n(n).args([capture, "-p", "no:faulthandler"]);
            let outcome = run.run();
            outcome.expect_no_survivors();
            assert_eq!(suite.truth().ids(), model.ids(), "each test starts once\n{}", outcome.describe());
            assert_eq!(outcome.counts(), model.counts, "{}", outcome.describe());
            // Plugins of pytest itself may complain at the end that a descriptor of theirs is gone, serially too.
            assert!([0, 1, 3].contains(&outcome.code()), "{}", outcome.describe());
        }
    }
}

#[test]
fn closed_descriptors_of_pytests_own_capturing() {
    // pytest itself cannot capture any more: what it says then is its own, but each test has its verdict.
    let suite = Suite::named("closing");
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).limit(30).run();
    outcome.expect_no_survivors();
    assert_ne!(outcome.code(), 0, "{}", outcome.describe());
    let ids = suite.truth().ids();
    let mut once = ids.clone();
    once.dedup();
    assert_eq!(ids, once, "no test starts twice\n{}", outcome.describe());
}

#[test]
fn with_fresh_interpreters() {
    check(&Env::usual(), 2, &["--fork=never"]);
}

#[test]
fn a_test_that_prints_much_past_capturing_is_no_trouble() {
    let suite = Suite::one(
        "
import os, pytest
@pytest.mark.parametrize('n', range(4))
def test_prints(n):
    for _ in range(200):
        os.write(1, b'x' * 99_999 + b'\\n')
",
    );
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).arg("--capture=sys").run();
    outcome.expect_code(0).expect_no_survivors();
    assert_eq!(outcome.counts().get("passed"), 4);
}

#[test]
fn a_thread_that_lives_on_does_not_hold_the_run() {
    let suite = Suite::one(
        "
import threading, time, pytest
@pytest.mark.parametrize('n', range(4))
def test_leaves_a_thread(n):
    threading.Thread(target=time.sleep, args=(300,), daemon=True).start()
",
    );
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).limit(30).run();
    outcome.expect_code(0).expect_no_survivors();
}
