//! Who may run what beside whom under `--dist=each`, where a test cannot be left to another worker.
//!
//! A worker begins no test before it knows what follows, or that nothing does. One that has a single test and was not told
//! that nothing follows therefore runs none: it *rests*, and uses nothing. Whoever is given a second test, or told that nothing
//! follows, *runs*, and uses from then on what any of its tests needs; so nobody is, unless there is room for all of that.
//! When everybody rests, everything is free: there is no state in which all wait for one another.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;

use crate::ids::{TestIndex, WorkerId};
use crate::schedule::Job;

/// What is said of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing.
    Plain,
    /// It runs while no other does.
    Serial,
    /// It needs the resources of this set.
    Limited(usize),
}

/// The state of the tests that must not run beside some others.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Of tests that are not plain.
    kinds: HashMap<TestIndex, Kind>,
    /// Sets of resources.
    needs: Vec<Vec<usize>>,
    resources: Vec<Resource>,
    workers: Vec<Have>,
    running: BTreeSet<WorkerId>,
    /// Who runs tests that run alone.
    alone: Option<WorkerId>,
    /// Who has less than it should, for want of what it may have.
    waiting: BTreeSet<WorkerId>,
    woken: Vec<WorkerId>,
}

/// Something of which there is not enough for everybody.
#[derive(Debug, Default)]
struct Resource {
    most: usize,
    users: BTreeSet<WorkerId>,
}

impl Resource {
    fn has_room_for(&self, worker: WorkerId) -> bool {
        self.users.len() < self.most || self.users.contains(&worker)
    }
}

/// What a worker has.
#[derive(Clone, Debug, Default)]
struct Have {
    tests: usize,
    serial: usize,
    /// By resource: its tests that need it.
    needing: BTreeMap<usize, usize>,
    /// Came for tests, and neither is gone nor was told that nothing follows.
    stays: bool,
}

impl Have {
    fn runs(&self) -> bool {
        self.tests > usize::from(self.stays)
    }
}

impl Turns {
    pub(super) fn new(job: &Job) -> Self {
        let mut sets: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (resource, limit) in job.limits.iter().enumerate() {
            for test in &limit.tests {
                sets.entry(*test).or_default().push(resource);
            }
        }
        let mut numbers: HashMap<Vec<usize>, usize> = HashMap::new();
        let mut kinds = HashMap::new();
        for (test, set) in sets {
            let next = numbers.len();
            kinds.insert(TestIndex(test), Kind::Limited(*numbers.entry(set).or_insert(next)));
        }
        kinds.extend(job.serial.iter().map(|test| (TestIndex(*test), Kind::Serial)));
        let mut needs = vec![Vec::new(); numbers.len()];
        for (set, number) in numbers {
            needs[number] = set;
        }
        let resource = |most: u32| Resource { most: (most as usize).max(1), users: BTreeSet::new() };
        Self {
            kinds,
            needs,
            resources: job.limits.iter().map(|limit| resource(limit.most)).collect(),
            workers: vec![Have::default(); job.parts.len().saturating_sub(1)],
            ..Self::default()
        }
    }

    /// How many sets of resources there are.
    pub(super) fn sets(&self) -> usize {
        self.needs.len()
    }

    pub(super) fn kind(&self, test: TestIndex) -> Kind {
        self.kinds.get(&test).copied().unwrap_or(Kind::Plain)
    }

    /// Whether a worker may run what it has and a test of this kind.
    pub(super) fn may(&self, worker: WorkerId, kind: Kind) -> bool {
        let Some(have) = self.workers.get(worker.at()) else { return false };
        if self.alone.is_some_and(|alone| alone != worker) {
            return false;
        }
        if (kind == Kind::Serial || have.serial > 0) && self.running.iter().any(|other| *other != worker) {
            return false;
        }
        let set = if let Kind::Limited(set) = kind { self.needs[set].as_slice() } else { &[] };
        have.needing.keys().chain(set).all(|resource| self.resources[*resource].has_room_for(worker))
    }

    /// Whether a worker stays for tests.
    pub(super) fn stays(&self, worker: WorkerId) -> bool {
        self.workers.get(worker.at()).is_some_and(|have| have.stays)
    }

