//! `--dist=each`: every worker runs all of its own collection.
//!
//! The run's tests are pairs of a test and a worker: those of worker k stand between `parts[k]` and `parts[k + 1]`, in its
//! own order. Nobody else can run them, so that nothing is balanced, and what a worker that died never started waits for the one
//! in its place.

use std::collections::VecDeque;

use super::{Job, Scheduler};
use crate::ids::{TestIndex, WorkerId};

/// Tests to have at a worker, at most; more would only make messages large.
const AHEAD: usize = 1024;

/// The state of `--dist=each`.
#[derive(Debug)]
pub struct Each {
    parts: Vec<u32>,
    queues: Vec<VecDeque<TestIndex>>,
    /// By worker: what it did not collect, although it should have; one in its place may.
    lacking: Vec<Vec<TestIndex>>,
    pending: usize,
    chunk: usize,
}

impl Each {
    /// A scheduler that has handed nothing out yet.
    pub fn new(job: &Job) -> Self {
        let queues: Vec<VecDeque<_>> =
            job.parts.windows(2).map(|ends| (ends[0]..ends[1]).map(TestIndex).collect()).collect();
        Self {
            parts: job.parts.clone(),
            pending: queues.iter().map(VecDeque::len).sum(),
            lacking: vec![Vec::new(); queues.len()],
            queues,
            chunk: job.chunk.map_or(AHEAD, |chunk| (chunk as usize).max(2)),
        }
    }

    /// Puts aside what stands first and cannot be run.
    fn skip(&mut self, worker: usize, can_run: &dyn Fn(TestIndex) -> bool) {
        while let Some(test) = self.queues[worker].pop_front_if(|test| !can_run(*test)) {
            self.lacking[worker].push(test);
        }
    }
}

impl Scheduler for Each {
    fn top_up(&mut self, worker: WorkerId, queued: usize, can_run: &dyn Fn(TestIndex) -> bool) -> Vec<TestIndex> {
        let at = worker.at();
        if at >= self.queues.len() {
            return Vec::new();
        }
        // Also for who has enough: a test that is to run once more may stand first, and be lacking by now.
        self.skip(at, can_run);
        if queued * 2 > AHEAD.min(self.chunk) && queued >= 2 {
            return Vec::new();
        }
        let mut batch = Vec::new();
        while batch.len() < self.chunk
            && let Some(test) = self.queues[at].pop_front()
        {
            batch.push(test);
            self.skip(at, can_run);
        }
        self.pending -= batch.len();
        batch
    }

    fn has_for(&self, can_run: &dyn Fn(TestIndex) -> bool) -> bool {
        // Whoever was topped up, or died, can run what stands first.
        self.queues.iter().filter_map(VecDeque::front).any(|test| can_run(*test))
    }

    fn finished(&mut self, _: WorkerId, _: TestIndex, _: f64) {}

    fn give_back(&mut self, worker: WorkerId, tests: Vec<TestIndex>) {
        let Some(queue) = self.queues.get_mut(worker.at()) else { return };
        self.pending += tests.len();
        for test in tests.into_iter().rev() {
            queue.push_front(test);
        }
        queue.extend(std::mem::take(&mut self.lacking[worker.at()]));
    }

    fn again(&mut self, test: TestIndex) {
        let owner = self.parts.partition_point(|start| *start <= test.0).saturating_sub(1);
        if let Some(queue) = self.queues.get_mut(owner) {
            self.pending += 1;
            queue.push_front(test);
        }
    }

    fn drain(&mut self) -> Vec<TestIndex> {
        self.pending = 0;
        let queued = self.queues.iter_mut().flat_map(std::mem::take);
        let mut left: Vec<_> = queued.chain(self.lacking.iter_mut().flat_map(std::mem::take)).collect();
        left.sort_unstable();
        left
    }

    fn pending(&self) -> usize {
        self.pending
    }
}
