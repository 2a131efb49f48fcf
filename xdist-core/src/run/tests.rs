//! The run state machine under random workers: they pass, report, die and end in any order.

use std::collections::{HashMap, HashSet, VecDeque};

use proptest::prelude::*;

mod each;
mod hosts;
mod stops;

use super::*;
use crate::event::{RunEvent, Verdict};
use crate::exit;
use crate::schedule::{Job, for_mode};

/// What a simulated worker process does next.
#[derive(Clone, Copy, Debug)]
enum Act {
    Pass,
    Fail,
    Die,
    DieAfterReport,
    DieBetween,
    /// The test's own process dies, after a report or not.
    BoxDies(bool),
}

fn acts() -> impl Strategy<Value = Act> {
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
enum Answer {
    /// The test is to run once more.
    Again,
    No,
    /// No, and not before everybody else waits.
    Later,
    /// Nothing: their process is gone.
    Gone,
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        6 => Just(Answer::Again),
        4 => Just(Answer::No),
        10 => Just(Answer::Later),
        1 => Just(Answer::Gone),
    ]
}

/// What the plugins of the controller's side do about crashes.
#[derive(Clone, Debug, Default)]
struct Plugins {
    /// Crashes that they were asked about and have not answered.
    asked: VecDeque<TestIndex>,
    /// Tests that they want to run once more, until those begin.
    granted: HashSet<TestIndex>,
    gone: bool,
}

#[derive(Default)]
struct Process {
    alive: bool,
    ready: bool,
    inbox: VecDeque<TestIndex>,
    running: Option<TestIndex>,
    no_more: bool,
    stopped: bool,
}

/// The unit of a test in modes that keep units together.
fn unit(test: u32) -> u32 {
    test * test % 7
}

fn with_plugins(tests: u32, workers: u32, maxfail: u32, restarts: u32) -> Settings {
    Settings { tests, workers, maxfail, restarts, plugins_see_crashes: true, ..Settings::default() }
}

struct World {
    tests: u32,
    state: RunState,
    processes: Vec<Process>,
    verdicts: HashMap<TestIndex, Verdict>,
    begun: HashSet<TestIndex>,
    plugins: Plugins,
    complete: bool,
    stop_page: bool,
    /// Each worker lacks one test of so many, another one than its neighbour; 0: none.
    lacks_every: u32,
    replaced: u32,
}

impl World {
    fn new(tests: u32, workers: u32, maxfail: u32, restarts: u32) -> Self {
        Self::of("load", Settings { tests, workers, maxfail, restarts, ..Settings::default() })
    }

    /// A world whose plugins are asked about crashes.
    fn with_plugins(tests: u32, workers: u32, maxfail: u32, restarts: u32) -> Self {
        Self::of("load", with_plugins(tests, workers, maxfail, restarts))
    }

