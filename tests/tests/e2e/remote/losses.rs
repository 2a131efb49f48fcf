//! Hosts that are lost in the middle: what ran there has crashed, what had not begun runs elsewhere, nothing is left.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use xdist_tests::{Running, Suite};

use super::{expect_clean, spec, xdist};
use crate::faults::fast;

/// Tests of which one, on the other host, waits until it is killed.
const WAITING: &str = "
import os, pathlib, pytest, time

@pytest.mark.parametrize('number', range(40))
def test_it(number):
    if os.environ.get('FAR') and number:
        pathlib.Path(os.environ['E2E_TRUTH']).with_name('waits').touch()
        time.sleep(600)
    time.sleep(0.01)
";

/// The other host, whose tests wait.
fn waiting(far: &Suite) -> String {
    format!("{}//env:FAR=1", spec(far))
}

/// Sends the agent of a run a signal, once a test waits there.
fn strike(run: &mut Running, suite: &Suite, signal: Signal) {
    let waits = suite.truth_path().with_file_name("waits");
    run.wait_for("a test to wait", |_| waits.exists());
    let agents = run
        .processes()
        .into_iter()
        .filter(|one| one.command.contains("--stdio") && one.command.contains("socketserver "));
    let agents: Vec<i32> = agents.filter(|one| !one.command.starts_with("python")).map(|one| one.pid).collect();
    // The command line of `xdist` itself names it, too.
    let agent = agents.into_iter().find(|pid| *pid != run.pid()).unwrap();
    kill_process(Pid::from_raw(agent).unwrap(), signal).unwrap();
}

fn check(signal: Signal, why: &str, limit: u64) {
    let (suite, far) = (Suite::one(WAITING), Suite::one(WAITING));
    let mut run = xdist(&suite).args(["--tx", "popen", "--tx", &waiting(&far)]).junit().limit(limit).start();
    strike(&mut run, &suite, signal);
    let outcome = run.finish();
    outcome.expect_code(1).expect_text(why).expect_text("the loss of its host");
    assert!(outcome.survivors(Duration::from_secs(20)).is_empty(), "{}", outcome.describe());
    expect_clean(&suite, &outcome);
    let counts = outcome.counts();
    assert_eq!((counts.get("failed"), counts.get("passed")), (1, 39), "{}", outcome.describe());
    assert_eq!(suite.truth().ids().len(), 40, "each test starts once\n{}", outcome.describe());
    assert_eq!(suite.junit().verdicts().len(), 40, "{}", outcome.describe());
    outcome.expect_no_text("maximum crashed workers");
}

#[test]
fn an_agent_that_is_killed() {
    check(Signal::KILL, "the connection ended without a goodbye", 40);
}

#[test]
fn an_agent_that_is_stopped() {
    // Its guard kills it.
    check(Signal::STOP, "the connection ended without a goodbye", 60);
}

#[test]
fn the_only_host_is_lost() {
    let (suite, far) = (Suite::one(WAITING), Suite::one(WAITING));
    let mut run = xdist(&suite).args(["--tx", &waiting(&far)]).start();
    strike(&mut run, &suite, Signal::KILL);
    let outcome = run.finish();
    outcome.expect_code(1).expect_text("the loss of its host");
    expect_clean(&suite, &outcome);
    assert_eq!(outcome.counts().get("failed"), 1, "{}", outcome.describe());
}

#[test]
fn nothing_is_left_when_xdist_is_killed() {
    let (suite, far) = (Suite::one(WAITING), Suite::one(WAITING));
    let mut run = xdist(&suite).args(["--tx", "popen", "--tx", &waiting(&far)]).start();
    let waits = suite.truth_path().with_file_name("waits");
    run.wait_for("a test to wait", |_| waits.exists());
    run.signal(Signal::KILL);
    let outcome = run.finish();
    assert_eq!(outcome.signal(), Some(9));
    assert!(outcome.survivors(Duration::from_secs(20)).is_empty(), "{}", outcome.describe());
    expect_clean(&suite, &outcome);
}

#[test]
fn an_interrupt_ends_tests_there() {
    let (suite, far) = (Suite::one(WAITING), Suite::one(WAITING));
    let mut run = xdist(&suite).args(["--tx", "popen", "--tx", &waiting(&far)]).start();
    let waits = suite.truth_path().with_file_name("waits");
    run.wait_for("a test to wait", |_| waits.exists());
    run.signal(Signal::INT);
    let outcome = run.finish();
    outcome.expect_code(2);
    expect_clean(&suite, &outcome);
}

#[test]
fn of_fast_tests_each_keeps_its_verdict_whatever_ends_their_worker() {
    for args in [&["-v"][..], &["--fork=imported"]] {
        let suite = fast::suite();
        let workers = format!("2*{}", spec(&suite));
        fast::check_run(&suite, xdist(&suite).args(["--tx", &workers]), args);
    }
}

#[test]
fn fast_tests_before_a_long_one_are_told_while_it_runs() {
    let suite = Suite::one(
        "
import os, pathlib, pytest, time
@pytest.mark.parametrize('n', range(300))
def test_it(n):
    deadline = time.monotonic() + 30
    while n == 200 and not pathlib.Path(os.environ['E2E_TRUTH']).with_name('seen').exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
",
    );
    let mut run = xdist(&suite).args(["--tx", &spec(&suite), "-v"]).start();
    run.wait_for("the test before the long one", |run| run.stdout().contains("test_it[199]"));
    std::fs::write(suite.truth_path().with_file_name("seen"), "").unwrap();
    let outcome = run.finish();
    outcome.expect_code(0);
    assert_eq!(outcome.counts().get("passed"), 300, "{}", outcome.describe());
}
