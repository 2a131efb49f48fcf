//! Every interleaving of a small run: two workers and four tests, with messages under way in both directions.
//!
//! A state that was reached by another order of the same steps is not looked at again: what the controller does depends
//! on what it was told, in which order, and on nothing else.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};

use xdist_core::event::{RunEvent, Verdict};
use xdist_core::ids::{TestIndex, WorkerId};
use xdist_core::protocol::Ended;
use xdist_core::run::{Death, Effect, Input, RunState, Settings};
use xdist_core::schedule::{Job, Limit, for_mode};
use xdist_simulation::process::{Command, Next, Process};

const WORKERS: u32 = 2;

/// One step of somebody.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A process is up, or finishes its test; it goes on as far as it can.
    Work(usize),
    /// A process takes a message.
    Tell(usize),
    /// The controller takes a message.
    Hear(usize),
    /// A process dies.
    Die(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Message {
    Ready,
    Started(TestIndex),
    Passed(TestIndex),
    Ended,
    Gone(bool),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Worker {
    up: bool,
    over: bool,
    process: Process,
    inbox: VecDeque<Command>,
    outbox: VecDeque<Message>,
}

struct World {
    state: RunState,
    workers: Vec<Worker>,
    heard: Vec<(usize, Message)>,
    verdicts: Vec<u32>,
    crashed: u32,
    begun: Vec<u32>,
    serial: Vec<u32>,
    limited: Vec<u32>,
    deaths: u32,
    complete: bool,
    taken: Vec<Step>,
}

impl World {
    fn new(mode: &str, tests: u32, restarts: u32) -> Self {
        let units = if mode == "loadscope" { vec![0, 1, 0, 1] } else { Vec::new() };
        let parts = if mode.starts_with("each") { vec![0, tests / 2, tests] } else { Vec::new() };
        // The first test of one worker, and the last of the other.
        let ends = vec![0, tests - 1];
        let (mode, serial, limited) = match mode {
            "each, some alone" => ("each", ends, Vec::new()),
            "each, one alone and some limited" => ("each", vec![tests - 1], vec![0, tests - 2]),
            _ => (mode, Vec::new(), Vec::new()),
        };
        let limits = if limited.is_empty() { Vec::new() } else { vec![Limit { most: 1, tests: limited.clone() }] };
        let job = Job {
            tests,
            workers: WORKERS,
            units,
            parts: parts.clone(),
            serial: serial.clone(),
            limits,
            ..Job::default()
        };
        let settings = Settings { tests, workers: WORKERS, restarts, parts, ..Settings::default() };
        Self {
            state: RunState::new(settings, for_mode(mode, &job).unwrap()),
            workers: vec![Worker::default(); WORKERS as usize],
            heard: Vec::new(),
            verdicts: vec![0; tests as usize],
            crashed: 0,
            begun: vec![0; tests as usize],
            serial,
            limited,
            deaths: 0,
            complete: false,
            taken: Vec::new(),
        }
    }

    fn steps(&self, deaths: u32) -> Vec<Step> {
        let mut steps = Vec::new();
        for (at, worker) in self.workers.iter().enumerate() {
            if !worker.over && (!worker.up || worker.process.running.is_some()) {
                steps.push(Step::Work(at));
            }
            if !worker.over && worker.up && !worker.inbox.is_empty() {
                steps.push(Step::Tell(at));
            }
            if !worker.outbox.is_empty() {
                steps.push(Step::Hear(at));
            }
            if !worker.over && self.deaths < deaths {
                steps.push(Step::Die(at));
            }
        }
        steps
    }

    fn take(&mut self, step: Step) {
        self.taken.push(step);
        match step {
            Step::Work(at) => {
                let worker = &mut self.workers[at];
                let done = worker.process.running.take();
                worker.up = true;
                worker.outbox.push_back(done.map_or(Message::Ready, Message::Passed));
                self.advance(at);
            }
            Step::Tell(at) => {
                let worker = &mut self.workers[at];
                let command = worker.inbox.pop_front().unwrap();
                worker.process.take(command);
                if worker.process.running.is_none() {
                    self.advance(at);
                }
            }
            Step::Die(at) => {
                self.deaths += 1;
                self.workers[at].over = true;
                self.workers[at].outbox.push_back(Message::Gone(false));
            }
            Step::Hear(at) => {
                let message = self.workers[at].outbox.pop_front().unwrap();
                self.heard.push((at, message));
                let worker = WorkerId(u32::try_from(at).unwrap());
                self.feed(match message {
                    Message::Ready => Input::Ready { worker, lacks: HashSet::new() },
                    Message::Started(test) => Input::Started(worker, test),
                    Message::Passed(test) => Input::Passed(worker, test, [0.0, 0.1, 0.0]),
                    Message::Ended => Input::SessionEnded(worker, Ended::default()),
                    Message::Gone(clean) => Input::Gone(worker, Death { clean, ..Death::default() }),
                });
            }
        }
    }

    fn advance(&mut self, at: usize) {
        let worker = &mut self.workers[at];
        match worker.process.advance(false) {
            Next::Begin(test) => {
                worker.outbox.push_back(Message::Started(test));
                self.begun[test.at()] += 1;
                assert_eq!(self.begun[test.at()], 1, "{test:?} ran twice");
                self.expect_no_conflict();
            }
            Next::Wait => {}
            Next::End => {
                worker.over = true;
                worker.outbox.extend([Message::Ended, Message::Gone(true)]);
            }
        }
    }

    /// Fails if tests run at the same time that must not.
    fn expect_no_conflict(&self) {
        let running = || self.workers.iter().filter(|worker| !worker.over).filter_map(|worker| worker.process.running);
        let alone = running().any(|test| self.serial.contains(&test.0));
        assert!(!alone || running().count() == 1, "{:?} run", running().collect::<Vec<_>>());
        let limited = running().filter(|test| self.limited.contains(&test.0) && !self.serial.contains(&test.0));
        assert!(limited.count() <= 1, "{:?} run", running().collect::<Vec<_>>());
    }

    fn feed(&mut self, input: Input) {
        for effect in self.state.handle(input) {
            if let Some((worker, command)) = Command::of(&effect) {
                self.workers[worker].inbox.push_back(command);
                continue;
            }
            match effect {
                Effect::Replace(worker, _) => self.workers[worker.at()] = Worker::default(),
                Effect::Emit(RunEvent::Finished { test, verdict, .. }) => {
                    self.verdicts[test.at()] += 1;
                    self.crashed += u32::from(matches!(verdict, Verdict::Crashed(_)));
                }
                Effect::Complete => self.complete = true,
                _ => {}
            }
        }
    }

    /// Equal for states from which the same can follow.
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.heard, &self.workers, self.deaths).hash(&mut hasher);
        hasher.finish()
    }

    fn expect_good_end(&self, restarts: u32) {
        assert!(self.complete, "everybody waits: the run hangs");
        let not_run = self.state.not_run();
        for (verdicts, test) in self.verdicts.iter().zip((0..).map(TestIndex)) {
            assert_eq!(*verdicts, u32::from(!not_run.contains(&test)), "{test:?}");
        }
        assert!(self.crashed <= self.deaths);
        assert!(not_run.is_empty() || self.deaths > restarts, "{not_run:?} did not run");
        let green = self.crashed == 0 && not_run.is_empty();
        // A process that died after its last test makes no green run either.
        let fits = if self.state.exit_code() == 0 { green } else { self.deaths > 0 };
        assert!(fits, "exit code {}, green: {green}", self.state.exit_code());
    }
}

