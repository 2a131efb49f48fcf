//! Single lines that must read as pytest's.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use xdist_core::report::Longrepr;

use super::super::alone::Alone;
use super::super::names::Names;
use super::super::style::{head, tail, trimmed};
use super::super::times;
use super::*;

#[test]
fn the_final_line_counts_as_pytest_does() {
    let run = Run::every_outcome().collection(|collection| collection.deselected = 2).with(warning("", "w"));
    assert_eq!(
        last_line(&run.output()),
        " 2 failed, 2 passed, 1 skipped, 2 deselected, 1 xfailed, 1 xpassed, 1 warning, 2 errors in 1.23s "
            .replacen(' ', "= ", 1)
            .trim_end()
            .to_owned()
            + " ="
    );
}

#[test]
fn categories_of_plugins_come_last_and_count_once() {
    let rerun = Report { markup: vec!["yellow".to_owned()], ..report("call", "rerun", "rerun", "R", "RERUN") };
    let run = Run::new().reports(0, 0, &[setup(), rerun.clone(), setup(), rerun, setup(), passed(), teardown()]);
    assert_eq!(
        last_line(&run.pass(1, 0).pass(2, 0).pass(3, 0).output()),
        "========================== 4 passed, 2 rerun in 1.23s =========================="
    );
}

#[test]
fn reports_that_ask_not_to_be_counted_are_not() {
    let extra = Report { uncounted: true, ..passed() };
    let run = Run::new().reports(0, 0, &[setup(), extra, passed(), teardown()]);
    assert!(last_line(&run.output()).contains(" 1 passed in "));
}

#[test]
fn nothing_collected() {
    let mut run = Run::of(&[]).exit(5);
    if let Some(collected) = &mut run.collected {
        collected.workers = 0;
    }
    let out = run.output();
    assert!(out.contains("collected 0 items\n\n===="), "{out}");
    assert_eq!(last_line(&out), "============================ no tests ran in 1.23s =============================");
}

#[test]
fn long_runs_show_the_time_twice() {
    assert_eq!(times::session(Duration::from_millis(75_250)), "75.25s (0:01:15)");
    assert_eq!(times::session(Duration::from_secs(90_061)), "90061.00s (1 day, 1:01:01)");
    assert_eq!(times::session(Duration::from_millis(59_990)), "59.99s");
}

#[test]
fn durations_take_seven_columns() {
    let shown: Vec<String> =
        [0.000_001_5, 0.000_999_96, 0.0123, 1.5, 65.0, 3_700.0].into_iter().map(times::short).collect();
    assert_eq!(shown, ["1.500us", "1.000ms", "12.30ms", "1.500s", "1m 5s", "1h 1m"]);
}

#[test]
fn messages_are_cut_to_the_width_by_columns() {
    let message = "漢字".repeat(30);
    let run =
        Run::new().reports(0, 0, &[failed("test_one", &message)]).display(|display| display.tbstyle = "no".to_owned());
    let out = run.output();
    let line = out.lines().find(|line| line.starts_with("FAILED")).unwrap();
    assert_eq!(line, format!("FAILED tests/test_a.py::test_one - {}...", "漢字".repeat(10) + "漢"));
}

#[test]
fn continuous_integration_gets_messages_in_full() {
    let message = "x".repeat(200);
    let mut run = Run::new().reports(0, 0, &[failed("test_one", &message)]);
    run.options.ci = true;
    assert!(run.output().contains(&format!("FAILED tests/test_a.py::test_one - {message}\n")));
    let run = run.display(|display| display.force_short_summary = true);
    assert!(!run.output().contains(&format!("FAILED tests/test_a.py::test_one - {message}\n")));
}

#[test]
fn trimming_gives_up_where_not_even_dots_fit() {
    assert_eq!(trimmed(" - ", "abcdef\nmore", "", 9).as_deref(), Some(" - abcdef"));
    assert_eq!(trimmed(" - ", "abcdef", "", 8).as_deref(), Some(" - ab..."));
    assert_eq!(trimmed(" - ", "abcdef", "", 5), None);
    assert_eq!(head("漢字", 3), "漢");
    assert_eq!(tail("tests/test_a.py::test_漢字", 8), "..._漢字");
}

