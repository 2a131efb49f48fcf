//! Why a run stops, where several things might have stopped it.

use super::*;

fn failed_report() -> Box<Report> {
    Box::new(Report { outcome: "failed".to_owned(), ..Report::default() })
}

/// Two workers, each within its first test; with `--maxfail`.
fn two_running(maxfail: u32) -> (World, [(WorkerId, TestIndex); 2]) {
    let mut world = World::new(20, 2, maxfail, 8);
    let running = [0, 1].map(|number| {
        let worker = WorkerId(number);
        while world.processes[worker.at()].running.is_none() {
            assert!(world.step(worker, Act::Pass));
        }
        (worker, world.processes[worker.at()].running.unwrap())
    });
    (world, running)
}

#[test]
fn the_first_of_two_reasons_to_stop_is_the_run_s() {
    for exits_first in [true, false] {
        let (mut world, [(failing, test), (leaving, _)]) = two_running(1);
        let failure = Input::Reported(failing, test, failed_report());
        let exit = Input::Stopping(leaving, exit_42());
        let (first, second) = if exits_first { (exit, failure) } else { (failure, exit) };
        world.feed(first);
        world.feed(second);
        world.run(&[(0, Act::Pass)]);
        assert_eq!(world.state.exit_code(), if exits_first { 42 } else { exit::TESTS_FAILED });
    }
}

#[test]
fn what_ends_a_test_after_its_failure_ends_the_run() {
    for interrupted in [true, false] {
        let (mut world, [(failing, test), _]) = two_running(1);
        world.feed(Input::Reported(failing, test, failed_report()));
        assert_eq!(world.state.stop().unwrap().reason, "stopping after 1 failures");
        world.feed(if interrupted { Input::Interrupt("Ctrl-C".into()) } else { Input::Stopping(failing, exit_42()) });
        world.run(&[(0, Act::Pass)]);
        assert_eq!(world.state.exit_code(), if interrupted { exit::INTERRUPTED } else { 42 });
    }
}

#[test]
fn an_error_after_the_last_failure_counts_in_the_reason() {
    let (mut world, [(failing, test), _]) = two_running(1);
    for _ in 0..2 {
        world.feed(Input::Reported(failing, test, failed_report()));
    }
    world.feed(Input::Done(failing, test));
    assert_eq!(world.state.stop().unwrap().reason, "stopping after 2 failures");
}

#[test]
fn a_sibling_that_leaves_before_the_reason_is_known_does_not_make_one_up() {
    let (mut world, [(leaving, _), (sibling, test)]) = two_running(5);
    world.feed(Input::Passed(sibling, test, [0.0; 3]));
    world.processes[sibling.at()].running = None;
    world.stop_page = true;
    while world.processes[sibling.at()].alive {
        assert!(world.step(sibling, Act::Pass));
    }
    world.feed(Input::Stopping(leaving, exit_42()));
    world.run(&[(0, Act::Pass)]);
    assert_eq!(world.state.exit_code(), 42);
}
