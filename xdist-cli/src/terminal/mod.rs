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

mod bar;
mod closing;
mod durations;
mod face;
mod frame;
mod header;
mod held;
mod names;
mod options;
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
use std::time::Instant;

use xdist_core::event::{Collected, Configured, Crashed, Ended, RunEvent, Verdict};
use xdist_core::ids::{TestIndex, WorkerId};
use xdist_core::report::Report;

use self::bar::Bar;
use self::durations::Durations;
use self::face::Face;
use self::frame::Running;
use self::held::{Held, marked};
pub use self::options::{TerminalOptions, layout_width, resolve_color, resolve_width};
use self::progress::Info;
use self::screen::Screen;
use self::shelf::{Kept, Shelf, from_collector, from_crash};
use self::style::Ink;
use self::tally::Tally;
use self::warnings::Warnings;

/// Shows a run as pytest would, and what pytest cannot know: workers.
pub struct TerminalReporter<W: Write> {
    options: TerminalOptions,
    screen: Screen<W>,
    errors: Box<dyn Write + Send>,
    face: Face,
    info: Info,
    tally: Tally,
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
    configured: bool,
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
            silent: false,
            tests_began: None,
            lettered: false,
        }
    }

    /// Takes the next event. A closed pipe is no error: nothing more is written then.
    pub fn handle(&mut self, event: &RunEvent) -> io::Result<()> {
        self.handle_at(event, Instant::now())
    }

    /// Writes what was gathered and moves the bar; to be called about ten times a second.
    pub fn tick(&mut self) -> io::Result<()> {
        self.tick_at(Instant::now())
    }

    /// Takes the bar away and writes what is left, also when no end of the run came.
    pub fn finish(&mut self) {
        self.screen.hide();
        // Where the stream is closed there is nobody left to tell.
        let _ = self.screen.flush_all();
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
        match event {
            RunEvent::Started { test, worker } => self.running.start(*worker, *test, now),
            RunEvent::Finished { test, worker, verdict } => {
                self.running.end(*worker, *test);
                match verdict {
                    Verdict::Passed { durations } => self.passed(*test, *worker, durations),
                    Verdict::Reported(reports) => self.reported(*test, *worker, reports),
                    Verdict::Crashed(crashed) => self.crashed(*test, *worker, crashed),
                    Verdict::Interrupted => self.interrupt(*test, *worker),
                }
                self.release(*worker);
            }
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
                let text = format!("xdist: stopping ({why}): running tests are being interrupted");
                self.say(&text, &[Ink::YELLOW]);
                self.screen.flush()?;
            }
            RunEvent::Ended(ended) => return self.ended(ended),
        }
        self.screen.flush_if_full()
    }

    fn configure(&mut self, configured: &Configured) -> io::Result<()> {
        self.configured = true;
        self.silent = !configured.facts.terminal;
        if self.silent {
            return Ok(());
        }
        self.face.configure(configured);
        self.info = Info::of(&self.face.display);
        self.tally.subtests_known = self.face.since(9, 0);
        let all_durations = self.face.display.verbosity >= 2 && !self.face.since(8, 1);
        self.durations = Durations::new(&self.face.display, all_durations);
        let mut out = String::new();
        header::session(&self.face, configured, &mut out);
        self.screen.lines(&out);
        self.screen.flush()
    }

    fn collected(&mut self, collected: &Collected, now: Instant) -> io::Result<()> {
        self.face.names.collection = collected.collection.clone();
        self.tally.collected = collected.collection.ids.len() as u64;
        self.tally.add("deselected", u64::from(collected.collection.deselected), true);
        for report in &collected.collection.reports {
            let kept = from_collector(report);
            self.tally.add(&kept.report.category, 1, true);
            self.shelf.keep(&self.face, kept);
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
        let classic = self.face.display.output_style == "classic";
        if self.options.is_terminal && !self.options.ci && !classic {
            let width = self.options.width.unwrap_or(80).max(20);
            self.screen.show(Bar::new(self.tally.collected, width, self.options.utf8, self.face.style));
        }
        self.tick_at(now)
    }

    fn passed(&mut self, test: TestIndex, worker: WorkerId, seconds: &[f64; 3]) {
        self.tally.add("passed", 1, true);
        self.tally.done += 1;
        self.durations.passed(test, seconds);
        if self.info == Info::Times {
            self.unshown += seconds.iter().sum::<f64>();
        }
        if self.face.wants('p') {
            self.shelf.passed_tests.push(test);
        }
        if self.by_lines() {
            let figure = self.info.message(&self.tally, &mut self.unshown);
            let name = self.face.names.display(test);
            let line = progress::passed_line(&self.face, worker, &figure, &name);
            self.screen.lines(&line);
        } else {
            self.letter(".", &[Ink::GREEN]);
        }
    }

    fn reported(&mut self, test: TestIndex, worker: WorkerId, reports: &[Report]) {
        self.tally.done += 1;
        let teardown = captured_in_teardown(reports);
        for report in reports {
            self.report(test, worker, report, &teardown);
        }
    }

    fn crashed(&mut self, test: TestIndex, worker: WorkerId, crashed: &Crashed) {
        self.tally.done += 1;
        // The crash report shows them.
        drop(self.held.take(worker));
        let report = from_crash(&self.face, self.face.names.nodeid(test), worker, crashed);
        for earlier in &crashed.reports {
            self.durations.report(test, earlier);
        }
        self.report(test, worker, &report, &[]);
    }

    fn interrupt(&mut self, test: TestIndex, worker: WorkerId) {
        self.interrupted.push((test, worker));
        if self.by_lines() {
            let figure = self.info.message(&self.tally, &mut self.unshown);
            let name = self.face.names.display(test);
            let line = progress::line(&self.face, worker, &figure, "INTERRUPTED", &[Ink::YELLOW], &name);
            self.screen.lines(&line);
        }
    }

    fn report(&mut self, test: TestIndex, worker: WorkerId, report: &Report, teardown: &[(String, String)]) {
        self.tally.add(&report.category, 1, !report.uncounted);
        self.durations.report(test, report);
        self.unshown += report.duration;
        let shown = !(report.letter.is_empty() && report.word.is_empty());
        if self.by_lines() && shown {
            let figure = self.info.message(&self.tally, &mut self.unshown);
            let name = self.face.names.display(test);
            let line = progress::report_line(&self.face, worker, &figure, report, &name);
            self.screen.lines(&line);
        } else if shown {
            self.letter(&report.letter, &progress::inks_of(report));
        }
        if report.category.is_empty() || report.category == "passed" && !self.face.wants('p') && !self.face.wants('P') {
            return;
        }
        let nodeid =
            if report.nodeid.is_empty() { self.face.names.nodeid(test).to_owned() } else { report.nodeid.clone() };
        let kept = Kept {
            test: Some(test),
            worker: Some(worker),
            nodeid,
            report: report.clone(),
            teardown: teardown.to_vec(),
        };
        if self.announces(report) {
            let mark = format!("[{worker}] ");
            let columns = self.face.style.width.saturating_sub(mark.len() + 1);
            let line = format!("{mark}{}\n", short::failing_in(&self.face, &kept, columns));
            self.screen.lines(&line);
        }
        self.shelf.keep(&self.face, kept);
    }

    /// Failures are told above the bar as they come; without a bar their letter tells, and with `-v` their line.
    fn announces(&self, report: &Report) -> bool {
        matches!(report.category.as_str(), "failed" | "error")
            && self.screen.bar().is_some()
            && !self.by_lines()
            && self.face.display.verbosity > -2
    }

    fn by_lines(&self) -> bool {
        self.face.display.verbosity_test_cases > 0
    }

    fn letter(&mut self, letter: &str, inks: &[Ink]) {
        if self.screen.bar().is_some() || letter.is_empty() {
            return;
        }
        self.lettered = true;
        let columns = style::width_of(letter);
        if self.face.style.color {
            let painted = self.face.style.paint(letter, inks);
            self.screen.write(&painted, columns);
        } else {
            self.screen.write(letter, columns);
        }
        let past_edge = self.screen.column() + self.info.room(&self.tally) + 1 >= self.face.style.width;
        if past_edge && self.info != Info::None && self.tally.done != self.tally.collected {
            let figure = self.info.message(&self.tally, &mut self.unshown);
            let columns = figure.len();
            let figure = self.face.style.paint(&figure, &[self.tally.main_ink()]);
            self.screen.write(&figure, columns);
            self.screen.newline();
        }
    }

    /// The figure of the last line, at the right edge.
    fn last_figure(&mut self) {
        if !self.lettered || self.info == Info::None {
            return;
        }
        let figure = self.info.message(&self.tally, &mut self.unshown);
        let fill = self.face.style.width.saturating_sub(self.screen.column() + 1);
        let figure = self.face.style.paint(&format!("{figure:>fill$}"), &[self.tally.main_ink()]);
        self.screen.write(&figure, fill);
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
        if self.face.display.no_capture || !self.running.is_busy(worker) {
            self.screen.lines(&marked(worker, line));
        } else if let Some(text) = self.held.hold(worker, line) {
            self.screen.lines(&text);
        }
    }

    fn release(&mut self, worker: WorkerId) {
        let text = self.held.take(worker);
        self.screen.lines(&text);
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

    fn say(&mut self, text: &str, inks: &[Ink]) {
        let line = self.face.style.paint(text, inks);
        self.screen.lines(&format!("{line}\n"));
    }

    fn ended(&mut self, ended: &Ended) -> io::Result<()> {
        self.screen.hide();
        if self.configured && !self.silent {
            self.summary(ended);
        }
        let shown = self.screen.flush_all();
        if let Some(text) = &ended.error {
            let newline = if text.ends_with('\n') { "" } else { "\n" };
            write!(self.errors, "{text}{newline}").or_else(closed_is_fine)?;
            self.errors.flush().or_else(closed_is_fine)?;
        }
        shown
    }

    fn summary(&mut self, ended: &Ended) {
        let held = self.held.take_all();
        self.screen.lines(&held);
        self.last_figure();
        let began = self.screen.column() > 0 || self.lettered;
        self.screen.newline();
        if !began || self.face.display.verbosity >= 0 {
            self.screen.lines("\n");
        }
        self.shelf.sort();
        self.interrupted.sort_unstable();
        let face = &self.face;
        let mut out = String::new();
        if !face.display.no_summary {
            sections::errors(face, &self.shelf.errors, &mut out);
            sections::failures(face, &self.shelf.failed, &mut out);
            sections::xfailures(face, &self.shelf.xfailed, &mut out);
            self.warnings.render(face, &mut out);
            let any = |category: &str| self.tally.count(category) > 0;
            sections::passes(face, "PASSES", face.wants('P') && any("passed"), &self.shelf.passed, &mut out);
            let xpasses = face.wants('X') && any("xpassed") && face.since(8, 0);
            sections::passes(face, "XPASSES", xpasses, &self.shelf.xpassed, &mut out);
        }
        if !face.display.no_summary || face.since(9, 2) {
            self.durations.render(&mut out, &face.style, &face.names);
        }
        closing::notices(face, &self.notices, &mut out);
        closing::interrupted(face, &self.interrupted, &mut out);
        if !face.display.no_summary {
            short::summary(face, &self.shelf, &mut out);
        }
        closing::stopped(face, &self.tally, ended, &mut out);
        closing::final_line(face, &self.tally, ended.elapsed, &mut out);
        self.screen.lines(&out);
    }
}

/// What a test's teardown captured, where the teardown itself passed.
fn captured_in_teardown(reports: &[Report]) -> Vec<(String, String)> {
    reports
        .iter()
        .filter(|report| report.category.is_empty() && report.when == "teardown")
        .flat_map(|report| report.sections.iter().filter(|(title, _)| title.contains("teardown")).cloned())
        .collect()
}

fn closed_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}
