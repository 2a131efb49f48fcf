//! Whole outputs, as snapshots.

use insta::assert_snapshot;
use xdist_core::event::{RunEvent, Verdict};
use xdist_core::ids::{TestIndex, WorkerId};
use xdist_core::report::{CollectReport, Longrepr};

use super::*;

#[test]
fn all_passed() {
    assert_snapshot!(Run::new().pass(0, 0).pass(1, 1).pass(2, 0).pass(3, 1).output());
}

#[test]
fn every_outcome() {
    assert_snapshot!(Run::every_outcome().output());
}

#[test]
fn every_outcome_in_colour() {
    let mut run = Run::every_outcome();
    run.options.color = true;
    assert_snapshot!(run.output().replace('\x1b', "<ESC>"));
}

#[test]
fn every_outcome_verbose() {
    assert_snapshot!(Run::every_outcome().verbosity(1).output());
}

#[test]
fn every_outcome_very_verbose() {
    assert_snapshot!(
        Run::every_outcome().verbosity(2).display(|display| display.reportchars = "wPpsxXEf".to_owned()).output()
    );
}

#[test]
fn every_outcome_quiet() {
    assert_snapshot!(Run::every_outcome().verbosity(-1).output());
}

#[test]
fn every_outcome_very_quiet() {
    assert_snapshot!(Run::every_outcome().verbosity(-2).output());
}

#[test]
fn every_outcome_in_the_short_summary() {
    let run = Run::every_outcome().display(|display| {
        display.reportchars = "wPpsxXEf".to_owned();
        display.tbstyle = "no".to_owned();
    });
    assert_snapshot!(run.output());
}

#[test]
fn one_line_a_failure() {
    assert_snapshot!(Run::every_outcome().display(|display| display.tbstyle = "line".to_owned()).output());
}

#[test]
fn one_line_a_failure_before_pytest_9() {
    let run = Run::every_outcome().pytest("8.4.2").display(|display| display.tbstyle = "line".to_owned());
    assert_snapshot!(run.output());
}

#[test]
fn expected_failures_and_passes_in_full() {
    let loud = Report {
        head_line: "test_pass".to_owned(),
        sections: vec![("Captured stdout setup".to_owned(), "ready\n".to_owned())],
        ..passed()
    };
    let after = Report { sections: vec![("Captured stdout teardown".to_owned(), "bye\n".to_owned())], ..teardown() };
    let run = Run::new()
        .reports(0, 0, &[setup(), loud, after])
        .reports(1, 1, &[setup(), xfailed("known bug"), teardown()])
        .reports(2, 0, &[setup(), Report { head_line: "test_three".to_owned(), ..xpassed("") }, teardown()])
        .pass(3, 1)
        .display(|display| {
            display.reportchars = "wPxX".to_owned();
            display.xfail_tb = true;
        });
    assert_snapshot!(run.output());
}

#[test]
fn a_worker_crashes() {
    let run = Run::new()
        .started(0, 0)
        .pass(0, 0)
        .started(2, 1)
        .wrote(1, "Fatal Python error: Segmentation fault")
        .with(RunEvent::WorkerDied { worker: WorkerId(1), how: "signal 11 (SIGSEGV)".to_owned(), replaced: true })
        .finished(2, 1, Verdict::Crashed(Box::new(crash())))
        .pass(1, 0)
        .pass(3, 1)
        .exit(1);
    assert_snapshot!(run.output());
}

#[test]
fn a_worker_crashes_where_failures_are_one_line() {
    let run = |pytest| {
        Run::new()
            .pytest(pytest)
            .display(|display| display.tbstyle = "line".to_owned())
            .started(2, 1)
            .wrote(1, "Fatal Python error: Segmentation fault")
            .finished(2, 1, Verdict::Crashed(Box::new(crash())))
            .exit(1)
            .output()
    };
    for pytest in ["8.4.2", "9.2.0"] {
        let output = run(pytest);
        assert_eq!(output.matches("crashed while running").count(), 1, "{output}");
        assert_eq!(output.matches("Fatal Python error").count(), 1, "{output}");
        assert_eq!(output.matches("[gw1] ").count(), 1, "{output}");
    }
}

