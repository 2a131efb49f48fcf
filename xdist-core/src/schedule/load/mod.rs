//! `--dist=load` and `--dist=worksteal`: neighbours stay together, nobody idles.
//!
//! The collection is cut into one contiguous segment a worker, so that tests which share module and class fixtures tend
//! to meet on one worker. A worker is sent tests from the front of its own segment, about a tenth of a second of work
//! at a time: fast tests never wait for a message, slow ones stay free to go elsewhere. A worker whose segment is used up
//! takes the second half of the longest one left. The first test of a worker that has not come up yet is left to it: where
//! tests are few and long, each goes to a worker of its own.
//!
//! Where durations of an earlier run are known, work is measured by them, and tests that take a good part of the whole are
//! started first (see `plan`): one at a time, each with a short one of the worker's own segment behind it, since a worker
//! is always told what follows.
//!
//! What was sent stays where it is. So `worksteal` sends no more than [`KEPT`] tests ahead, whatever was measured: all
//! others can still be stolen when slow tests follow on fast ones.

mod plan;
mod segments;

use std::collections::VecDeque;

pub(super) use self::plan::long_first;
use self::segments::Segments;
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
    segments: Segments,
    /// Tests that come before all others: given back, or failed last time.
    urgent: VecDeque<TestIndex>,
    /// Tests that take long, the longest first.
    long: VecDeque<TestIndex>,
    /// Tests that are, or were, among the long ones: their segments do not give them out.
    is_long: Vec<bool>,
    /// Whether the last test that a worker was sent is a long one.
    last_long: Vec<bool>,
    pace: Pace,
    pending: usize,
    chunk: usize,
}

impl Load {
    /// A scheduler that has handed nothing out yet.
    pub fn new(job: &Job) -> Self {
        let tests = job.tests;
        let first = job.first.min(tests);
        let workers = job.workers.max(1);
        let long: VecDeque<_> = long_first(job).into();
        let mut is_long = vec![false; if long.is_empty() { 0 } else { tests as usize }];
        for test in &long {
            is_long[test.at()] = true;
        }
        Self {
            segments: Segments::new(first..tests, workers, job.groups.clone()),
            urgent: (0..first).map(TestIndex).collect(),
            long,
            is_long,
            last_long: vec![false; workers as usize],
            pace: Pace::new(workers, UNKNOWN, MOST).knowing(job),
            pending: tests as usize,
            chunk: job.chunk.map_or(MOST, |chunk| chunk as usize),
        }
    }

    /// The same for `--dist=worksteal`: hardly anything is sent ahead, so that durations may change all of a sudden.
    pub fn stealing(job: &Job) -> Self {
        Self { pace: Pace::new(job.workers.max(1), LEAST, KEPT).knowing(job), ..Self::new(job) }
    }

    fn take(&mut self, worker: WorkerId, can_run: &dyn Fn(TestIndex) -> bool) -> Option<TestIndex> {
        if let Some(at) = self.urgent.iter().position(|test| can_run(*test)) {
            return self.urgent.remove(at);
        }
        let after_long = self.last_long.get(worker.at()).copied().unwrap_or(true);
        if !after_long && let Some(test) = self.take_long(worker, false, can_run) {
            return Some(test);
        }
        while let Some(test) = self.segments.next(worker) {
            if self.is_long.get(test.at()).copied().unwrap_or(false) {
                continue;
            }
            if can_run(test) {
                self.was_long(worker, false);
                return Some(test);
            }
            self.urgent.push_back(test);
        }
        self.take_long(worker, true, can_run)
    }

    /// A long test: the longest one, or the shortest of them if it is to follow on another.
    fn take_long(
        &mut self,
        worker: WorkerId,
        shortest: bool,
        can_run: &dyn Fn(TestIndex) -> bool,
    ) -> Option<TestIndex> {
        let mut tests = self.long.iter();
        let at = if shortest { tests.rposition(|test| can_run(*test)) } else { tests.position(|test| can_run(*test)) }?;
        self.was_long(worker, true);
        self.long.remove(at)
    }

    fn was_long(&mut self, worker: WorkerId, long: bool) {
        if let Some(last) = self.last_long.get_mut(worker.at()) {
            *last = long;
        }
    }
}

impl Scheduler for Load {
    fn top_up(&mut self, worker: WorkerId, queued: usize, can_run: &dyn Fn(TestIndex) -> bool) -> Vec<TestIndex> {
        self.came(worker);
        if self.pace.has_enough(worker, queued, self.pending) {
            return Vec::new();
        }
        let most = self.chunk.max(LEAST.saturating_sub(queued));
        let mut batch = Vec::new();
        while batch.len() < most
            && !self.pace.is_full(worker, queued + batch.len(), self.pending)
            && let Some(test) = self.take(worker, can_run)
        {
            self.pace.sent(worker, test);
            batch.push(test);
        }
        self.pending -= batch.len();
        batch
    }

    fn came(&mut self, worker: WorkerId) {
        self.segments.came(worker);
    }

    fn has_for(&self, can_run: &dyn Fn(TestIndex) -> bool) -> bool {
        let in_turn = |test: TestIndex| !self.is_long.get(test.at()).copied().unwrap_or(false) && can_run(test);
        self.pending > 0
            && (self.urgent.iter().chain(&self.long).any(|test| can_run(*test)) || self.segments.any(&in_turn))
    }

    fn finished(&mut self, worker: WorkerId, test: TestIndex, seconds: f64) {
        self.pace.finished(worker, test, seconds);
    }

    fn give_back(&mut self, worker: WorkerId, tests: Vec<TestIndex>) {
        self.came(worker);
        self.pace.gone(worker);
        self.was_long(worker, false);
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
        let mut left: Vec<_> = self.urgent.drain(..).chain(self.long.drain(..)).collect();
        let is_long = &self.is_long;
        left.extend(self.segments.drain().filter(|test| !is_long.get(test.at()).copied().unwrap_or(false)));
        left.sort_unstable();
        left
    }

    fn pending(&self) -> usize {
        self.pending
    }
}
