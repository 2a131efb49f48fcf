//! What a loop shows around its runs: what changed, what runs, what fails, what is waited for.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use xdist_core::looponfail::state::{Changes, State};
use xdist_core::protocol::Selection;

use crate::watcher::Transcript;

/// Names of files and tests that are shown; of more the number is.
const SHOWN_FILES: usize = 4;
const SHOWN_TESTS: usize = 10;

/// The loop's own lines.
#[derive(Debug)]
pub(crate) struct Screen {
    /// Nothing of earlier runs stays.
    clear: bool,
    color: bool,
    bell: bool,
    here: PathBuf,
}

/// How the last run ended, in words.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) code: u8,
    pub(crate) took: Duration,
    /// When, as a clock shows it.
    pub(crate) at: String,
}

impl Screen {
    pub(crate) fn new(clear: bool, bell: bool, color: bool) -> Self {
        let here = std::env::current_dir().unwrap_or_default();
        Self { clear: clear && io::stdout().is_terminal(), color, bell, here }
    }

    /// A run begins.
    pub(crate) fn run(&self, selection: &Selection, changes: &Changes) {
        let mut text = String::new();
        if self.clear {
            text.push_str("\x1b[H\x1b[2J");
        }
        text.push_str(&self.paint(&run_line(selection, changes, &self.here), "1"));
        text.push('\n');
        say(&text);
    }

    /// A run is over, and nothing is to be run now.
    pub(crate) fn wait(&self, state: &State, outcome: Option<&Outcome>, keys: bool) {
        let mut text = String::new();
        let failing: Vec<&str> = state.failing().collect();
        if let Some(outcome) = outcome {
            let (line, ink) = outcome_line(outcome, failing.len());
            let _ = writeln!(text, "\n{}", self.paint(&line, ink));
        }
        for nodeid in failing.iter().take(SHOWN_TESTS) {
            let _ = writeln!(text, "  {nodeid}");
        }
        if failing.len() > SHOWN_TESTS {
            let _ = writeln!(text, "  and {} more", failing.len() - SHOWN_TESTS);
        }
        let _ = writeln!(text, "{}", self.paint(&wait_line(state, keys), "2"));
        if self.bell && outcome.is_some() {
            text.push('\x07');
        }
        say(&text);
    }

    /// Which keys there are.
    pub(crate) fn help() {
        say(HELP);
    }

    /// Something that the user should know.
    pub(crate) fn notice(&self, text: &str) {
        say(&format!("{}\n", self.paint(&format!("xdist: {text}"), "33")));
    }

    /// The last run once more; only what passed through here is known.
    pub(crate) fn again(&self, output: &Transcript) {
        let (output, cut) = output.lines();
        if output.is_empty() {
            return self.notice("pytest wrote to the terminal by itself, nothing of it was kept");
        }
        if cut {
            self.notice("only the end of what was written is kept");
        }
        let mut out = io::stdout().lock();
        let _ = out.write_all(output).and_then(|()| out.flush());
    }

    fn paint(&self, text: &str, ink: &str) -> String {
        if self.color { format!("\x1b[{ink}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

const HELP: &str = "  Enter  run what fails again
  a      run everything
  f      run nothing but what fails (again: everything once that passes)
  o      show the last run once more
  p      pause: changes start nothing (again: go on)
  q      leave
";

/// A closed terminal is nobody's fault.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn run_line(selection: &Selection, changes: &Changes, here: &Path) -> String {
    let what = match selection {
        Selection::Everything | Selection::LastFailed => "all tests".to_owned(),
        Selection::Some(tests, _) => format!("{} that failed", tests.len()),
    };
    let why = changed(changes, here);
    if why.is_empty() { format!("running {what}") } else { format!("changed: {why}; running {what}") }
}

/// What changed, in few words.
fn changed(changes: &Changes, here: &Path) -> String {
    if changes.everything && changes.files.is_empty() {
        return "nobody knows what".to_owned();
    }
    let names: BTreeSet<String> = changes
        .files
        .iter()
        .map(|path| path.strip_prefix(here).unwrap_or(path).display().to_string().replace(char::is_control, "?"))
        .collect();
    let more = names.len().saturating_sub(SHOWN_FILES);
    let mut shown = names.into_iter().take(SHOWN_FILES).collect::<Vec<_>>().join(", ");
    if more > 0 {
        let _ = write!(shown, " and {more} more");
    }
    shown
}

fn outcome_line(outcome: &Outcome, failing: usize) -> (String, &'static str) {
    let took = outcome.took.as_secs_f64();
    let (what, ink) = match (outcome.code, failing) {
        (0, 0) => ("all tests pass".to_owned(), "32"),
        (5, 0) => ("no tests ran".to_owned(), "33"),
        (code, 0) => (format!("exit code {code}"), "31"),
        (_, 1) => ("1 failing".to_owned(), "31"),
        (_, count) => (format!("{count} failing"), "31"),
    };
    (format!("{what} ({took:.2} s, {})", outcome.at), ink)
}

fn wait_line(state: &State, keys: bool) -> String {
    let mut line = if state.is_paused() { "paused".to_owned() } else { "waiting for changes".to_owned() };
    if state.is_paused() && state.has_pending() {
        line.push_str(", files have changed");
    }
    if state.is_failing_only() {
        line.push_str(", failing tests only");
    }
    if keys {
        line.push_str(" - Enter runs what fails, a all, ? shows all keys, q leaves");
    }
    line
}
