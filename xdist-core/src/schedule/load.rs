//! `--dist=load` and `--dist=worksteal`: neighbours stay together, nobody idles.
//!
//! The collection is cut into one contiguous segment a worker, so that tests which share module and class fixtures tend
//! to meet on one worker. A worker is sent tests from the front of its own segment, about a tenth of a second of work
//! at a time by its own measured durations: fast tests never wait for a message, slow ones stay free to go elsewhere. A worker
//! whose segment is used up takes the second half of the longest one left. The first test of a worker that has not come
//! up yet is left to it: where tests are few and long, each goes to a worker of its own.
//!
//! What was sent stays where it is. So `worksteal` sends no more than [`KEPT`] tests ahead, whatever was measured: all
//! others can still be stolen when slow tests follow on fast ones.

use std::collections::VecDeque;
use std::ops::Range;

use super::pace::{LEAST, MOST, Pace};
use super::{Job, Scheduler};
use crate::ids::{TestIndex, WorkerId};

/// Tests to queue while nothing is known about durations.
const UNKNOWN: usize = 4;
/// Tests that no worker can be robbed of when each is to be free for others as long as possible: just as many as keep a
/// worker from waiting for messages.
const KEPT: usize = 4;

/// The state of `--dist=load` and `--dist=worksteal`.
#[derive(Debug)]
pub struct Load {
    segments: Vec<Range<u32>>,
    /// Tests that come before all others: given back, or failed last time.
    urgent: VecDeque<TestIndex>,
    pace: Pace,
    /// Workers that have come for tests, or are gone: their segments are everybody's.
    came: Vec<bool>,
    pending: usize,
    chunk: usize,
}

impl Load {
    /// A scheduler that has handed nothing out yet.
    pub fn new(job: &Job) -> Self {
        let tests = job.tests;
        let first = job.first.min(tests);
        let workers = job.workers.max(1);
        let rest = u64::from(tests - first);
        let cut = |k: u32| first + u32::try_from(rest * u64::from(k) / u64::from(workers)).unwrap_or(u32::MAX);
        Self {
            segments: (0..workers).map(|k| cut(k)..cut(k + 1)).collect(),
            urgent: (0..first).map(TestIndex).collect(),
            pace: Pace::new(workers, UNKNOWN, MOST),
            came: vec![false; workers as usize],
            pending: tests as usize,
            chunk: job.chunk.map_or(MOST, |chunk| chunk as usize),
        }
    }

    /// The same for `--dist=worksteal`: hardly anything is sent ahead, so that durations may change all of a sudden.
    pub fn stealing(job: &Job) -> Self {
        Self { pace: Pace::new(job.workers.max(1), LEAST, KEPT), ..Self::new(job) }
    }

    fn take(&mut self, worker: WorkerId, can_run: &dyn Fn(TestIndex) -> bool) -> Option<TestIndex> {
        if let Some(at) = self.urgent.iter().position(|test| can_run(*test)) {
            return self.urgent.remove(at);
        }
        loop {
            let own = worker.at().min(self.segments.len() - 1);
            if self.segments[own].is_empty() {
                self.refill(own);
            }
            let test = self.segments[own].next().map(TestIndex)?;
            if can_run(test) {
                return Some(test);
            }
            self.urgent.push_back(test);
        }
    }

    /// Moves the second half of the longest segment to `own`.
    fn refill(&mut self, own: usize) {
        let spare = |k: usize| self.segments[k].len().saturating_sub(usize::from(!self.came[k]));
        let Some(longest) = (0..self.segments.len()).max_by_key(|k| spare(*k)).filter(|k| spare(*k) > 0) else {
            return;
        };
        let Range { start, end } = self.segments[longest].clone();
        let middle = (start + (end - start) / 2).max(start + u32::from(!self.came[longest]));
        self.segments[longest] = start..middle;
        self.segments[own] = middle..end;
    }
}

impl Scheduler for Load {
    fn top_up(&mut self, worker: WorkerId, queued: usize, can_run: &dyn Fn(TestIndex) -> bool) -> Vec<TestIndex> {
        self.came(worker);
        let target = self.pace.target(worker, self.pending);
        if queued >= LEAST && queued * 2 > target {
            return Vec::new();
        }
        let most = self.chunk.max(LEAST.saturating_sub(queued));
        let mut batch = Vec::new();
        while queued + batch.len() < target
            && batch.len() < most
            && let Some(test) = self.take(worker, can_run)
        {
            batch.push(test);
        }
        self.pending -= batch.len();
        batch
    }

    fn came(&mut self, worker: WorkerId) {
        if let Some(came) = self.came.get_mut(worker.at()) {
            *came = true;
        }
    }

    fn has_for(&self, can_run: &dyn Fn(TestIndex) -> bool) -> bool {
        self.pending > 0
            && (self.urgent.iter().any(|test| can_run(*test))
                || self.segments.iter().any(|segment| segment.clone().any(|test| can_run(TestIndex(test)))))
    }

    fn finished(&mut self, worker: WorkerId, _: TestIndex, seconds: f64) {
        self.pace.finished(worker, seconds);
    }

    fn give_back(&mut self, worker: WorkerId, tests: Vec<TestIndex>) {
        self.came(worker);
        self.pending += tests.len();
        for test in tests.into_iter().rev() {
            self.urgent.push_front(test);
        }
    }

    fn again(&mut self, test: TestIndex) {
        self.pending += 1;
        self.urgent.push_front(test);
    }

    fn drain(&mut self) -> Vec<TestIndex> {
        self.pending = 0;
        let mut left: Vec<_> = self.urgent.drain(..).collect();
        for segment in &mut self.segments {
            left.extend(std::mem::take(segment).map(TestIndex));
        }
        left.sort_unstable();
        left
    }

    fn pending(&self) -> usize {
        self.pending
    }
}
