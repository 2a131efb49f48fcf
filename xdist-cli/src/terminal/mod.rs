//! The terminal reporter: run events in, pytest's face out.
//!
//! It decides nothing about tests and knows neither processes nor arguments; what it may know is in the events and in
//! [`TerminalOptions`]. Text goes through one screen; everything else here is pure formatting. Of plain
//! passes only counters are kept, so that a million of them cost nothing but time.

/// Appends formatted text to a string.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {{
        // Writing to a string has no way to fail.
        let _ = std::fmt::Write::write_fmt(&mut $out, format_args!($($text)*));
    }};
}

mod alone;
mod bar;
mod bringing;
mod closing;
mod durations;
mod ending;
mod face;
mod frame;
mod header;
mod held;
mod matrix;
mod names;
mod options;
mod outcomes;
mod places;
mod progress;
mod screen;
mod sections;
mod shelf;
mod short;
mod style;
mod tally;
#[cfg(test)]
mod tests;
mod times;
mod warnings;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use xdist_core::event::{Bringing, Collected, Configured, RunEvent};
use xdist_core::ids::{TestIndex, WorkerId};

use self::bar::Bar;
use self::durations::Durations;
use self::face::Face;
use self::frame::Running;
use self::held::{Held, marked};
use self::matrix::Matrix;
pub use self::options::{TerminalOptions, layout_width, resolve_color, resolve_width};
use self::places::Places;
use self::progress::Info;
use self::screen::Screen;
use self::shelf::{Shelf, from_collector};
use self::style::Ink;
use self::tally::Tally;
use self::warnings::Warnings;

/// What a terminal shows until the collection is known.
const COLLECTING: &str = "collecting ... ";

/// Shows a run as pytest would, and what pytest cannot know: workers.
pub struct TerminalReporter<W: Write> {
    options: TerminalOptions,
    screen: Screen<W>,
    errors: Box<dyn Write + Send>,
    face: Face,
    info: Info,
    tally: Tally,
    matrix: Matrix,
    shelf: Shelf,
    durations: Durations,
    warnings: Warnings,
    notices: Vec<String>,
    interrupted: Vec<(TestIndex, WorkerId)>,
    internal: Vec<String>,
    held: Held,
    running: Running,
    /// Seconds of tests since the last figure of `console_output_style = times`.
    unshown: f64,
    /// The line at the bottom says how far sources are.
    bringing: bool,
    configured: bool,
    /// A plugin host shows the run, unless it dies.
    hosted: bool,
    /// `-p no:terminal`: nothing but errors.
    silent: bool,
    tests_began: Option<Instant>,
    /// Whether progress in letters stands on the screen.
    lettered: bool,
}

impl<W: Write> TerminalReporter<W> {
    /// Writes to `out`, and errors before any test to stderr.
    pub fn new(options: TerminalOptions, out: W) -> Self {
        Self::with_errors(options, out, Box::new(io::stderr()))
    }

    /// As [`TerminalReporter::new`], with another place for errors before any test.
    pub fn with_errors(options: TerminalOptions, out: W, errors: Box<dyn Write + Send>) -> Self {
        Self {
            face: Face::new(&options),
            options,
            screen: Screen::new(out),
            errors,
            info: Info::default(),
            tally: Tally::default(),
            matrix: Matrix::default(),
            shelf: Shelf::default(),
            durations: Durations::default(),
            warnings: Warnings::default(),
            notices: Vec::new(),
            interrupted: Vec::new(),
            internal: Vec::new(),
            held: Held::default(),
            running: Running::default(),
            unshown: 0.0,
            configured: false,
            hosted: false,
            bringing: false,
            silent: false,
            tests_began: None,
            lettered: false,
        }
    }

    /// Takes the next event. A closed pipe is no error: nothing more is written then.
    pub fn handle(&mut self, event: &RunEvent) -> io::Result<()> {
        self.handle_at(event, Instant::now())
    }

    /// The terminal's window has another width; `None` where nobody knows.
    pub fn resize(&mut self, width: Option<u16>) {
        if width == self.options.width {
            return;
        }
        self.options.width = width;
        self.face.style.width = layout_width(width);
        if let Some(bar) = self.screen.bar() {
            bar.resize(width.unwrap_or(80));
        }
    }

    /// Writes what was gathered and moves the bar; to be called about ten times a second.
    pub fn tick(&mut self) -> io::Result<()> {
        self.tick_at(Instant::now())
    }

    /// Takes the bar away and writes what is left, also when no end of the run came.
    ///
    /// # Errors
    /// What the stream says; a closed pipe is no error.
    pub fn finish(&mut self) -> io::Result<()> {
        self.screen.hide();
        self.screen.flush_all()
    }

