//! Tests that must not run beside others: `xdist_serial` alone in the whole run, `xdist_resource` on so many workers at
//! most. All other tests are for the mode's own scheduler, which sees them numbered without gaps.
//!
//! *Serial tests* go out while nobody else has a test: to the first worker that comes, before all others, who wait. Those
//! that come back later, or that this worker does not have, wait for the end: whoever stays last runs them.
//!
//! *Limited tests* go out before others as long as there is room. What is limited is the number of workers that have
//! tests of a resource, queued or running, which keeps its fixtures where they are. Under modes that keep tests together,
//! a unit with limited tests takes all that any of them needs, and is a resource of its own with room for one worker, so
//! that what comes back of it follows the rest.
//!
//! A worker that holds its last test until it knows what follows, and for which only such tests are left, is told that
//! nothing follows as long as another worker stays for them. So nobody waits for one another.

mod groups;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::mem;

use self::groups::groups;
pub(super) use self::groups::whole_units;
use super::pace::LEAST;
use super::{Job, Scheduler};
use crate::ids::{TestIndex, WorkerId};

/// The state of the tests that are not for everybody at any time.
pub struct Reserve {
    inner: Box<dyn Scheduler + Send>,
    /// The run's number of each test of the mode's own scheduler.
    plain: Vec<TestIndex>,
    places: Vec<Place>,
    serial: VecDeque<TestIndex>,
    kinds: Vec<Kind>,
    limited: usize,
    resources: Vec<Resource>,
    workers: Vec<Have>,
    /// Tests at workers.
    busy: usize,
    /// Who has serial tests.
    alone: Option<WorkerId>,
    woken: Vec<WorkerId>,
}

/// Where a test belongs.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// To the mode's own scheduler, by this number.
    Plain(TestIndex),
    Serial,
    Limited(usize),
}

/// Pending tests that need the same resources.
#[derive(Debug, Default)]
struct Kind {
    needs: Vec<usize>,
    /// They are a unit: all of them go out together.
    whole: bool,
    tests: VecDeque<TestIndex>,
}

/// Something of which there is not enough for everybody.
#[derive(Debug)]
struct Resource {
    most: usize,
    /// Who has how many of its tests.
    holders: HashMap<WorkerId, usize>,
}

/// What a worker has.
#[derive(Clone, Debug, Default)]
struct Have {
    tests: usize,
    serial: usize,
    /// Came for tests and neither is gone nor was told that nothing follows.
    stays: bool,
    /// Whether it collected all tests that are reserved, if that is known.
    complete: Option<bool>,
    /// Has less than it should, for want of what it may have.
    waits: bool,
}

impl Reserve {
    /// Takes out of a job what is reserved; `make` makes the scheduler of all else.
    pub fn new(job: &Job, make: impl FnOnce(&Job) -> Box<dyn Scheduler + Send>) -> Self {
        let serial: BTreeSet<u32> = job.serial.iter().copied().filter(|test| *test < job.tests).collect();
        let mut resources: Vec<Resource> = job.limits.iter().map(|limit| Resource::new(limit.most)).collect();
        let mut kinds: Vec<Kind> = Vec::new();
        let mut places: Vec<Option<Place>> = vec![None; job.tests as usize];
        for test in &serial {
            places[*test as usize] = Some(Place::Serial);
        }
        for group in groups(job, &serial) {
            let mut needs: Vec<usize> = group.needs.into_iter().collect();
            if group.kept {
                needs.push(resources.len());
                resources.push(Resource::new(1));
            }
            let known = kinds.iter().position(|kind| !group.kept && kind.needs == needs);
            let at = known.unwrap_or(kinds.len());
            for test in &group.tests {
                places[test.at()] = Some(Place::Limited(at));
            }
            match kinds.get_mut(at) {
                Some(kind) => kind.tests.extend(group.tests),
                None => kinds.push(Kind { needs, whole: group.kept, tests: group.tests.into() }),
            }
        }
        let mut plain = Vec::new();
        let places = places.into_iter().zip((0..).map(TestIndex)).map(|(place, test)| {
            place.unwrap_or_else(|| {
                plain.push(test);
                Place::Plain(TestIndex(u32::try_from(plain.len() - 1).unwrap_or(u32::MAX)))
            })
        });
        let places: Vec<Place> = places.collect();
        let inner = make(&job.only(&plain));
        Self {
            inner,
            plain,
            places,
            serial: serial.into_iter().map(TestIndex).collect(),
            limited: kinds.iter().map(|kind| kind.tests.len()).sum(),
            kinds,
            resources,
            workers: vec![Have::default(); job.workers as usize],
            busy: 0,
            alone: None,
            woken: Vec::new(),
        }
    }

    fn place(&self, test: TestIndex) -> Option<Place> {
        self.places.get(test.at()).copied()
    }

    fn know(&mut self, worker: WorkerId, can_run: &dyn Fn(TestIndex) -> bool) {
        let Some(have) = self.workers.get_mut(worker.at()) else { return };
        have.stays = true;
        if have.complete.is_none() {
            let limited = self.kinds.iter().flat_map(|kind| &kind.tests);
            have.complete = Some(self.serial.iter().chain(limited).all(|test| can_run(*test)));
        }
    }

