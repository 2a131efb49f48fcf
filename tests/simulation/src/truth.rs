//! What processes really do, whoever knows of it, held against what a run promises.

use std::collections::HashSet;

use xdist_core::event::Verdict;
use xdist_core::ids::TestIndex;
use xdist_core::schedule::Limit;

use crate::scenario::{Deed, Scenario};

/// What is true of each test.
#[derive(Debug)]
pub(crate) struct Truth {
    tests: Vec<Test>,
    /// What each worker's process runs right now.
    running: Vec<Option<TestIndex>>,
    /// When the controller stopped the run.
    stopped: Option<f64>,
}

#[derive(Clone, Debug, Default)]
struct Test {
    /// How often it began.
    begun: u32,
    /// How often it may begin.
    granted: u32,
    /// Who was the last to begin it.
    by: Option<u32>,
    /// Whether the process that ran it last died meanwhile, or before all was told.
    died: bool,
    /// Who has it as far as the controller knows.
    holder: Option<u32>,
    verdict: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    Crashed,
    Interrupted,
}

impl Truth {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let test = Test { granted: 1, ..Test::default() };
        Self {
            tests: vec![test; scenario.settings.tests as usize],
            running: vec![None; scenario.settings.workers as usize],
            stopped: None,
        }
    }

    /// The controller sends tests to a worker.
    pub(crate) fn sent(&mut self, scenario: &Scenario, worker: u32, incarnation: u32, tests: &[TestIndex]) {
        for test in tests {
            assert!(!scenario.lacks(worker, incarnation, *test), "gw{worker} lacks {test:?}");
            assert!(scenario.is_for(worker, *test), "{test:?} is another's than gw{worker}'s");
            let entry = &mut self.tests[test.at()];
            assert!(entry.verdict.is_none(), "{test:?} has its verdict and is sent to gw{worker}");
            assert!(entry.holder.is_none(), "{test:?} is sent to gw{worker} and gw{:?}", entry.holder);
            entry.holder = Some(worker);
            if let Some(unit) = scenario.unit(*test) {
                let others = (0..).map(TestIndex).zip(&self.tests);
                let mut others = others.filter(|(other, _)| scenario.unit(*other) == Some(unit));
                let split = scenario.lacks_every == 0
                    && others.any(|(_, entry)| entry.holder.is_some_and(|holder| holder != worker));
                assert!(!split, "the unit of {test:?} at gw{worker} and another worker");
            }
        }
    }

    /// A process begins a test.
    pub(crate) fn begins(&mut self, scenario: &Scenario, now: f64, worker: u32, test: TestIndex) {
        let entry = &mut self.tests[test.at()];
        entry.begun += 1;
        assert!(entry.begun <= entry.granted, "{test:?} ran twice");
        if scenario.is_calm()
            && let Some(unit) = scenario.unit(test)
        {
            let mut fellows = (0..).map(TestIndex).zip(&self.tests);
            let split = fellows
                .any(|(other, entry)| scenario.unit(other) == Some(unit) && entry.by.is_some_and(|by| by != worker));
            assert!(!split, "the unit of {test:?} ran at gw{worker} and elsewhere");
        }
        let entry = &mut self.tests[test.at()];
        (entry.by, entry.died) = (Some(worker), false);
        self.running[worker as usize] = Some(test);
        if let Some(stopped) = self.stopped {
            let place = &scenario.places[worker as usize];
            let late = now > stopped + place.latency + place.jitter + 1e-9;
            assert!(!late || !scenario.cuts.is_empty(), "{test:?} began at {now}, the run stopped at {stopped}");
        }
        self.check_reserved(scenario, worker, test);
        for (other, unit) in
            self.running.iter().enumerate().filter_map(|(at, test)| Some((at, scenario.unit((*test)?)?)))
        {
            let same = other != worker as usize && Some(unit) == scenario.unit(test);
            assert!(!same || scenario.lacks_every > 0, "gw{other} and gw{worker} run tests of unit {unit}");
        }
    }

    /// Nothing runs beside a serial test, and no more than may of what is limited.
    fn check_reserved(&self, scenario: &Scenario, worker: u32, test: TestIndex) {
        let running: Vec<_> = self.running.iter().copied().flatten().collect();
        let serial = running.iter().any(|test| scenario.is_serial(*test));
        assert!(!serial || running.len() == 1, "{test:?} began at gw{worker}, and at the same time run {running:?}");
        for limit in scenario.job.limits.iter().filter(|limit| scenario.needs(limit, test)) {
            let count =
                running.iter().filter(|test| scenario.needs(limit, **test) && !scenario.is_serial(**test)).count();
            assert!(count <= limit.most as usize, "{running:?} run, of which at most {} may", limit.most);
        }
    }

    /// A process is done with a test.
    pub(crate) fn ends(&mut self, worker: u32) {
        self.running[worker as usize] = None;
    }

    /// A process dies: what it ran, or told nobody of, may be called crashed.
    pub(crate) fn dies(&mut self, worker: u32) {
        self.running[worker as usize] = None;
        for test in self.tests.iter_mut().filter(|test| test.by == Some(worker)) {
            test.died = true;
        }
    }

    /// The controller was told that a worker is gone; what was sent there and not begun, as far as it knows, is free. Of a
    /// host that was lost nobody knows what it began last: such a test may begin once more.
    pub(crate) fn gone(&mut self, worker: u32, running: Option<TestIndex>, lost: bool) {
        for (at, test) in self.tests.iter_mut().enumerate().filter(|(_, test)| test.holder == Some(worker)) {
            test.holder = None;
            if lost && running.map(TestIndex::at) != Some(at) && test.begun == test.granted {
                test.granted += 1;
            }
        }
    }

    /// Plugins have a crashed test run again.
    pub(crate) fn grant(&mut self, test: TestIndex) {
        self.tests[test.at()].granted += 1;
    }

    /// The controller commits a verdict.
    pub(crate) fn verdict(&mut self, scenario: &Scenario, test: TestIndex, verdict: &Verdict) {
        let entry = &mut self.tests[test.at()];
        let outcome = match verdict {
            Verdict::Passed { .. } => Outcome::Passed,
            Verdict::Reported(_) => Outcome::Failed,
            Verdict::Crashed(_) => Outcome::Crashed,
            Verdict::Interrupted => Outcome::Interrupted,
        };
        assert!(entry.verdict.is_none(), "second verdict for {test:?}");
        assert!(entry.begun > 0, "a verdict for {test:?}, which never began");
        let deed = scenario.deeds[test.at()];
        let right = match outcome {
            Outcome::Passed => deed == Deed::Pass || entry.begun > 1,
            Outcome::Failed => matches!(deed, Deed::Fail | Deed::FailAndCrash),
            Outcome::Crashed => entry.died,
            Outcome::Interrupted => scenario.interrupt.is_some(),
        };
        assert!(right, "{test:?}, which does {deed:?}, is {outcome:?}");
        entry.verdict = Some(outcome);
        entry.holder = None;
    }

    /// Whether a test took a process down before: it does so once.
    pub(crate) fn has_crashed_before(&self, test: TestIndex) -> bool {
        self.tests[test.at()].begun > 1
    }

    /// Whether the controller has stopped the run.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// The controller stops the run.
    pub(crate) fn stops(&mut self, now: f64) {
        self.stopped.get_or_insert(now);
    }

    /// A test that this worker might run now and that no worker has, if there is one.
    pub(crate) fn is_free_for(&self, scenario: &Scenario, worker: u32, incarnation: u32, test: TestIndex) -> bool {
        let entry = &self.tests[test.at()];
        let unit = scenario.unit(test);
        let held = |at: usize, other: &Test| {
            other.holder.is_some_and(|holder| holder != worker)
                && unit.is_some()
                && scenario.unit(TestIndex(u32::try_from(at).unwrap_or(u32::MAX))) == unit
        };
        entry.verdict.is_none()
            && entry.holder.is_none()
            && scenario.is_for(worker, test)
            && !scenario.lacks(worker, incarnation, test)
            && !self.tests.iter().enumerate().any(|(at, other)| held(at, other))
            && self.has_room_for(scenario, worker, test)
    }

    fn has_room_for(&self, scenario: &Scenario, worker: u32, test: TestIndex) -> bool {
        let held = || (0..).map(TestIndex).zip(&self.tests).filter_map(|(test, entry)| Some((test, entry.holder?)));
        if scenario.is_serial(test) {
            return held().next().is_none();
        }
        let alone = held().any(|(test, holder)| holder != worker && scenario.is_serial(test));
        let full = |(limit, at): (&Limit, usize)| {
            let needs = |test: TestIndex| scenario.limits[test.at()] >> at & 1 == 1;
            let holders: HashSet<_> = held().filter(|(test, _)| needs(*test)).map(|(_, holder)| holder).collect();
            needs(test) && holders.len() >= limit.most as usize && !holders.contains(&worker)
        };
        !alone && !scenario.job.limits.iter().zip(0..).any(full)
    }

    /// Whether a worker has to wait with this test, which it has, and so with all that follow it: somebody else has what
    /// it needs. Where each worker has tests of its own, that may be so.
    pub(crate) fn is_kept(&self, scenario: &Scenario, worker: u32, test: TestIndex) -> bool {
        let held = || (0..).map(TestIndex).zip(&self.tests).filter_map(|(test, entry)| Some((test, entry.holder?)));
        let others = || held().filter(|(_, holder)| *holder != worker);
        let full = |limit: &Limit| {
            let users = others().filter(|(other, _)| scenario.needs(limit, *other));
            let holders: HashSet<_> = users.map(|(_, holder)| holder).collect();
            scenario.needs(limit, test) && holders.len() >= limit.most as usize
        };
        scenario.mode == "each"
            && if scenario.is_serial(test) { others().next().is_some() } else { scenario.job.limits.iter().any(full) }
    }

    /// Whether tests are pending that run alone or are limited.
    pub(crate) fn has_reserved(&self, scenario: &Scenario) -> bool {
        // The rest of a group that a worker could not run all of waits for that worker's part.
        if scenario.mode == "auto" && scenario.lacks_every > 0 {
            return true;
        }
        let mut pending = (0..).map(TestIndex).zip(&self.tests).filter(|(_, test)| test.verdict.is_none());
        pending.any(|(test, _)| scenario.is_serial(test) || scenario.limits[test.at()] > 0)
    }

    /// Fails unless every test has its verdict or is listed as not run, and the exit code fits.
    pub(crate) fn judge(&self, scenario: &Scenario, not_run: &[TestIndex], code: u8) {
        for (test, entry) in (0..).map(TestIndex).zip(&self.tests) {
            let listed = not_run.contains(&test);
            assert!(entry.verdict.is_some() != listed, "{test:?} has {:?}, and is listed: {listed}", entry.verdict);
            assert!(!listed || scenario.may_leave_tests(), "nothing stopped the run, and {test:?} did not run");
        }
        let green = !self.tests.is_empty() && self.tests.iter().all(|test| test.verdict == Some(Outcome::Passed));
        // A process that was killed after its last test, or of whose end nobody knows, makes no green run.
        let may_differ = scenario.interrupt.is_some() || !scenario.kills.is_empty() || !scenario.cuts.is_empty();
        let right = if code == 0 { green } else { !green || may_differ };
        assert!(right, "exit code {code}; all passed: {green}");
    }
}
