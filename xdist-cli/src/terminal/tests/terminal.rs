//! The bar, as a terminal would show it.

use insta::assert_snapshot;

use super::*;

/// Just enough of a terminal to see what is on its screen.
fn screen(output: &str, columns: usize) -> String {
    let mut rows: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut characters = output.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\x1b' => {
                assert_eq!(characters.next(), Some('['));
                let mut number = String::new();
                let command = loop {
                    match characters.next().unwrap() {
                        digit if digit.is_ascii_digit() => number.push(digit),
                        command => break command,
                    }
                };
                let number = number.parse().unwrap_or(1);
                match command {
                    'A' => row -= number,
                    'B' => row += number,
                    'K' => rows[row].clear(),
                    'm' => {}
                    other => panic!("unexpected {other}"),
                }
            }
            '\r' => column = 0,
            '\n' => (row, column) = (row + 1, 0),
            _ => {
                // Terminals wrap when a character comes that has no room, not before.
                if column == columns {
                    (row, column) = (row + 1, 0);
                    rows.resize(rows.len().max(row + 1), Vec::new());
                }
                let line = &mut rows[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = character;
                column += 1;
            }
        }
        rows.resize(rows.len().max(row + 1), Vec::new());
    }
    let lines = rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

fn on_a_terminal(mut run: Run, width: u16) -> Run {
    run.options.is_terminal = true;
    run.options.width = Some(width);
    run
}

fn busy() -> Run {
    let ids: Vec<String> = (0..40).map(|number| format!("tests/test_things.py::test_number_{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut run = Run::of(&ids);
    for worker in 0..6 {
        run = run.started(30 + worker, worker);
    }
    for test in 0..8 {
        run = run.pass(test, test % 2);
    }
    run.reports(8, 1, &[setup(), failed("test_number_8", "assert 1 == 2"), teardown()])
        .reports(9, 0, &[skipped("no network")])
        .finished(30, 0, Verdict::Passed { durations: [0.0; 3] })
}

/// What stands on the screen before the end comes.
fn in_the_middle(run: &Run) -> String {
    let out = Sink::default();
    let mut reporter = TerminalReporter::new(run.options.clone(), out.clone());
    let start = Instant::now();
    reporter.handle_at(&RunEvent::Configured(Box::new(run.configured.clone())), start).unwrap();
    if let Some(collected) = &run.collected {
        reporter.handle_at(&RunEvent::Collected(Box::new(collected.clone())), start).unwrap();
    }
    for (event, second) in run.events.iter().zip(1..) {
        reporter.handle_at(event, start + Duration::from_secs(second)).unwrap();
        reporter.tick_at(start + Duration::from_secs(second)).unwrap();
    }
    screen(&out.text(), usize::from(run.options.width.unwrap_or(80)))
}

#[test]
fn a_bar_with_counts_and_the_longest_running() {
    assert_snapshot!(in_the_middle(&on_a_terminal(busy(), 100)));
}

#[test]
fn a_bar_in_ascii_on_a_narrow_terminal() {
    let mut run = on_a_terminal(busy(), 50);
    run.options.utf8 = false;
    let shown = in_the_middle(&run);
    assert!(shown.is_ascii());
    assert_snapshot!(shown);
}

#[test]
fn a_bar_with_a_line_for_every_test() {
    assert_snapshot!(in_the_middle(&on_a_terminal(busy().verbosity(1), 80)));
}

#[test]
fn a_quiet_bar() {
    assert_snapshot!(in_the_middle(&on_a_terminal(busy().verbosity(-1), 80)));
}

#[test]
fn nothing_of_the_bar_is_left_at_the_end() {
    let run = on_a_terminal(busy().exit(1), 80);
    assert_snapshot!(screen(&run.output(), 80));
}

#[test]
fn collecting_is_said_until_it_is_done() {
    let mut run = on_a_terminal(busy(), 80);
    let before = run.collected.take();
    run.events.clear();
    assert!(in_the_middle(&run).ends_with("\ncollecting ..."));
    run.collected = before;
    assert!(!in_the_middle(&run).contains("collecting"));
    // An error takes the line.
    run.collected = None;
    run = run.with(RunEvent::Notice("careful".to_owned()));
    assert!(in_the_middle(&run).ends_with("\ncollecting ...\nxdist: careful"));
}

#[test]
fn sources_on_their_way_have_the_line_at_the_bottom() {
    let mut run = on_a_terminal(busy(), 80);
    run.collected = None;
    run.events.clear();
    let bringing = Bringing { copies: 2, files: 3, bytes: 4000, sent: 5, seconds: 1.0 };
    run = run.with(RunEvent::Bringing(Some(bringing)));
    let line = "bringing sources to 2 places: 3 files (4.0 kB), 5 B sent, 5 B/s";
    assert!(in_the_middle(&run).ends_with(&format!("\n{line}")), "{}", in_the_middle(&run));
    run = run.with(RunEvent::Bringing(Some(Bringing { sent: 50, ..bringing })));
    assert!(in_the_middle(&run).ends_with("50 B sent, 50 B/s"), "{}", in_the_middle(&run));
    let over = run.with(RunEvent::Bringing(None));
    assert!(in_the_middle(&over).ends_with("\ncollecting ..."), "{}", in_the_middle(&over));
    let mut ci = over;
    ci.options.ci = true;
    assert!(!ci.output().contains("bringing"));
}

#[test]
fn continuous_integration_has_no_bar() {
    let mut run = on_a_terminal(busy(), 80);
    run.options.ci = true;
    let out = run.output();
    assert!(!out.contains('\x1b') && !out.contains('\r'));
    assert!(out.contains("........Fs."), "{out}");
}

#[test]
fn colours_do_not_disturb_the_bar() {
    let mut run = on_a_terminal(busy(), 80);
    let plain = in_the_middle(&run);
    run.options.color = true;
    assert_eq!(in_the_middle(&run), plain);
}
