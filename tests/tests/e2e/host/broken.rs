//! Plugins that raise on the controller's side, and hosts that are killed.

use std::collections::BTreeSet;

use xdist_tests::{Outcome, Suite};

use super::{conftest, hosted};

/// Hooks of the controller's side with their arguments, in the order in which they fire.
const HOOKS: [(&str, &str); 17] = [
    ("pytest_sessionstart", "session"),
    ("pytest_report_header", "config"),
    ("pytest_xdist_setupnodes", "config, specs"),
    ("pytest_xdist_newgateway", "gateway"),
    ("pytest_configure_node", "node"),
    ("pytest_collectreport", "report"),
    ("pytest_testnodeready", "node"),
    ("pytest_xdist_node_collection_finished", "node, ids"),
    ("pytest_runtest_logstart", "nodeid"),
    ("pytest_runtest_logreport", "report"),
    ("pytest_runtest_logfinish", "nodeid"),
    ("pytest_warning_recorded", "warning_message"),
    ("pytest_handlecrashitem", "crashitem, report, sched"),
    ("pytest_testnodedown", "node, error"),
    ("pytest_sessionfinish", "session"),
    ("pytest_terminal_summary", "terminalreporter"),
    ("pytest_unconfigure", "config"),
];
/// Hooks before the first test.
const EARLY: usize = 5;

const TESTS: &str = "
import os, signal, warnings, pytest
def test_fails(): assert 0, 'the reason why'
def test_warns(): warnings.warn('careful')
@pytest.mark.parametrize('n', range(8))
def test_passes(n): pass
def test_crashes(): os.kill(os.getpid(), signal.SIGKILL)
";

fn suite(hook: &str, arguments: &str, action: &str) -> Suite {
    let more = format!("import signal\ndef {hook}({arguments}):\n    if SIDE == 'controller': {action}\n");
    Suite::of(&[
        ("conftest.py", &conftest(&more)),
        ("test_a.py", TESTS),
        ("test_b.py", "import pytest\npytest.skip('none of it', allow_module_level=True)\n"),
    ])
}

/// What came to its end is shown and in junit.xml.
#[track_caller]
fn expect_results(suite: &Suite, outcome: &Outcome, hook: &str) {
    let cases: BTreeSet<_> = suite.junit().cases.iter().map(|case| case.attributes["name"].clone()).collect();
    let finished = suite.truth().finished();
    for id in &finished {
        let name = id.rsplit("::").next().unwrap_or_default();
        assert!(cases.contains(name), "{hook}: {id} is not in {cases:?}\n{}", outcome.describe());
    }
    if finished.iter().any(|id| id.ends_with("test_fails")) {
        outcome.expect_text("FAILED test_a.py::test_fails - AssertionError: the reason why");
    }
    let counts = outcome.counts();
    let shown = counts.get("passed") + counts.get("failed");
    assert!(shown >= finished.len() as u64, "{hook}: {shown} of {}\n{}", finished.len(), outcome.describe());
}

#[test]
fn a_plugin_that_raises_is_named_and_results_are_kept() {
    for (at, (hook, arguments)) in HOOKS.iter().enumerate() {
        let suite = suite(hook, arguments, "raise ValueError('a broken plugin')");
        let outcome = hosted(&suite, 2).junit().run();
        outcome.expect_code(3).expect_text("ValueError: a broken plugin").expect_no_survivors();
        let places = outcome.stdout.lines().chain(outcome.stderr.lines());
        let named =
            places.filter(|line| line.contains("conftest.py\"") && line.ends_with(&format!("in {hook}"))).count();
        assert_eq!(named, 1, "{hook}: named once\n{}", outcome.describe());
        assert_eq!(suite.left_behind(), Vec::<String>::new(), "{hook}");
        if at < EARLY {
            assert_eq!(suite.truth().ids(), Vec::<String>::new(), "{hook}");
        } else {
            expect_results(&suite, &outcome, hook);
        }
    }
}

#[test]
fn a_plugin_that_raises_in_configure_is_named() {
    let more = "def configured(config):\n    if SIDE == 'controller': raise ValueError('a broken plugin')\n";
    let suite = Suite::of(&[("conftest.py", &conftest(more)), ("test_a.py", TESTS)]);
    let outcome = hosted(&suite, 2).run();
    outcome
        .expect_code(3)
        .expect_text("ValueError: a broken plugin")
        .expect_text("in configured")
        .expect_no_survivors();
    assert_eq!(suite.truth().ids(), Vec::<String>::new());
}

#[test]
fn a_host_that_is_killed_leaves_results_and_no_process() {
    for (at, (hook, arguments)) in HOOKS.iter().enumerate() {
        let suite = suite(hook, arguments, "os.kill(os.getpid(), signal.SIGKILL)");
        let outcome = hosted(&suite, 2).junit().run();
        outcome.expect_code(3).expect_text("the plugin host").expect_text("SIGKILL").expect_no_survivors();
        assert_eq!(suite.left_behind(), Vec::<String>::new(), "{hook}");
        if at >= EARLY {
            expect_results(&suite, &outcome, hook);
        }
    }
}

#[test]
fn a_host_that_is_killed_while_tests_are_collected() {
    let more = "
def configured(config):
    if SIDE == 'controller':
        with open('host.pid', 'w') as file: file.write(str(os.getpid()))
";
    let tests = "
import os, signal
from pathlib import Path
os.kill(int(Path('host.pid').read_text()), signal.SIGKILL)
def test_it(): pass
";
    let suite = Suite::of(&[("conftest.py", &conftest(more)), ("test_a.py", tests)]);
    let outcome = hosted(&suite, 2).run();
    outcome.expect_code(3).expect_text("the plugin host").expect_text("SIGKILL").expect_no_survivors();
}

#[test]
fn other_signals_are_named_too() {
    let suite = suite("pytest_runtest_logfinish", "nodeid", "os.kill(os.getpid(), signal.SIGTERM)");
    let outcome = hosted(&suite, 2).junit().run();
    outcome.expect_code(3).expect_text("SIGTERM").expect_no_survivors();
    expect_results(&suite, &outcome, "SIGTERM");
    let suite = self::suite("pytest_runtest_logfinish", "nodeid", "os._exit(0)");
    let outcome = hosted(&suite, 2).junit().run();
    outcome.expect_code(3).expect_text("the plugin host").expect_text("exit code 0").expect_no_survivors();
    expect_results(&suite, &outcome, "exit");
}
