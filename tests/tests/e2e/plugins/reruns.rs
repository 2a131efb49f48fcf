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
    ours.expect_like(&serial).expect_like(&peer).expect_host("pytest-rerunfailures", "");
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

#[test]
fn retry_reports_what_was_retried() {
    let plugged = Plugged::new("reruns", &["pytest-retry"]).args(["--retries=2"]);
    let (ours, serial, peer) = (plugged.run(By::Ours), plugged.run(By::Serial), plugged.run(By::Peer));
    ours.expect_like(&serial).expect_like(&peer).expect_host("pytest-retry", "");
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
