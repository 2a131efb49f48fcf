//! What the user reads where there is no terminal: plain lines, counts, reruns, marks of workers.

use std::fs;

use xdist_tests::{Env, Invocation, Outcome, Suite};

fn run(args: &[&str]) -> Outcome {
    run_with(args, &[])
}

fn run_with(args: &[&str], vars: &[(&str, &str)]) -> Outcome {
    let suite = Suite::named("outcomes");
    let run = Invocation::xdist(&Env::usual(), &suite).n(2).args(args);
    vars.iter().fold(run, |run, (name, value)| run.var(name, *value)).run()
}

fn has_control_codes(outcome: &Outcome) -> bool {
    outcome.stdout.contains(['\x1b', '\r', '\x08'])
}

#[test]
fn without_a_terminal_there_are_no_control_codes() {
    for (args, vars) in [
        (&[][..], &[][..]),
        (&["-v"], &[("CI", "true")]),
        (&["--color=no"], &[("FORCE_COLOR", "1")]),
        (&[], &[("NO_COLOR", "1"), ("FORCE_COLOR", "1")]),
        (&[], &[("PY_COLORS", "0"), ("FORCE_COLOR", "1")]),
    ] {
        let outcome = run_with(args, vars);
        assert!(!has_control_codes(&outcome), "{args:?} {vars:?}\n{}", outcome.describe());
    }
}

#[test]
fn colours_can_be_forced() {
    for (args, vars) in
        [(&[][..], &[("FORCE_COLOR", "1")][..]), (&[], &[("PY_COLORS", "1")]), (&["--color=yes"], &[("NO_COLOR", "1")])]
    {
        let outcome = run_with(args, vars);
        assert!(outcome.stdout.contains("\x1b["), "{args:?} {vars:?}\n{}", outcome.describe());
    }
}

#[test]
fn the_header_names_versions_rootdir_and_workers() {
    let outcome = run(&[]);
    let header = outcome.stdout.lines().take(12).collect::<Vec<_>>().join("\n");
    for text in ["test session starts", "pytest-9.2.0", "Python 3.", "rootdir:", "configfile: pytest.ini", "2 workers"]
    {
        assert!(header.contains(text), "{text:?} in\n{header}");
    }
}

#[test]
fn failures_look_like_pytests_and_name_worker_and_rerun() {
    let outcome = run(&[]);
    for text in [
        "= FAILURES =",
        "= ERRORS =",
        "short test summary info",
        "_ test_fail _",
        "_ TestPlain.test_two _",
        "ERROR at setup of test_error_setup",
        "ERROR at teardown of test_error_teardown",
        "Captured stdout call",
        "said on stdout",
        "[gw",
        "FAILED test_basic.py::test_fail - assert [1, 2, 3] == [1, 2, 4]",
        "ERROR test_basic.py::test_error_setup - OSError: set-up broke",
        "warnings summary",
        "a user warning",
    ] {
        outcome.expect_text(text);
    }
    assert!(
        outcome.stdout.lines().any(|line| line.contains("test_params.py::test_id[p::q]") && line.contains("xdist")),
        "a failure ends with the command that reruns it\n{}",
        outcome.describe()
    );
}

#[test]
fn verbose_prints_a_line_a_test() {
    let outcome = run(&["-v"]);
    let suite = Suite::named("outcomes");
    for id in suite.model().ids() {
        let line = outcome.stdout.lines().find(|line| line.contains(&id) && line.contains("[gw") && line.contains('%'));
        assert!(line.is_some(), "no line of {id}\n{}", outcome.describe());
    }
    assert!(outcome.stdout.contains("[100%]"));
}

#[test]
fn quiet_says_less() {
    let usual = run(&[]).stdout.lines().count();
    let quiet = run(&["-q"]);
    let quieter = run(&["-qq"]);
    assert!(quiet.stdout.lines().count() < usual);
    assert!(quieter.stdout.lines().count() < quiet.stdout.lines().count());
    assert!(!quiet.stdout.contains("rootdir"), "{}", quiet.describe());
    quieter.expect_code(1);
}

#[test]
fn every_style_of_tracebacks() {
    for style in ["long", "short", "line", "native", "no"] {
        let outcome = run(&[&format!("--tb={style}")]);
        outcome.expect_code(1);
        assert_eq!(outcome.counts().get("failed"), 17, "{style}");
        assert_eq!(outcome.stdout.contains("FAILURES"), style != "no", "{style}\n{}", outcome.describe());
    }
}

#[test]
fn reports_asked_for_are_listed() {
    let suite = Suite::named("outcomes");
    let serial = Invocation::pytest(&Env::usual(), &suite).args(["-rA", "--tb=no"]).run();
    let ours = run(&["-rA", "--tb=no"]);
    let lines = |outcome: &Outcome| {
        let all = outcome.stdout.lines().skip_while(|line| !line.contains("short test summary info"));
        let known = ["PASSED ", "FAILED ", "ERROR ", "SKIPPED ", "XFAIL ", "XPASS "];
        let mut found: Vec<_> = all.filter(|line| known.iter().any(|word| line.starts_with(word))).collect();
        found.sort_unstable();
        found.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&serial), lines(&ours), "{}", ours.describe());
}

