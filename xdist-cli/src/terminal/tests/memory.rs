//! What a long run keeps.

use super::*;

const TESTS: u32 = 100_000;

fn long_run(change: impl FnOnce(&mut DisplayOptions)) -> TerminalReporter<std::io::Sink> {
    let run = Run::of(&["test_a.py::test"; 100]).display(change);
    let mut reporter = TerminalReporter::new(run.options.clone(), std::io::sink());
    reporter.handle(&RunEvent::Configured(Box::new(run.configured.clone()))).unwrap();
    if let Some(collected) = &run.collected {
        reporter.handle(&RunEvent::Collected(Box::new(collected.clone()))).unwrap();
    }
    reporter.tally.collected = u64::from(TESTS);
    for test in (0..TESTS).map(TestIndex) {
        let worker = WorkerId(test.0 % 8);
        let durations = [0.001, f64::from(test.0 % 1000), 0.001];
        reporter.handle(&RunEvent::Started { test, worker }).unwrap();
        reporter.handle(&RunEvent::Finished { test, worker, verdict: Verdict::Passed { durations } }).unwrap();
    }
    reporter
}

#[test]
fn passes_leave_counters_only() {
    let reporter = long_run(|_| {});
    assert_eq!(reporter.tally.count("passed"), u64::from(TESTS));
    assert!(reporter.shelf.passed.is_empty() && reporter.shelf.passed_tests.is_empty());
    assert_eq!(reporter.durations.kept(), 0);
}

#[test]
fn durations_keep_what_will_be_printed() {
    let reporter = long_run(|display| display.durations = Some(10));
    assert_eq!(reporter.durations.kept(), 10);
}
