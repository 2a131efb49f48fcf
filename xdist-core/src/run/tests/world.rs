//! Simulated workers and plugins around a run state, step by step.

use std::collections::{HashMap, HashSet, VecDeque};

use proptest::prelude::*;

use super::super::*;
use crate::event::{RunEvent, Verdict};
use crate::exit;
use crate::schedule::{Job, for_mode};

/// What a simulated worker process does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Pass,
    Fail,
    Die,
    DieAfterReport,
    DieBetween,
    /// The test's own process dies, after a report or not.
    BoxDies(bool),
}

pub(super) fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        20 => Just(Act::Pass),
        3 => Just(Act::Fail),
        1 => Just(Act::Die),
        1 => Just(Act::DieAfterReport),
        1 => Just(Act::DieBetween),
        2 => any::<bool>().prop_map(Act::BoxDies),
    ]
}

/// What plugins say of a crash that they were asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The test is to run once more.
    Again,
    No,
    /// No, and not before everybody else waits.
    Later,
    /// Nothing: their process is gone.
    Gone,
}

pub(super) fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        6 => Just(Answer::Again),
        4 => Just(Answer::No),
        10 => Just(Answer::Later),
        1 => Just(Answer::Gone),
    ]
}

/// What the plugins of the controller's side do about crashes.
#[derive(Clone, Debug, Default)]
pub(super) struct Plugins {
    /// Crashes that they were asked about and have not answered.
    pub(super) asked: VecDeque<TestIndex>,
    /// Tests that they want to run once more, until those begin.
    pub(super) granted: HashSet<TestIndex>,
    pub(super) gone: bool,
}

#[derive(Default)]
pub(super) struct Process {
    pub(super) alive: bool,
    pub(super) ready: bool,
    pub(super) inbox: VecDeque<TestIndex>,
    pub(super) running: Option<TestIndex>,
    pub(super) no_more: bool,
    pub(super) stopped: bool,
}

/// The unit of a test in modes that keep units together.
pub(super) fn unit(test: u32) -> u32 {
    test * test % 7
}

pub(super) fn with_plugins(tests: u32, workers: u32, maxfail: u32, restarts: u32) -> Settings {
    Settings { tests, workers, maxfail, restarts, plugins_see_crashes: true, ..Settings::default() }
}

pub(super) struct World {
    pub(super) tests: u32,
    pub(super) state: RunState,
    pub(super) processes: Vec<Process>,
    pub(super) verdicts: HashMap<TestIndex, Verdict>,
    pub(super) begun: HashSet<TestIndex>,
    pub(super) plugins: Plugins,
    pub(super) complete: bool,
    pub(super) stop_page: bool,
    /// Each worker lacks one test of so many, another one than its neighbour; 0: none.
    pub(super) lacks_every: u32,
    pub(super) replaced: u32,
    pub(super) inputs: VecDeque<Input>,
    pub(super) feeding: bool,
}

impl World {
    pub(super) fn new(tests: u32, workers: u32, maxfail: u32, restarts: u32) -> Self {
        Self::of("load", Settings { tests, workers, maxfail, restarts, ..Settings::default() })
    }

    /// A world whose plugins are asked about crashes.
    pub(super) fn with_plugins(tests: u32, workers: u32, maxfail: u32, restarts: u32) -> Self {
        Self::of("load", with_plugins(tests, workers, maxfail, restarts))
    }

    pub(super) fn of(mode: &str, settings: Settings) -> Self {
        let Settings { tests, workers, .. } = settings;
        let units = (0..tests).map(unit).collect();
        let parts = settings.parts.clone();
        let scheduler = for_mode(mode, &Job { tests, workers, units, parts, ..Job::default() }).unwrap();
        let processes = (0..workers).map(|_| Process { alive: true, ..Process::default() }).collect();
        Self {
            tests,
            state: RunState::new(settings, scheduler),
            processes,
            verdicts: HashMap::new(),
            begun: HashSet::new(),
            plugins: Plugins::default(),
            complete: false,
            stop_page: false,
            lacks_every: 0,
            replaced: 0,
            inputs: VecDeque::new(),
            feeding: false,
        }
    }