    /// What a plugin host is to show of an event in our place.
    pub fn lines(&mut self, event: &RunEvent) -> Vec<String> {
        let mut out = String::new();
        match event {
            RunEvent::Configured(configured) => {
                self.face.configure(configured);
                header::own(configured, &mut out);
            }
            RunEvent::Collected(collected) => {
                self.face.places = Places::of(collected);
                header::collected(&self.face, collected, &mut out);
            }
            RunEvent::StillRunning { test, worker, elapsed } => out = self.long(*test, *worker, *elapsed),
            _ => {}
        }
        out.lines().map(str::to_owned).collect()
    }

    /// What a plugin host is to show of environments at the end of a run, which it does not tell apart.
    pub fn results(&mut self) -> Vec<String> {
        let mut out = String::new();
        if self.face.places.each && self.face.display.verbosity > -2 {
            self.matrix.keep_rest(&self.face);
            self.matrix.summary(&self.face, &mut out);
        }
        out.lines().map(str::to_owned).collect()
    }

    fn tick_at(&mut self, now: Instant) -> io::Result<()> {
        if let (Some(bar), Some(began)) = (self.screen.bar(), self.tests_began) {
            let columns = usize::from(self.options.width.unwrap_or(80));
            let elapsed = now.saturating_duration_since(began);
            bar.draw(frame::frame(&self.face, self.info, &self.tally, &self.running, columns, elapsed, now));
        }
        self.screen.flush()
    }

    fn handle_at(&mut self, event: &RunEvent, now: Instant) -> io::Result<()> {
        if self.silent && !matches!(event, RunEvent::Ended(_)) {
            return Ok(());
        }
        if !matches!(event, RunEvent::Bringing(Some(_))) && std::mem::take(&mut self.bringing) {
            self.screen.erase_line();
            self.show_collecting();
        }
        match event {
            RunEvent::Bringing(bringing) => self.bring(*bringing)?,
            RunEvent::Started { test, worker } => {
                self.running.start(*worker, *test, now);
                self.shelf.alive(*worker);
            }
            RunEvent::StillRunning { test, worker, elapsed } => self.still_running(*test, *worker, *elapsed)?,
            RunEvent::Finished { test, worker, verdict } => self.finished(*test, *worker, verdict),
            RunEvent::Configured(configured) => self.configure(configured)?,
            RunEvent::Collected(collected) => self.collected(collected, now)?,
            RunEvent::WorkerUp { worker, incarnation } => self.worker_up(*worker, *incarnation),
            RunEvent::WorkerDied { worker, how, replaced } => self.worker_died(*worker, how, *replaced),
            RunEvent::Warning(warning) => {
                self.tally.add("warnings", 1, true);
                self.warnings.add(&self.face, warning);
            }
            RunEvent::Output { worker, line, .. } => self.output(*worker, line),
            RunEvent::InternalError { worker, text } => self.internal_error(*worker, text)?,
            RunEvent::Notice(text) => self.notice(text)?,
            RunEvent::Stopping { why } => {
                let what = if self.tests_began.is_some() { "running tests are" } else { "the collection is" };
                let again = if why == "Ctrl-C" { ", once more kills" } else { "" };
                let text = format!("xdist: stopping ({why}): {what} being interrupted{again}");
                self.say(&text, &[Ink::YELLOW]);
                self.screen.flush()?;
            }
            RunEvent::HostDied { how } => {
                self.notice(&format!(
                    "the plugin host, which showed this run, ended with {how}: what is known follows"
                ))?;
            }
            RunEvent::Ended(ended) => return self.ended(ended),
        }
        self.screen.flush_if_full()
    }

    fn configure(&mut self, configured: &Configured) -> io::Result<()> {
        self.configured = true;
        self.hosted = configured.hosted;
        self.silent = !configured.facts.terminal;
        if self.silent {
            return Ok(());
        }
        self.face.configure(configured);
        self.info = Info::of(&self.face.display);
        self.tally.subtests_known = self.face.since(9, 0);
        self.durations = Durations::new(&self.face.display, !self.face.since(8, 1));
        let mut out = String::new();
        header::session(&self.face, configured, &mut out);
        self.screen.lines(&out);
        self.show_collecting();
        self.screen.flush()
    }

    fn show_collecting(&mut self) {
        if self.configured && self.tests_began.is_none() && self.is_live() && self.face.display.verbosity >= 0 {
            self.screen.write(&self.face.style.paint(COLLECTING, &[Ink::BOLD]), COLLECTING.len());
        }
    }

