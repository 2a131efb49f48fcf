//! Who draws: pytest's own reporter, or a plugin in its place; every text of a conftest once.

use super::{By, Plugged};

#[test]
fn sugar_draws() {
    let plugged = Plugged::new("few", &["sugar"]).args(["--force-sugar"]);
    let (ours, peer) = (plugged.run(By::Ours), plugged.run(By::Peer));
    assert_eq!((ours.outcome.code(), peer.outcome.code()), (1, 1));
    ours.expect_host("pytest-sugar", "collected");
    for text in ["Results (", "       7 passed\n", "       1 failed\n", "- test_few.py:4 test_bad", "100% "] {
        assert_eq!(peer.outcome.occurrences(text), 1, "{text:?} in {}", peer.outcome.describe());
        assert_eq!(ours.outcome.occurrences(text), 1, "{text:?} in {}", ours.outcome.describe());
    }
}

#[test]
fn instafail_shows_a_failure_at_once_and_only_then() {
    let plugged = Plugged::new("few", &["instafail"]).args(["--instafail"]);
    let (ours, serial, peer) = (plugged.run(By::Ours), plugged.run(By::Serial), plugged.run(By::Peer));
    ours.expect_like(&serial).expect_like(&peer).expect_host("pytest-instafail", "collected");
    for text in ["__ test_bad __", ">   def test_bad", "E   assert 0"] {
        let (found, expected) = (ours.outcome.occurrences(text), serial.outcome.occurrences(text));
        assert_eq!(found, expected, "{text:?} in {}", ours.outcome.describe());
    }
    let quiet = Plugged::new("few", &["instafail"]).run(By::Ours);
    quiet.expect_no_host("collected");
}

#[test]
fn failures_are_annotated_for_the_service() {
    let plugged = Plugged::new("few", &["pytest_github_actions_annotate_failures"]);
    let service = plugged.clone().var("GITHUB_ACTIONS", "true");
    let (ours, peer) = (service.run(By::Ours), service.run(By::Peer));
    ours.expect_like(&peer).expect_host("pytest-github-actions-annotate-failures", "collected");
    let annotated = "::error file=test_few.py,line=5::test_bad%0A%0Aassert 0\n";
    assert_eq!(peer.outcome.stderr, annotated);
    assert_eq!(ours.outcome.stderr, annotated);
    plugged.run(By::Ours).expect_no_host("collected").outcome.expect_no_text("::error");
}

/// The conftest that speaks, over the tests of the suite `mixed`.
fn speaking() -> Plugged {
    Plugged::new("speaking", &[]).file("test_mixed.py", include_str!("../../../suites/plugins/mixed/test_mixed.py"))
}

/// How often each text of the conftest stands in the output, and how often its ends were reached.
fn texts(by: By, args: &[&str]) -> ([usize; 4], [usize; 2], i32) {
    let ran = speaking().args(args.iter().copied()).run(by);
    let found =
        ["HEADER-LINE", "COLLECTED-LINE 13", "OWN SUMMARY", "SUMMARY-LINE 1"].map(|text| ran.outcome.occurrences(text));
    (found, ["finished", "unconfigured"].map(|file| ran.text(file).len()), ran.outcome.code())
}

#[test]
fn a_conftest_speaks_once_and_ends_once() {
    for args in [&[][..], &["-q"], &["-v"], &["--no-header", "--color=yes"], &["-p", "no:terminal"]] {
        assert_eq!(texts(By::Ours, args), texts(By::Serial, args), "{args:?}");
    }
    assert_eq!(texts(By::Ours, &["--no-summary", "-qq"]), texts(By::Serial, &["--no-summary", "-qq"]));
    assert_eq!(texts(By::OursBesidePeer, &[]), texts(By::Serial, &[]));
}

#[test]
fn summaries_are_serial_pytests() {
    let plugged = speaking().args(["-rA", "--durations=3", "--durations-min=0"]);
    let (ours, serial) = (plugged.run(By::Ours), plugged.run(By::Serial));
    ours.expect_like(&serial).expect_host("conftest.py implements pytest_terminal_summary", "collected");
    let short = |ran: &super::Ran| {
        let lines = ran.lines("=========================== short test summary info", "= ");
        let mut lines: Vec<_> =
            lines.iter().filter(|line| !line.starts_with('=')).map(|&line| line.to_owned()).collect();
        lines.sort();
        lines
    };
    assert_eq!(short(&ours), short(&serial));
    assert_eq!(ours.outcome.occurrences("slowest 3 durations"), 1);
    assert_eq!(ours.outcome.counts(), serial.outcome.counts());
}
