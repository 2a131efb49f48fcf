//! How long a run takes, with nothing going wrong: our schedulers, pytest-xdist's, and what no scheduler can beat.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use xdist_core::ids::{TestIndex, WorkerId};
use xdist_core::run::{Effect, Input, RunState, Settings};
use xdist_core::schedule::{Job, for_mode};

use crate::clock::Clock;
use crate::peers::{Peer, Told};
use crate::process::{Command, Next, Process};

/// What is run, on how many workers, and how far away they are.
#[derive(Clone, Debug, Default)]
pub struct Race {
    /// By test.
    pub seconds: Vec<f64>,
    /// Number of workers, all of them up from the start.
    pub workers: u32,
    /// Seconds that a message takes.
    pub latency: f64,
    /// The file of each test; empty: tests have nothing in common.
    pub files: Vec<u32>,
    /// By file: seconds that a worker spends before a test if its last one was in another file.
    pub set_ups: Vec<f64>,
}

enum Event {
    Told(usize, Command),
    Steal(usize, Vec<TestIndex>),
    Started(usize, TestIndex),
    Over(usize, TestIndex),
    Done(usize, TestIndex),
    Stolen(Vec<TestIndex>),
}

impl Race {
    /// No run is shorter: each worker works all the time, and a test is not cut in two.
    pub fn bound(&self) -> f64 {
        let longest = self.seconds.iter().copied().fold(0.0, f64::max);
        (self.seconds.iter().sum::<f64>() / f64::from(self.workers)).max(longest)
    }

    /// A scheduler that knows no durations, and whose word is heard at once: whoever is free takes the next test.
    pub fn greedy(&self) -> f64 {
        let mut free: BinaryHeap<Reverse<u64>> = (0..self.workers).map(|_| Reverse(0)).collect();
        let mut end = 0;
        for seconds in &self.seconds {
            let Some(Reverse(at)) = free.pop() else { break };
            // Whole nanoseconds can be ordered.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "durations are small and positive"
            )]
            let until = at + (seconds * 1e9) as u64;
            end = end.max(until);
            free.push(Reverse(until));
        }
        end as f64 / 1e9
    }

    /// Seconds that a run of ours takes. `handle` feeds the run state and may look at the time meanwhile.
    ///
    /// # Panics
    /// If a test did not run, or the mode is unknown.
    pub fn ours(&self, mode: &str, job: Job, mut handle: impl FnMut(&mut RunState, Input) -> Vec<Effect>) -> f64 {
        let tests = u32::try_from(self.seconds.len()).unwrap_or(u32::MAX);
        let job = Job { tests, workers: self.workers, ..job };
        let settings = Settings { tests, workers: self.workers, ..Settings::default() };
        let Some(scheduler) = for_mode(mode, &job) else { panic!("no mode {mode}") };
        drop(job);
        let mut state = RunState::new(settings, scheduler);
        let mut stage = Stage::new(self);
        for worker in (0..self.workers).map(WorkerId) {
            stage.tell(&handle(&mut state, Input::Ready { worker, lacks: HashSet::new() }));
        }
        while let Some(event) = stage.clock.next_event() {
            let id = |at: usize| WorkerId(u32::try_from(at).unwrap_or(u32::MAX));
            let input = match event {
                Event::Started(at, test) => Input::Started(id(at), test),
                Event::Done(at, test) => Input::Passed(id(at), test, [0.0, self.seconds[test.at()], 0.0]),
                other => {
                    stage.play(other);
                    continue;
                }
            };
            stage.tell(&handle(&mut state, input));
        }
        assert!(state.not_run().is_empty(), "{} tests did not run", state.not_run().len());
        stage.end
    }

    /// Seconds that a run takes under a scheduler of pytest-xdist.
    ///
    /// # Panics
    /// If a test did not run.
    pub fn peer(&self, peer: &mut dyn Peer) -> f64 {
        let mut stage = Stage::new(self);
        stage.order(peer.begin());
        while let Some(event) = stage.clock.next_event() {
            match event {
                Event::Started(..) => {}
                Event::Done(at, test) => stage.order(peer.done(at, test, self.seconds[test.at()])),
                Event::Stolen(tests) => stage.order(peer.stolen(tests)),
                other => stage.play(other),
            }
        }
        assert_eq!(stage.ran, self.seconds.len(), "tests that did not run");
        stage.end
    }
}

/// The workers of a race.
struct Stage<'a> {
    race: &'a Race,
    clock: Clock<Event>,
    processes: Vec<Process>,
    /// By process: the file of its last test.
    files: Vec<Option<u32>>,
    ran: usize,
    end: f64,
}

impl<'a> Stage<'a> {
    fn new(race: &'a Race) -> Self {
        let processes = vec![Process::default(); race.workers as usize];
        let files = vec![None; race.workers as usize];
        Self { race, clock: Clock::default(), processes, files, ran: 0, end: 0.0 }
    }

    fn tell(&mut self, effects: &[Effect]) {
        for (worker, command) in effects.iter().filter_map(Command::of) {
            self.clock.after(self.race.latency, Event::Told(worker, command));
        }
    }

    fn order(&mut self, orders: Vec<(usize, Told)>) {
        for (worker, told) in orders {
            let event = match told {
                Told::Run(tests) => Event::Told(worker, Command::Run(tests)),
                Told::NoMore => Event::Told(worker, Command::NoMore),
                Told::Steal(tests) => Event::Steal(worker, tests),
            };
            self.clock.after(self.race.latency, event);
        }
    }

    fn play(&mut self, event: Event) {
        match event {
            Event::Told(at, command) => {
                self.processes[at].take(command);
                if self.processes[at].running.is_none() {
                    self.advance(at);
                }
            }
            Event::Over(at, test) => {
                self.processes[at].running = None;
                self.ran += 1;
                self.end = self.clock.now();
                self.clock.after(self.race.latency, Event::Done(at, test));
                self.advance(at);
            }
            Event::Steal(at, tests) => {
                let queue = &mut self.processes[at].queue;
                let tests: HashSet<_> = tests.into_iter().collect();
                let stolen: Vec<_> = queue.iter().copied().filter(|test| tests.contains(test)).collect();
                queue.retain(|test| !tests.contains(test));
                self.clock.after(self.race.latency, Event::Stolen(stolen));
            }
            Event::Started(..) | Event::Done(..) | Event::Stolen(..) => {}
        }
    }

    /// Seconds until the fixtures of a test stand.
    fn set_up(&mut self, at: usize, test: TestIndex) -> f64 {
        let file = self.race.files.get(test.at()).copied();
        let other = std::mem::replace(&mut self.files[at], file) != file;
        file.filter(|_| other).and_then(|file| self.race.set_ups.get(file as usize)).copied().unwrap_or(0.0)
    }

    fn advance(&mut self, at: usize) {
        if let Next::Begin(test) = self.processes[at].advance(false) {
            self.clock.after(self.race.latency, Event::Started(at, test));
            let seconds = self.set_up(at, test) + self.race.seconds[test.at()];
            self.clock.after(seconds, Event::Over(at, test));
        }
    }
}