    /// Whether a worker has tests that run alone.
    pub(super) fn runs_alone(&self, worker: WorkerId) -> bool {
        self.workers.get(worker.at()).is_some_and(|have| have.serial > 0)
    }

    /// Whether everybody rests, and nobody is kept from anything by what this worker has.
    pub(super) fn may_pass(&self, worker: WorkerId) -> bool {
        let holds_none = |have: &Have| have.serial == 0 && have.needing.is_empty();
        self.running.is_empty() && self.workers.get(worker.at()).is_some_and(holds_none)
    }

    /// A worker lets another one go first.
    pub(super) fn pass(&mut self, worker: WorkerId, first: WorkerId) {
        self.waiting.insert(worker);
        self.woken.push(first);
    }

    /// A worker comes for tests.
    pub(super) fn comes(&mut self, worker: WorkerId) {
        self.waiting.remove(&worker);
        self.workers[worker.at()].stays = true;
    }

    /// A worker would have liked more.
    pub(super) fn waits(&mut self, worker: WorkerId) {
        self.waiting.insert(worker);
    }

    /// A test is sent to a worker.
    pub(super) fn sent(&mut self, worker: WorkerId, test: TestIndex) {
        let kind = self.kind(test);
        let have = &mut self.workers[worker.at()];
        have.tests += 1;
        match kind {
            Kind::Plain => {}
            Kind::Serial => have.serial += 1,
            Kind::Limited(set) => {
                for resource in &self.needs[set] {
                    *have.needing.entry(*resource).or_default() += 1;
                }
            }
        }
        self.account(worker);
    }

    /// A worker is done with a test.
    pub(super) fn finished(&mut self, worker: WorkerId, test: TestIndex) {
        let kind = self.kind(test);
        let Some(have) = self.workers.get_mut(worker.at()) else { return };
        have.tests = have.tests.saturating_sub(1);
        match kind {
            Kind::Plain => {}
            Kind::Serial => have.serial = have.serial.saturating_sub(1),
            Kind::Limited(set) => {
                for resource in &self.needs[set] {
                    let count = have.needing.get_mut(resource).map(|count| {
                        *count -= 1;
                        *count
                    });
                    if count == Some(0) {
                        have.needing.remove(resource);
                    }
                }
            }
        }
        self.account(worker);
    }

    /// A worker is to be told that nothing follows, which has it run the last test that it has. False if it may not yet.
    pub(super) fn closes(&mut self, worker: WorkerId) -> bool {
        let Some(have) = self.workers.get(worker.at()) else { return true };
        if have.tests == 1 && !self.may(worker, Kind::Plain) {
            self.waiting.insert(worker);
            return false;
        }
        self.workers[worker.at()].stays = false;
        self.waiting.remove(&worker);
        self.account(worker);
        true
    }

    /// A worker is gone, with all that it had.
    pub(super) fn gone(&mut self, worker: WorkerId) {
        self.workers[worker.at()] = Have::default();
        self.waiting.remove(&worker);
        self.account(worker);
    }

    /// Whoever waits is to ask again.
    pub(super) fn wake(&mut self) {
        self.woken.extend(mem::take(&mut self.waiting));
    }

    pub(super) fn woken(&mut self) -> Vec<WorkerId> {
        mem::take(&mut self.woken)
    }

    /// Notes what a worker uses, and what it uses no more.
    fn account(&mut self, worker: WorkerId) {
        let have = &self.workers[worker.at()];
        let runs = have.runs();
        let mut freed = if runs {
            self.running.insert(worker);
            false
        } else {
            self.running.remove(&worker) && self.running.is_empty()
        };
        for (resource, at) in self.resources.iter_mut().zip(0..) {
            if runs && have.needing.contains_key(&at) {
                resource.users.insert(worker);
            } else {
                freed |= resource.users.remove(&worker);
            }
        }
        if runs && have.serial > 0 {
            self.alone = Some(worker);
        } else if self.alone == Some(worker) {
            self.alone = None;
            freed = true;
        }
        if freed {
            self.wake();
        }
    }
}