    /// Notes that tests are at a worker from now on.
    fn sent(&mut self, worker: WorkerId, tests: &[TestIndex]) {
        self.busy += tests.len();
        for test in tests {
            let place = self.place(*test);
            let have = &mut self.workers[worker.at()];
            have.tests += 1;
            match place {
                Some(Place::Serial) => {
                    have.serial += 1;
                    self.alone = Some(worker);
                }
                Some(Place::Limited(kind)) => {
                    for need in &self.kinds[kind].needs {
                        *self.resources[*need].holders.entry(worker).or_default() += 1;
                    }
                }
                Some(Place::Plain(_)) | None => {}
            }
        }
    }

    /// Serial tests for a worker that is to have nobody beside it.
    fn take_serial(&mut self, worker: WorkerId, queued: usize, can_run: &dyn Fn(TestIndex) -> bool) -> Vec<TestIndex> {
        let mut batch = Vec::new();
        while self.busy == self.workers[worker.at()].tests
            && queued + batch.len() < LEAST
            && let Some(at) = self.serial.iter().position(|test| can_run(*test))
        {
            batch.extend(self.serial.remove(at));
        }
        batch
    }

    /// Limited tests for a worker, if there is room for it; `own` are those that came back of a unit of which it has the
    /// rest.
    fn take_limited(&mut self, worker: WorkerId, own: bool, can_run: &dyn Fn(TestIndex) -> bool) -> Vec<TestIndex> {
        let has = |need: &usize| self.resources[*need].holders.contains_key(&worker);
        for at in 0..self.kinds.len() {
            let kind = &self.kinds[at];
            if own && !(kind.whole && kind.needs.iter().all(has)) {
                continue;
            }
            if kind.tests.is_empty() || !kind.needs.iter().all(|need| self.resources[*need].has_room_for(worker)) {
                continue;
            }
            let kind = &mut self.kinds[at];
            let batch: Vec<_> = if kind.whole {
                let (mine, others): (Vec<_>, _) =
                    mem::take(&mut kind.tests).into_iter().partition(|test| can_run(*test));
                kind.tests = VecDeque::from(others);
                mine
            } else {
                let at = kind.tests.iter().position(|test| can_run(*test));
                at.and_then(|at| kind.tests.remove(at)).into_iter().collect()
            };
            if !batch.is_empty() {
                self.limited -= batch.len();
                return batch;
            }
        }
        Vec::new()
    }

    /// Pending tests that are not serial.
    fn rest(&self) -> usize {
        self.limited + self.inner.pending()
    }

    /// Whether a worker that holds its last test is to go: another one that stays can run all that is left, or everybody
    /// holds a test and nobody runs one.
    fn may_go(&self, worker: WorkerId) -> bool {
        let complete = |have: &Have| have.complete == Some(true);
        let own = self.workers.get(worker.at()).is_some_and(complete);
        let others = || self.workers.iter().enumerate().filter(|(at, have)| *at != worker.at() && have.stays);
        let mut holders = self.workers.iter().enumerate().filter(|(at, have)| *at != worker.at() && have.tests > 0);
        others().any(|(at, have)| complete(have) && (!own || at < worker.at()))
            || (self.busy > 1 && holders.all(|(_, have)| have.tests == 1 && have.stays))
    }

    fn wake(&mut self) {
        let waiting = self.workers.iter_mut().zip((0..).map(WorkerId));
        let waiting = waiting.filter_map(|(have, worker)| mem::take(&mut have.waits).then_some(worker));
        self.woken.extend(waiting);
    }

    /// A test of a worker needs its resources no more.
    fn release(&mut self, worker: WorkerId, kind: usize) {
        let mut freed = false;
        for need in &self.kinds[kind].needs {
            let holders = &mut self.resources[*need].holders;
            if let Some(count) = holders.get_mut(&worker) {
                *count -= 1;
                if *count == 0 {
                    holders.remove(&worker);
                    freed = true;
                }
            }
        }
        if freed && self.limited > 0 {
            self.wake();
        }
    }
}

