//! How runs with a plugin host end: exit codes, stops, usage errors, what is shown.

use std::fs;
use std::time::{Duration, Instant};

use xdist_tests::{Env, Face, Invocation, Signal, Suite};

use super::{conftest, hosted, notes};

#[test]
fn outcomes_equal_serial_pytests_with_and_without_a_host() {
    for choice in ["--plugin-host=always", "--plugin-host=never"] {
        for name in ["outcomes", "reports"] {
            let make = || Suite::named(name);
            let serial = Face::serial(&Env::usual(), make, &[]);
            let (ours, outcome) = Face::distributed(&Env::usual(), make, 2, &[choice]);
            serial.expect_same(&ours, &outcome);
        }
    }
}

#[test]
fn subtests_are_drawn_by_the_host() {
    for args in [&["--plugin-host=always"][..], &["--plugin-host=always", "-v"]] {
        let make = || Suite::named("subtests");
        let serial = Face::serial(&Env::usual(), make, &args[1..]);
        let (ours, outcome) = Face::distributed(&Env::usual(), make, 2, args);
        serial.expect_same(&ours, &outcome);
    }
}

#[test]
fn outcomes_equal_serial_pytests_with_other_interpreters() {
    for env in ["py311-pytest84", "py311-pytest74", "py311-xdist", "pypy39-pytest84"] {
        let make = || Suite::named("outcomes");
        let serial = Face::serial(&Env::named(env), make, &[]);
        let (ours, outcome) = Face::distributed(&Env::named(env), make, 2, &["--plugin-host=always"]);
        serial.expect_same(&ours, &outcome);
    }
}

const MIXED: &str = "
import pytest
@pytest.mark.parametrize('n', range(10))
def test_passes(n): pass
def test_fails(): assert 0
";

#[test]
fn a_plugin_may_change_the_exit_code() {
    for (tests, change, code) in [
        (MIXED, "session.exitstatus = 0", 0),
        (MIXED, "session.exitstatus = 77", 77),
        ("def test_passes(): pass\n", "session.exitstatus = 1", 1),
        ("", "session.exitstatus = 0 if exitstatus == 5 else 6", 0),
    ] {
        let more = format!("def pytest_sessionfinish(session, exitstatus):\n    if SIDE == 'controller': {change}\n");
        let suite = Suite::of(&[("conftest.py", &conftest(&more)), ("test_a.py", tests)]);
        hosted(&suite, 2).run().expect_code(code).expect_no_survivors();
    }
}

const LONG: &str = "
import time, pytest
@pytest.mark.parametrize('n', range(400))
def test_it(n): time.sleep(0.02)
";

#[test]
fn a_plugin_may_stop_the_run() {
    for (how, code, text) in [
        ("session().shouldstop = 'had enough'", 2, "had enough"),
        ("session().shouldfail = 'bad enough'", 1, "bad enough"),
        ("pytest.exit('gone for good', returncode=7)", 7, "gone for good"),
        ("raise KeyboardInterrupt", 2, "KeyboardInterrupt"),
    ] {
        let more = format!(
            "
import pytest
SESSION = []
def session(): return SESSION[0]
def pytest_sessionstart(session): SESSION.append(session)
def pytest_runtest_logreport(report):
    if SIDE == 'controller' and report.when == 'call':
        {how}
"
        );
        let suite = Suite::of(&[("conftest.py", &conftest(&more)), ("test_a.py", LONG)]);
        let outcome = hosted(&suite, 2).run();
        outcome.expect_code(code).expect_text(text).expect_no_survivors().expect_no_text("INTERNALERROR");
        let ran = suite.truth().ids().len();
        assert!(ran < 300, "{how}: {ran} of 400 tests ran\n{}", outcome.describe());
    }
}

#[test]
fn the_first_failures_end_the_run() {
    let tests = "
import time, pytest
@pytest.mark.parametrize('n', range(200))
def test_it(n):
    time.sleep(0.02)
    assert n % 7 != 3
";
    for args in [&["-x"][..], &["--maxfail=3"]] {
        let suite = Suite::one(tests);
        let outcome = hosted(&suite, 2).args(args).junit().run();
        outcome.expect_code(1).expect_text("stopping after").expect_no_survivors().expect_no_text("INTERNALERROR");
        assert_eq!(outcome.occurrences("stopping after"), 1, "{}", outcome.describe());
        assert!(suite.truth().ids().len() < 150, "{}", outcome.describe());
        let shown = outcome.counts();
        let ran = usize::try_from(shown.get("failed") + shown.get("passed")).unwrap();
        assert_eq!(suite.truth().finished().len(), ran, "what ran is shown\n{}", outcome.describe());
        assert_eq!(suite.junit().cases.len(), ran, "and written\n{}", outcome.describe());
    }
}

