//! What serial pytest never has to write: crashes and interrupts. The rest is compared with pytest's own files in
//! `tests/recorded.rs`.

use std::time::Duration;

use xdist_core::event::{Crashed, Environment};
use xdist_core::ids::WorkerId;
use xdist_core::report::{Longrepr, Report};

use super::*;

fn options(pytest: &[u32]) -> JunitOptions {
    JunitOptions {
        suite_name: "pytest".into(),
        logging: "no".into(),
        log_passing: true,
        duration: "total".into(),
        family: "xunit2".into(),
        pytest: pytest.to_vec(),
        ..JunitOptions::default()
    }
}

fn report(when: &str, outcome: &str) -> Report {
    let longrepr = Longrepr { terminal: "\u{1b}broken\n".into(), ..Longrepr::default() };
    Report {
        when: when.into(),
        outcome: outcome.into(),
        duration: 0.25,
        longrepr: (outcome == "failed").then_some(longrepr),
        ..Report::default()
    }
}

fn crashed(reports: Vec<Report>) -> Verdict {
    Verdict::Crashed(Box::new(Crashed {
        how: "signal 11 (SIGSEGV)".into(),
        output: "Fatal Python error: \u{1b}[1mSegmentation fault".into(),
        reports,
        passed: Vec::new(),
        elapsed: Duration::from_secs(2),
        boxed: false,
    }))
}

/// The file that comes of these verdicts of `t.py::test_0`, `t.py::test_1`….
fn written(mut options: JunitOptions, verdicts: Vec<Verdict>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("junit.xml");
    path.to_str().unwrap().clone_into(&mut options.path);
    let ids = (0..verdicts.len()).map(|at| format!("t.py::test_{at}")).collect();
    let collection = Arc::new(Collection { ids, ..Collection::default() });
    let mut reporter = JunitReporter::new(options, "host".into());
    reporter.handle(&RunEvent::Collected(Box::new(Collected { collection, ..Collected::default() }))).unwrap();
    for (test, verdict) in (0..).zip(verdicts) {
        reporter.handle(&RunEvent::Finished { test: TestIndex(test), worker: WorkerId(7), verdict }).unwrap();
    }
    reporter.handle(&RunEvent::Ended(Box::default())).unwrap();
    std::fs::read_to_string(path).unwrap()
}

#[track_caller]
fn assert_has(xml: &str, part: &str) {
    assert!(xml.contains(part), "no {part}\nin {xml}");
}

