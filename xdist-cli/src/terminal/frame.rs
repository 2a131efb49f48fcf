//! What the bar says: counts by outcome, rate, time left, the tests that have been running longest.

use std::time::{Duration, Instant};

use xdist_core::ids::{TestIndex, WorkerId};

use super::bar::Frame;
use super::face::Face;
use super::progress::Info;
use super::style::{head, tail, width_of};
use super::tally::Tally;
use super::times::left;

/// Columns of the bar where there is no room for more.
const NARROWEST: usize = 8;

/// Running tests shown at most.
const SHOWN: usize = 4;

/// Which worker runs which test since when.
#[derive(Debug, Default)]
pub(crate) struct Running {
    by_worker: Vec<Option<(TestIndex, Instant)>>,
}

impl Running {
    /// A test began.
    pub(crate) fn start(&mut self, worker: WorkerId, test: TestIndex, now: Instant) {
        if self.by_worker.len() <= worker.at() {
            self.by_worker.resize(worker.at() + 1, None);
        }
        self.by_worker[worker.at()] = Some((test, now));
    }

    /// A test ended; its worker may already be at the next.
    pub(crate) fn end(&mut self, worker: WorkerId, test: TestIndex) {
        if let Some(slot) = self.by_worker.get_mut(worker.at())
            && slot.is_some_and(|(running, _)| running == test)
        {
            *slot = None;
        }
    }

    /// Whether a worker is at a test.
    pub(crate) fn is_busy(&self, worker: WorkerId) -> bool {
        self.by_worker.get(worker.at()).is_some_and(Option::is_some)
    }

    /// Longest first.
    fn longest(&self) -> Vec<(WorkerId, TestIndex, Instant)> {
        let mut all: Vec<_> = (0..)
            .map(WorkerId)
            .zip(&self.by_worker)
            .filter_map(|(worker, slot)| slot.map(|(test, since)| (worker, test, since)))
            .collect();
        all.sort_by_key(|&(worker, _, since)| (since, worker));
        all.truncate(SHOWN);
        all
    }
}

/// The bar at this moment.
pub(crate) fn frame(
    face: &Face,
    info: Info,
    tally: &Tally,
    running: &Running,
    columns: usize,
    elapsed: Duration,
    now: Instant,
) -> Frame {
    let before = match info {
        Info::Percent => format!("[{:>3}%] ", percent(tally)),
        Info::None | Info::Count | Info::Times => String::new(),
    };
    let mut fields = vec![format!(" {}/{}", tally.done, tally.collected)];
    let mut rate = None;
    if tally.done > 0 && elapsed > Duration::ZERO {
        let speed = tally.done as f64 / elapsed.as_secs_f64();
        let remaining = tally.collected.saturating_sub(tally.done) as f64 / speed;
        fields.push(format!("{} left", left(Duration::try_from_secs_f64(remaining).unwrap_or(Duration::MAX))));
        rate = Some(if speed < 10.0 { format!("{speed:.1}/s") } else { format!("{speed:.0}/s") });
    }
    if tally.done > 0 {
        fields.extend(tally.parts().into_iter().map(|part| part.text));
    }
    fields.extend(rate);
    let columns = columns.saturating_sub(1).max(1);
    let after = fitting(&fields, columns.saturating_sub(before.len() + NARROWEST));
    // Whatever the window: a line that wraps cannot be wiped again.
    let before = if before.len() + width_of(&after) > columns { String::new() } else { before };
    let after = head(&after, columns).to_owned();
    let below = if face.display.verbosity < 0 { Vec::new() } else { running_lines(face, running, columns, now) };
    Frame { before, after, below, done: tally.done, ink: Some(tally.main_ink()) }
}

/// As many fields as there is room for, the first in any case.
fn fitting(fields: &[String], room: usize) -> String {
    let mut out = String::new();
    for field in fields {
        let separator = if out.is_empty() { "" } else { ", " };
        if !out.is_empty() && width_of(&out) + separator.len() + width_of(field) > room {
            break;
        }
        out.push_str(separator);
        out.push_str(field);
    }
    out
}

fn running_lines(face: &Face, running: &Running, columns: usize, now: Instant) -> Vec<String> {
    let line = |(worker, test, since): (WorkerId, TestIndex, Instant)| {
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        let label = format!("{worker:<4} {seconds:>6.1}s ", worker = worker.to_string());
        let name = tail(&face.names.relative(face.names.nodeid(test)), columns.saturating_sub(label.len()));
        head(&format!("{label}{name}"), columns).to_owned()
    };
    running.longest().into_iter().map(line).collect()
}

/// Whole percent of the tests that have a verdict.
pub(crate) fn percent(tally: &Tally) -> u64 {
    (tally.done * 100).checked_div(tally.collected).unwrap_or(100)
}
