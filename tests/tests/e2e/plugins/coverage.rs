//! pytest-cov: the numbers of serial pytest in every format, gates, and data of workers that died.

use serde_json::Value;
use xdist_tests::Outcome;

use super::{By, Plugged, Ran};

const SHOWN_CONTEXTS: (&str, &str) = (".coveragerc", "[json]\nshow_contexts = true\n");

fn plugged(args: &[&str]) -> Plugged {
    Plugged::new("cov", &["pytest_cov"]).file(SHOWN_CONTEXTS.0, SHOWN_CONTEXTS.1).args(args.iter().copied())
}

/// The table on the terminal.
fn table(ran: &Ran) -> Vec<&str> {
    ran.lines("Name  ", "TOTAL")
}

/// What coverage.json says of files and of everything.
fn numbers(ran: &Ran) -> (Value, Value) {
    let mut found = ran.json("coverage.json");
    sort_contexts(&mut found);
    (found["files"].take(), found["totals"].take())
}

/// Contexts of a line stand in no order.
fn sort_contexts(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(sort_contexts),
        Value::Array(entries) => entries.sort_by_key(Value::to_string),
        _ => {}
    }
}

/// coverage.xml without when and where it was written.
fn xml(ran: &Ran) -> Vec<String> {
    let text = ran.text("coverage.xml");
    let lines = text.lines().filter(|line| !line.contains("<source>"));
    lines.map(|line| line.split(" timestamp=").next().unwrap().to_owned()).collect()
}

const ALL: [&str; 9] = [
    "--cov=pkg",
    "--cov-branch",
    "--cov-context=test",
    "--cov-report=term-missing",
    "--cov-report=xml",
    "--cov-report=json",
    "--cov-report=lcov",
    "--cov-report=html",
    "--cov-fail-under=99",
];

#[test]
fn every_format_has_the_numbers_of_serial_pytest() {
    let plugged = plugged(&ALL);
    let (ours, serial, peer) = (plugged.run(By::Ours), plugged.run(By::Serial), plugged.run(By::Peer));
    ours.expect_like(&serial).expect_like(&peer).expect_host("pytest-cov", "collected");
    ours.outcome.expect_text("FAIL Required test coverage of 99% not reached. Total coverage: 78.57%");
    assert_eq!(table(&ours), table(&serial));
    assert_eq!(table(&ours), table(&peer));
    assert_eq!(numbers(&ours), numbers(&serial));
    assert_eq!(xml(&ours), xml(&serial));
    assert_eq!(ours.text("coverage.lcov"), serial.text("coverage.lcov"));
    let names =
        |ran: &Ran| ran.files("htmlcov").iter().map(|path| path.file_name().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&serial));
    let data = ours.files("").into_iter().filter(|path| path.to_string_lossy().contains("/.coverage.")).count();
    assert_eq!(data, 0, "data files that are not combined");
}

#[test]
fn copies_of_the_sources_count_as_what_they_are_copies_of() {
    let serial = plugged(&ALL).run(By::Serial);
    for level in ["collected", "imported"] {
        let ours = plugged(&ALL).args([format!("--fork={level}")]).run(By::OursInCopies);
        ours.expect_like(&serial).expect_host("pytest-cov", level);
        assert_eq!(table(&ours), table(&serial));
        assert_eq!(numbers(&ours), numbers(&serial), "--fork={level}");
        assert_eq!(xml(&ours), xml(&serial));
    }
}

#[test]
fn at_every_fork_level_and_beside_pytest_xdist() {
    let serial = plugged(&ALL).run(By::Serial);
    for level in ["imported", "never"] {
        let ours = plugged(&ALL).args([format!("--fork={level}")]).run(By::Ours);
        ours.expect_like(&serial).expect_host("pytest-cov", level);
        assert_eq!(numbers(&ours), numbers(&serial), "--fork={level}");
    }
    let beside = plugged(&ALL).run(By::OursBesidePeer);
    beside.expect_like(&serial).expect_host("pytest-cov", "collected");
    assert_eq!(numbers(&beside), numbers(&serial));
}

#[test]
fn a_gate_that_holds_and_data_that_are_added_to() {
    let plugged = plugged(&["--cov=pkg", "--cov-report=term-missing"]);
    let both = |by: By| {
        let first = plugged.clone().args(["--cov-fail-under=50", "test_a.py"]).run(by);
        let second = plugged.on(by, &first.suite, &["--cov-append", "--cov-fail-under=80", "-k", "half"]);
        let second = Ran { suite: first.suite, outcome: second };
        (first.outcome, second)
    };
    let passed = |outcome: &Outcome, text: &str| {
        outcome.expect_code(0).expect_text(text);
    };
    let (first, second) = both(By::Ours);
    passed(&first, "Required test coverage of 50% reached. Total coverage: 70.00%");
    passed(&second.outcome, "Required test coverage of 80% reached. Total coverage: 80.00%");
    let (_, serial) = both(By::Serial);
    assert_eq!(table(&second), table(&serial));
}

#[test]
fn what_the_living_workers_saw_counts_when_one_dies() {
    let crash = "import os\ndef test_crash(): os.kill(os.getpid(), 9)\n";
    let plugged = plugged(&["--cov=pkg", "--cov-report=json"]).file("test_c.py", crash);
    let (ours, peer) = (plugged.run(By::Ours), plugged.run(By::Peer));
    ours.expect_like(&peer).outcome.expect_code(1);
    let covered = |ran: &Ran| numbers(ran).1["covered_lines"].as_u64().unwrap();
    // How much is lost depends on who died; what ran at import never is.
    assert!((3..=8).contains(&covered(&ours)), "{}", ours.outcome.describe());
    assert!(covered(&peer) <= 8);
}

#[test]
fn without_a_host_nothing_is_passed_over_in_silence() {
    let ours = plugged(&["--cov=pkg", "--cov-fail-under=50", "--plugin-host=never"]).run(By::Ours);
    ours.outcome.expect_code(4);
    for option in ["--cov-fail-under", "--plugin-host=never"] {
        assert!(ours.outcome.stderr.contains(option), "{}", ours.outcome.describe());
    }
    let configured = Plugged::new("cov", &["pytest_cov"]).file(".coveragerc", "[report]\nfail_under = 50\n");
    let ours = configured.args(["--cov=pkg", "--plugin-host=never"]).run(By::Ours);
    ours.outcome.expect_code(4);
    assert!(ours.outcome.stderr.contains("`fail_under` is checked in the plugin host"), "{}", ours.outcome.describe());
}
