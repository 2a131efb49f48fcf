//! On a real terminal: the progress bar and its end, Ctrl-C as it is typed, windows of every size.

use std::time::{Duration, Instant};

use xdist_tests::{Env, Invocation, Seen, Suite, Terminal};

/// Some that pass, one that fails, and one that waits for a file, or to be interrupted.
const WAITING: &str = "
import os, signal, time, pytest
from pathlib import Path
@pytest.mark.parametrize('n', range(20))
def test_passes(n): pass
def test_fails(): assert 0
def test_waits():
    if os.environ.get('STUBBORN'):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    deadline = time.time() + 60
    while time.time() < deadline and not Path('go').exists():
        time.sleep(0.01)
@pytest.mark.parametrize('n', range(20))
def test_more(n): pass
";

fn invocation(suite: &Suite) -> Invocation {
    let run = Invocation::xdist(&Env::usual(), suite).n(2).args(["--maxschedchunk=1", "--tb=short"]);
    run.var("TERM", "xterm-256color").var("LC_ALL", "C.UTF-8").limit(20)
}

/// Whether the waiting test is shown as running, and the failure is counted.
fn waits(screen: &[String]) -> bool {
    !line_with(screen, "test_waits").is_empty() && line_with(screen, "left").contains("1 failed")
}

fn busy(suite: &Suite, columns: u16) -> Terminal {
    let mut terminal = invocation(suite).on_terminal(columns, 100);
    terminal.wait_for("a test to wait", waits);
    terminal
}

/// Nothing of the bar is left, and the cursor stands where the shell's prompt belongs: below the last line.
fn expect_tidy(seen: &Seen) {
    let screen = &seen.screen;
    for line in screen {
        let of_bar = line.contains('━') || line.contains('─') || line.contains(" left");
        assert!(!of_bar, "{line:?} is left in\n{}", screen.join("\n"));
    }
    let last = screen.iter().rposition(|line| !line.is_empty()).unwrap();
    assert!(screen[last].contains(" in "), "the last line is pytest's:\n{}", screen.join("\n"));
    assert_eq!(seen.cursor, (0, u16::try_from(last + 1).unwrap()), "{}", screen.join("\n"));
    let written = &seen.outcome.stdout;
    assert_eq!(written.matches("\x1b[?25l").count(), written.matches("\x1b[?25h").count(), "the cursor is visible");
    assert!(!written.contains("\x1b[?1049"), "no other screen");
}

fn line_with<'a>(screen: &'a [String], text: &str) -> &'a str {
    screen.iter().find(|line| line.contains(text)).map(String::as_str).unwrap_or_default()
}

#[test]
fn the_bar_tells_how_far_the_run_is_and_goes_away() {
    let suite = Suite::one(WAITING);
    let terminal = busy(&suite, 100);
    let screen = terminal.screen();
    let bar = line_with(&screen, "left");
    for text in ["%] ", "━", "/42", " left", "1 failed", " passed", "/s"] {
        assert!(bar.contains(text), "{text:?} in {bar:?}\n{}", screen.join("\n"));
    }
    let line = line_with(&screen, "test_it.py::test_waits");
    let mut words = line.split_whitespace();
    assert!(words.next().unwrap().starts_with("gw"), "{line:?}");
    assert!(words.next().unwrap().ends_with('s'), "{line:?}");
    assert!(screen.iter().any(|line| line.starts_with("[gw") && line.contains("FAILED test_it.py::test_fails")));
    suite.write("go", "");
    let seen = terminal.finish();
    seen.outcome.expect_code(1);
    expect_tidy(&seen);
    assert!(line_with(&seen.screen, " passed in ").contains("1 failed, 41 passed"), "{}", seen.screen.join("\n"));
}

#[test]
fn verbose_lines_stand_above_the_bar() {
    let suite = Suite::one(WAITING);
    let mut terminal = invocation(&suite).arg("-v").on_terminal(100, 100);
    terminal.wait_for("a test to wait", waits);
    suite.write("go", "");
    let seen = terminal.finish();
    seen.outcome.expect_code(1);
    expect_tidy(&seen);
    let lines = seen.screen.iter().filter(|line| line.starts_with("[gw") && line.contains('%'));
    assert_eq!(lines.count(), 42, "{}", seen.screen.join("\n"));
}

#[test]
fn ctrl_c_is_typed_once() {
    let suite = Suite::one(WAITING);
    let mut terminal = busy(&suite, 100);
    let typed = Instant::now();
    terminal.press("\x03");
    let seen = terminal.finish();
    assert!(typed.elapsed() < Duration::from_secs(12));
    seen.outcome.expect_code(2).expect_no_survivors();
    expect_tidy(&seen);
    let screen = seen.screen.join("\n");
    for text in ["stopping (Ctrl-C)", " interrupted ===", "KeyboardInterrupt", "FAILED test_it.py::test_fails"] {
        assert!(screen.contains(text), "{text:?} in\n{screen}");
    }
}

