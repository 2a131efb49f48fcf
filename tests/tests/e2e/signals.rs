//! Signals to `xdist`: what is known is reported, and no process outlives it.

use std::fs;
use std::time::{Duration, Instant};

use xdist_tests::{Env, Invocation, Outcome, Running, Signal, Suite};

/// Passing and failing tests, then some that would run for a minute. `STUBBORN` ones ignore being interrupted.
const WAITING: &str = "
import os, signal, time, pytest
def test_passes(): pass
def test_fails(): assert 0
@pytest.mark.parametrize('n', range(20))
def test_waits(n):
    if os.environ.get('STUBBORN'):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    deadline = time.time() + 60
    while time.time() < deadline:
        time.sleep(0.01)
";

/// Starts two workers and waits until both are inside a waiting test.
fn busy(suite: &Suite, stubborn: bool) -> Running {
    let mut run = Invocation::xdist(&Env::usual(), suite).n(2).junit();
    if stubborn {
        run = run.var("STUBBORN", "1");
    }
    let mut run = run.start();
    run.wait_for("two tests to wait", |_| {
        suite.truth().started().iter().filter(|ran| ran.id.contains("waits")).count() == 2
    });
    run
}

/// Summary, junit and the failed-tests cache are there, and nobody lives on.
fn expect_known(suite: &Suite, outcome: &Outcome) {
    outcome.expect_no_survivors();
    let counts = outcome.counts();
    assert_eq!((counts.get("passed"), counts.get("failed")), (1, 1), "{}", outcome.describe());
    outcome.expect_text("test_it.py::test_fails");
    let junit = suite.junit();
    assert!(junit.cases.iter().any(|case| case.attributes["name"] == "test_fails"), "{junit:#?}");
    let cache = fs::read_to_string(suite.path(".pytest_cache/v/cache/lastfailed")).unwrap_or_default();
    assert!(cache.contains("test_it.py::test_fails"), "lastfailed: {cache:?}\n{}", outcome.describe());
    assert_eq!(suite.left_behind(), Vec::<String>::new());
}

#[test]
fn interrupted_once() {
    let suite = Suite::one(WAITING);
    let run = busy(&suite, false);
    let sent = Instant::now();
    run.signal(Signal::INT);
    let outcome = run.finish();
    assert!(sent.elapsed() < Duration::from_secs(12), "took {:?}\n{}", sent.elapsed(), outcome.describe());
    outcome.expect_code(2);
    expect_known(&suite, &outcome);
}

#[test]
fn interrupted_once_with_tests_that_ignore_it() {
    let suite = Suite::one(WAITING);
    let run = busy(&suite, true);
    let sent = Instant::now();
    run.signal(Signal::INT);
    let outcome = run.finish();
    assert!(sent.elapsed() < Duration::from_secs(15), "took {:?}\n{}", sent.elapsed(), outcome.describe());
    outcome.expect_code(2);
    expect_known(&suite, &outcome);
}

#[test]
fn interrupted_twice() {
    let suite = Suite::one(WAITING);
    let mut run = busy(&suite, true);
    let before = run.stdout().len();
    run.signal(Signal::INT);
    run.wait_for("the first interrupt to be acknowledged", |run| run.stdout().len() > before);
    let sent = Instant::now();
    run.signal(Signal::INT);
    let outcome = run.finish();
    assert!(sent.elapsed() < Duration::from_secs(5), "took {:?}\n{}", sent.elapsed(), outcome.describe());
    outcome.expect_code(2);
    expect_known(&suite, &outcome);
}

#[test]
fn interrupted_tests_run_their_teardown() {
    let suite = Suite::one(
        "
import time, pytest
from truth_file import log
@pytest.fixture(scope='module')
def resource():
    yield
    log('released')
def test_waits(resource):
    log('inside')
    deadline = time.time() + 60
    while time.time() < deadline:
        time.sleep(0.01)
",
    );
    let mut run = Invocation::xdist(&Env::usual(), &suite).n(1).start();
    run.wait_for("the test to wait", |_| !suite.truth().logged().is_empty());
    run.signal(Signal::INT);
    let outcome = run.finish();
    outcome.expect_code(2).expect_no_survivors();
    assert_eq!(suite.truth().logged().len(), 2, "fixtures are torn down\n{}", outcome.describe());
}

