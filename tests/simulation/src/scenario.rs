//! One run to be simulated: its tests, its workers and what befalls them, all of it made from a seed.

use xdist_core::ids::TestIndex;
use xdist_core::run::Settings;
use xdist_core::schedule::{Job, Limit};

use crate::random::Random;

/// Seconds without a word from the controller after which a host ends its workers by itself.
pub const LEASE: f64 = 1.0;
/// Seconds without a word from a host after which the controller takes it for lost: later than the host does.
pub const LOST: f64 = 2.0 * LEASE;
/// Seconds after which a test that hangs is killed.
pub const PATIENCE: f64 = 5.0;

/// What a test does when it runs for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It passes.
    Pass,
    /// It fails.
    Fail,
    /// It takes its process down.
    Crash,
    /// It fails, and takes its process down before its protocol is complete.
    FailAndCrash,
    /// It never ends.
    Hang,
}

/// A time in which what hosts send, or are sent, does not arrive.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Which host.
    pub host: u32,
    /// Since when.
    pub from: f64,
    /// Until when.
    pub until: f64,
    /// Whether what it sends is held up.
    pub up: bool,
    /// Whether what it is sent is held up.
    pub down: bool,
}

impl Cut {
    /// Whether the host gives itself up, and is given up.
    pub fn is_loss(&self) -> bool {
        self.until - self.from > LEASE
    }
}

/// How far away a worker is and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Host; 0 is that of the controller.
    pub host: u32,
    /// Durations are multiplied by it.
    pub slowness: f64,
    /// Seconds that a message takes at least.
    pub latency: f64,
    /// Seconds that it may take longer.
    pub jitter: f64,
    /// Seconds that a process takes to be ready.
    pub start: f64,
}

/// A run to be simulated.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `--dist`.
    pub mode: &'static str,
    /// What the scheduler is made from.
    pub job: Job,
    /// What the run respects.
    pub settings: Settings,
    /// By test: seconds on a worker of ordinary speed.
    pub seconds: Vec<f64>,
    /// By test.
    pub deeds: Vec<Deed>,
    /// By test: the limits that hold for it and whatever stays together with it, as bits.
    pub limits: Vec<u32>,
    /// By worker.
    pub places: Vec<Place>,
    /// Processes that are killed from outside: when, and whose.
    pub kills: Vec<(f64, u32)>,
    /// Partitions.
    pub cuts: Vec<Cut>,
    /// Each worker lacks one test of so many, another one than its neighbour; 0: none.
    pub lacks_every: u32,
    /// Whether whoever replaces a worker lacks another test than it did.
    pub lacks_change: bool,
    /// Workers whose environment does not come up.
    pub absent: Vec<u32>,
    /// Probability that a message arrives twice.
    pub duplicates: f64,
    /// Probability that a process ends before it is ready.
    pub stillbirths: f64,
    /// When the user interrupts, if ever.
    pub interrupt: Option<f64>,
    /// For what else is left to chance in the run.
    pub chances: Random,
}

/// More replacements than any of these runs needs.
const MANY: u32 = 200;

const MODES: [&str; 6] = ["load", "worksteal", "loadscope", "loadfile", "loadgroup", "auto"];