    pub(super) fn lacks(&self, worker: WorkerId, test: TestIndex) -> bool {
        self.lacks_every > 0 && (test.0 + worker.0).is_multiple_of(self.lacks_every)
    }

    pub(super) fn feed(&mut self, input: Input) {
        self.inputs.push_back(input);
        if std::mem::replace(&mut self.feeding, true) {
            return;
        }
        while let Some(input) = self.inputs.pop_front() {
            for effect in self.state.handle(input) {
                self.perform(effect);
            }
        }
        self.feeding = false;
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Run(worker, tests) => {
                assert!(tests.iter().all(|test| !self.lacks(worker, *test)), "{worker} lacks some of {tests:?}");
                self.processes[worker.at()].inbox.extend(tests);
            }
            Effect::NoMore(worker) => self.processes[worker.at()].no_more = true,
            Effect::StopWorker(worker) => self.processes[worker.at()].stopped = true,
            Effect::SetStopPage => self.stop_page = true,
            Effect::Replace(worker, _) => {
                assert!(!self.processes[worker.at()].alive, "{worker} replaced while alive");
                self.replaced += 1;
                self.processes[worker.at()] = Process { alive: true, ..Process::default() };
            }
            Effect::Emit(RunEvent::WorkerDied { worker, .. }) => {
                assert!(!self.processes[worker.at()].alive, "{worker} is alive");
            }
            Effect::Emit(RunEvent::Finished { test, verdict, .. }) => {
                assert!(self.verdicts.insert(test, verdict).is_none(), "second verdict for {test:?}");
            }
            // As the engine does when the plugin host is dead.
            Effect::AskPlugins(..) if self.plugins.gone => self.feed(Input::PluginsGone),
            Effect::AskPlugins(test, ..) => {
                assert!(!self.verdicts.contains_key(&test), "{test:?} has its verdict");
                self.plugins.asked.push_back(test);
            }
            Effect::Emit(_) | Effect::InterruptWorkers => {}
            Effect::Complete => {
                assert!(!self.complete, "completed twice");
                self.complete = true;
            }
        }
    }

    pub(super) fn die(&mut self, worker: WorkerId) {
        self.processes[worker.at()].alive = false;
        self.feed(Input::Gone(worker, Death { how: "signal 9 (SIGKILL)".to_owned(), ..Death::default() }));
    }

    /// Lets one worker make one step; false if it has nothing to do but wait.
    pub(super) fn step(&mut self, worker: WorkerId, act: Act) -> bool {
        let process = &mut self.processes[worker.at()];
        if !process.alive {
            return false;
        }
        if !process.ready {
            process.ready = true;
            let tests = (0..self.tests).map(TestIndex);
            let lacks = tests.filter(|test| self.lacks(worker, *test)).collect();
            self.feed(Input::Ready { worker, lacks });
            return true;
        }
        if let Some(test) = process.running {
            process.running = None;
            match act {
                Act::Pass => self.feed(Input::Passed(worker, test, [0.0, 0.01, 0.0])),
                Act::Fail => {
                    let report = Report { outcome: "failed".to_owned(), ..Report::default() };
                    self.feed(Input::Reported(worker, test, Box::new(report)));
                    self.feed(Input::Done(worker, test));
                }
                Act::DieAfterReport => {
                    let report = Report { outcome: "failed".to_owned(), ..Report::default() };
                    self.feed(Input::Reported(worker, test, Box::new(report)));
                    self.die(worker);
                }
                Act::Die | Act::DieBetween => self.die(worker),
                Act::BoxDies(reported) => {
                    if reported {
                        self.feed(Input::Reported(worker, test, Box::default()));
                    }
                    let died = BoxDied { how: "exit code 0 in call".to_owned(), ..BoxDied::default() };
                    self.feed(Input::BoxDied(worker, test, died));
                }
            }
            return true;
        }
        let may_start = process.inbox.len() > 1 || (process.no_more && !process.inbox.is_empty());
        let done = process.stopped || (process.no_more && process.inbox.is_empty()) || (self.stop_page && may_start);
        if done {
            process.alive = false;
            self.feed(Input::SessionEnded(worker, Ended::default()));
            let death = Death { how: "exit code 0".to_owned(), clean: true, ..Death::default() };
            self.feed(Input::Gone(worker, death));
            true
        } else if may_start {
            if matches!(act, Act::DieBetween) {
                self.die(worker);
                return true;
            }
            let test = process.inbox.pop_front().unwrap();
            process.running = Some(test);
            assert!(self.begun.insert(test) | self.plugins.granted.remove(&test), "{test:?} ran twice");
            self.feed(Input::Started(worker, test));
            true
        } else {
            false
        }
    }

    /// Lets plugins answer for the crash that they were asked about first; false if there is none.
    pub(super) fn answer(&mut self, answer: Answer) -> bool {
        if self.plugins.gone || self.plugins.asked.is_empty() {
            return false;
        }
        if answer == Answer::Gone {
            self.plugins.gone = true;
            self.plugins.asked.clear();
            self.feed(Input::PluginsGone);
            return true;
        }
        let test = self.plugins.asked.pop_front().unwrap();
        if answer == Answer::Again {
            self.plugins.granted.insert(test);
        }
        self.feed(Input::CrashSeen(test, answer == Answer::Again));
        true
    }

    /// Fails if two workers have tests of one unit.
    pub(super) fn expect_units_together(&self) {
        let mut holder = HashMap::new();
        for (worker, process) in self.processes.iter().enumerate().filter(|(_, process)| process.alive) {
            for test in process.running.iter().chain(&process.inbox) {
                let other = holder.insert(unit(test.0), worker).filter(|other| *other != worker);
                assert!(other.is_none(), "unit of {test:?} at workers {worker} and {other:?}");
            }
        }
    }

    /// Whether every test has passed.
    pub(super) fn is_green(&self) -> bool {
        let passed = |verdict: &Verdict| matches!(verdict, Verdict::Passed { .. });
        self.verdicts.values().all(passed) && self.state.not_run().is_empty() && self.tests > 0
    }

    /// Fails unless every test has a verdict or is listed, never both, and what began has one.
    pub(super) fn expect_accounted(&self) {
        let not_run = self.state.not_run();
        assert_eq!(self.verdicts.len() + not_run.len(), self.tests as usize);
        assert!(not_run.iter().all(|test| !self.verdicts.contains_key(test)));
        // Also what was to run again, and nobody was left to do so.
        assert!(self.begun.iter().all(|test| self.verdicts.contains_key(test)));
    }

    /// The same, and that the exit code tells whether all is well.
    pub(super) fn expect_good_end(&self) {
        self.expect_accounted();
        let code = self.state.exit_code();
        assert_eq!(code == exit::OK, self.is_green(), "exit code {code}");
    }

    /// Runs the world until it is complete; panics if everybody waits for everybody.
    pub(super) fn run(&mut self, schedule: &[(u32, Act)]) {
        self.run_answering(schedule, &[Answer::Again]);
    }

    /// The same, with plugins that answer now and then, and when nobody else has anything to do.
    pub(super) fn run_answering(&mut self, schedule: &[(u32, Act)], answers: &[Answer]) {
        self.run_checking(schedule, answers, |_| ());
    }

    pub(super) fn run_checking(&mut self, schedule: &[(u32, Act)], answers: &[Answer], check: impl Fn(&Self)) {
        let count = u32::try_from(self.processes.len()).unwrap();
        let mut acts = schedule.iter().cycle();
        let mut answers = answers.iter().cycle();
        let mut idle = 0;
        let mut steps = 0;
        while !self.complete {
            steps += 1;
            assert!(steps < 100_000, "the run does not end");
            let (pick, act) = *acts.next().unwrap();
            let answer = *answers.next().unwrap();
            let moved = (answer != Answer::Later && self.answer(answer))
                || (0..count).any(|k| self.step(WorkerId((pick + k) % count), act))
                || self.answer(answer);
            check(self);
            idle = if moved { 0 } else { idle + 1 };
            assert!(idle < 2, "everybody waits: the run hangs");
        }
    }
}
