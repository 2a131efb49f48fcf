//! `--dist=each`: one verdict for every pair of a worker and one of its tests.

use super::*;

/// So many tests for each worker.
fn of_sizes(sizes: &[u32], maxfail: u32, restarts: u32, asked: bool) -> World {
    let mut parts = vec![0];
    for size in sizes {
        parts.push(parts.last().unwrap() + size);
    }
    let (tests, workers) = (*parts.last().unwrap(), u32::try_from(sizes.len()).unwrap());
    let settings =
        Settings { tests, workers, maxfail, restarts, plugins_see_crashes: asked, parts, ..Settings::default() };
    World::of("each", settings)
}

/// Whose a test is.
fn owner(sizes: &[u32], test: TestIndex) -> usize {
    let mut end = 0;
    let ends = sizes.iter().map(|size| {
        end += size;
        end
    });
    ends.into_iter().position(|end| test.0 < end).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_pair_has_one_verdict_whatever_dies(
        sizes in proptest::collection::vec(0_u32..20, 1..6),
        maxfail in 0_u32..4,
        restarts in 0_u32..30,
        lacks_every in prop_oneof![Just(0_u32), Just(0_u32), 2_u32..5],
        asked in any::<bool>(),
        schedule in proptest::collection::vec((0_u32..6, acts()), 1..80),
        answers in proptest::collection::vec(answers(), 1..30),
    ) {
        let mut world = of_sizes(&sizes, maxfail, restarts, asked);
        world.lacks_every = lacks_every;
        // Nobody ever has another one's tests.
        world.run_checking(&schedule, &answers, |world| {
            for (worker, process) in world.processes.iter().enumerate() {
                assert!(process.inbox.iter().chain(&process.running).all(|test| owner(&sizes, *test) == worker));
            }
        });
        world.expect_good_end();
        let not_run = world.state.not_run();
        // While there are replacements, nothing stays undone that its worker has.
        if maxfail == 0 && world.replaced < restarts {
            let lacking = |test: &TestIndex| {
                let worker = u32::try_from(owner(&sizes, *test)).unwrap();
                world.lacks(WorkerId(worker), *test)
            };
            prop_assert!(not_run.iter().all(lacking), "{:?}", not_run);
        }
    }
}

#[test]
fn a_worker_that_crashed_at_its_last_test_is_not_replaced() {
    let mut world = of_sizes(&[1, 3], 0, 8, false);
    world.step(WorkerId(0), Act::Pass);
    world.step(WorkerId(0), Act::Pass);
    world.step(WorkerId(0), Act::Die);
    assert_eq!(world.replaced, 0);
    world.run(&[(1, Act::Pass)]);
    assert_eq!((world.verdicts.len(), world.state.exit_code()), (4, exit::TESTS_FAILED));
}

#[test]
fn who_has_left_is_not_replaced_for_the_sake_of_another_one_s_test() {
    let mut world = of_sizes(&[1, 2], 0, 8, true);
    // The first one lacks its only test, the second one the first of two.
    world.lacks_every = 2;
    for act in [Act::Pass, Act::Pass, Act::Die] {
        world.step(WorkerId(1), act);
    }
    world.answer(Answer::Again);
    world.run(&[(0, Act::Pass)]);
    assert_eq!(world.replaced, 1);
    assert!(matches!(world.verdicts[&TestIndex(2)], Verdict::Passed { .. }));
    assert_eq!(world.state.not_run(), [TestIndex(0), TestIndex(1)]);
}

#[test]
fn the_one_in_its_place_goes_on_where_a_worker_died() {
    let mut world = of_sizes(&[3, 1], 0, 8, false);
    for act in [Act::Pass, Act::Pass, Act::Die] {
        world.step(WorkerId(0), act);
    }
    assert_eq!(world.replaced, 1);
    world.run(&[(0, Act::Pass)]);
    assert!(matches!(world.verdicts[&TestIndex(0)], Verdict::Crashed(_)));
    assert!(matches!(world.verdicts[&TestIndex(2)], Verdict::Passed { .. }));
    assert_eq!(world.verdicts.len(), 4);
}
