//! How fast workers are, and how many tests each should have queued for that.

use crate::ids::WorkerId;

/// Seconds of work that a worker should have queued.
const AHEAD: f64 = 0.1;
/// A worker always has its next test queued: teardown of fixtures depends on which one it is.
pub(super) const LEAST: usize = 2;
/// More would only make the last message large.
pub(super) const MOST: usize = 1024;
/// Weight of the newest duration in the running mean.
const NEWEST: f64 = 0.2;

/// Running means of durations, one a worker.
#[derive(Debug)]
pub(super) struct Pace {
    means: Vec<Option<f64>>,
    unknown: usize,
    most: usize,
}

impl Pace {
    /// So many workers, each to have `unknown` tests queued while nothing is known about its durations, and never more
    /// than `most`.
    pub(super) fn new(workers: u32, unknown: usize, most: usize) -> Self {
        Self { means: vec![None; workers as usize], unknown, most }
    }

    /// A worker finished a test after so many seconds.
    pub(super) fn finished(&mut self, worker: WorkerId, seconds: f64) {
        if let Some(mean) = self.means.get_mut(worker.at()) {
            *mean = Some(mean.map_or(seconds, |old| old + NEWEST * (seconds - old)));
        }
    }

    /// How many tests the worker should have queued while so many are pending.
    pub(super) fn target(&self, worker: WorkerId, pending: usize) -> usize {
        let by_time = match self.means.get(worker.at()).copied().flatten() {
            None => self.unknown,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a small range")]
            Some(mean) => (AHEAD / mean.max(1e-6)).ceil().clamp(0.0, MOST as f64) as usize,
        };
        let fair = pending / (2 * self.means.len().max(1));
        by_time.min(fair).min(self.most).max(LEAST)
    }
}
