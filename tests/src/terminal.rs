//! A run on a terminal: what is typed, how large the window is, what stands on the screen.

use std::io::Write;
use std::num::NonZero;
use std::process::ChildStdin;

use crate::{Outcome, Proc, Running};

/// The program that makes the terminal.
pub(crate) const DRIVER: &str = include_str!("on_terminal.py");

/// A run under way on a terminal.
#[derive(Debug)]
pub struct Terminal {
    run: Running,
    keyboard: ChildStdin,
    /// Sizes of the window, columns first, each with the length of the output before it.
    sizes: Vec<(usize, u16, u16)>,
}

/// What stood on the screen when a run ended, and how it ended.
#[derive(Debug)]
pub struct Seen {
    /// How it ended; stdout is everything that the terminal was sent.
    pub outcome: Outcome,
    /// Lines of the screen, without blanks at their ends.
    pub screen: Vec<String>,
    /// Column and row of the cursor.
    pub cursor: (u16, u16),
}

impl Terminal {
    pub(crate) fn new(run: Running, keyboard: ChildStdin, columns: u16, rows: u16) -> Self {
        Self { run, keyboard, sizes: vec![(0, columns, rows)] }
    }

    /// Types text or control characters.
    pub fn press(&mut self, keys: &str) {
        let hex: Vec<String> = keys.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.order(&format!("type {}", hex.concat()));
    }

    /// Makes the window another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.sizes.push((self.run.stdout().len(), columns, rows));
        self.order(&format!("size {columns} {rows}"));
    }

    /// Whether the terminal edits lines and echoes what is typed, as it does for a shell.
    pub fn is_cooked(&mut self) -> bool {
        let before = self.run.stderr().matches("modes ").count();
        self.order("modes");
        self.run.wait_for("the modes of the terminal", |run| run.stderr().matches("modes ").count() > before);
        cooked(&self.run.stderr())
    }

    /// Its living processes.
    pub fn processes(&self) -> Vec<Proc> {
        self.run.processes()
    }

    fn order(&mut self, line: &str) {
        writeln!(self.keyboard, "{line}").expect("the terminal takes orders");
    }

    /// The lines that stand on the screen.
    pub fn screen(&self) -> Vec<String> {
        lines(&shown(&self.sizes, &self.run.stdout()))
    }

    /// Waits until `condition` holds for the screen.
    pub fn wait_for(&mut self, what: &str, condition: impl Fn(&[String]) -> bool) {
        let sizes = self.sizes.clone();
        self.run.wait_for(what, |run| condition(&lines(&shown(&sizes, &run.stdout()))));
    }

    /// Waits for the end of the run.
    pub fn finish(self) -> Seen {
        let outcome = self.run.finish();
        let parser = shown(&self.sizes, &outcome.stdout);
        let (row, column) = parser.screen().cursor_position();
        Seen { screen: lines(&parser), cursor: (column, row), outcome }
    }
}

impl Seen {
    /// As [`Terminal::is_cooked`], when the run had ended; that must have been asked before.
    pub fn is_cooked(&self) -> bool {
        cooked(&self.outcome.stderr)
    }
}

fn cooked(told: &str) -> bool {
    told.lines().rfind(|line| line.starts_with("modes ")).is_some_and(|line| line.trim_end() == "modes ICANON ECHO")
}

fn shown(sizes: &[(usize, u16, u16)], output: &str) -> vt100::Parser {
    let (_, columns, rows) = sizes[0];
    let mut parser = vt100::Parser::new(size(rows), size(columns), 0);
    let mut from = 0;
    for (number, &(_, columns, rows)) in sizes.iter().enumerate() {
        let to = sizes.get(number + 1).map_or(output.len(), |next| next.0.min(output.len()));
        parser.screen_mut().set_size(size(rows), size(columns));
        parser.process(&output.as_bytes()[from..to]);
        from = to;
    }
    parser
}

fn size(length: u16) -> NonZero<u16> {
    NonZero::new(length).expect("a window has a size")
}

fn lines(parser: &vt100::Parser) -> Vec<String> {
    let columns = parser.screen().size().1;
    parser.screen().rows(0, columns.get()).map(|line| line.trim_end().to_owned()).collect()
}
