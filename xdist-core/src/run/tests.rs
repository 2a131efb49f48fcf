//! The run state machine under random workers: they pass, report, die and end in any order.

use proptest::prelude::*;

mod each;
mod hosts;
mod stops;
mod world;

use self::world::{Act, Answer, World, acts, answers, with_plugins};
use super::*;
use crate::event::Verdict;
use crate::exit;

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
        world.expect_good_end();
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
        world.expect_good_end();
        prop_assert!(world.plugins.asked.is_empty());
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
        world.expect_good_end();
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
        world.expect_good_end();
        let not_run = world.state.not_run();
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
        world.expect_accounted();
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
        world.expect_accounted();
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