#[test]
fn a_crash_names_signal_and_worker_and_keeps_the_output() {
    let xml = written(options(&[9, 2]), vec![crashed(vec![report("setup", "passed")])]);
    assert_has(&xml, r#"errors="1" failures="0" skipped="0" tests="1""#);
    assert_has(&xml, r#"<testcase classname="t" name="test_0" time="2.000">"#);
    assert_has(&xml, r#"<error message="worker gw7 crashed while it ran the test: signal 11 (SIGSEGV)">"#);
    assert_has(&xml, "Fatal Python error: #x1B[1mSegmentation fault</error>");
}

#[test]
fn phases_that_were_over_before_a_crash_count_as_configured() {
    for (duration, time) in [("total", "2.000"), ("call", "1.500")] {
        let Verdict::Crashed(crash) = crashed(Vec::new()) else { unreachable!() };
        let verdict = Verdict::Crashed(Box::new(Crashed { passed: vec![0.5, 0.25], ..*crash }));
        let options = JunitOptions { duration: duration.into(), ..options(&[9, 2]) };
        assert_has(&written(options, vec![verdict]), &format!(r#"name="test_0" time="{time}">"#));
    }
}

#[test]
fn a_crash_after_a_failure_does_not_hide_it() {
    let reports = || vec![report("setup", "passed"), report("call", "failed")];
    for (version, tests) in [([9, 2], 2), ([8, 4], 1)] {
        let xml = written(options(&version), vec![crashed(reports())]);
        assert_has(&xml, &format!(r#"errors="1" failures="1" skipped="0" tests="{tests}""#));
        assert_has(
            &xml,
            r##"name="test_0" time="0.500"><failure message="#x1Bbroken">#x1Bbroken</failure></testcase>"##,
        );
        assert_has(&xml, r#"name="test_0" time="1.500"><error message="worker gw7"#);
    }
}

#[test]
fn a_crash_after_a_pass_is_one_test() {
    for version in [[9, 2], [7, 4]] {
        let xml = written(options(&version), vec![crashed(vec![report("setup", "passed"), report("call", "passed")])]);
        assert_has(&xml, r#"errors="1" failures="0" skipped="0" tests="1""#);
        assert_eq!(xml.matches("<testcase").count(), 1);
    }
}

#[test]
fn an_interrupted_test_has_no_case() {
    let passed = Verdict::Passed { durations: [0.0, 1.0, 0.0] };
    let xml = written(options(&[9, 2]), vec![Verdict::Interrupted, passed]);
    assert_has(&xml, r#"skipped="0" tests="1""#);
    assert!(!xml.contains("test_0"), "{xml}");
    assert_has(&xml, r#"name="test_1" time="1.000"/>"#);
}

#[test]
fn each_environment_that_came_up_has_a_suite() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("junit.xml");
    let mut reporter =
        JunitReporter::new(JunitOptions { path: path.to_str().unwrap().into(), ..options(&[9, 2]) }, "host".into());
    // The first worker was to be on a host that is not there.
    let environments = [("here", 1), ("there", 2)].map(|(label, worker)| Environment {
        label: label.into(),
        workers: vec![WorkerId(worker)],
        ..Environment::default()
    });
    let collection = Arc::new(Collection { ids: vec!["t.py::test_0".into()], ..Collection::default() });
    let environments = environments.into();
    let collected = Collected { collection, environments, workers: 2, each: true, ..Collected::default() };
    reporter.handle(&RunEvent::Collected(Box::new(collected))).unwrap();
    for (worker, seconds) in [(1, 1.0), (2, 2.0)] {
        let verdict = Verdict::Passed { durations: [0.0, seconds, 0.0] };
        reporter.handle(&RunEvent::Finished { test: TestIndex(0), worker: WorkerId(worker), verdict }).unwrap();
    }
    reporter.handle(&RunEvent::Ended(Box::default())).unwrap();
    let xml = std::fs::read_to_string(path).unwrap();
    assert_eq!(xml.matches("<testsuite ").count(), 2, "{xml}");
    for (label, time) in [("here", "1.000"), ("there", "2.000")] {
        assert_has(&xml, &format!(r#"name="pytest [{label}]""#));
        assert_has(&xml, &format!(r#"name="test_0" time="{time}"/>"#));
    }
}

#[test]
fn names_of_attributes_cannot_break_the_file() {
    let mut own = report("call", "passed");
    own.xml_attributes = vec![("1 a=\"<".into(), "v".into()), ("time".into(), "mine".into())];
    let wide = JunitOptions { family: "xunit1".into(), ..options(&[9, 2]) };
    let xml = written(wide, vec![Verdict::Reported(vec![own])]);
    assert_has(&xml, r#"<testcase classname="t" name="test_0" file="t.py" _1_a___="v" time="0.250"/>"#);
}

#[test]
fn an_unknown_test_is_ignored_and_an_unwritable_file_is_named() {
    let mut reporter =
        JunitReporter::new(JunitOptions { path: "/dev/null/junit.xml".into(), ..options(&[9, 2]) }, String::new());
    let verdict = Verdict::Passed { durations: [0.0; 3] };
    reporter.handle(&RunEvent::Finished { test: TestIndex(9), worker: WorkerId(0), verdict }).unwrap();
    let error = reporter.handle(&RunEvent::Ended(Box::default())).unwrap_err();
    assert!(error.to_string().contains("/dev/null"), "{error}");
}

#[test]
fn a_plain_pass_costs_little() {
    assert!(size_of::<Record>() <= 24);
}
