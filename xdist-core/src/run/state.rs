//! The state machine itself.
//!
//! One verdict a test: a verdict is committed when the worker says that the test's protocol is complete, or when the
//! worker's process is gone and everything it sent has been read. `settled` makes a second one impossible.
//!
//! | file | its part |
//! |---|---|
//! | `feeding` | who gets which tests |
//! | `verdicts` | what workers tell of their tests |
//! | `lacking` | what becomes of tests that a worker lacks |
//! | `deaths` | workers that leave, and who takes their places |
//! | `reruns` | crashed tests that plugins may have run again |
//! | `stops` | runs that stop before their end |

mod deaths;
mod feeding;
mod lacking;
mod reruns;
mod stops;
mod verdicts;

use std::collections::BTreeMap;
use std::mem;

pub use self::lacking::Lacking;
use self::stops::stop_of;
use super::outcome::{Stop, Tally};
use super::worker::{Phase, Worker};
use super::{Effect, Input};
use crate::event::{Crashed, RunEvent};
use crate::exit;
use crate::ids::{TestIndex, WorkerId};
use crate::schedule::Scheduler;

/// What a run is to respect.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Number of tests in the reference collection.
    pub tests: u32,
    /// Workers that are being started.
    pub workers: u32,
    /// `--maxfail`; 0 is no limit.
    pub maxfail: u32,
    /// How many workers may be replaced in all.
    pub restarts: u32,
    /// Failed collectors: they count as failures.
    pub collect_errors: u32,
    /// Whether plugins are asked about tests that took their worker down.
    pub plugins_see_crashes: bool,
    /// `--dist=each`: where every worker's own tests begin, and where the last one's end; empty if tests are anybody's.
    pub parts: Vec<u32>,
}

impl Settings {
    /// Whether a worker is one that may be given a test.
    fn may_have(&self, worker: WorkerId, test: TestIndex) -> bool {
        match (self.parts.get(worker.at()), self.parts.get(worker.at() + 1)) {
            (Some(start), Some(end)) => (*start..*end).contains(&test.0),
            _ => self.parts.is_empty(),
        }
    }
}

/// The state of a run from the first worker to the last.
pub struct RunState {
    settings: Settings,
    scheduler: Box<dyn Scheduler + Send>,
    workers: Vec<Worker>,
    settled: Vec<bool>,
    unsettled: usize,
    restarted: u32,
    limit_told: bool,
    stop: Option<Stop>,
    /// The worker whose test met `--maxfail`, while that test is in its teardown: what ends it there ends the run, as
    /// serially.
    failing: Option<WorkerId>,
    /// A worker left since none was to start another test, and nobody has said why.
    left_early: bool,
    interrupted: bool,
    tally: Tally,
    complete: bool,
    /// Crashes that plugins have not looked at yet.
    asked: BTreeMap<TestIndex, (WorkerId, Box<Crashed>)>,
    /// Crashed tests that are to run again and have not begun: crashed they are if they never do.
    again: BTreeMap<TestIndex, (WorkerId, Box<Crashed>)>,
    /// How many times plugins wanted a test to run again.
    reruns: BTreeMap<TestIndex, u32>,
    effects: Vec<Effect>,
}

impl RunState {
    /// A run about to start; all its workers are being started.
    pub fn new(settings: Settings, scheduler: Box<dyn Scheduler + Send>) -> Self {
        Self {
            workers: (0..settings.workers).map(|_| Worker::new()).collect(),
            settled: vec![false; settings.tests as usize],
            unsettled: settings.tests as usize,
            restarted: 0,
            limit_told: false,
            stop: None,
            failing: None,
            left_early: false,
            interrupted: false,
            tally: Tally { failures: settings.collect_errors, ..Tally::default() },
            complete: false,
            asked: BTreeMap::new(),
            again: BTreeMap::new(),
            reruns: BTreeMap::new(),
            effects: Vec::new(),
            scheduler,
            settings,
        }
    }

    /// A worker that never is: its environment did not come up. Call before anything happens.
    pub fn absent(&mut self, worker: WorkerId) {
        if let Some(entry) = self.workers.get_mut(worker.at()) {
            entry.phase = Phase::Gone;
            self.scheduler.give_back(worker, Vec::new());
        }
    }

    /// Takes in what happened and returns what is to be done.
    pub fn handle(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Ready { worker, lacks } => self.ready(worker, lacks),
            Input::Started(worker, test) => self.started(worker, test),
            Input::Passed(worker, test, durations) => self.passed(worker, test, durations),
            Input::Reported(worker, test, report) => self.reported(worker, test, *report),
            Input::Done(worker, test) => self.done(worker, test),
            Input::BoxDied(worker, test, died) => self.box_died(worker, test, died),
            Input::Stopping(worker, stopping) => self.stopping(worker, stopping),
            Input::PluginStops(stopping) => self.stop_run(stop_of(stopping)),
            Input::SessionEnded(worker, ended) => self.session_ended(worker, &ended),
            Input::Gone(worker, death) => self.gone(worker, &death),
            Input::InternalError(worker, text) => self.internal_error(worker, text),
            Input::CrashSeen(test, again) => self.crash_seen(test, again),
            Input::PluginsGone => self.plugins_gone(),
            Input::CollectionsDiffer => self.stop_run(Stop::new(
                "different tests were collected, which --strict-collection forbids",
                exit::COLLECTIONS_DIFFER,
            )),
            Input::LeftOut => self.tally.left_out = true,
            Input::Interrupt(why) => self.interrupt(why),
        }
        // Whoever went away with nothing may get something now.
        loop {
            let woken = self.scheduler.woken();
            if woken.is_empty() {
                return mem::take(&mut self.effects);
            }
            for worker in woken {
                self.feed(worker);
            }
        }
    }

    /// Whether what this incarnation of a worker tells still counts. Nothing does once its end is known: what it had is
    /// with others by then, whatever arrives late from a host that was lost and is back.
    pub fn hears(&self, worker: WorkerId, incarnation: u32) -> bool {
        self.workers.get(worker.at()).is_some_and(|entry| entry.is_alive() && entry.incarnation == incarnation)
    }

    /// Whether a worker was told that nothing more comes and has nothing left.
    pub fn is_idle(&self, worker: WorkerId) -> bool {
        self.workers.get(worker.at()).is_some_and(|entry| entry.phase == Phase::Finishing && entry.load() == 0)
    }

    /// Why the run stopped early, if it did.
    pub fn stop(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    /// Tests that have no verdict.
    pub fn not_run(&self) -> Vec<TestIndex> {
        let open = self.settled.iter().zip(0..).filter(|(settled, _)| !**settled);
        open.map(|(_, index)| TestIndex(index)).collect()
    }

    /// The exit code; final once [`Effect::Complete`] was returned.
    pub fn exit_code(&self) -> u8 {
        self.tally.exit_code(self.stop.as_ref(), self.settings.tests)
    }

    /// The exit code before plugins of workers had their say, for those that see the whole run.
    pub fn own_exit_code(&self) -> u8 {
        self.tally.own_exit_code(self.stop.as_ref(), self.settings.tests)
    }

    fn emit(&mut self, event: RunEvent) {
        self.effects.push(Effect::Emit(event));
    }
}