    /// Shows how far sources are, in the line at the bottom.
    fn bring(&mut self, bringing: Option<Bringing>) -> io::Result<()> {
        if let Some(bringing) = bringing.filter(|_| self.is_live() && self.tests_began.is_none()) {
            let mut line = bringing::line(&bringing);
            line.truncate(usize::from(self.options.width.unwrap_or(80)).saturating_sub(1));
            self.screen.erase_line();
            self.screen.write(&line, line.len());
            self.bringing = true;
        }
        self.screen.flush()
    }

    /// Whether the output moves: a bar, and lines that are written over.
    fn is_live(&self) -> bool {
        self.options.is_terminal && !self.options.ci && self.face.display.output_style != "classic"
    }

    fn collected(&mut self, collected: &Collected, now: Instant) -> io::Result<()> {
        self.face.names.collection = collected.collection.clone();
        self.tally.collected = collected.verdicts();
        self.face.places = Places::of(collected);
        self.tally.add("deselected", u64::from(collected.collection.deselected), true);
        for report in &collected.collection.reports {
            let kept = from_collector(report);
            self.tally.add(&kept.report.category, 1, true);
            self.shelf.keep(&self.face, kept);
        }
        if self.is_live() {
            self.screen.erase_line();
        }
        let mut out = String::new();
        header::collected(&self.face, collected, &mut out);
        self.screen.lines(&out);
        self.tests_began = Some(now);
        if collected.workers == 0 {
            return self.screen.flush();
        }
        if self.face.display.verbosity >= 0 {
            self.screen.lines("\n");
        }
        if self.is_live() {
            let width = self.options.width.unwrap_or(80);
            self.screen.show(Bar::new(self.tally.collected, width, self.options.utf8, self.face.style));
        }
        self.tick_at(now)
    }

    fn worker_up(&mut self, worker: WorkerId, incarnation: u32) {
        if self.face.display.verbosity > 0 && incarnation > 0 {
            self.screen.lines(&marked(worker, &format!("worker up again, replacement {incarnation}")));
        }
    }

    fn worker_died(&mut self, worker: WorkerId, how: &str, replaced: bool) {
        if self.face.display.verbosity < 0 {
            return;
        }
        let then = if replaced { "a replacement takes over" } else { "it is not replaced" };
        self.say(&format!("xdist: worker {worker} died ({how}): {then}"), &[Ink::RED]);
    }

    fn output(&mut self, worker: WorkerId, line: &str) {
        // Of a line that was drawn over and over (a progress bar of the test's) its last state.
        let line = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
        let shown = if self.face.display.live_output {
            Some(marked(worker, line))
        } else if self.running.is_busy(worker) {
            self.held.hold(worker, line)
        } else {
            (!self.shelf.late_words(worker, line)).then(|| marked(worker, line))
        };
        if let Some(text) = shown {
            self.screen.lines(&text);
        }
    }

    fn internal_error(&mut self, worker: Option<WorkerId>, text: &str) -> io::Result<()> {
        if self.internal.iter().any(|known| known == text) {
            return Ok(());
        }
        self.internal.push(text.to_owned());
        if let Some(worker) = worker {
            self.say(&format!("xdist: internal error in {worker}"), &[Ink::RED]);
        }
        let lines: Vec<String> = text.trim_end().split('\n').map(|line| format!("INTERNALERROR> {line}\n")).collect();
        self.screen.lines(&lines.concat());
        self.screen.flush()
    }

    fn notice(&mut self, text: &str) -> io::Result<()> {
        self.say(&format!("xdist: {text}"), &[Ink::YELLOW]);
        if !self.notices.iter().any(|known| known == text) {
            self.notices.push(text.to_owned());
        }
        self.screen.flush()
    }

    /// A test that the bar does not show.
    fn still_running(&mut self, test: TestIndex, worker: WorkerId, elapsed: Duration) -> io::Result<()> {
        if self.screen.bar().is_some() && self.face.display.verbosity >= 0 {
            return Ok(());
        }
        self.say(&self.long(test, worker, elapsed), &[Ink::YELLOW]);
        self.screen.flush()
    }

    fn long(&self, test: TestIndex, worker: WorkerId, elapsed: Duration) -> String {
        let name = self.face.names.relative(self.face.names.nodeid(test));
        format!("xdist: {name} has been running for {} on {worker}", times::about(elapsed))
    }

    fn say(&mut self, text: &str, inks: &[Ink]) {
        let line = self.face.style.paint(text, inks);
        self.screen.lines(&format!("{line}\n"));
    }
}
