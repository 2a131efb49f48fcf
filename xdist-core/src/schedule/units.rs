//! `--dist=loadscope`, `loadfile` and `loadgroup`: tests of one unit stay together on one worker.
//!
//! Which tests belong together the collector tells; here a unit is a number. Units are dealt out whole, the big ones
//! first (by durations, where those are known), and queue behind one another at a worker: the last test of one has its successor in the next. A unit
//! that comes back from a dead worker is the next to go out, and what is still to come back of it waits for the worker
//! that has the rest: no two workers ever have tests of one unit at the same time. Only a worker that did not collect
//! all tests of a unit splits it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::pace::{LEAST, MOST, Pace};
use super::{Job, Scheduler};
use crate::ids::{TestIndex, WorkerId};

/// Tests that go to a worker together, in the order of collection.
#[derive(Debug)]
struct Unit {
    number: u32,
    tests: Vec<TestIndex>,
}

impl Unit {
    fn all(&self, can_run: &dyn Fn(TestIndex) -> bool) -> bool {
        self.tests.iter().all(|test| can_run(*test))
    }

    fn some(&self, can_run: &dyn Fn(TestIndex) -> bool) -> bool {
        self.tests.iter().any(|test| can_run(*test))
    }
}

/// The state of the modes that keep tests together.
#[derive(Debug)]
pub struct Units {
    /// The unit of each test.
    unit_of: Vec<u32>,
    /// Numbers given to units so far.
    numbers: u32,
    /// Units that no worker has had.
    fresh: VecDeque<Unit>,
    /// What came back, or was left over by a worker that could not run all of it: the next to go out.
    returned: VecDeque<Unit>,
    /// Units that a worker has: who, and how many tests it has not finished.
    held: HashMap<u32, (WorkerId, usize)>,
    /// Workers that have come for tests, or are gone.
    came: Vec<bool>,
    /// How many have not: each is left a unit.
    absent: usize,
    pace: Pace,
    pending: usize,
}

impl Units {
    /// A scheduler that has handed nothing out yet.
    pub fn new(job: &Job) -> Self {
        let mut numbers = HashMap::new();
        let mut fresh: Vec<Unit> = Vec::new();
        let mut unit_of = Vec::with_capacity(job.tests as usize);
        for test in 0..job.tests {
            let next = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
            // A test of which nothing was told is a unit of its own.
            let number = job.units.get(test as usize).map_or(next, |key| *numbers.entry(*key).or_insert(next));
            match fresh.get_mut(number as usize) {
                Some(unit) => unit.tests.push(TestIndex(test)),
                None => fresh.push(Unit { number, tests: vec![TestIndex(test)] }),
            }
            unit_of.push(number);
        }
        let size = |unit: &Unit| if job.keep_order { 0 } else { job.size(&unit.tests) };
        // Its first test tells whether one of those that come before all others is in a unit.
        let urgent = |unit: &Unit| unit.tests.first().is_some_and(|test| test.0 < job.first);
        fresh.sort_by_key(|unit| (!urgent(unit), std::cmp::Reverse(size(unit))));
        Self {
            unit_of,
            numbers: u32::try_from(fresh.len()).unwrap_or(u32::MAX),
            fresh: fresh.into(),
            returned: VecDeque::new(),
            held: HashMap::new(),
            came: vec![false; job.workers as usize],
            absent: job.workers as usize,
            pace: Pace::new(job.workers, LEAST, MOST),
            pending: job.tests as usize,
        }
    }

    /// The next tests for a worker, all of one unit; `first` if it has nothing at all.
    fn take(&mut self, worker: WorkerId, first: bool, can_run: &dyn Fn(TestIndex) -> bool) -> Option<Vec<TestIndex>> {
        if !first && self.fresh.len() + self.returned.len() <= self.absent {
            return None;
        }
        let free = |unit: &Unit| !self.held.contains_key(&unit.number);
        let whole = |unit: &Unit| free(unit) && unit.all(can_run);
        let partly = |unit: &Unit| free(unit) && unit.some(can_run);
        let unit = if let Some(at) = self.returned.iter().position(whole) {
            self.returned.remove(at)
        } else if let Some(at) = self.fresh.iter().position(whole) {
            self.fresh.remove(at)
        } else if let Some(at) = self.returned.iter().position(partly) {
            self.returned.remove(at)
        } else if let Some(at) = self.fresh.iter().position(partly) {
            self.fresh.remove(at)
        } else {
            None
        }?;
        self.send(worker, unit, can_run)
    }

