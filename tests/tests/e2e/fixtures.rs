//! Fixtures of wider scopes live once a worker, around its tests, and end before it does.

use std::collections::{BTreeMap, BTreeSet};

use xdist_tests::{Env, Invocation, Suite};

#[test]
fn session_and_module_fixtures_live_once_a_worker() {
    for (n, level) in [(1, "collected"), (3, "collected"), (3, "imported"), (2, "never")] {
        let suite = Suite::named("fixtures");
        let model = suite.model();
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(n).arg(format!("--fork={level}")).run();
        outcome.expect_code(0).expect_no_survivors();
        let truth = suite.truth();
        assert_eq!(truth.outcomes(), model.tests, "{}", outcome.describe());
        let workers: BTreeSet<i64> = truth.started().iter().map(|ran| ran.pid).collect();
        let mut by_process: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for (text, pid) in truth.logged() {
            by_process.entry(pid).or_default().push(text);
        }
        for pid in &workers {
            let lines = &by_process[pid];
            let count = |text: &str| lines.iter().filter(|line| *line == text).count();
            assert_eq!(lines[0], "session up", "{level}: {lines:#?}");
            for once in ["session up", "session down", "sessionfinish", "unconfigure"] {
                assert_eq!(count(once), 1, "{level}: {once}: {lines:#?}");
            }
            let at = |text: &str| lines.iter().position(|line| line == text);
            assert!(at("session down") < at("unconfigure"), "{lines:#?}");
            for line in lines.iter().filter(|line| line.ends_with(" up")) {
                let down = line.replace(" up", " down");
                assert_eq!(count(line), count(&down), "{level}: every {line} has its end: {lines:#?}");
            }
        }
        for (pid, lines) in &by_process {
            if !workers.contains(pid) {
                assert!(!lines.iter().any(|line| line.ends_with(" up")), "no fixture outside workers: {lines:#?}");
            }
        }
    }
}

#[test]
fn a_failing_session_teardown_is_an_error() {
    let suite = Suite::one(
        "
import pytest
@pytest.fixture(scope='session', autouse=True)
def broken():
    yield
    raise OSError('the session does not end well')
def test_it(): pass
",
    );
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(1).run();
    outcome.expect_code(1).expect_text("the session does not end well");
    assert_eq!((outcome.counts().get("passed"), outcome.counts().get("error")), (1, 1), "{}", outcome.describe());
}
