//! How fast workers are, and how much each should have queued for that.

use super::Job;
use crate::ids::{TestIndex, WorkerId};

/// Seconds of work that a worker should have queued, beside those that two messages to it and back take.
const AHEAD: f64 = 0.1;
/// A worker always has its next test queued: teardown of fixtures depends on which one it is.
pub(super) const LEAST: usize = 2;
/// More would only make the last message large.
pub(super) const MOST: usize = 1024;
/// Weight of the newest duration in the running mean.
const NEWEST: f64 = 0.2;

/// What is known of the workers' speed.
#[derive(Debug)]
pub(super) struct Pace {
    workers: Vec<Worker>,
    /// By test: seconds in an earlier run; empty if nothing is known.
    seconds: Vec<f32>,
    unknown: usize,
    most: usize,
}

#[derive(Clone, Copy, Debug)]
struct Worker {
    /// Running mean of its durations, or of their ratio to those that were known before.
    mean: Option<f64>,
    /// Known seconds of what is queued.
    queued: f64,
    ahead: f64,
}

impl Pace {
    /// So many workers, each to have `unknown` tests queued while nothing is known about its durations, and never more
    /// than `most`.
    pub(super) fn new(workers: u32, unknown: usize, most: usize) -> Self {
        let worker = Worker { mean: None, queued: 0.0, ahead: AHEAD };
        Self { workers: vec![worker; workers as usize], seconds: Vec::new(), unknown, most }
    }

    /// The same with durations of an earlier run, and seconds that messages take.
    pub(super) fn knowing(mut self, job: &Job) -> Self {
        self.seconds.clone_from(&job.seconds);
        for (worker, round_trip) in self.workers.iter_mut().zip(&job.round_trips) {
            worker.ahead = AHEAD + 2.0 * f64::from(round_trip.max(0.0));
        }
        self
    }

    fn known(&self, test: TestIndex) -> Option<f64> {
        self.seconds.get(test.at()).copied().map(f64::from)
    }

    /// A test was sent to a worker.
    pub(super) fn sent(&mut self, worker: WorkerId, test: TestIndex) {
        let known = self.known(test).unwrap_or(0.0);
        if let Some(worker) = self.workers.get_mut(worker.at()) {
            worker.queued += known;
        }
    }

    /// A worker finished a test after so many seconds.
    pub(super) fn finished(&mut self, worker: WorkerId, test: TestIndex, seconds: f64) {
        let known = self.known(test);
        let Some(worker) = self.workers.get_mut(worker.at()) else { return };
        worker.queued = (worker.queued - known.unwrap_or(0.0)).max(0.0);
        // What hardly takes any time says nothing about speed.
        let value = match known {
            Some(known) if known < 0.001 => return,
            Some(known) => (seconds / known).clamp(0.1, 10.0),
            None => seconds,
        };
        worker.mean = Some(worker.mean.map_or(value, |old| old + NEWEST * (value - old)));
    }

    /// A worker is gone, with all that it had.
    pub(super) fn gone(&mut self, worker: WorkerId) {
        if let Some(worker) = self.workers.get_mut(worker.at()) {
            worker.queued = 0.0;
        }
    }

    /// How many tests the worker should have queued while so many are pending, by their number alone.
    pub(super) fn target(&self, worker: WorkerId, pending: usize) -> usize {
        let mean = self.workers.get(worker.at()).and_then(|worker| worker.mean.map(|mean| (worker.ahead, mean)));
        let by_time = match mean {
            None => self.unknown,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a small range")]
            Some((ahead, mean)) => (ahead / mean.max(1e-6)).ceil().clamp(0.0, MOST as f64) as usize,
        };
        self.bounded(by_time, pending)
    }

    /// No more than is fair while so many are pending.
    fn bounded(&self, target: usize, pending: usize) -> usize {
        let fair = pending / (2 * self.workers.len().max(1));
        target.min(fair).min(self.most).max(LEAST)
    }

    /// Whether a worker has enough for now.
    pub(super) fn has_enough(&self, worker: WorkerId, queued: usize, pending: usize) -> bool {
        let much = match self.time(worker) {
            Some(share) => share > 0.5 || queued * 2 > self.bounded(MOST, pending),
            None => queued * 2 > self.target(worker, pending),
        };
        queued >= LEAST && much
    }

    /// Whether a worker that has so many, those about to be sent included, is to have no more.
    pub(super) fn is_full(&self, worker: WorkerId, queued: usize, pending: usize) -> bool {
        match self.time(worker) {
            Some(share) => queued >= LEAST && (share >= 1.0 || queued >= self.bounded(MOST, pending)),
            None => queued >= self.target(worker, pending),
        }
    }

    /// What a worker has queued, as a part of what it should have; if durations are known.
    fn time(&self, worker: WorkerId) -> Option<f64> {
        let entry = self.workers.get(worker.at()).filter(|_| !self.seconds.is_empty())?;
        Some(entry.queued * entry.mean.unwrap_or(1.0) / entry.ahead)
    }
}
