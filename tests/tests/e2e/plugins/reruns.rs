//! Plugins that run failed tests again: pytest-rerunfailures, pytest-retry, flaky.

use super::{By, Plugged, Ran};

/// The lines of the rerun summary, sorted: workers report in any order.
fn told(ran: &Ran) -> Vec<&str> {
    let mut lines = ran.lines("=========================== rerun test summary", "=====");
    lines.sort_unstable();
    lines.retain(|line| !line.starts_with('='));
    lines
}

#[test]
fn rerunfailures_logs_every_rerun() {
    let plugged = Plugged::new("reruns", &["rerunfailures"]).args(["--reruns=2", "-rR"]);
    let (ours, serial, peer) = (plugged.run(By::Ours), plugged.run(By::Serial), plugged.run(By::Peer));
    ours.expect_like(&serial).expect_like(&peer).expect_host("pytest-rerunfailures", "collected");
    assert_eq!(ours.counts().get("rerun"), 3);
    assert_eq!(told(&ours), told(&serial));
    let beside = plugged.run(By::OursBesidePeer);
    beside.expect_like(&serial);
    assert_eq!(told(&beside), told(&serial));
}

#[test]
fn rerunfailures_runs_a_test_again_that_took_its_worker_down() {
    let plugged = Plugged::new("reruns", &["rerunfailures"]).args(["--reruns=2", "-rR"]).file("crash", "");
    let (ours, peer) = (plugged.run(By::Ours), plugged.run(By::Peer));
    ours.expect_like(&peer).outcome.expect_text("RERUN test_reruns.py::test_second");
    assert_eq!((ours.counts().get("passed"), ours.counts().get("rerun")), (5, 3), "{}", ours.outcome.describe());
    assert_eq!(told(&ours), told(&peer));
}

/// Tests that pass the second time, on both workers.
const MANY: &str = "
import os, pytest

@pytest.mark.parametrize('n', range(60))
def test_it(n):
    if not os.path.exists(f'seen-{n}'):
        open(f'seen-{n}', 'w').close()
        assert 0
";

#[test]
fn rerunfailures_counts_for_all_workers() {
    let plugged = Plugged::new("reruns", &["rerunfailures"]).file("test_many.py", MANY);
    let plugged = plugged.args(["--reruns=1", "--max-suite-reruns=25", "test_many.py"]);
    let (ours, peer) = (plugged.run(By::Ours), plugged.run(By::Peer));
    ours.expect_like(&peer).expect_host("pytest-rerunfailures", "collected");
    let counts = ours.counts();
    assert_eq!(["passed", "failed", "rerun"].map(|what| counts.get(what)), [25, 35, 25], "{}", ours.outcome.describe());
}

#[test]
fn retry_gathers_what_all_workers_report() {
    let plugged = Plugged::new("reruns", &["pytest-retry"]).file("test_many.py", MANY);
    let ours = plugged.args(["--retries=2", "test_many.py"]).run(By::Ours);
    assert_eq!((ours.counts().get("passed"), ours.counts().get("retried")), (60, 60), "{}", ours.outcome.describe());
    let text = "passed on attempt 2!";
    assert_eq!(ours.outcome.occurrences(text), 60, "{}", ours.outcome.describe());
}

#[test]
fn retry_reports_what_was_retried() {
    let plugged = Plugged::new("reruns", &["pytest-retry"]).args(["--retries=2"]);
    let (ours, serial, peer) = (plugged.run(By::Ours), plugged.run(By::Serial), plugged.run(By::Peer));
    ours.expect_like(&serial).expect_like(&peer).expect_host("pytest-retry", "collected");
    assert_eq!(ours.counts().get("retried"), 2);
    for text in ["test_second passed on attempt 2!", "test_never failed after 3 attempts!"] {
        assert_eq!(ours.outcome.occurrences(text), serial.outcome.occurrences(text), "{}", ours.outcome.describe());
        assert_eq!(ours.outcome.occurrences(text), 1, "{}", ours.outcome.describe());
    }
}

#[test]
fn flaky_reports_once_for_all_workers() {
    let plugged = Plugged::new("flaky", &["flaky"]);
    let (ours, serial, peer) = (plugged.run(By::Ours), plugged.run(By::Serial), plugged.run(By::Peer));
    ours.expect_like(&serial).expect_like(&peer).expect_host("flaky.flaky_pytest_plugin", "collected");
    for text in ["===Flaky Test Report===", "test_second passed 1 out of the required 1 times", "test_never failed; "] {
        assert_eq!(ours.outcome.occurrences(text), serial.outcome.occurrences(text), "{}", ours.outcome.describe());
        assert!(ours.outcome.occurrences(text) > 0);
    }
}
