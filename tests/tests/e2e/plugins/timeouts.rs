//! pytest-timeout: by signal the test fails, by thread the worker ends and leaves the dump of all stacks.

use super::{By, Plugged};

#[test]
fn by_signal_the_test_fails() {
    let plugged = Plugged::new("timeout", &["timeout"]).args(["--timeout=1"]);
    let (ours, serial, peer) = (plugged.run(By::Ours), plugged.run(By::Serial), plugged.run(By::Peer));
    ours.expect_like(&serial).expect_like(&peer).expect_no_host("collected");
    ours.outcome.expect_text("Failed: Timeout (>1.0s) from pytest-timeout.");
}

#[test]
fn by_thread_the_dump_is_shown() {
    let plugged = Plugged::new("timeout", &["timeout"]).args(["--timeout=1", "--timeout-method=thread"]);
    let (ours, peer) = (plugged.run(By::Ours), plugged.run(By::Peer));
    ours.expect_like(&peer).expect_no_host("collected");
    ours.outcome.expect_text("+ Timeout +").expect_text(", in test_slow\n").expect_text("time.sleep(60)");
    // With a host it is the host that shows it.
    let hosted = plugged.args(["--plugin-host=always"]).run(By::Ours);
    hosted.expect_like(&peer).outcome.expect_text("+ Timeout +").expect_text(", in test_slow\n");
}