#[test]
fn terminated() {
    let suite = Suite::one(WAITING);
    let run = busy(&suite, false);
    run.signal(Signal::TERM);
    let outcome = run.finish();
    assert_ne!(outcome.code(), 0);
    expect_known(&suite, &outcome);
}

#[test]
fn hung_up() {
    let suite = Suite::one(WAITING);
    let run = busy(&suite, false);
    run.signal(Signal::HUP);
    let outcome = run.finish();
    assert_ne!(outcome.code(), 0);
    expect_known(&suite, &outcome);
}

#[test]
fn killed() {
    for stubborn in [false, true] {
        let suite = Suite::one(WAITING);
        let run = busy(&suite, stubborn);
        assert!(run.processes().len() > 2);
        run.signal(Signal::KILL);
        let outcome = run.finish();
        assert_eq!(outcome.signal(), Some(9));
        outcome.expect_no_survivors();
    }
}

#[test]
fn killed_while_it_collects() {
    let suite = Suite::of(&[(
        "test_slow.py",
        "import time\nfrom pathlib import Path\nPath('collecting').touch()\ndeadline = time.time() + 60\n\
         while time.time() < deadline:\n    time.sleep(0.01)\n",
    )]);
    let mut run = Invocation::xdist(&Env::usual(), &suite).n(2).start();
    run.wait_for("the collection to start", |_| suite.path("collecting").exists());
    run.signal(Signal::KILL);
    run.finish().expect_no_survivors();
}

#[test]
fn interrupted_while_it_collects() {
    let suite = Suite::of(&[(
        "test_slow.py",
        "import time\nfrom pathlib import Path\nPath('collecting').touch()\ndeadline = time.time() + 60\n\
         while time.time() < deadline:\n    time.sleep(0.01)\n",
    )]);
    let mut run = Invocation::xdist(&Env::usual(), &suite).n(2).start();
    run.wait_for("the collection to start", |_| suite.path("collecting").exists());
    run.signal(Signal::INT);
    let outcome = run.finish();
    outcome.expect_code(2).expect_no_survivors();
}

#[test]
fn children_of_tests_end_with_a_killed_run() {
    let suite = Suite::one(
        "
import subprocess, time
def test_waits():
    subprocess.Popen(['sleep', '300'])
    from pathlib import Path
    Path('started').touch()
    time.sleep(60)
",
    );
    let mut run = Invocation::xdist(&Env::usual(), &suite).n(1).start();
    run.wait_for("the child to start", |_| suite.path("started").exists());
    run.signal(Signal::KILL);
    run.finish().expect_no_survivors();
}

#[test]
fn a_test_that_was_reported_before_the_interrupt_has_its_verdict() {
    let suite = Suite::of(&[
        (
            "conftest.py",
            "
import os, signal, pytest
pytest_plugins = ['truth_log']
def pytest_runtest_logfinish(nodeid):
    if os.environ['INTERRUPTED'] in nodeid and os.environ['HOW'] == 'exit':
        pytest.exit('enough', 2)
    if os.environ['INTERRUPTED'] in nodeid:
        os.kill(os.getpid(), signal.SIGINT)
",
        ),
        (
            "test_it.py",
            "def test_one(): pass\ndef test_two(): assert 0\ndef test_three(): pass\ndef test_four(): pass\n",
        ),
    ]);
    for (name, how) in [("test_two", "signal"), ("test_three", "signal"), ("test_two", "exit"), ("test_three", "exit")]
    {
        let with = |run: Invocation| run.var("INTERRUPTED", name).var("HOW", how).run();
        let serial = with(Invocation::pytest(&Env::usual(), &suite));
        let outcome = with(Invocation::xdist(&Env::usual(), &suite).n(1));
        serial.expect_code(2);
        outcome.expect_code(2).expect_no_survivors();
        assert_eq!(outcome.counts(), serial.counts(), "{}", outcome.describe());
    }
}
