//! The reporter's answers to verdicts: letters and lines as they come, and what is kept for the end.

use std::io::Write;

use xdist_core::event::{Crashed, Verdict};
use xdist_core::ids::{TestIndex, WorkerId};
use xdist_core::report::Report;

use super::TerminalReporter;
use super::progress::{self, Info};
use super::shelf::{Kept, Shelf, from_crash};
use super::short;
use super::style::{Ink, width_of};

impl<W: Write> TerminalReporter<W> {
    /// A test has its verdict.
    pub(super) fn finished(&mut self, test: TestIndex, worker: WorkerId, verdict: &Verdict) {
        self.running.end(worker, test);
        match verdict {
            Verdict::Passed { durations } => self.passed(test, worker, durations),
            Verdict::Reported(reports) => self.reported(test, worker, reports),
            Verdict::Crashed(crashed) => self.crashed(test, worker, crashed),
            Verdict::Interrupted => self.interrupt(test, worker),
        }
        let held = self.held.release(worker);
        self.screen.lines(&held);
    }

    fn passed(&mut self, test: TestIndex, worker: WorkerId, seconds: &[f64; 3]) {
        self.tally.add("passed", 1, true);
        self.tally.done += 1;
        self.durations.phases(test, seconds);
        if self.info == Info::Times {
            self.unshown += seconds.iter().sum::<f64>();
        }
        if self.face.wants('p') {
            self.shelf.passed_tests.push(test);
        }
        if self.face.places.each {
            self.matrix.count(worker, "passed", true);
        }
        if self.notes() {
            self.matrix.note(test, worker, "PASSED", &[Ink::GREEN]);
            self.matrix_line(test);
        } else if self.by_lines() {
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
        self.matrix_line(test);
    }

    /// Whether what a test did in each place is put together.
    fn notes(&self) -> bool {
        self.face.places.each && (self.by_lines() || self.hosted)
    }

    /// The line of a test that has its outcome everywhere now. Beside a plugin host, which shows a line for each worker, it
    /// is kept for the end.
    fn matrix_line(&mut self, test: TestIndex) {
        if !self.notes() {
            return;
        }
        if self.hosted {
            return self.matrix.keep(&self.face, test);
        }
        let figure = self.info.message(&self.tally, &mut self.unshown);
        if let Some(line) = self.matrix.line(&self.face, test, &figure) {
            self.screen.lines(&line);
        }
    }

    fn crashed(&mut self, test: TestIndex, worker: WorkerId, crashed: &Crashed) {
        self.tally.done += 1;
        // The crash report shows it, so it is not shown by itself.
        let held = self.held.take(worker);
        let words = if crashed.output.trim().is_empty() { held } else { crashed.output.clone() };
        let report = from_crash(&self.face, self.face.names.nodeid(test), worker, crashed);
        self.durations.phases(test, &crashed.passed);
        self.unshown += crashed.passed.iter().sum::<f64>();
        for earlier in &crashed.reports {
            self.durations.report(test, earlier);
            self.unshown += earlier.duration;
        }
        self.report(test, worker, &report, &[]);
        self.matrix_line(test);
        self.shelf.crashed(worker, words);
    }

    fn interrupt(&mut self, test: TestIndex, worker: WorkerId) {
        self.interrupted.push((test, worker));
        if self.notes() {
            self.matrix.note(test, worker, "INTERRUPTED", &[Ink::YELLOW]);
            self.matrix_line(test);
        } else if self.by_lines() {
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
        if self.face.places.each {
            self.matrix.count(worker, &report.category, !report.uncounted);
        }
        if shown && self.notes() {
            self.matrix.note(test, worker, short::verbose_word(report), &progress::inks_of(report));
        } else if self.by_lines() && shown {
            let figure = self.info.message(&self.tally, &mut self.unshown);
            let name = self.face.names.display(test);
            let line = progress::report_line(&self.face, worker, &figure, report, &name);
            self.screen.lines(&line);
        } else if shown {
            self.letter(&report.letter, &progress::inks_of(report));
        }
        if !Shelf::shows(&self.face, &report.category) {
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
            words: String::new(),
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
        let columns = width_of(letter);
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
    pub(super) fn last_figure(&mut self) {
        if !self.lettered || self.info == Info::None {
            return;
        }
        let figure = self.info.message(&self.tally, &mut self.unshown);
        let fill = self.face.style.width.saturating_sub(self.screen.column() + 1);
        let figure = self.face.style.paint(&format!("{figure:>fill$}"), &[self.tally.main_ink()]);
        self.screen.write(&figure, fill);
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