impl Scenario {
    /// The run of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let tests = if random.chance(0.02) { random.below(90) } else { random.below(16) };
        let workers = 1 + random.below(5);
        let mode = random.pick(&MODES);
        let calm = random.chance(0.25);
        let trouble = if calm { 0.0 } else { random.pick(&[0.0, 0.02, 0.1, 0.4]) };
        let sigma = random.between(0.0, 2.0);
        let scale = random.pick(&[0.001, 0.02, 0.3]);
        let hosts = if random.chance(0.5) { 1 } else { 1 + random.below(3) };
        let mut scenario = Self {
            mode,
            job: job(&mut random, mode, tests, workers),
            settings: Settings {
                tests,
                workers,
                maxfail: if random.chance(0.3) { 1 + random.below(3) } else { 0 },
                restarts: if random.chance(0.3) { random.below(4) } else { MANY },
                collect_errors: 0,
                plugins_see_crashes: random.chance(0.2),
                parts: Vec::new(),
            },
            seconds: (0..tests).map(|_| scale * random.log_normal(sigma)).collect(),
            deeds: (0..tests).map(|_| deed(&mut random, trouble)).collect(),
            limits: Vec::new(),
            places: (0..workers).map(|worker| place(&mut random, worker % hosts)).collect(),
            kills: Vec::new(),
            cuts: Vec::new(),
            lacks_every: if random.chance(0.1) { 1 + random.below(4) } else { 0 },
            lacks_change: false,
            absent: Vec::new(),
            duplicates: if random.chance(0.2) { 0.2 } else { 0.0 },
            stillbirths: if random.chance(0.1) { 0.3 } else { 0.0 },
            interrupt: random.chance(0.04).then(|| random.between(0.0, 2.0)),
            chances: Random::new(random.any()),
        };
        if !calm && random.chance(0.3) {
            let count = random.below(4);
            scenario.kills = (0..count).map(|_| (random.between(0.0, 1.5), random.below(workers))).collect();
        }
        if hosts > 1 && random.chance(0.4) {
            scenario.cuts.push(cut(&mut random, hosts));
        }
        scenario.reserve(&mut random);
        scenario.know(&mut random);
        scenario
    }

    /// Now and then some tests run alone, or are limited.
    pub(crate) fn reserve(&mut self, random: &mut Random) {
        let tests = self.settings.tests;
        if random.chance(0.2) {
            let often = random.pick(&[0.05, 0.2, 1.0]);
            self.job.serial = (0..tests).filter(|_| random.chance(often)).collect();
        }
        if random.chance(0.2) {
            let often = random.pick(&[0.1, 0.4, 1.0]);
            let limit = |random: &mut Random| Limit {
                most: 1 + random.below(3),
                tests: (0..tests).filter(|_| random.chance(often)).collect(),
            };
            let count = 1 + random.below(3);
            self.job.limits = (0..count).map(|_| limit(random)).collect();
        }
        self.limits = (0..tests).map(|test| self.limits_of(TestIndex(test))).collect();
    }

    fn limits_of(&self, test: TestIndex) -> u32 {
        let unit = self.unit(test);
        let fellow = |other: u32| {
            let other = TestIndex(other);
            other == test || (unit.is_some() && self.unit(other) == unit)
        };
        let bit = |(limit, at): (&Limit, u32)| u32::from(limit.tests.iter().any(|other| fellow(*other))) << at;
        if self.is_serial(test) { 0 } else { self.job.limits.iter().zip(0..).map(bit).sum() }
    }

    /// Now and then durations are known, rightly or not, and what neighbours have in common.
    fn know(&mut self, random: &mut Random) {
        if random.chance(0.4) {
            let wrong = random.pick(&[0.0, 0.1, 3.0]);
            #[expect(clippy::cast_possible_truncation, reason = "no more is known of durations")]
            let known = |seconds: &f64| (seconds * random.log_normal(wrong)) as f32;
            self.job.seconds = self.seconds.iter().map(known).collect();
        }
        if random.chance(0.3) {
            let size = 1 + random.below(5);
            self.job.groups = (0..self.settings.tests).map(|test| test / size).collect();
        }
    }

    /// Whether a test runs alone.
    pub fn is_serial(&self, test: TestIndex) -> bool {
        self.job.serial.contains(&test.0)
    }

    /// Whether a test needs a resource.
    pub fn needs(&self, limit: &Limit, test: TestIndex) -> bool {
        limit.tests.contains(&test.0)
    }

    /// Whether nothing happens but that tests pass or fail.
    pub fn is_calm(&self) -> bool {
        self.kills.is_empty()
            && self.cuts.is_empty()
            && self.lacks_every == 0
            && self.stillbirths == 0.0
            && self.interrupt.is_none()
            && self.settings.maxfail == 0
            && self.deeds.iter().all(|deed| matches!(deed, Deed::Pass | Deed::Fail))
    }

    /// Whether something in it keeps tests from running.
    pub fn may_leave_tests(&self) -> bool {
        self.lacks_every > 0 || self.may_be_cut_short()
    }

    /// Whether something in it keeps tests from running that somebody has.
    pub fn may_be_cut_short(&self) -> bool {
        self.settings.maxfail > 0
            || self.settings.restarts < MANY
            || self.interrupt.is_some()
            || self.stillbirths > 0.0
            || self.kills.len() > 2
            // What a lost host did not run there is nobody else's.
            || (!self.settings.parts.is_empty() && self.cuts.iter().any(Cut::is_loss))
    }

    /// Whether an incarnation of a worker did not collect a test.
    pub fn lacks(&self, worker: u32, incarnation: u32, test: TestIndex) -> bool {
        let number = test.0 + worker + if self.lacks_change { incarnation } else { 0 };
        self.lacks_every > 0 && number.is_multiple_of(self.lacks_every)
    }

    /// Whether a test is one for this worker.
    pub fn is_for(&self, worker: u32, test: TestIndex) -> bool {
        let parts = &self.settings.parts;
        parts.is_empty() || (parts[worker as usize]..parts[worker as usize + 1]).contains(&test.0)
    }

    /// The unit of a test, where tests are kept together. One that runs alone is in none.
    pub fn unit(&self, test: TestIndex) -> Option<u32> {
        self.job.units.get(test.at()).copied().filter(|_| !self.is_serial(test))
    }
}

fn job(random: &mut Random, mode: &str, tests: u32, workers: u32) -> Job {
    let keys = 1 + random.below(8);
    Job {
        tests,
        first: if random.chance(0.1) { random.below(4) } else { 0 },
        workers,
        chunk: random.chance(0.1).then(|| 1 + random.below(3)),
        units: if ["load", "worksteal"].contains(&mode) {
            Vec::new()
        } else {
            (0..tests).map(|_| random.below(keys)).collect()
        },
        parts: Vec::new(),
        keep_order: random.chance(0.5),
        ..Job::default()
    }
}

pub(crate) fn deed(random: &mut Random, trouble: f64) -> Deed {
    if !random.chance(trouble) {
        return Deed::Pass;
    }
    random.pick(&[Deed::Fail, Deed::Fail, Deed::Crash, Deed::Crash, Deed::FailAndCrash, Deed::Hang])
}

fn place(random: &mut Random, host: u32) -> Place {
    let far = if host == 0 { 0.0 } else { random.between(0.0, 0.1) };
    Place {
        host,
        slowness: if random.chance(0.3) { random.between(0.5, 4.0) } else { 1.0 },
        latency: 0.0001 + far,
        jitter: if random.chance(0.5) { random.between(0.0, 0.03) } else { 0.0 },
        start: random.between(0.001, 0.2),
    }
}

fn cut(random: &mut Random, hosts: u32) -> Cut {
    let from = random.between(0.0, 1.0);
    let lasts = if random.chance(0.5) { random.between(0.0, 0.9 * LEASE) } else { random.between(LEASE, 5.0) };
    let way = random.below(3);
    Cut { host: 1 + random.below(hosts - 1), from, until: from + lasts, up: way != 0, down: way != 1 }
}