#[test]
fn an_interrupt_is_shown_once_and_results_are_kept() {
    let tests = "
import time, pytest
def test_fails(): assert 0
@pytest.mark.parametrize('n', range(20))
def test_waits(n):
    deadline = time.time() + 60
    while time.time() < deadline:
        time.sleep(0.01)
";
    let more = "
def pytest_sessionfinish(session):
    if SIDE == 'controller': note('finished')
";
    let suite = Suite::of(&[("conftest.py", &conftest(more)), ("test_a.py", tests)]);
    let mut run = hosted(&suite, 2).junit().start();
    run.wait_for("two tests to wait", |_| {
        suite.truth().started().iter().filter(|ran| ran.id.contains("waits")).count() == 2
    });
    let sent = Instant::now();
    run.signal(Signal::INT);
    let outcome = run.finish();
    assert!(sent.elapsed() < Duration::from_secs(12), "took {:?}\n{}", sent.elapsed(), outcome.describe());
    outcome.expect_code(2).expect_text("KeyboardInterrupt").expect_no_survivors().expect_no_text("INTERNALERROR");
    assert_eq!(outcome.counts().get("failed"), 1, "{}", outcome.describe());
    // The tests that were running stand for the place, which is none in this program.
    outcome.expect_text("xdist: 2 tests interrupted").expect_no_text("session.py");
    assert_eq!(outcome.occurrences("INTERRUPTED test_a.py::test_waits["), 2, "{}", outcome.describe());
    assert_eq!(notes(&suite), ["finished"]);
    assert!(suite.junit().cases.iter().any(|case| case.attributes["name"] == "test_fails"));
    let cache = fs::read_to_string(suite.path(".pytest_cache/v/cache/lastfailed")).unwrap_or_default();
    assert!(cache.contains("test_a.py::test_fails"), "{cache:?}\n{}", outcome.describe());
}

#[test]
fn an_interrupt_while_plugins_configure_the_workers() {
    let more = "
import time
def pytest_configure_node(node):
    note('configuring')
    time.sleep(60)
";
    let suite = Suite::of(&[("conftest.py", &conftest(more)), ("test_a.py", "def test_it(): pass\n")]);
    let mut run = hosted(&suite, 2).start();
    run.wait_for("the hook", |_| !notes(&suite).is_empty());
    run.signal(Signal::INT);
    let outcome = run.finish();
    outcome.expect_code(2).expect_no_survivors();
    assert_eq!(suite.truth().ids(), Vec::<String>::new());
}

/// Output of a run short of what differs from run to run.
fn telling(text: &str) -> Vec<&str> {
    let words = ["ERROR", "error", "no tests ran", "!!!", "not found"];
    text.lines().filter(|line| words.iter().any(|word| line.contains(word))).collect()
}

#[test]
fn collection_errors_are_shown_once() {
    let suite = || {
        Suite::of(&[
            ("test_a.py", "import no_such_module_at_all\n"),
            ("test_b.py", "def test_it(): pass\n"),
            ("test_c.py", "assert 0, 'at import'\n"),
        ])
    };
    let serial = suite();
    let serial = Invocation::pytest(&Env::usual(), &serial).run();
    let ours = suite();
    let outcome = hosted(&ours, 2).run();
    outcome.expect_code(2).expect_no_survivors();
    assert_eq!(serial.code(), 2);
    assert_eq!(outcome.counts(), serial.counts(), "{}", outcome.describe());
    assert_eq!(outcome.occurrences("ERROR collecting test_a.py"), 1, "{}", outcome.describe());
    assert_eq!(outcome.occurrences("Interrupted: 2 errors during collection"), 1, "{}", outcome.describe());
    let run_on = suite();
    let args = ["--continue-on-collection-errors"];
    let outcome = hosted(&run_on, 2).args(args).run();
    outcome.expect_code(1);
    let serial = suite();
    assert_eq!(outcome.counts(), Invocation::pytest(&Env::usual(), &serial).args(args).run().counts());
}

#[test]
fn usage_errors_are_said_once() {
    for args in [&["no/such/path"][..], &["test_a.py::test_none"], &["--no-such-option"]] {
        let suite = Suite::one(MIXED);
        suite.write("test_a.py", MIXED);
        let serial = Invocation::pytest(&Env::usual(), &suite).args(args).run();
        let outcome = hosted(&suite, 2).args(args).run();
        outcome.expect_code(4).expect_no_survivors();
        assert_eq!(serial.code(), 4);
        for line in telling(&serial.stderr) {
            assert_eq!(outcome.occurrences(line), 1, "{line}\n{}", outcome.describe());
        }
    }
}

#[test]
fn no_tests() {
    let suite = Suite::of(&[("test_a.py", "")]);
    let outcome = hosted(&suite, 2).run();
    outcome.expect_code(5).expect_text("no tests ran").expect_no_survivors();
    let suite = Suite::one(MIXED);
    let outcome = hosted(&suite, 2).args(["-k", "nothing_is_called_so"]).run();
    outcome.expect_code(5).expect_text("11 deselected");
}

#[test]
fn without_a_terminal_reporter_nothing_is_drawn() {
    let suite = Suite::one(MIXED);
    let outcome = hosted(&suite, 2).args(["-p", "no:terminal"]).junit().run();
    outcome.expect_code(1).expect_no_survivors();
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
    assert_eq!(suite.junit().cases.len(), 11);
}

#[test]
fn options_of_the_terminal_mean_what_they_mean_serially() {
    for args in [&["-q"][..], &["-qq"], &["-rA"], &["--tb=line"], &["--durations=3", "-vv"]] {
        let (serial, ours) = (Suite::one(MIXED), Suite::one(MIXED));
        let serial = Invocation::pytest(&Env::usual(), &serial).args(args).run();
        let outcome = hosted(&ours, 2).args(args).run();
        outcome.expect_code(1);
        let titles = |text: &str| -> Vec<String> {
            let title =
                |line: &&str| line.starts_with("FAILED") || line.starts_with("PASSED") || line.starts_with("=====");
            let short = |line: &str| line.split(" in ").next().unwrap_or_default().trim_matches(['=', ' ']).to_owned();
            let mut found: Vec<_> = text.lines().filter(title).map(short).collect();
            found.sort();
            found
        };
        assert_eq!(titles(&outcome.stdout), titles(&serial.stdout), "{args:?}\n{}", outcome.describe());
    }
}