#[test]
fn a_worker_crashes_in_the_teardown_of_a_failed_test() {
    let crashed = Crashed {
        how: "exit code 3".to_owned(),
        output: String::new(),
        reports: vec![setup(), failed("TestB.test_two[a b]", "assert 1 == 2")],
        passed: Vec::new(),
        elapsed: Duration::from_millis(300),
        boxed: false,
    };
    let run = Run::new().finished(1, 1, Verdict::Crashed(Box::new(crashed))).exit(1);
    assert_snapshot!(run.output());
}

#[test]
fn the_restart_limit_is_reached() {
    let mut run = Run::new()
        .pass(0, 0)
        .with(RunEvent::WorkerDied { worker: WorkerId(0), how: "exit code 1".to_owned(), replaced: false })
        .with(RunEvent::Notice("maximum of crashed workers reached: 1".to_owned()))
        .exit(1);
    run.ended.not_run = vec![TestIndex(1), TestIndex(2), TestIndex(3)];
    assert_snapshot!(run.output());
}

#[test]
fn interrupted_by_the_user() {
    let mut run = Run::new()
        .pass(0, 0)
        .with(RunEvent::Stopping { why: "Ctrl-C".to_owned() })
        .finished(2, 1, Verdict::Interrupted)
        .finished(1, 0, Verdict::Interrupted)
        .exit(2);
    run.ended.reason = Some("KeyboardInterrupt".to_owned());
    run.ended.not_run = vec![TestIndex(3)];
    assert_snapshot!(run.output());
}

#[test]
fn interrupted_by_a_test() {
    let mut run = Run::new().pass(0, 0).finished(2, 1, Verdict::Interrupted).exit(2);
    run.ended.reason = Some("KeyboardInterrupt".to_owned());
    run.ended.detail =
        "/p/test_a.py:3: KeyboardInterrupt\n(to show a full traceback on KeyboardInterrupt use --full-trace)\n"
            .to_owned();
    run.ended.not_run = vec![TestIndex(3)];
    let output = run.output();
    let shown: Vec<_> = output.lines().skip_while(|line| !line.starts_with("!!!")).take(2).collect();
    assert_eq!(shown[1], "/p/test_a.py:3: KeyboardInterrupt", "{output}");
}

#[test]
fn stopped_at_the_first_failure() {
    let mut run = Run::new().pass(0, 0).reports(1, 1, &[failed("TestB.test_two[a b]", "assert 1 == 2")]).exit(1);
    run.ended.reason = Some("stopping after 1 failures".to_owned());
    run.ended.not_run = vec![TestIndex(2), TestIndex(3)];
    assert_snapshot!(run.output());
}

#[test]
fn collection_errors() {
    let mut run = Run::new()
        .collection(|collection| {
            collection.reports = vec![CollectReport {
                nodeid: "tests/test_broken.py".to_owned(),
                outcome: "failed".to_owned(),
                head_line: "ERROR collecting tests/test_broken.py".to_owned(),
                longrepr: Some(Longrepr {
                    terminal: "tests/test_broken.py:1: in <module>\n    import nothing\nE   ModuleNotFoundError: No module named 'nothing'\n".to_owned(),
                    ..Longrepr::default()
                }),
                ..CollectReport::default()
            }];
            collection.deselected = 2;
        })
        .exit(2);
    if let Some(collected) = &mut run.collected {
        collected.workers = 0;
    }
    run.ended.reason = Some("Interrupted: 1 error during collection".to_owned());
    assert_snapshot!(run.output());
}

#[test]
fn a_plugin_raises() {
    let error = RunEvent::InternalError {
        worker: Some(WorkerId(1)),
        text: "Traceback (most recent call last):\n  File \"plugin.py\", line 3, in pytest_runtest_call\nRuntimeError: no\n".to_owned(),
    };
    // Every worker has the same plugin: one traceback tells it all.
    assert_snapshot!(Run::new().pass(0, 0).with(error.clone()).with(error).exit(3).output());
}

#[test]
fn warnings_by_message() {
    let mut run = Run::new()
        .with(warning("tests/test_a.py::test_one", "/x.py:3: UserWarning: careful\n  warnings.warn('careful')\n"))
        .with(warning("", "/x.py:9: DeprecationWarning: old\n  old()\n"))
        .with(warning(
            "tests/test_a.py::TestB::test_two[a b]",
            "/x.py:3: UserWarning: careful\n  warnings.warn('careful')\n",
        ));
    for number in 0..11 {
        run = run.with(warning(&format!("tests/test_{}.py::test_{number}", number % 2), "many"));
    }
    assert_snapshot!(run.pass(0, 0).pass(1, 1).pass(2, 0).pass(3, 1).output());
}

