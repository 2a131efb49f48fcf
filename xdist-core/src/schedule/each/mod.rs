//! `--dist=each`: every worker runs all of its own collection.
//!
//! The run's tests are pairs of a test and a worker: those of worker k stand between `parts[k]` and `parts[k + 1]`, in its
//! own order. Nobody else can run them, so that nothing is balanced, and what a worker that died never started waits for the one
//! in its place.
//!
//! Tests that must not run beside others (see [`turns`]) leave that order. Those that run alone go out while nobody runs
//! anything: to the first worker that comes, then to the next that has some, and what is left when all have done the rest. Limited
//! ones go out before others as long as there is room; a worker that waits for room has little else queued, so that it
//! does not come late when there is some.

mod turns;

use std::collections::VecDeque;

use self::turns::{Kind, Turns};
use super::pace::{LEAST, MOST, Pace};
use super::{Job, Scheduler};
use crate::ids::{TestIndex, WorkerId};

/// The state of `--dist=each`.
#[derive(Debug)]
pub struct Each {
    parts: Vec<u32>,
    workers: Vec<Own>,
    turns: Turns,
    pending: usize,
    /// Of these, how many run alone.
    serial: usize,
    chunk: usize,
    pace: Pace,
}

/// What is for one worker and not with it.
#[derive(Clone, Debug, Default)]
struct Own {
    plain: VecDeque<TestIndex>,
    serial: VecDeque<TestIndex>,
    /// By kind.
    limited: Vec<VecDeque<TestIndex>>,
    /// What it did not collect, although it should have; one in its place may.
    lacking: Vec<TestIndex>,
}

impl Own {
    fn queues(&self) -> impl Iterator<Item = &VecDeque<TestIndex>> {
        [&self.plain, &self.serial].into_iter().chain(&self.limited)
    }

    fn of(&mut self, kind: Kind) -> &mut VecDeque<TestIndex> {
        match kind {
            Kind::Plain => &mut self.plain,
            Kind::Serial => &mut self.serial,
            Kind::Limited(kind) => &mut self.limited[kind],
        }
    }

    fn is_empty(&self) -> bool {
        self.queues().all(VecDeque::is_empty)
    }
}

impl Each {
    /// A scheduler that has handed nothing out yet.
    pub fn new(job: &Job) -> Self {
        let turns = Turns::new(job);
        let mut workers = Vec::with_capacity(job.parts.len());
        let mut serial = 0;
        for ends in job.parts.windows(2) {
            let mut own = Own { limited: vec![VecDeque::new(); turns.sets()], ..Own::default() };
            for test in (ends[0]..ends[1]).map(TestIndex) {
                own.of(turns.kind(test)).push_back(test);
            }
            serial += own.serial.len();
            workers.push(own);
        }
        Self {
            parts: job.parts.clone(),
            pending: workers.iter().flat_map(Own::queues).map(VecDeque::len).sum(),
            serial,
            workers,
            turns,
            chunk: job.chunk.map_or(MOST, |chunk| (chunk as usize).max(LEAST)),
            pace: Pace::new(job.workers, LEAST, MOST),
        }
    }

    /// Puts aside what stands first and cannot be run.
    fn skip(&mut self, at: usize, can_run: &dyn Fn(TestIndex) -> bool) {
        let Own { plain, serial, limited, lacking } = &mut self.workers[at];
        let alone = serial.len();
        for queue in [plain, &mut *serial].into_iter().chain(limited) {
            while let Some(test) = queue.pop_front_if(|test| !can_run(*test)) {
                lacking.push(test);
            }
        }
        let lost = alone - serial.len();
        self.serial -= lost;
        if lost > 0 {
            // Somebody may have let it go first for their sake.
            self.turns.wake();
        }
    }

    /// Takes a test for a worker, which has it from now on.
    fn take(&mut self, worker: WorkerId, kind: Kind, can_run: &dyn Fn(TestIndex) -> bool) -> Option<TestIndex> {
        let test = self.workers[worker.at()].of(kind).pop_front()?;
        self.serial -= usize::from(kind == Kind::Serial);
        self.pending -= 1;
        self.turns.sent(worker, test);
        self.skip(worker.at(), can_run);
        Some(test)
    }

    /// A test that must not run beside some others, if it is its turn.
    fn take_reserved(&mut self, worker: WorkerId, can_run: &dyn Fn(TestIndex) -> bool) -> Option<TestIndex> {
        let own = &self.workers[worker.at()];
        let limited = (0..own.limited.len()).map(Kind::Limited);
        let mut kinds = [Kind::Serial].into_iter().chain(limited);
        let kind = kinds.find(|kind| {
            let queue = if let Kind::Limited(kind) = kind { &own.limited[*kind] } else { &own.serial };
            !queue.is_empty() && self.turns.may(worker, *kind)
        })?;
        self.take(worker, kind, can_run)
    }

