//! Who runs what: schedulers as pure state, asked and told by the run state machine.
//!
//! To add a scheduler: implement [`Scheduler`] in a module of its own, name it in [`for_mode`], and run the properties in
//! `tests.rs` over it.

mod dear;
mod each;
mod load;
mod pace;
mod reserve;
#[cfg(test)]
mod tests;
mod units;

pub use each::Each;
pub use load::Load;
pub use reserve::Reserve;
pub use units::Units;

use std::collections::HashMap;

use crate::ids::{TestIndex, WorkerId};

/// Decides which pending tests a worker gets next.
///
/// The run state machine owns the truth about workers; a scheduler owns only what no worker has yet. Every test that
/// [`Scheduler::top_up`] returns has left it and never comes back by itself.
pub trait Scheduler {
    /// Tests for a worker that has `queued` tests, the running one included; empty if it has enough for now, or if what
    /// is left is for workers that have not come up yet.
    /// `can_run` tells whether the worker collected a test: never return one that it did not.
    fn top_up(&mut self, worker: WorkerId, queued: usize, can_run: &dyn Fn(TestIndex) -> bool) -> Vec<TestIndex>;

    /// Whether some pending test could still go to this worker.
    fn has_for(&self, can_run: &dyn Fn(TestIndex) -> bool) -> bool;

    /// Whether a worker with so many tests stays, asked after every [`Scheduler::top_up`] while tests are pending. If not,
    /// it is told that nothing follows and gets no more.
    fn keeps(&mut self, worker: WorkerId, queued: usize, can_run: &dyn Fn(TestIndex) -> bool) -> bool {
        let _ = (worker, queued);
        self.has_for(can_run)
    }

    /// Nothing more comes for a worker: whether it may be told so, which has it run the last test that it has. If not, it is
    /// among those woken later.
    fn may_leave(&mut self, worker: WorkerId) -> bool {
        let _ = worker;
        true
    }

    /// A worker has come up, and gets nothing yet. Nothing is to be left for it.
    fn came(&mut self, worker: WorkerId) {
        let _ = worker;
    }

    /// Workers that got nothing and may get something by now.
    fn woken(&mut self) -> Vec<WorkerId> {
        Vec::new()
    }

    /// A worker finished a test after so many seconds.
    fn finished(&mut self, worker: WorkerId, test: TestIndex, seconds: f64);

    /// A worker is gone (for now); these tests it never started are pending again, in this order.
    fn give_back(&mut self, worker: WorkerId, tests: Vec<TestIndex>);

    /// A test that took its worker down is pending once more.
    fn again(&mut self, test: TestIndex);

    /// All pending tests leave: the run stops.
    fn drain(&mut self) -> Vec<TestIndex>;

    /// Number of pending tests.
    fn pending(&self) -> usize;
}

/// What a scheduler is made from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Job {
    /// Number of tests in the collection.
    pub tests: u32,
    /// How many of the first ones are to be dealt out before all others.
    pub first: u32,
    /// Number of workers.
    pub workers: u32,
    /// At most so many tests in one message to a worker, but always enough that it knows its next one.
    pub chunk: Option<u32>,
    /// Which unit each test belongs to, for modes that keep units together; tests beyond its end are alone.
    pub units: Vec<u32>,
    /// `each`: where every worker's tests begin, and where the last one's end.
    pub parts: Vec<u32>,
    /// Units go out in the order of collection, not those with many tests first.
    pub keep_order: bool,
    /// Seconds that each test took when it last ran, or a guess; empty if nothing is known.
    pub seconds: Vec<f32>,
    /// The file of each test, numbered from 0; empty if nothing is known.
    pub files: Vec<u32>,
    /// By file: seconds that fixtures which its tests share take to set up; empty if nothing is known.
    pub set_ups: Vec<f32>,
    /// By worker: seconds that a message and its answer take; empty: next to none.
    pub round_trips: Vec<f32>,
    /// What neighbours have in common and is better kept together, such as a module or the value of a fixture, as a number
    /// a test; empty if nothing is known.
    pub groups: Vec<u32>,
    /// Tests that run while no other does.
    pub serial: Vec<u32>,
    /// Tests that run on a limited number of workers at a time.
    pub limits: Vec<Limit>,
}