    /// What came back of units that the worker has the rest of. Nobody else may run it.
    fn take_own(&mut self, worker: WorkerId, can_run: &dyn Fn(TestIndex) -> bool) -> Vec<TestIndex> {
        let mut own = Vec::new();
        for at in (0..self.returned.len()).rev() {
            let number = self.returned.get(at).map(|unit| unit.number);
            let holder = number.and_then(|number| self.held.get(&number)).map(|(holder, _)| *holder);
            if holder == Some(worker)
                && let Some(unit) = self.returned.remove(at)
            {
                own.extend(self.send(worker, unit, can_run).unwrap_or_default());
            }
        }
        own
    }

    /// Notes that a worker has a unit, or as much of it as it can run: the rest is a unit of its own from now on.
    fn send(&mut self, worker: WorkerId, unit: Unit, can_run: &dyn Fn(TestIndex) -> bool) -> Option<Vec<TestIndex>> {
        let (mine, others): (Vec<_>, Vec<_>) = unit.tests.into_iter().partition(|test| can_run(*test));
        if !others.is_empty() {
            let number = self.numbers;
            self.numbers += 1;
            for test in &others {
                self.unit_of[test.at()] = number;
            }
            self.returned.push_back(Unit { number, tests: others });
        }
        if mine.is_empty() {
            return None;
        }
        self.held.entry(unit.number).or_insert((worker, 0)).1 += mine.len();
        Some(mine)
    }

    /// Tests are pending again, at the head of the line.
    fn take_back(&mut self, tests: Vec<TestIndex>) {
        self.pending += tests.len();
        let mut units: BTreeMap<u32, Vec<TestIndex>> = BTreeMap::new();
        let mut order = Vec::new();
        for test in tests {
            let Some(number) = self.unit_of.get(test.at()).copied() else { continue };
            let entry = units.entry(number).or_default();
            if entry.is_empty() {
                order.push(number);
            }
            entry.push(test);
        }
        for number in order.into_iter().rev() {
            let Some(tests) = units.remove(&number) else { continue };
            match self.returned.iter_mut().find(|unit| unit.number == number) {
                Some(unit) => {
                    unit.tests.extend(tests);
                    unit.tests.sort_unstable();
                }
                None => self.returned.push_front(Unit { number, tests }),
            }
        }
    }
}

impl Scheduler for Units {
    fn top_up(&mut self, worker: WorkerId, queued: usize, can_run: &dyn Fn(TestIndex) -> bool) -> Vec<TestIndex> {
        self.came(worker);
        // However much it has: others may hold their last test until they know that nothing follows it.
        let mut batch = self.take_own(worker, can_run);
        let target = self.pace.target(worker, self.pending);
        if queued >= LEAST && queued * 2 > target {
            self.pending -= batch.len();
            return batch;
        }
        while queued + batch.len() < target
            && let Some(tests) = self.take(worker, queued + batch.len() == 0, can_run)
        {
            batch.extend(tests);
        }
        self.pending -= batch.len();
        batch
    }

    fn came(&mut self, worker: WorkerId) {
        if let Some(came) = self.came.get_mut(worker.at()).filter(|came| !**came) {
            *came = true;
            self.absent -= 1;
        }
    }

    fn has_for(&self, can_run: &dyn Fn(TestIndex) -> bool) -> bool {
        self.pending > 0 && self.returned.iter().chain(&self.fresh).any(|unit| unit.some(can_run))
    }

    fn finished(&mut self, worker: WorkerId, test: TestIndex, seconds: f64) {
        self.pace.finished(worker, test, seconds);
        let Some(number) = self.unit_of.get(test.at()) else { return };
        if let Some((_, left)) = self.held.get_mut(number).filter(|(holder, _)| *holder == worker) {
            *left -= 1;
            if *left == 0 {
                self.held.remove(number);
            }
        }
    }

    fn give_back(&mut self, worker: WorkerId, tests: Vec<TestIndex>) {
        self.came(worker);
        self.held.retain(|_, (holder, _)| *holder != worker);
        self.take_back(tests);
    }

    fn again(&mut self, test: TestIndex) {
        self.take_back(vec![test]);
    }

    fn drain(&mut self) -> Vec<TestIndex> {
        self.pending = 0;
        let units = self.returned.drain(..).chain(self.fresh.drain(..));
        let mut left: Vec<_> = units.flat_map(|unit| unit.tests).collect();
        left.sort_unstable();
        left
    }

    fn pending(&self) -> usize {
        self.pending
    }
}