#[test]
fn lines_fit_into_eighty_columns() {
    let outcome = run_with(&[], &[("COLUMNS", "80")]);
    let too_wide = |line: &&str| {
        let ruled = line.starts_with("===") || line.starts_with("___") || line.starts_with("---");
        (ruled || line.starts_with("FAILED ")) && line.chars().count() > 80
    };
    let wide: Vec<_> = outcome.stdout.lines().filter(too_wide).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}

#[test]
fn durations_are_listed() {
    let suite = Suite::one("import time\ndef test_slow(): time.sleep(0.3)\ndef test_fast(): pass\n");
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).arg("--durations=3").run();
    outcome.expect_code(0).expect_text("slowest 3 durations");
    assert!(outcome.stdout.lines().any(|line| line.contains("s call") && line.contains("test_it.py::test_slow")));
}

#[test]
fn output_of_workers_is_shown_live_and_marked() {
    let suite = Suite::one(
        "
import os, sys, pytest
@pytest.mark.parametrize('n', range(4))
def test_it(n):
    print('printed by %d' % n)
    os.write(1, b'written by %d\\n' % n)
    print('complained by %d' % n, file=sys.stderr)
",
    );
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).arg("-s").run();
    outcome.expect_code(0);
    for n in 0..4 {
        for text in [format!("printed by {n}"), format!("written by {n}"), format!("complained by {n}")] {
            let all = outcome.stdout.lines().chain(outcome.stderr.lines());
            let found: Vec<_> = all.filter(|line| line.contains(&text)).collect();
            assert_eq!(found.len(), 1, "{text}\n{}", outcome.describe());
            assert!(found[0].contains("gw"), "{:?} names its worker", found[0]);
        }
    }
}

#[test]
fn warnings_of_modules_are_counted_once() {
    let suite = Suite::of(&[
        ("test_a.py", "import warnings\nwarnings.warn('at import')\ndef test_a(): pass\ndef test_b(): pass\n"),
        ("conftest.py", "pytest_plugins = ['truth_log']\n"),
    ]);
    for args in [&["--fork=collected"][..], &["--fork=imported"]] {
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).args(args).run();
        outcome.expect_code(0);
        assert_eq!(outcome.counts().get("warning"), 1, "{}", outcome.describe());
    }
}