#[test]
fn a_rerun_is_one_line_that_a_shell_reads_back() {
    for id in
        ["a.py::t[a\nb]", "a.py::t[%s\t'\\]", "-a b.py::t", "a.py::t[!x $HOME `id` \"q\"]", "a.py::t[\u{85}\u{e4}]"]
    {
        let configured = Configured { alone: ["printf", "%s"].map(str::to_owned).into(), ..Configured::default() };
        let script = Alone::new(&configured).command(&Names::default(), id, None);
        assert!(!script.contains(char::is_control), "{script:?}");
        let said = std::process::Command::new("sh").arg("-c").arg(&script).output().unwrap();
        let expected = if id.starts_with('-') { format!("./{id}") } else { id.to_owned() };
        assert_eq!(String::from_utf8_lossy(&said.stdout), expected, "{script}");
    }
}

#[test]
fn a_rerun_names_a_file_by_its_bytes() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(OsStr::from_bytes(b"d\xff'%\xc3\xbc"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(OsStr::from_bytes(b"test_\xfe.py")), "").unwrap();
    let place = || root.path().to_path_buf();
    let names = Names { rootdir: place(), invoked: place(), ..Names::default() };
    let configured = Configured { alone: ["printf", "%s"].map(str::to_owned).into(), ..Configured::default() };
    let script = Alone::new(&configured).command(&names, "d\\udcff'%\u{fc}/test_\\udcfe.py::test_x[\\udcff]", None);
    let said = std::process::Command::new("sh").arg("-c").arg(&script).output().unwrap();
    assert_eq!(said.stdout, b"d\xff'%\xc3\xbc/test_\xfe.py::test_x[\\udcff]", "{script}");
}

#[test]
fn every_failure_can_be_rerun_from_where_the_user_stands() {
    let mut run = Run::new().reports(1, 0, &[failed("TestB.test_two[a b]", "assert 0")]);
    assert!(run.output().contains("\nrerun: xdist -n 0 'tests/test_a.py::TestB::test_two[a b]'\n"));
    Arc::make_mut(&mut run.configured.facts).invocation_dir = "/home/me/project/tests/deep".to_owned();
    let alone = ["bin/xdist", "-n", "0", "--python", "python3 -X dev", "-p", "plug"];
    run.configured.alone = alone.map(str::to_owned).into();
    let out = run.output();
    let command = "bin/xdist -n 0 --python 'python3 -X dev' -p plug '../test_a.py::TestB::test_two[a b]'";
    assert!(out.contains(&format!("\nrerun: {command}\n")), "{out}");
    assert!(out.contains("\nFAILED ../test_a.py::TestB::test_two[a b] - assert 0\n"), "{out}");
}

#[test]
fn skips_fold_by_place_and_reason() {
    let mut marked = skipped("module");
    if let Some(longrepr) = &mut marked.longrepr {
        longrepr.without_line = true;
    }
    let run = Run::new()
        .reports(0, 0, &[skipped("net")])
        .reports(1, 1, &[skipped("net")])
        .reports(2, 0, &[marked.clone()])
        .reports(3, 1, &[marked])
        .display(|display| display.reportchars = "s".to_owned());
    let out = run.output();
    assert!(out.contains("\nSKIPPED [2] tests/test_all.py:12: net\nSKIPPED [2] tests/test_all.py: module\n"), "{out}");
    let out = run.display(|display| display.fold_skipped = false).output();
    assert!(out.contains("\nSKIPPED tests/test_a.py::test_one - Skipped: net\n"), "{out}");
}

#[test]
fn show_capture_chooses() {
    let run = |show: &str| {
        let run = Run::new().reports(0, 0, &[failed("test_one", "assert 0")]);
        run.display(|display| display.showcapture = show.to_owned()).output()
    };
    assert!(run("all").contains("Captured stdout call") && run("all").contains("Captured log call"));
    assert!(!run("log").contains("Captured stdout call") && run("log").contains("Captured log call"));
    assert!(!run("no").contains("Captured"));
}