impl Scheduler for Reserve {
    fn top_up(&mut self, worker: WorkerId, queued: usize, can_run: &dyn Fn(TestIndex) -> bool) -> Vec<TestIndex> {
        self.know(worker, can_run);
        if worker.at() >= self.workers.len() || self.alone.is_some_and(|alone| alone != worker) {
            if let Some(have) = self.workers.get_mut(worker.at()) {
                have.waits = true;
            }
            // The test that follows the serial ones may have been left for it.
            self.inner.came(worker);
            self.woken.extend(self.alone);
            return Vec::new();
        }
        let mut batch = Vec::new();
        if self.alone == Some(worker) || queued == 0 {
            batch = self.take_serial(worker, queued, can_run);
            self.sent(worker, &batch);
        }
        // However much it has: others may hold their last test until they know that nothing follows it.
        let own = if self.limited > 0 { self.take_limited(worker, true, can_run) } else { Vec::new() };
        self.sent(worker, &own);
        batch.extend(own);
        while queued + batch.len() < LEAST {
            let limited = self.take_limited(worker, false, can_run);
            if limited.is_empty() {
                break;
            }
            self.sent(worker, &limited);
            batch.extend(limited);
        }
        // A worker that keeps all others waiting gets no more than the test that follows.
        if self.alone.is_none() || queued + batch.len() < LEAST {
            let plain = &self.plain;
            let can = |test: TestIndex| plain.get(test.at()).is_some_and(|test| can_run(*test));
            // Serial tests are none that the mode's own scheduler knows of.
            let queued = queued + batch.len() - self.workers[worker.at()].serial;
            let more = self.inner.top_up(worker, queued, &can);
            let more: Vec<_> = more.into_iter().filter_map(|test| plain.get(test.at()).copied()).collect();
            self.sent(worker, &more);
            batch.extend(more);
        }
        // With tests of its own to run first it would have kept the others waiting for no reason, had any been left.
        let late = self.take_serial(worker, queued + batch.len(), can_run);
        self.sent(worker, &late);
        batch.extend(late);
        self.workers[worker.at()].waits = queued + batch.len() < LEAST;
        batch
    }

    fn has_for(&self, can_run: &dyn Fn(TestIndex) -> bool) -> bool {
        let can = |test: TestIndex| self.plain.get(test.at()).is_some_and(|test| can_run(*test));
        let mut reserved = self.serial.iter().chain(self.kinds.iter().flat_map(|kind| &kind.tests));
        self.inner.has_for(&can) || reserved.any(|test| can_run(*test))
    }

    fn keeps(&mut self, worker: WorkerId, queued: usize, can_run: &dyn Fn(TestIndex) -> bool) -> bool {
        let plain = &self.plain;
        let can = |test: TestIndex| plain.get(test.at()).is_some_and(|test| can_run(*test));
        let stays = if self.inner.pending() > 0 && self.inner.keeps(worker, queued, &can) {
            true
        } else {
            self.has_for(can_run) && (queued != 1 || !self.may_go(worker))
        };
        if let Some(have) = self.workers.get_mut(worker.at()) {
            have.stays = stays;
        }
        stays
    }

    fn finished(&mut self, worker: WorkerId, test: TestIndex, seconds: f64) {
        let Some(place) = self.place(test) else { return };
        if let Some(have) = self.workers.get_mut(worker.at()).filter(|have| have.tests > 0) {
            have.tests -= 1;
            self.busy -= 1;
        }
        match place {
            Place::Plain(test) => self.inner.finished(worker, test, seconds),
            Place::Limited(kind) => self.release(worker, kind),
            Place::Serial => {
                let have = &mut self.workers[worker.at()];
                have.serial = have.serial.saturating_sub(1);
                if have.serial == 0 && self.alone == Some(worker) {
                    self.alone = None;
                    self.wake();
                }
            }
        }
        if !self.serial.is_empty() && self.alone.is_none() && (self.busy == 0 || self.rest() == 0) {
            self.wake();
        }
        self.woken.extend(self.inner.woken());
    }

    fn give_back(&mut self, worker: WorkerId, tests: Vec<TestIndex>) {
        if let Some(have) = self.workers.get_mut(worker.at()) {
            self.busy -= have.tests;
            *have = Have::default();
        }
        if self.alone == Some(worker) {
            self.alone = None;
        }
        for resource in &mut self.resources {
            resource.holders.remove(&worker);
        }
        let mut plain = Vec::new();
        for test in tests.into_iter().rev() {
            match self.place(test) {
                Some(Place::Plain(test)) => plain.push(test),
                Some(_) => self.again(test),
                None => {}
            }
        }
        plain.reverse();
        self.inner.give_back(worker, plain);
        self.wake();
    }

    fn again(&mut self, test: TestIndex) {
        match self.place(test) {
            Some(Place::Plain(test)) => self.inner.again(test),
            Some(Place::Serial) => self.serial.push_front(test),
            Some(Place::Limited(kind)) => {
                self.limited += 1;
                self.kinds[kind].tests.push_front(test);
            }
            None => {}
        }
    }

    fn drain(&mut self) -> Vec<TestIndex> {
        let plain = self.inner.drain();
        let mut left: Vec<_> = plain.into_iter().filter_map(|test| self.plain.get(test.at()).copied()).collect();
        left.extend(self.serial.drain(..));
        left.extend(self.kinds.iter_mut().flat_map(|kind| kind.tests.drain(..)));
        self.limited = 0;
        left.sort_unstable();
        left
    }

    fn pending(&self) -> usize {
        self.serial.len() + self.rest()
    }

    fn woken(&mut self) -> Vec<WorkerId> {
        mem::take(&mut self.woken)
    }
}

impl Resource {
    fn new(most: u32) -> Self {
        Self { most: (most as usize).max(1), holders: HashMap::new() }
    }

    fn has_room_for(&self, worker: WorkerId) -> bool {
        self.holders.contains_key(&worker) || self.holders.len() < self.most
    }
}