#[test]
fn ctrl_c_is_typed_twice() {
    let suite = Suite::one(WAITING);
    let mut terminal = invocation(&suite).var("STUBBORN", "1").on_terminal(100, 100);
    terminal.wait_for("a test to wait", waits);
    terminal.press("\x03");
    terminal.wait_for("the first to be noticed", |screen| screen.iter().any(|line| line.contains("stopping (Ctrl-C)")));
    let typed = Instant::now();
    terminal.press("\x03");
    let seen = terminal.finish();
    assert!(typed.elapsed() < Duration::from_secs(5));
    seen.outcome.expect_code(2).expect_no_survivors();
    expect_tidy(&seen);
}

#[test]
fn ctrl_c_while_tests_are_collected() {
    let suite = Suite::one("import time\nfrom pathlib import Path\nPath('collecting').touch()\ntime.sleep(60)\n");
    let mut terminal = invocation(&suite).on_terminal(100, 100);
    terminal.wait_for("the collection", |_| suite.path("collecting").exists());
    terminal.press("\x03");
    let seen = terminal.finish();
    seen.outcome.expect_code(2).expect_no_survivors();
    expect_tidy(&seen);
}

#[test]
fn the_bar_follows_the_size_of_the_window() {
    let suite = Suite::one(WAITING);
    let mut terminal = busy(&suite, 60);
    for columns in [120, 40, 90] {
        terminal.resize(columns, 100);
        let fits = |line: &str| {
            let used = line.chars().count();
            line.contains('━') && used < usize::from(columns) && used + 4 > usize::from(columns)
        };
        terminal.wait_for("a bar as wide as the window", |screen| screen.iter().any(|line| fits(line)));
    }
    suite.write("go", "");
    let seen = terminal.finish();
    seen.outcome.expect_code(1);
    let rule = line_with(&seen.screen, "= FAILURES =");
    assert_eq!(rule.len(), 90, "{}", seen.screen.join("\n"));
}

#[test]
fn narrow_windows() {
    for columns in [20, 12, 5, 1] {
        let suite = Suite::one(WAITING);
        let mut terminal = invocation(&suite).on_terminal(columns, 400);
        terminal.wait_for("a test to wait", |_| suite.truth().started().iter().any(|ran| ran.id.contains("waits")));
        let fits = |line: &String| line.chars().count() < usize::from(columns).max(2);
        let has_bar = |screen: &[String]| screen.iter().any(|line| line.contains('━') && fits(line));
        if columns > 5 {
            terminal.wait_for("a bar that fits", has_bar);
        }
        suite.write("go", "");
        let seen = terminal.finish();
        seen.outcome.expect_code(1);
        let screen = seen.screen.join("\n");
        assert!(!screen.contains('━') && !screen.contains('─'), "{columns}\n{screen}");
    }
}

#[test]
fn wide_characters_and_long_names_do_not_break_the_bar() {
    let wait = "(): \n    while not Path('go').exists(): time.sleep(0.01)\n";
    let wide = "漢字かな交じり".repeat(8);
    let names = [format!("a_{wide}"), "b".to_owned(), format!("c_{}", "x".repeat(300)), "d".to_owned()];
    let tests = names.map(|name| format!("def test_{name}{wait}")).concat();
    let suite = Suite::one(&format!("import time\nfrom pathlib import Path\n{tests}"));
    let mut terminal = invocation(&suite).on_terminal(60, 50);
    terminal.wait_for("both to run", |screen| screen.iter().filter(|line| line.starts_with("gw")).count() == 2);
    let screen = terminal.screen();
    let bar = screen.iter().position(|line| line.contains('─')).unwrap();
    assert!(screen[bar + 1].starts_with("gw") && screen[bar + 2].starts_with("gw"), "{}", screen.join("\n"));
    suite.write("go", "");
    let seen = terminal.finish();
    seen.outcome.expect_code(0);
    expect_tidy(&seen);
}

#[test]
fn a_terminal_that_cannot_move_its_cursor_gets_plain_lines() {
    for (name, value) in [("TERM", "dumb"), ("CI", "true")] {
        let suite = Suite::named("outcomes");
        let seen = invocation(&suite).var(name, value).on_terminal(100, 400).finish();
        let written = seen.outcome.stdout.replace("\r\n", "\n");
        assert!(!written.contains(['\x1b', '\r', '\x08']), "{name}\n{written}");
    }
    let suite = Suite::named("outcomes");
    let seen = invocation(&suite).var("CI", "true").var("FORCE_COLOR", "1").on_terminal(100, 400).finish();
    assert!(seen.outcome.stdout.contains("\x1b[31m"));
    assert!(!seen.outcome.stdout.contains("\x1b[2K"));
}

#[test]
fn a_locale_without_utf8_gets_a_bar_of_ascii() {
    let suite = Suite::one(WAITING);
    let mut terminal = invocation(&suite).var("LC_ALL", "C").on_terminal(80, 100);
    terminal.wait_for("a test to wait", waits);
    let screen = terminal.screen();
    assert!(screen.iter().all(|line| line.is_ascii()), "{}", screen.join("\n"));
    assert!(line_with(&screen, " left").contains("==>"), "{}", screen.join("\n"));
    suite.write("go", "");
    let seen = terminal.finish();
    expect_tidy(&seen);
}
