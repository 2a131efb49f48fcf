//! Workers that never come, and workers whose host is lost.

use super::*;

const MODES: [&str; 6] = ["load", "worksteal", "loadscope", "loadfile", "loadgroup", "auto"];

fn lost(succession: Succession) -> Death {
    Death { how: "the loss of its host".to_owned(), succession, ..Death::default() }
}

impl World {
    /// A worker whose environment did not come up.
    fn miss(&mut self, worker: WorkerId) {
        self.state.absent(worker);
        self.processes[worker.at()].alive = false;
    }

    /// The host of a worker is lost.
    fn lose(&mut self, worker: WorkerId, succession: Succession) {
        self.processes[worker.at()].alive = false;
        self.feed(Input::Gone(worker, lost(succession)));
    }

    /// Lets a worker go on until it runs a test.
    fn start(&mut self, worker: WorkerId) -> TestIndex {
        while self.processes[worker.at()].running.is_none() {
            assert!(self.step(worker, Act::Pass), "{worker} has nothing to do");
        }
        self.processes[worker.at()].running.unwrap()
    }
}

#[test]
fn those_who_are_there_do_the_work_of_those_who_never_come() {
    for mode in MODES {
        for missing in [&[0][..], &[1], &[0, 2]] {
            let settings = Settings { tests: 30, workers: 3, restarts: 9, ..Settings::default() };
            let mut world = World::of(mode, settings);
            for worker in missing {
                world.miss(WorkerId(*worker));
            }
            world.run(&[(0, Act::Pass), (1, Act::Pass), (2, Act::Pass)]);
            assert_eq!(world.verdicts.len(), 30, "{mode}, without {missing:?}");
            assert_eq!((world.state.exit_code(), world.replaced), (exit::OK, 0), "{mode}, without {missing:?}");
        }
    }
}

#[test]
fn under_each_a_worker_that_never_comes_leaves_no_test_open() {
    let parts = vec![0, 5, 5, 10];
    let settings = Settings { tests: 10, workers: 3, restarts: 9, parts, ..Settings::default() };
    let mut world = World::of("each", settings);
    world.miss(WorkerId(1));
    world.run(&[(0, Act::Pass)]);
    assert_eq!((world.verdicts.len(), world.state.exit_code()), (10, exit::OK));
}

#[test]
fn what_a_lost_host_had_goes_to_workers_that_are_there() {
    for mode in MODES {
        let mut world = World::of(mode, Settings { tests: 30, workers: 3, restarts: 9, ..Settings::default() });
        let running = world.start(WorkerId(1));
        world.start(WorkerId(0));
        world.lose(WorkerId(1), Succession::Elsewhere);
        world.lose(WorkerId(2), Succession::Elsewhere);
        assert_eq!(world.replaced, 0, "{mode}: others are there");
        world.run(&[(0, Act::Pass)]);
        assert_eq!(world.verdicts.len(), 30, "{mode}");
        assert!(matches!(world.verdicts[&running], Verdict::Crashed(_)), "{mode}");
    }
}

#[test]
fn one_takes_the_place_of_all_that_are_lost_when_nobody_else_is_left() {
    let mut world = World::new(30, 3, 0, 9);
    for worker in [0, 1, 2].map(WorkerId) {
        world.start(worker);
    }
    for worker in [0, 1, 2].map(WorkerId) {
        world.lose(worker, Succession::Elsewhere);
    }
    assert_eq!(world.replaced, 1, "the last of them");
    world.run(&[(0, Act::Pass)]);
    assert_eq!(world.verdicts.len(), 30);
    let crashed = world.verdicts.values().filter(|verdict| matches!(verdict, Verdict::Crashed(_)));
    assert_eq!(crashed.count(), 3);
}

#[test]
fn where_nobody_can_take_over_the_run_ends_and_tells_what_did_not_run() {
    let mut world = World::new(10, 1, 0, 9);
    let running = world.start(WorkerId(0));
    world.lose(WorkerId(0), Succession::Nowhere);
    assert!(world.complete && world.replaced == 0);
    assert!(matches!(world.verdicts[&running], Verdict::Crashed(_)));
    assert_eq!(world.state.not_run().len() + world.verdicts.len(), 10);
    assert_ne!(world.state.exit_code(), exit::OK);
}

#[test]
fn what_a_replacement_lacks_is_for_others_as_long_as_there_are_any() {
    let lacks: HashSet<TestIndex> = [0, 2, 3].into_iter().map(TestIndex).collect();
    let settings = Settings { tests: 4, workers: 2, restarts: 9, ..Settings::default() };
    let mut world = World::of("load", settings);
    for _ in 0..3 {
        world.step(WorkerId(1), Act::Pass);
    }
    // Both have two tests each, of which one is over.
    let (_, first) = (world.start(WorkerId(0)), WorkerId(0));
    assert_eq!(world.verdicts.len(), 1, "{:?}", world.verdicts);
    world.lose(first, Succession::There);
    let now = world.state.lacking(first, &lacks);
    assert_eq!(now.homeless, 0, "{now:?}");
    world.run(&[(1, Act::Pass)]);
    assert_eq!(world.state.lacking(first, &lacks), Lacking { open: 0, homeless: 0 });
}

#[test]
fn nobody_is_left_for_what_the_last_one_lacks() {
    let mut world = World::new(4, 1, 0, 9);
    world.start(WorkerId(0));
    world.lose(WorkerId(0), Succession::There);
    let lacks: HashSet<TestIndex> = [0, 2, 3].into_iter().map(TestIndex).collect();
    assert_eq!(world.state.lacking(WorkerId(0), &lacks), Lacking { open: 2, homeless: 2 });
}
