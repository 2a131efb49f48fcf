//! Passes the events of a run to everyone who reads them: the terminal, junit.xml, pytest's cache.

use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal, Stdout, Write};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use xdist_core::cache::CacheState;
use xdist_core::engine::Observer;
use xdist_core::event::RunEvent;
use xdist_core::exit;
use xdist_core::facts::Facts;
use xdist_core::protocol::Rendering;
use xdist_core::report::Warning;
use xdist_core::timestamp;

use crate::complain;
use crate::junit::JunitReporter;
use crate::terminal::{TerminalOptions, TerminalReporter, resolve_color, resolve_width};

/// Columns where nobody knows.
const COLUMNS: u16 = 80;

/// So many bytes of what was written are kept, at least.
const KEPT: usize = 1 << 20;

/// What was written to stdout, for whoever wants to see it again: the end of it, where it was much.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    bytes: Vec<u8>,
    cut: bool,
}

impl Transcript {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 2 * KEPT {
            self.bytes.drain(..self.bytes.len() - KEPT);
            self.cut = true;
        }
    }

    /// Whole lines, and whether there were others before them.
    pub(crate) fn lines(&self) -> (&[u8], bool) {
        let begin = if self.cut { self.bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1) } else { 0 };
        (&self.bytes[begin..], self.cut)
    }
}

/// The copy that a run makes and others read after it.
pub(crate) type Copied = Rc<RefCell<Transcript>>;

/// Stdout, unless we are to keep silent.
struct Voice {
    silent: Rc<Cell<bool>>,
    stdout: Stdout,
    copy: Option<Copied>,
}

impl Write for Voice {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.silent.get() {
            return Ok(bytes.len());
        }
        let written = self.stdout.write(bytes)?;
        if let Some(copy) = &self.copy {
            copy.borrow_mut().push(&bytes[..written]);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}

/// All readers of a run.
pub(crate) struct Watcher {
    options: TerminalOptions,
    terminal: Option<TerminalReporter<Voice>>,
    /// A plugin host shows and writes everything.
    silent: Rc<Cell<bool>>,
    junit: Option<JunitReporter>,
    cache: Option<CacheState>,
    copy: Option<Copied>,
    /// What could not be written.
    faults: Vec<String>,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn terminal_columns() -> Option<u16> {
    rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col).filter(|columns| *columns > 0)
}

/// Columns to write help in.
pub(crate) fn columns() -> usize {
    usize::from(terminal_columns().unwrap_or(COLUMNS))
}

/// Whether to write colours to stdout, given `--color`.
pub(crate) fn color(option: &str) -> bool {
    resolve_color(option, io::stdout().is_terminal(), variable)
}

impl Watcher {
    pub(crate) fn new(copy: Option<Copied>) -> Self {
        let options = TerminalOptions::detect(io::stdout().is_terminal(), terminal_columns(), variable);
        Self { options, terminal: None, silent: Rc::default(), junit: None, cache: None, copy, faults: Vec::new() }
    }

    /// Everything is over: says what could not be written. Results that could not be written are no success.
    pub(crate) fn finish(mut self, code: u8) -> u8 {
        let finished = self.terminal.as_mut().map_or(Ok(()), TerminalReporter::finish);
        self.note(finished);
        for fault in &self.faults {
            complain(fault, code);
        }
        if self.faults.is_empty() || code != exit::OK { code } else { exit::TESTS_FAILED }
    }

    fn terminal(&mut self) -> &mut TerminalReporter<Voice> {
        let (options, silent, copy) = (&self.options, &self.silent, &self.copy);
        self.terminal.get_or_insert_with(|| {
            TerminalReporter::new(
                options.clone(),
                Voice { silent: silent.clone(), stdout: io::stdout(), copy: copy.clone() },
            )
        })
    }

    fn show(&mut self, event: &RunEvent) {
        let shown = self.terminal().handle(event);
        self.note(shown);
    }

    fn note(&mut self, shown: io::Result<()>) {
        if let Err(error) = shown
            && self.faults.is_empty()
        {
            self.faults.push(format!("cannot write to stdout: {error}"));
        }
    }

    /// Windows change their size at any time.
    fn follow_window(&mut self) {
        if !self.options.is_terminal {
            return;
        }
        self.options.width = resolve_width(variable("COLUMNS").as_deref(), terminal_columns());
        if let Some(terminal) = &mut self.terminal {
            terminal.resize(self.options.width);
        }
    }
}

impl Observer for Watcher {
    fn rendering(&mut self, facts: &Facts, hosted: bool) -> Rendering {
        self.options.color = color(&facts.display.color);
        self.silent.set(hosted);
        if hosted {
            self.options.is_terminal = false;
        }
        self.junit = facts.junit.clone().map(|options| JunitReporter::new(options, hostname()));
        self.cache = facts.cache.clone().map(CacheState::new);
        let logging = facts.junit.as_ref().is_some_and(|junit| junit.log_passing && junit.logging != "no");
        let width = crate::terminal::layout_width(self.options.width);
        Rendering {
            width: u32::try_from(width).unwrap_or(u32::from(COLUMNS)),
            color: self.options.color,
            passed_output: logging || facts.display.reportchars.contains('P'),
            junit: facts.junit.is_some(),
            whole: hosted,
        }
    }

    fn lines(&mut self, event: &RunEvent) -> Vec<String> {
        self.terminal().lines(event)
    }

    fn results(&mut self) -> Vec<String> {
        self.terminal().results()
    }

    fn event(&mut self, event: &RunEvent) {
        if let Some(cache) = &mut self.cache {
            cache.handle(event);
        }
        // What a plugin host has written stays.
        let written = self.silent.get() && matches!(event, RunEvent::Ended(_));
        if !written
            && let Some(junit) = &mut self.junit
            && let Err(error) = junit.handle(event)
        {
            self.faults.push(error.to_string());
            self.junit = None;
        }
        if matches!(event, RunEvent::HostDied { .. }) {
            self.silent.set(false);
        }
        if matches!(event, RunEvent::Ended(_)) {
            self.follow_window();
        }
        self.show(event);
    }

    fn closing(&mut self) -> Vec<Warning> {
        if self.silent.get() {
            return Vec::new();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        self.cache.as_ref().map(|cache| cache.write(&timestamp::local_iso(now, false))).unwrap_or_default()
    }

    fn raw(&mut self, stderr: bool, bytes: &[u8]) {
        // A closed terminal loses what was meant for it.
        let _ = if stderr { io::stderr().write_all(bytes) } else { io::stdout().write_all(bytes) };
        let _ = io::stdout().flush();
    }

    fn tick(&mut self) {
        self.follow_window();
        let shown = self.terminal.as_mut().map_or(Ok(()), TerminalReporter::tick);
        self.note(shown);
    }
}

/// This machine's name, for junit.xml.
fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_much_is_kept() {
        let mut copy = Transcript::default();
        for number in 0..400_000 {
            copy.push(format!("line {number}\n").as_bytes());
            assert!(copy.bytes.len() <= 2 * KEPT);
        }
        let (lines, cut) = copy.lines();
        assert!(cut && lines.len() >= KEPT / 2);
        assert!(lines.starts_with(b"line ") && lines.ends_with(b"line 399999\n"));
    }

    #[test]
    fn little_is_kept_whole() {
        let mut copy = Transcript::default();
        copy.push(b"no line yet");
        assert_eq!(copy.lines(), (&b"no line yet"[..], false));
    }
}