/// Plays all interleavings with so many deaths; returns how many states there are, and ends.
fn explore(mode: &str, tests: u32, deaths: u32, restarts: u32) -> (usize, usize) {
    let mut seen = HashSet::new();
    let mut ends = 0;
    let mut paths = vec![Vec::new()];
    while let Some(path) = paths.pop() {
        let mut world = World::new(mode, tests, restarts);
        for step in path {
            world.take(step);
        }
        // The last one of several steps is taken here and not by replaying all of them again.
        loop {
            if !seen.insert(world.fingerprint()) {
                break;
            }
            let mut steps = world.steps(deaths);
            let Some(next) = steps.pop() else {
                world.expect_good_end(restarts);
                ends += 1;
                break;
            };
            paths.extend(steps.into_iter().map(|step| [&world.taken[..], &[step]].concat()));
            world.take(next);
        }
    }
    (seen.len(), ends)
}

#[test]
fn every_order_of_messages() {
    for mode in ["load", "worksteal", "loadscope", "each"] {
        let (states, ends) = explore(mode, 4, 0, 9);
        assert!(states > 10_000 && ends > 1000, "{mode}: {states} states, {ends} ends");
    }
}

#[test]
fn tests_that_must_not_meet_do_not() {
    for (mode, deaths) in [("each, some alone", 0), ("each, some alone", 1), ("each, one alone and some limited", 1)] {
        let (states, ends) = explore(mode, 4 - deaths, deaths, 9);
        assert!(states > 1000 && ends > 100, "{mode}: {states} states, {ends} ends");
    }
}

#[test]
fn a_death_at_any_moment() {
    for (mode, tests, restarts) in [("load", 3, 9), ("load", 4, 0), ("loadscope", 3, 9), ("each", 3, 9)] {
        let (states, ends) = explore(mode, tests, 1, restarts);
        assert!(states > 10_000 && ends > 1000, "{mode}: {states} states, {ends} ends");
    }
}