#[test]
fn no_summary_leaves_the_final_line() {
    let out = Run::every_outcome().display(|display| display.no_summary = true).output();
    assert!(!out.contains("FAILURES") && !out.contains("short test summary"));
    assert!(last_line(&out).contains("2 failed"));
}

#[test]
fn plain_strings_are_messages_since_pytest_9() {
    let line = |version: &str| {
        let run = Run::new().reports(0, 0, &[strict()]).pytest(version);
        run.output().lines().find(|line| line.starts_with("FAILED")).unwrap().to_owned()
    };
    assert_eq!(line("9.2.0"), "FAILED tests/test_a.py::test_one - [XPASS(strict)] known bug");
    assert_eq!(line("8.4.2"), "FAILED tests/test_a.py::test_one");
}

#[test]
fn reasons_of_xpasses_before_pytest_8() {
    let line = |version: &str| {
        let run = Run::new().reports(0, 0, &[xpassed("why")]).pytest(version);
        let out = run.display(|display| display.reportchars = "X".to_owned()).output();
        out.lines().find(|line| line.starts_with("XPASS ")).unwrap().to_owned()
    };
    assert_eq!(line("7.4.4"), "XPASS tests/test_a.py::test_one why");
    assert_eq!(line("8.0.0"), "XPASS tests/test_a.py::test_one - why");
}

#[test]
fn disabled_warnings_are_counted_but_not_shown() {
    let run = Run::new().with(warning("", "w")).pass(0, 0).display(|display| display.reportchars = "fE".to_owned());
    let out = run.output();
    assert!(!out.contains("warnings summary"));
    assert!(last_line(&out).contains("1 passed, 1 warning in"));
}

#[test]
fn hidden_durations_are_counted() {
    let run = |change: fn(&mut DisplayOptions)| {
        Run::new().pass(0, 0).pass(1, 0).display(|display| display.durations = Some(0)).display(change).output()
    };
    assert!(run(|_| {}).contains("\n(4 durations < 0.005s hidden.  Use -vv to show these durations.)\n"));
    assert!(run(|display| display.durations_min = 0.5).contains("\n(6 durations < 0.5s hidden.)\n"));
    assert!(!run(|display| display.durations_min = 0.0).contains("hidden"));
}

#[test]
fn usage_errors_go_to_stderr() {
    let mut run = Run::of(&[]).exit(4);
    run.collected = None;
    run.ended.error = Some("ERROR: file or directory not found: nothing.py\n".to_owned());
    let (out, errors) = run.outputs();
    assert_eq!(errors, "ERROR: file or directory not found: nothing.py\n");
    assert!(out.contains("no tests ran"));
}

#[test]
fn without_the_terminal_plugin_nothing_is_said() {
    let mut run = Run::every_outcome();
    Arc::make_mut(&mut run.configured.facts).terminal = false;
    assert_eq!(run.output(), "");
}

#[test]
fn files_are_shown_from_where_the_user_stands() {
    let names = Names { rootdir: "/a/b".into(), invoked: "/a/b/c".into(), collection: Arc::default() };
    assert_eq!(names.path("/a/b/x.py"), "../x.py");
    assert_eq!(names.path("/a/b/c/x.py"), "x.py");
    assert_eq!(names.path("x.py"), "x.py");
    assert_eq!(names.relative("c/t.py::test[x::y]"), "t.py::test[x::y]");
    assert_eq!(names.relative("c"), ".");
}

#[test]
fn long_reasons_of_skips_are_cut_with_v_and_whole_with_vv() {
    let long = "because ".repeat(20);
    let run = |level: i64| Run::new().reports(0, 0, &[skipped(&long)]).verbosity(level).output();
    let line = |out: &str| out.lines().find(|line| line.starts_with("[gw0]")).unwrap().to_owned();
    assert_eq!(line(&run(1)).len(), 80);
    assert!(line(&run(1)).ends_with("...)"));
    assert!(line(&run(2)).contains(&long));
}

