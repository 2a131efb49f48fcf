//! hypothesis: statistics on the controller's side, seeds, the data base of examples.

use super::{By, Plugged};

#[test]
fn hypothesis_shows_statistics_and_keeps_examples() {
    let plugged = Plugged::new("hypothesis", &["hypothesispytest"]).args(["--hypothesis-show-statistics"]);
    let (ours, serial, peer) = (plugged.run(By::Ours), plugged.run(By::Serial), plugged.run(By::Peer));
    ours.expect_like(&serial).expect_like(&peer).expect_host("_hypothesis_pytestplugin", "collected");
    for text in ["Hypothesis Statistics", "test_hypothesis.py::test_holds:\n", "test_hypothesis.py::test_fails:\n"] {
        assert_eq!(ours.outcome.occurrences(text), 1, "{text:?} in {}", ours.outcome.describe());
        assert_eq!(serial.outcome.occurrences(text), 1, "{text:?} in {}", serial.outcome.describe());
    }
    assert!(!ours.files(".hypothesis/examples").is_empty());
    // The example that failed is tried first, whichever worker gets the test.
    let again = plugged.on(By::Ours, &ours.suite, &[]);
    again.expect_code(1).expect_text("during reuse phase");
}

#[test]
fn hypothesis_asks_for_no_host_by_itself() {
    let ours = Plugged::new("hypothesis", &["hypothesispytest"]).args(["--hypothesis-seed=3"]).run(By::Ours);
    ours.expect_no_host("collected").outcome.expect_code(1).expect_text("n=1000");
}