/// A resource of which there is not enough for all workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Workers that may have tests of it.
    pub most: u32,
    /// The tests that need it.
    pub tests: Vec<u32>,
}

impl Job {
    /// How much some tests are: in microseconds where durations are known, else their number.
    fn size(&self, tests: &[TestIndex]) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "durations are small and positive")]
        let micros = |test: &TestIndex| self.seconds.get(test.at()).map_or(1, |seconds| (seconds * 1e6) as u64);
        tests.iter().map(micros).sum()
    }

    /// Tests that are in no unit with others.
    fn alone(&self) -> Vec<TestIndex> {
        let mut sizes: HashMap<u32, u32> = HashMap::new();
        for unit in &self.units {
            *sizes.entry(*unit).or_default() += 1;
        }
        let alone = |test: &u32| self.units.get(*test as usize).is_none_or(|unit| sizes[unit] == 1);
        (0..self.tests).filter(alone).map(TestIndex).collect()
    }

    /// The same job for some of its tests, none of which is reserved, numbered in this order.
    fn only(&self, tests: &[TestIndex]) -> Self {
        let unit = |test: &TestIndex| self.units.get(test.at()).copied();
        let count = |some: usize| u32::try_from(some).unwrap_or(u32::MAX);
        Self {
            tests: count(tests.len()),
            first: count(tests.iter().filter(|test| test.0 < self.first).count()),
            units: tests.iter().map_while(unit).collect(),
            parts: Vec::new(),
            seconds: tests.iter().map_while(|test| self.seconds.get(test.at()).copied()).collect(),
            files: Vec::new(),
            set_ups: Vec::new(),
            round_trips: self.round_trips.clone(),
            groups: tests.iter().map_while(|test| self.groups.get(test.at()).copied()).collect(),
            serial: Vec::new(),
            limits: Vec::new(),
            ..*self
        }
    }
}

/// What a mode starts before its turn because of what is known of earlier runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Tests that take long.
    pub long: usize,
    /// Files that are kept whole, since their fixtures take long to set up.
    pub files: usize,
}

/// What a mode starts before its turn.
pub fn moved(mode: &str, job: &Job) -> Moved {
    match mode {
        "load" | "worksteal" => Moved { long: load::long_first(job).len(), files: 0 },
        "auto" => {
            let alone = Job { units: dear::units(job), ..job.clone() }.alone();
            Moved { long: load::long_first(&job.only(&alone)).len(), files: dear::files(job) }
        }
        _ => Moved::default(),
    }
}

/// The scheduler for a `--dist` mode; `None` if there is no such mode.
pub fn for_mode(mode: &str, job: &Job) -> Option<Box<dyn Scheduler + Send>> {
    let make: fn(&Job) -> Box<dyn Scheduler + Send> = match mode {
        "auto" | "load" => |job| Box::new(Load::new(job)),
        "each" => |job| Box::new(Each::new(job)),
        "worksteal" => |job| Box::new(Load::stealing(job)),
        "loadscope" | "loadfile" | "loadgroup" => |job| Box::new(Units::new(job)),
        _ => return None,
    };
    // Groups, and files with dear fixtures, go out whole and first, and what is in none as under `load`.
    let job = &if mode == "auto" { Job { units: dear::units(job), ..job.clone() } } else { job.clone() };
    let whole = if mode == "auto" { reserve::whole_units(job) } else { None };
    let reserved = !job.serial.is_empty() || !job.limits.is_empty() || whole.is_some();
    // Under `each` nobody can be sent home for the sake of others: it has its own way.
    if !reserved || mode == "each" {
        return Some(make(job));
    }
    let job = Job { limits: job.limits.iter().cloned().chain(whole).collect(), ..job.clone() };
    Some(Box::new(Reserve::new(&job, make)))
}
