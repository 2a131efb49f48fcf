//! The end of a run: everything that is shown once all verdicts are known, in pytest's order.

use std::io::{self, ErrorKind, Write};

use xdist_core::event::Ended;

use super::{TerminalReporter, closing, sections, short};

impl<W: Write> TerminalReporter<W> {
    /// The run is over.
    pub(super) fn ended(&mut self, ended: &Ended) -> io::Result<()> {
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
        let held = self.held.release_all();
        self.screen.lines(&held);
        let rest = self.matrix.rest(&self.face);
        self.screen.lines(&rest);
        self.last_figure();
        let began = self.screen.column() > 0 || self.lettered;
        self.screen.newline();
        if !began || self.face.display.verbosity >= 0 {
            self.screen.lines("\n");
        }
        self.shelf.sort(self.face.places.each);
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
        if face.places.each && face.display.verbosity > -2 {
            self.matrix.summary(face, &mut out);
        }
        closing::stopped(face, &self.tally, ended, &mut out);
        closing::final_line(face, &self.tally, ended.elapsed, &mut out);
        self.screen.lines(&out);
    }
}

fn closed_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}