#[test]
fn a_locale_without_utf8_is_no_trouble() {
    for vars in [&[("LC_ALL", "C")][..], &[("LC_ALL", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0")]] {
        let suite = Suite::named("outcomes");
        let serial = Invocation::pytest(&Env::usual(), &suite).arg("-v");
        let serial = vars.iter().fold(serial, |run, (name, value)| run.var(name, *value)).run();
        let outcome = run_with(&["-v"], vars);
        outcome.expect_code(1);
        assert_eq!(outcome.counts(), serial.counts(), "{vars:?}\n{}", outcome.describe());
    }
}

#[test]
fn without_the_terminal_plugin_nothing_is_said() {
    let outcome = run(&["-p", "no:terminal"]);
    outcome.expect_code(1);
    assert_eq!(outcome.stdout.trim(), "");
}

#[test]
fn live_logging_is_shown_marked_and_names_its_test() {
    let suite = Suite::of(&[
        (
            "conftest.py",
            "import logging\npytest_plugins = ['truth_log']\ndef pytest_collection_modifyitems(): logging.info('logged by the conftest')\n",
        ),
        (
            "test_it.py",
            "
import logging, pytest
@pytest.fixture
def noisy():
    logging.info('logged by a fixture')
@pytest.mark.parametrize('n', range(4))
def test_it(n):
    print('printed by %d' % n)
    logging.debug('too small')
    logging.info('logged by %d', n)
def test_fixture(noisy):
    pass
",
        ),
    ]);
    let line = |outcome: &Outcome, text: &str| -> String {
        let found: Vec<_> = outcome.stdout.lines().filter(|line| line.contains(text)).collect();
        assert_eq!(found.len(), 1, "{text}\n{}", outcome.describe());
        assert!(found[0].starts_with("[gw"), "{:?} names its worker", found[0]);
        found[0].to_owned()
    };
    for fork in ["collected", "imported", "never"] {
        for args in [&["--log-cli-level=INFO"][..], &["-o", "log_cli=true", "--log-level=INFO", "-s"]] {
            let run = Invocation::xdist(&Env::usual(), &suite).n(2).arg(format!("--fork={fork}")).args(args);
            let outcome = run.run();
            outcome.expect_code(0).expect_no_text("too small");
            for n in 0..4 {
                line(&outcome, &format!("logged by {n}"));
                line(&outcome, &format!("live log call of test_it.py::test_it[{n}]"));
            }
            line(&outcome, "logged by a fixture");
            line(&outcome, "live log setup of test_it.py::test_fixture");
            line(&outcome, "logged by the conftest");
            assert!(!args.contains(&"-s") || outcome.stdout.contains("printed by 1"), "{}", outcome.describe());
        }
    }
}

#[test]
fn warnings_outside_tests_appear_once_where_serial_pytest_shows_them() {
    let suite = Suite::of(&[
        ("test_a.py", "def test_a(): pass\ndef test_b(): pass\ndef test_c(): pass\n"),
        (
            "conftest.py",
            "
import pytest, warnings
pytest_plugins = ['truth_log']
def pytest_addoption():
    warnings.warn('in addoption')
def pytest_configure(config):
    warnings.warn('in configure')
    config.issue_config_time_warning(pytest.PytestWarning('of the configuration'), stacklevel=2)
def pytest_sessionstart():
    warnings.warn('in sessionstart')
def pytest_collection_modifyitems():
    warnings.warn('in modifyitems')
def pytest_sessionfinish():
    warnings.warn('in sessionfinish')
def pytest_unconfigure():
    warnings.warn('in unconfigure')
",
        ),
        // No directory: what pytest caches it cannot write.
        (".pytest_cache", ""),
    ]);
    // In any order, and without the random name of a file that could not be made.
    let summary = |outcome: &Outcome| -> Vec<String> {
        let text = outcome.stdout.split("warnings summary").nth(1).unwrap_or_default();
        let text = text.split("-- Docs").next().unwrap_or_default();
        let mut lines: Vec<_> = text.lines().map(|line| line.split("[Errno").next().unwrap().to_owned()).collect();
        lines.sort_unstable();
        lines
    };
    for (env, cache) in [(Env::usual(), true), (Env::named("py311-pytest74"), false)] {
        let without_cache: &[&str] = if cache { &[] } else { &["-p", "no:cacheprovider"] };
        let serial = Invocation::pytest(&env, &suite).args(without_cache).run();
        let parts: Vec<_> = serial.stderr.lines().collect();
        assert!(parts.len() >= 6, "three warnings of two lines\n{}", serial.describe());
        for fork in ["collected", "imported", "never"] {
            let run = Invocation::xdist(&env, &suite).n(3).arg(format!("--fork={fork}")).args(without_cache);
            let outcome = run.run();
            outcome.expect_code(0).expect_no_text("[gw");
            assert_eq!(outcome.counts().get("warning"), serial.counts().get("warning"), "{}", outcome.describe());
            assert_eq!(summary(&outcome), summary(&serial), "{}", outcome.describe());
            assert_eq!(outcome.stderr, serial.stderr, "{}", outcome.describe());
        }
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_a_warning() {
    let suite = Suite::of(&[("test_a.py", "def test_fails(): assert 0\n"), (".pytest_cache", "")]);
    let serial = Invocation::pytest(&Env::usual(), &suite).run();
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).run();
    outcome.expect_code(1).expect_no_text("error: ");
    assert_eq!(outcome.counts(), serial.counts(), "{}", outcome.describe());
    let summary = outcome.stdout.split("warnings summary").nth(1).unwrap_or_default();
    assert!(summary.contains("could not write cache path"), "{}", outcome.describe());
}

#[test]
fn what_workers_write_is_not_kept_in_memory() {
    let suite = Suite::one(
        "
import os, pathlib

def test_writes_64_mib():
    block = (b'x' * 127 + b'\\n') * 512
    for _ in range(1024):
        assert os.write(1, block) == len(block)

def test_peak():
    above = os.getpid()
    while True:
        status = dict(line.split(':', 1) for line in pathlib.Path(f'/proc/{above}/status').read_text().splitlines())
        if status['Name'].strip() == 'xdist':
            break
        above = int(status['PPid'])
    assert int(status['VmHWM'].split()[0]) < 48 << 10
",
    );
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(1).arg("-s").run();
    outcome.expect_code(0).expect_text("2 passed");
    assert!(outcome.stdout.len() > 64 << 20);
}

#[test]
fn a_test_that_runs_for_long_is_named() {
    // It goes on when the user has seen its name.
    let suite = Suite::one(
        "
import pathlib, time
def test_quick(): pass
def test_long():
    deadline = time.time() + 60
    while not pathlib.Path('seen').exists():
        assert time.time() < deadline
        time.sleep(0.01)
",
    );
    for (args, mark) in [(&[][..], "."), (&["-q"], "."), (&["-v"], "PASSED"), (&["--plugin-host=always"], ".")] {
        let mut run =
            Invocation::xdist(&Env::usual(), &suite).n(2).args(["-o", "xdist_slow_after=0.5"]).args(args).start();
        run.wait_for("the test to be named", |run| run.stdout().contains("test_it.py::test_long has been running for"));
        fs::write(suite.path("seen"), "").unwrap();
        let outcome = run.finish();
        fs::remove_file(suite.path("seen")).unwrap();
        outcome.expect_code(0).expect_text("2 passed").expect_text(mark).expect_no_text("test_quick has been");
        let line = outcome.stdout.lines().find(|line| line.contains("has been running")).unwrap_or_default();
        assert!(line.starts_with("xdist: test_it.py::test_long has been running for "), "{}", outcome.describe());
        assert!(line.ends_with(" s on gw0") || line.ends_with(" s on gw1"), "{}", outcome.describe());
    }
}