    /// Another worker whose tests run alone, and that is to go first.
    fn goes_first(&self, worker: WorkerId) -> Option<WorkerId> {
        let passes = self.serial > 0 && self.workers[worker.at()].serial.is_empty() && self.turns.may_pass(worker);
        let with_some = |(own, other): (&Own, WorkerId)| {
            (other != worker && !own.serial.is_empty() && self.turns.stays(other)).then_some(other)
        };
        if passes { self.workers.iter().zip((0..).map(WorkerId)).find_map(with_some) } else { None }
    }

    /// How many tests of which nothing is said a worker with so many is to get.
    fn room(&self, worker: WorkerId, load: usize) -> usize {
        let own = &self.workers[worker.at()];
        if self.turns.runs_alone(worker) {
            // The one that follows those that run alone; all others wait.
            return LEAST.saturating_sub(load);
        }
        let limited = own.limited.iter().any(|queue| !queue.is_empty());
        let target = if limited { self.pace.target(worker, own.plain.len() * self.workers.len()) } else { self.chunk };
        match (load >= LEAST && load * 2 > target.min(self.chunk), limited) {
            (true, _) => 0,
            (false, true) => target.saturating_sub(load),
            (false, false) => self.chunk,
        }
    }

    /// A test is pending, at the head or the end of its line.
    fn put(&mut self, at: usize, test: TestIndex, first: bool) {
        let kind = self.turns.kind(test);
        self.serial += usize::from(kind == Kind::Serial);
        let queue = self.workers[at].of(kind);
        if first {
            queue.push_front(test);
        } else {
            queue.push_back(test);
        }
    }
}

impl Scheduler for Each {
    fn top_up(&mut self, worker: WorkerId, queued: usize, can_run: &dyn Fn(TestIndex) -> bool) -> Vec<TestIndex> {
        if worker.at() >= self.workers.len() {
            return Vec::new();
        }
        // Also for who has enough: a test that is to run once more may stand first, and be lacking by now.
        self.skip(worker.at(), can_run);
        self.turns.comes(worker);
        if let Some(first) = self.goes_first(worker) {
            self.turns.pass(worker, first);
            return Vec::new();
        }
        let mut batch = Vec::new();
        if self.turns.may(worker, Kind::Plain) {
            while queued + batch.len() < LEAST
                && let Some(test) = self.take_reserved(worker, can_run)
            {
                batch.push(test);
            }
            let most = self.chunk - batch.len();
            for _ in 0..self.room(worker, queued + batch.len()).min(most) {
                batch.extend(self.take(worker, Kind::Plain, can_run));
            }
        }
        if queued + batch.len() < LEAST {
            self.turns.waits(worker);
        }
        batch
    }

    fn has_for(&self, can_run: &dyn Fn(TestIndex) -> bool) -> bool {
        // Whoever was topped up, or died, can run what stands first.
        self.workers.iter().flat_map(Own::queues).filter_map(VecDeque::front).any(|test| can_run(*test))
    }

    fn keeps(&mut self, worker: WorkerId, _: usize, _: &dyn Fn(TestIndex) -> bool) -> bool {
        self.workers.get(worker.at()).is_some_and(|own| !own.is_empty())
    }

    fn may_leave(&mut self, worker: WorkerId) -> bool {
        self.turns.closes(worker)
    }

    fn woken(&mut self) -> Vec<WorkerId> {
        self.turns.woken()
    }

    fn finished(&mut self, worker: WorkerId, test: TestIndex, seconds: f64) {
        self.pace.finished(worker, test, seconds);
        self.turns.finished(worker, test);
    }

    fn give_back(&mut self, worker: WorkerId, tests: Vec<TestIndex>) {
        let Some(own) = self.workers.get_mut(worker.at()) else { return };
        let lacking = std::mem::take(&mut own.lacking);
        self.pending += tests.len();
        for test in tests.into_iter().rev() {
            self.put(worker.at(), test, true);
        }
        for test in lacking {
            self.put(worker.at(), test, false);
        }
        self.turns.gone(worker);
    }

    fn again(&mut self, test: TestIndex) {
        let owner = self.parts.partition_point(|start| *start <= test.0).saturating_sub(1);
        if owner < self.workers.len() {
            self.pending += 1;
            self.put(owner, test, true);
        }
    }

    fn drain(&mut self) -> Vec<TestIndex> {
        (self.pending, self.serial) = (0, 0);
        let mut left = Vec::new();
        for own in &mut self.workers {
            left.extend(own.plain.drain(..).chain(own.serial.drain(..)).chain(own.lacking.drain(..)));
            left.extend(own.limited.iter_mut().flat_map(|queue| queue.drain(..)));
        }
        left.sort_unstable();
        left
    }

    fn pending(&self) -> usize {
        self.pending
    }
}