    fn of(mode: &str, settings: Settings) -> Self {
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
        }
    }

    fn lacks(&self, worker: WorkerId, test: TestIndex) -> bool {
        self.lacks_every > 0 && (test.0 + worker.0).is_multiple_of(self.lacks_every)
    }

    fn feed(&mut self, input: Input) {
        for effect in self.state.handle(input) {
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
    }

    fn die(&mut self, worker: WorkerId) {
        self.processes[worker.at()].alive = false;
        self.feed(Input::Gone(worker, Death { how: "signal 9 (SIGKILL)".to_owned(), ..Death::default() }));
    }

    /// Lets one worker make one step; false if it has nothing to do but wait.
    fn step(&mut self, worker: WorkerId, act: Act) -> bool {
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
    fn answer(&mut self, answer: Answer) -> bool {
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
    fn expect_units_together(&self) {
        let mut holder = HashMap::new();
        for (worker, process) in self.processes.iter().enumerate().filter(|(_, process)| process.alive) {
            for test in process.running.iter().chain(&process.inbox) {
                let other = holder.insert(unit(test.0), worker).filter(|other| *other != worker);
                assert!(other.is_none(), "unit of {test:?} at workers {worker} and {other:?}");
            }
        }
    }

    /// Runs the world until it is complete; panics if everybody waits for everybody.
    fn run(&mut self, schedule: &[(u32, Act)]) {
        self.run_answering(schedule, &[Answer::Again]);
    }

    /// The same, with plugins that answer now and then, and when nobody else has anything to do.
    fn run_answering(&mut self, schedule: &[(u32, Act)], answers: &[Answer]) {
        self.run_checking(schedule, answers, |_| ());
    }

    fn run_checking(&mut self, schedule: &[(u32, Act)], answers: &[Answer], check: impl Fn(&Self)) {
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn one_verdict_each_whatever_dies(
        tests in 0_u32..60,
        workers in 1_u32..6,
        maxfail in 0_u32..4,
        restarts in 0_u32..12,
        schedule in proptest::collection::vec((0_u32..6, acts()), 1..80),
    ) {
        let mut world = World::new(tests, workers, maxfail, restarts);
        world.run(&schedule);
        let not_run = world.state.not_run();
        // Every test has a verdict or is listed, never both.
        prop_assert_eq!(world.verdicts.len() + not_run.len(), tests as usize);
        prop_assert!(not_run.iter().all(|test| !world.verdicts.contains_key(test)));
        // What began has a verdict.
        prop_assert!(world.begun.iter().all(|test| world.verdicts.contains_key(test)));
        let green = world.verdicts.values().all(|verdict| matches!(verdict, Verdict::Passed { .. })) && not_run.is_empty();
        let code = world.state.exit_code();
        prop_assert_eq!(code == exit::OK, green && tests > 0, "exit code {}", code);
        if maxfail == 0 && restarts == 12 && tests > 0 && world.state.stop().is_none() {
            let crashes = world.verdicts.values().filter(|verdict| matches!(verdict, Verdict::Crashed(_))).count();
            prop_assert!(not_run.is_empty() || crashes > 0 || code != exit::OK);
        }
    }

    #[test]
    fn plugins_may_have_crashed_tests_run_again_and_nothing_else_does(
        tests in 1_u32..40,
        workers in 1_u32..5,
        maxfail in 0_u32..4,
        restarts in 0_u32..12,
        schedule in proptest::collection::vec((0_u32..5, acts()), 1..60),
        answers in proptest::collection::vec(answers(), 1..30),
    ) {
        let mut world = World::with_plugins(tests, workers, maxfail, restarts);
        world.run_answering(&schedule, &answers);
        let not_run = world.state.not_run();
        prop_assert_eq!(world.verdicts.len() + not_run.len(), tests as usize);
        prop_assert!(not_run.iter().all(|test| !world.verdicts.contains_key(test)));
        // What began has a verdict, also if it was to run again and nobody was left to do so.
        prop_assert!(world.begun.iter().all(|test| world.verdicts.contains_key(test)));
        prop_assert!(world.plugins.asked.is_empty());
        let green = world.verdicts.values().all(|verdict| matches!(verdict, Verdict::Passed { .. })) && not_run.is_empty();
        let code = world.state.exit_code();
        prop_assert_eq!(code == exit::OK, green, "exit code {}", code);
    }

    #[test]
    fn units_stay_together_whatever_dies(
        tests in 1_u32..60,
        workers in 1_u32..5,
        maxfail in 0_u32..4,
        restarts in 0_u32..12,
        asked in any::<bool>(),
        schedule in proptest::collection::vec((0_u32..5, acts()), 1..60),
        answers in proptest::collection::vec(answers(), 1..30),
    ) {
        let settings = Settings { plugins_see_crashes: asked, ..with_plugins(tests, workers, maxfail, restarts) };
        let mut world = World::of("loadgroup", settings);
        world.run_checking(&schedule, &answers, World::expect_units_together);
        let not_run = world.state.not_run();
        prop_assert_eq!(world.verdicts.len() + not_run.len(), tests as usize);
        prop_assert!(world.begun.iter().all(|test| world.verdicts.contains_key(test)));
        let green = world.verdicts.values().all(|verdict| matches!(verdict, Verdict::Passed { .. })) && not_run.is_empty();
        prop_assert_eq!(world.state.exit_code() == exit::OK, green);
    }

    #[test]
    fn a_run_ends_whatever_workers_lack(
        mode in prop_oneof![Just("load"), Just("worksteal"), Just("loadgroup")],
        tests in 1_u32..40,
        workers in 1_u32..5,
        restarts in 0_u32..40,
        lacks_every in 1_u32..4,
        asked in any::<bool>(),
        schedule in proptest::collection::vec((0_u32..5, acts()), 1..60),
        answers in proptest::collection::vec(answers(), 1..30),
    ) {
        let settings = Settings { plugins_see_crashes: asked, ..with_plugins(tests, workers, 0, restarts) };
        let mut world = World::of(mode, settings);
        world.lacks_every = lacks_every;
        world.run_answering(&schedule, &answers);
        let not_run = world.state.not_run();
        prop_assert_eq!(world.verdicts.len() + not_run.len(), tests as usize);
        prop_assert!(world.begun.iter().all(|test| world.verdicts.contains_key(test)));
        let someone_has = |test: &TestIndex| (0..workers).any(|worker| !world.lacks(WorkerId(worker), *test));
        if world.replaced < restarts {
            prop_assert!(!not_run.iter().any(someone_has), "{:?}", not_run);
        }
    }

    #[test]
    fn an_interrupt_while_plugins_think(
        tests in 1_u32..20,
        workers in 1_u32..4,
        after in 0_usize..60,
        schedule in proptest::collection::vec((0_u32..5, acts()), 60..61),
        answers in proptest::collection::vec(answers(), 1..30),
    ) {
        let mut world = World::with_plugins(tests, workers, 0, 8);
        for (pick, act) in schedule.iter().take(after) {
            world.step(WorkerId(*pick % workers), *act);
        }
        let over = world.complete;
        world.feed(Input::Interrupt("Ctrl-C".to_owned()));
        if !over && !world.complete {
            world.run_answering(&schedule, &answers);
        }
        if !over {
            prop_assert_eq!(world.state.exit_code(), exit::INTERRUPTED);
        }
        prop_assert_eq!(world.verdicts.len() + world.state.not_run().len(), tests as usize);
        prop_assert!(world.begun.iter().all(|test| world.verdicts.contains_key(test)));
    }

    #[test]
    fn an_interrupt_ends_the_run_with_code_2(
        tests in 1_u32..40,
        workers in 1_u32..5,
        after in 0_usize..60,
        schedule in proptest::collection::vec((0_u32..5, Just(Act::Pass)), 60..61),
    ) {
        let mut world = World::new(tests, workers, 0, 0);
        for (pick, act) in schedule.iter().take(after) {
            world.step(WorkerId(*pick % workers), *act);
        }
        let over = world.complete;
        world.feed(Input::Interrupt("Ctrl-C".to_owned()));
        if !over {
            world.run(&schedule);
            prop_assert_eq!(world.state.exit_code(), exit::INTERRUPTED);
        }
        prop_assert_eq!(world.verdicts.len() + world.state.not_run().len(), tests as usize);
    }
}

#[test]
fn a_crash_blames_the_running_test_and_moves_the_others() {
    let mut world = World::new(10, 1, 0, 4);
    let worker = WorkerId(0);
    world.step(worker, Act::Pass);
    world.step(worker, Act::Pass);
    world.step(worker, Act::Die);
    world.run(&[(0, Act::Pass)]);
    assert!(matches!(world.verdicts[&TestIndex(0)], Verdict::Crashed(_)));
    assert_eq!(world.verdicts.values().filter(|verdict| matches!(verdict, Verdict::Passed { .. })).count(), 9);
    assert_eq!(world.state.exit_code(), exit::TESTS_FAILED);
}

#[test]
fn a_late_answer_finds_somebody_to_run_the_test_again() {
    let mut world = World::with_plugins(2, 1, 0, 4);
    let worker = WorkerId(0);
    for act in [Act::Pass, Act::Pass, Act::Pass, Act::Pass, Act::Die] {
        world.step(worker, act);
    }
    // The replacement is ready long before plugins answer, and nothing else is left: it must not be sent home.
    world.step(worker, Act::Pass);
    assert_eq!((world.verdicts.len(), world.processes[0].no_more), (1, false));
    world.answer(Answer::Again);
    world.run(&[(0, Act::Pass)]);
    assert!(world.verdicts.values().all(|verdict| matches!(verdict, Verdict::Passed { .. })));
    assert_eq!(world.state.exit_code(), exit::OK);
}

#[test]
fn a_test_that_was_to_run_again_and_could_not_is_crashed() {
    let mut world = World::with_plugins(1, 1, 0, 1);
    let worker = WorkerId(0);
    for act in [Act::Pass, Act::Pass, Act::Die] {
        world.step(worker, act);
    }
    world.answer(Answer::Again);
    // The replacement dies before it is ready.
    world.die(worker);
    assert!(world.complete);
    assert!(matches!(world.verdicts[&TestIndex(0)], Verdict::Crashed(_)));
    assert_eq!(world.state.exit_code(), exit::TESTS_FAILED);
}

#[test]
fn a_worker_that_cannot_start_is_given_up() {
    let mut world = World::new(10, 2, 0, 100);
    for _ in 0..3 {
        world.die(WorkerId(1));
    }
    assert!(!world.processes[1].alive);
    world.run(&[(0, Act::Pass)]);
    assert_eq!(world.verdicts.len(), 10);
}

#[test]
fn nobody_can_start() {
    let mut world = World::new(10, 1, 0, 100);
    for _ in 0..3 {
        world.die(WorkerId(0));
    }
    assert!(world.complete);
    assert_eq!(world.state.exit_code(), exit::WORKER_NOT_STARTED);
    assert_eq!(world.state.not_run().len(), 10);
}

#[test]
fn a_plugin_that_wants_a_test_again_for_ever_does_not_get_it() {
    let mut world = World::with_plugins(2, 1, 0, 0);
    world.run_answering(&[(0, Act::BoxDies(false))], &[Answer::Again]);
    assert!(world.verdicts.values().all(|verdict| matches!(verdict, Verdict::Crashed(_))));
    assert_eq!(world.verdicts.len(), 2);
}

#[test]
fn a_plugin_may_change_the_exit_status_but_not_hide_a_crash() {
    let end = |world: &mut World| {
        let ended = Ended { before: 1, after: 0, ..Ended::default() };
        world.feed(Input::SessionEnded(WorkerId(0), ended));
        world.feed(Input::Gone(WorkerId(0), Death { clean: true, ..Death::default() }));
        world.state.exit_code()
    };
    let mut failed = World::new(1, 1, 0, 4);
    for _ in 0..3 {
        failed.step(WorkerId(0), Act::Fail);
    }
    assert_eq!(end(&mut failed), exit::OK);
    let mut crashed = World::new(2, 1, 0, 4);
    for act in [Act::Pass, Act::Pass, Act::Die, Act::Pass, Act::Pass, Act::Pass] {
        crashed.step(WorkerId(0), act);
    }
    assert_eq!(end(&mut crashed), exit::TESTS_FAILED);
}

#[test]
fn a_worker_that_sees_the_stop_page_first_is_no_dead_worker() {
    let mut world = World::new(20, 2, 1, 8);
    let (failing, sibling) = (WorkerId(0), WorkerId(1));
    for worker in [failing, sibling] {
        world.step(worker, Act::Pass);
    }
    world.step(failing, Act::Pass);
    // The failing test has set the page, and its report has not been read yet.
    world.stop_page = true;
    world.step(sibling, Act::Pass);
    assert!(!world.processes[1].alive);
    world.step(failing, Act::Fail);
    world.run(&[(0, Act::Pass)]);
    assert_eq!(world.replaced, 0);
    assert_eq!(world.state.exit_code(), exit::TESTS_FAILED);
}

fn exit_42() -> Stopping {
    Stopping { kind: "exit".into(), reason: "enough".into(), code: Some(42), ..Stopping::default() }
}

#[test]
fn a_worker_that_sees_the_stop_page_before_the_reason_is_not_replaced() {
    // No --maxfail: the page was set by a `pytest.exit` that is still being written up.
    let mut world = World::new(20, 2, 0, 8);
    let (leaving, sibling) = (WorkerId(0), WorkerId(1));
    for worker in [leaving, sibling] {
        world.step(worker, Act::Pass);
    }
    world.stop_page = true;
    world.step(sibling, Act::Pass);
    assert!(!world.processes[1].alive, "it left, and nobody took its place");
    assert!(world.state.stop().is_none());
    world.feed(Input::Stopping(leaving, exit_42()));
    world.run(&[(0, Act::Pass)]);
    assert_eq!(world.state.exit_code(), 42);
}

#[test]
fn a_worker_that_crashes_after_its_last_test_is_not_green() {
    let mut world = World::new(1, 1, 0, 4);
    for _ in 0..3 {
        world.step(WorkerId(0), Act::Pass);
    }
    assert_eq!(world.verdicts.len(), 1);
    world.die(WorkerId(0));
    assert_eq!(world.state.exit_code(), exit::TESTS_FAILED);
}

#[test]
fn tests_left_to_a_worker_that_cannot_run_them_go_to_those_that_wait() {
    for mode in ["load", "loadscope"] {
        for starts in [true, false] {
            let mut world = World::of(mode, Settings { tests: 2, workers: 2, restarts: 9, ..Settings::default() });
            // It holds its one test until it knows what follows.
            world.step(WorkerId(0), Act::Pass);
            assert!(!world.step(WorkerId(0), Act::Pass));
            if starts {
                world.processes[1].ready = true;
                let lacks = [0, 1].map(TestIndex).into();
                world.feed(Input::Ready { worker: WorkerId(1), lacks });
            } else {
                (0..3).for_each(|_| world.die(WorkerId(1)));
            }
            world.run(&[(0, Act::Pass)]);
            assert_eq!(world.verdicts.len(), 2, "{mode}");
        }
    }
}