#[test]
fn slowest_phases() {
    let run = Run::new().pass(0, 0).pass(1, 1).reports(2, 0, &[setup(), passed(), teardown()]).pass(3, 1);
    assert_snapshot!(run.display(|display| display.durations = Some(4)).output());
}

#[test]
fn workers_write_without_capturing() {
    let run = Run::new()
        .started(0, 0)
        .wrote(0, "hello from one")
        .pass(0, 0)
        .started(1, 1)
        .wrote(1, "hello from two")
        .pass(1, 1)
        .pass(2, 0)
        .pass(3, 1);
    assert_snapshot!(run.display(|display| (display.no_capture, display.live_output) = (true, true)).output());
}

#[test]
fn workers_write_past_capturing() {
    let run = Run::new()
        .started(0, 0)
        .wrote(0, "from C code")
        .pass(0, 0)
        .wrote(1, "between tests")
        .pass(1, 1)
        .pass(2, 0)
        .pass(3, 1);
    assert_snapshot!(run.output());
}

#[test]
fn subtests() {
    let sub = |outcome: &str, category: &str, word: &str| Report {
        subtest: true,
        head_line: "test_one [sub] (i=1)".to_owned(),
        longrepr: (outcome == "failed").then(|| longrepr("assert 1 == 0")),
        ..report("call", outcome, category, "u", word)
    };
    let whole = Report {
        head_line: "test_one".to_owned(),
        longrepr: Some(only_text("contains 1 failed subtest")),
        ..report("call", "failed", "failed", "F", "FAILED")
    };
    let run = Run::new()
        .reports(
            0,
            0,
            &[
                setup(),
                sub("failed", "failed", "SUBFAILED(i=1)"),
                sub("passed", "subtests passed", "SUBPASSED(i=2)"),
                whole,
                teardown(),
            ],
        )
        .pass(1, 1)
        .pass(2, 0)
        .pass(3, 1)
        .exit(1);
    assert_snapshot!(run.verbosity(1).output());
}

#[test]
fn header_with_everything() {
    let mut run = Run::of(&["test_a.py::test_one"]).pass(0, 0).verbosity(1);
    run.configured.interpreter.implementation = "PyPy".to_owned();
    run.configured.interpreter_source = "PATH".to_owned();
    run.configured.passed_over = vec![("/home/me/venv/bin/python".to_owned(), "has no pytest".to_owned())];
    if let Some(collected) = &mut run.collected {
        collected.workers = 1;
        collected.asked = 8;
        collected.fork = "imported".to_owned();
        collected.fork_reason = "settings.py:14 reads PYTEST_XDIST_WORKER".to_owned();
    }
    let run = run.collection(|collection| {
        collection.deselected = 3;
        collection.lines = vec!["a plugin's line".to_owned()];
    });
    assert_snapshot!(run.output());
}

#[test]
fn counting_instead_of_percent() {
    let mut run = Run::of(&["test_a.py::test"; 100]).display(|display| display.output_style = "count".to_owned());
    for test in 0..100 {
        run = run.pass(test, 0);
    }
    assert_snapshot!(run.output());
}

#[test]
fn classic_style() {
    let mut run = Run::of(&["test_a.py::test"; 100]).display(|display| display.output_style = "classic".to_owned());
    for test in 0..100 {
        run = run.pass(test, 0);
    }
    assert_snapshot!(run.output());
}

#[test]
fn times_instead_of_percent() {
    let mut run = Run::of(&["test_a.py::test"; 100]).display(|display| display.output_style = "times".to_owned());
    for test in 0..100 {
        run = run.pass(test, 0);
    }
    assert_snapshot!(run.output());
}

#[test]
fn wide_terminal_and_many_tests() {
    let mut run = Run::of(&["test_a.py::test"; 250]);
    run.options.width = Some(100);
    for test in 0..250 {
        run = if test % 50 == 49 { run.reports(test, 1, &[skipped("later")]) } else { run.pass(test, 0) };
    }
    assert_snapshot!(run.output());
}