#[test]
fn a_failure_without_any_text_still_has_its_section() {
    let bare = Report { longrepr: None, ..failed("", "") };
    let out = Run::new().reports(0, 0, &[bare]).output();
    assert!(out.contains("__ tests/test_a.py::test_one __"), "{out}");
    assert!(out.contains("\nFAILED tests/test_a.py::test_one\n"), "{out}");
    let odd = Report { longrepr: Some(Longrepr::default()), ..failed("x", "") };
    assert!(Run::new().reports(0, 0, &[odd]).output().contains("rerun: "));
}

#[test]
fn before_pytest_8_1_hidden_durations_always_hint() {
    let run = |level: i64| {
        let run = Run::new().pass(0, 0).pytest("7.4.4").verbosity(level).display(|display| {
            display.durations = Some(0);
            display.durations_min = 0.5;
        });
        run.output()
    };
    assert!(run(0).contains("\n(3 durations < 0.5s hidden.  Use -vv to show these durations.)\n"));
    assert!(run(2).contains("\n0.25s call     tests/test_a.py::test_one\n") && !run(2).contains("hidden"));
}

#[test]
fn of_a_line_drawn_over_and_over_the_last_state_is_shown() {
    let out = Run::new().wrote(0, "10%\r50%\r100%\r").pass(0, 0).output();
    assert!(out.contains("\n[gw0] 100%\n"), "{out}");
}

#[test]
fn a_test_that_writes_without_end_is_shown_before_it_ends() {
    let mut run = Run::new().started(0, 0);
    for _ in 0..2000 {
        run = run.wrote(0, &"x".repeat(50));
    }
    let shown = run.finished(0, 0, Verdict::Crashed(Box::new(crash()))).output();
    let lines = shown.lines().filter(|line| line.starts_with("[gw0] xxx")).count();
    assert!((1000..2000).contains(&lines), "{lines}");
}

#[test]
fn what_a_passed_teardown_captured_is_shown_with_the_failure() {
    let after = Report { sections: vec![("Captured stdout teardown".to_owned(), "bye\n".to_owned())], ..teardown() };
    let out = Run::new().reports(0, 0, &[setup(), failed("test_one", "assert 0"), after]).output();
    assert!(out.contains("Captured stdout teardown") && out.contains("\nbye\nrerun: "), "{out}");
}

#[test]
fn last_words_belong_to_the_crash_whenever_they_come() {
    let silent = Crashed { output: String::new(), ..crash() };
    let run = Run::new()
        .started(2, 1)
        .wrote(1, "before the verdict")
        .finished(2, 1, Verdict::Crashed(Box::new(silent)))
        .wrote(1, "after the verdict")
        .started(3, 1)
        .pass(3, 1)
        .wrote(1, "of the one in its place");
    let out = run.output();
    assert!(out.contains(" last output of gw1 ---"), "{out}");
    assert!(out.contains("-\nbefore the verdict\nafter the verdict\nrerun: "), "{out}");
    assert!(out.contains("\n[gw1] of the one in its place\n") && !out.contains("[gw1] after"), "{out}");
}

#[test]
fn who_died_is_a_box_where_the_test_had_one() {
    let worn = Report { when: "teardown".to_owned(), ..failed("test_three", "OSError") };
    let how = "exit code 0 in call".to_owned();
    let boxed = Crashed { how, reports: vec![setup(), worn], boxed: true, ..crash() };
    let out = Run::new().started(2, 1).finished(2, 1, Verdict::Crashed(Box::new(boxed))).output();
    assert!(out.contains("box on gw1 crashed while running "), "{out}");
    assert!(out.contains(" teardown failed as well ---") && !out.contains("worker gw1"), "{out}");
    assert!(out.contains(" - box on gw1 crashed: exit code 0 in call\n"), "{out}");
}
