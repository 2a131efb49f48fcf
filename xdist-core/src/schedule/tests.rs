//! Properties that every scheduler must have, checked by simulated runs.

use proptest::prelude::*;

use super::*;

const KEEPING: [&str; 3] = ["loadscope", "loadfile", "loadgroup"];

fn job(tests: u32, first: u32, workers: u32) -> Job {
    Job { tests, first, workers, ..Job::default() }
}

/// Runs all tests on workers that take the given seconds a test; returns who ran what and when the last one ended.
fn simulate(scheduler: &mut dyn Scheduler, workers: u32, seconds: &[f64]) -> (Vec<Vec<TestIndex>>, f64) {
    let everywhere = |_: TestIndex| true;
    let mut ran = vec![Vec::new(); workers as usize];
    let mut queues: Vec<Vec<TestIndex>> = vec![Vec::new(); workers as usize];
    let mut clock = vec![0.0_f64; workers as usize];
    loop {
        // Twice: the first time some wait for others to come up.
        for worker in (0..workers).chain(0..workers) {
            let queue = &mut queues[worker as usize];
            let more = scheduler.top_up(WorkerId(worker), queue.len(), &everywhere);
            queue.extend(more);
        }
        let held = queues.iter().any(|queue| queue.len() < 2);
        assert!(!held || scheduler.pending() == 0, "a test held back while others are pending");
        let Some(next) =
            (0..workers as usize).filter(|k| !queues[*k].is_empty()).min_by(|a, b| clock[*a].total_cmp(&clock[*b]))
        else {
            return (ran, clock.into_iter().fold(0.0, f64::max));
        };
        let test = queues[next].remove(0);
        clock[next] += seconds[test.at()];
        ran[next].push(test);
        scheduler.finished(WorkerId(u32::try_from(next).unwrap()), test, seconds[test.at()]);
    }
}

proptest! {
    #[test]
    fn every_test_is_handed_out_once_and_nobody_idles(
        seconds in proptest::collection::vec(0.0_f64..2.0, 0..300),
        first in 0_u32..20,
        workers in 1_u32..12,
        stealing in any::<bool>(),
    ) {
        let count = u32::try_from(seconds.len()).unwrap();
        let mode = if stealing { "worksteal" } else { "load" };
        let mut scheduler = for_mode(mode, &job(count, first, workers)).unwrap();
        let (ran, end) = simulate(scheduler.as_mut(), workers, &seconds);
        let mut all: Vec<_> = ran.into_iter().flatten().collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..count).map(TestIndex).collect::<Vec<_>>());
        // List scheduling with a lookahead: the ideal share, and what one worker may have been left with at the end.
        let longest = seconds.iter().copied().fold(0.0, f64::max);
        let ideal = seconds.iter().sum::<f64>() / f64::from(workers);
        prop_assert!(end <= ideal + 4.0 * longest + 0.4, "ended at {end}, ideal {ideal}");
    }

    #[test]
    fn given_back_tests_go_out_again(taken in 1_usize..26, workers in 1_u32..5) {
        let everywhere = |_: TestIndex| true;
        let mut scheduler = for_mode("load", &job(30, 0, workers)).unwrap();
        let mut had = Vec::new();
        while had.len() < taken {
            let more = scheduler.top_up(WorkerId(0), 0, &everywhere);
            prop_assert!(!more.is_empty());
            had.extend(more);
        }
        scheduler.give_back(WorkerId(0), had);
        prop_assert_eq!(scheduler.pending(), 30);
        let (ran, _) = simulate(scheduler.as_mut(), workers, &[0.01; 30]);
        let mut all: Vec<_> = ran.into_iter().flatten().collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..30).map(TestIndex).collect::<Vec<_>>());
    }

    #[test]
    fn a_worker_is_never_given_a_test_it_does_not_have(tests in 0_u32..60, step in 2_u32..5) {
        let mut scheduler = for_mode("load", &job(tests, 0, 2)).unwrap();
        scheduler.give_back(WorkerId(1), Vec::new());
        let some = |test: TestIndex| test.0.is_multiple_of(step);
        let mut got = Vec::new();
        loop {
            let more = scheduler.top_up(WorkerId(0), 0, &some);
            if more.is_empty() {
                break;
            }
            got.extend(more);
        }
        prop_assert!(got.iter().all(|test| some(*test)));
        prop_assert_eq!(got.len(), (0..tests).filter(|test| test.is_multiple_of(step)).count());
        prop_assert!(!scheduler.has_for(&some));
        prop_assert_eq!(scheduler.pending(), scheduler.drain().len());
    }
}

#[test]
fn few_tests_go_to_a_worker_each() {
    for workers in 1..9 {
        let mut scheduler = for_mode("load", &job(workers, 0, workers)).unwrap();
        let (ran, end) = simulate(scheduler.as_mut(), workers, &vec![2.0; workers as usize]);
        assert!(ran.iter().all(|tests| tests.len() == 1), "{ran:?}");
        assert!(end < 2.5, "{end}");
    }
}

#[test]
fn neighbours_stay_together() {
    let mut scheduler = for_mode("load", &job(40, 0, 4)).unwrap();
    let (ran, _) = simulate(scheduler.as_mut(), 4, &[0.01; 40]);
    for tests in ran {
        assert_eq!(tests.len(), 10);
        assert!(tests.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1), "{tests:?}");
    }
}

#[test]
fn slow_tests_behind_fast_ones_are_stolen() {
    // The first of four workers has 20 fast tests and then 80 slow ones in its segment, all others only fast ones.
    let seconds: Vec<_> = (0..400).map(|test| if (20..100).contains(&test) { 1.0 } else { 0.001 }).collect();
    let end = |mode| simulate(for_mode(mode, &job(400, 0, 4)).unwrap().as_mut(), 4, &seconds).1;
    let (load, stealing) = (end("load"), end("worksteal"));
    assert!(stealing < 80.0 / 4.0 + 4.0, "{stealing}");
    assert!(stealing < load, "{stealing}, under load {load}");
}

#[test]
fn what_failed_last_time_is_dealt_out_first() {
    let everywhere = |_: TestIndex| true;
    let mut scheduler = for_mode("load", &job(100, 4, 2)).unwrap();
    let mut early = scheduler.top_up(WorkerId(0), 0, &everywhere);
    early.extend(scheduler.top_up(WorkerId(1), 0, &everywhere));
    assert!((0..4).all(|test| early.contains(&TestIndex(test))), "{early:?}");
}

#[test]
fn a_message_holds_no_more_than_it_may() {
    let everywhere = |_: TestIndex| true;
    let mut scheduler = for_mode("load", &Job { chunk: Some(1), ..job(100, 0, 2) }).unwrap();
    assert_eq!(scheduler.top_up(WorkerId(0), 0, &everywhere).len(), 2);
    scheduler.finished(WorkerId(0), TestIndex(0), 0.001);
    assert_eq!(scheduler.top_up(WorkerId(0), 1, &everywhere).len(), 1);
}

/// Unit of each test, few enough that most units have several.
fn keys(tests: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(0_u32..30, tests)
}

fn units(units: &[u32], workers: u32) -> Job {
    Job { units: units.to_vec(), ..job(u32::try_from(units.len()).unwrap(), 0, workers) }
}

proptest! {
    #[test]
    fn a_unit_runs_on_one_worker_without_a_break_and_in_order(keys in keys(0..200), workers in 1_u32..9, pick in 0_usize..3) {
        let mut scheduler = for_mode(KEEPING[pick], &units(&keys, workers)).unwrap();
        let (ran, _) = simulate(scheduler.as_mut(), workers, &vec![0.01; keys.len()]);
        let mut seen = std::collections::HashSet::new();
        for tests in &ran {
            for unit in tests.chunk_by(|a, b| keys[a.at()] == keys[b.at()]) {
                prop_assert!(seen.insert(keys[unit[0].at()]), "split: {:?}", ran);
                prop_assert!(unit.is_sorted());
            }
        }
        prop_assert_eq!(ran.iter().map(Vec::len).sum::<usize>(), keys.len());
    }

    #[test]
    fn units_that_come_back_stay_together(keys in keys(1..60), workers in 2_u32..5, deaths in proptest::collection::vec((0_u32..5, 0_usize..4), 1..20)) {
        let everywhere = |_: TestIndex| true;
        let mut scheduler = for_mode("loadgroup", &units(&keys, workers)).unwrap();
        let mut queues = vec![Vec::<TestIndex>::new(); workers as usize];
        let mut done = Vec::new();
        let mut deaths = deaths.into_iter().cycle();
        for round in 0_usize.. {
            for (queue, worker) in queues.iter_mut().zip((0..).map(WorkerId)) {
                queue.extend(scheduler.top_up(worker, queue.len(), &everywhere));
            }
            let held: Vec<std::collections::HashSet<_>> =
                queues.iter().map(|queue| queue.iter().map(|test| keys[test.at()]).collect()).collect();
            for (at, mine) in held.iter().enumerate() {
                prop_assert!(held[at + 1..].iter().all(|other| mine.is_disjoint(other)), "{:?}", queues);
            }
            if queues.iter().all(Vec::is_empty) {
                break;
            }
            let (worker, steps) = deaths.next().unwrap();
            let late = round >= 200;
            let worker = WorkerId(if late { u32::try_from(round).unwrap() } else { worker } % workers);
            let steps = if late { 1 } else { steps };
            let queue = &mut queues[worker.at()];
            for test in queue.drain(..steps.min(queue.len())).collect::<Vec<_>>() {
                scheduler.finished(worker, test, 0.01);
                done.push(test);
            }
            // Now and then the next one takes the worker down, and sometimes it is to run again.
            if round % 3 == 0 && !late && !queue.is_empty() {
                let mut left = std::mem::take(queue);
                let crashed = left.remove(0);
                scheduler.give_back(worker, left);
                if round % 2 == 0 {
                    let other = WorkerId((worker.0 + 1) % workers);
                    let queue = &mut queues[other.at()];
                    queue.extend(scheduler.top_up(other, queue.len(), &everywhere));
                    scheduler.again(crashed);
                } else {
                    done.push(crashed);
                }
            }
        }
        done.sort_unstable();
        prop_assert_eq!(done, (0..u32::try_from(keys.len()).unwrap()).map(TestIndex).collect::<Vec<_>>());
        prop_assert_eq!(scheduler.pending(), 0);
    }

    #[test]
    fn workers_that_lack_tests_get_what_they_have(keys in keys(0..60), step in 2_u32..5) {
        let mut scheduler = for_mode("loadfile", &units(&keys, 2)).unwrap();
        let some = |test: TestIndex| test.0.is_multiple_of(step);
        let everywhere = |_: TestIndex| true;
        let mut all = Vec::new();
        loop {
            let mut more = scheduler.top_up(WorkerId(0), 0, &some);
            prop_assert!(more.iter().all(|test| some(*test)));
            more.extend(scheduler.top_up(WorkerId(1), 0, &everywhere));
            if more.is_empty() {
                break;
            }
            for test in &more {
                scheduler.finished(WorkerId(0), *test, 1.0);
                scheduler.finished(WorkerId(1), *test, 1.0);
            }
            all.extend(more);
        }
        all.sort_unstable();
        prop_assert_eq!(all.len(), keys.len());
        prop_assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
        prop_assert!(!scheduler.has_for(&everywhere));
    }
}

/// The order in which one worker gets tests.
fn order_of(job: &Job) -> Vec<u32> {
    let mut scheduler = for_mode("loadscope", job).unwrap();
    let (ran, _) = simulate(scheduler.as_mut(), 1, &vec![0.01; job.tests as usize]);
    ran[0].iter().map(|test| test.0).collect()
}

#[test]
fn units_with_many_tests_go_out_first_unless_told_otherwise() {
    let job = units(&[7, 3, 3, 7, 9, 5, 5, 5], 1);
    assert_eq!(order_of(&job), [5, 6, 7, 0, 3, 1, 2, 4]);
    assert_eq!(order_of(&Job { keep_order: true, ..job.clone() }), [0, 3, 1, 2, 4, 5, 6, 7]);
    assert_eq!(order_of(&Job { first: 2, ..job }), [0, 3, 1, 2, 5, 6, 7, 4]);
}

#[test]
fn few_units_go_to_a_worker_each() {
    for workers in 1..9 {
        let keys: Vec<_> = (0..workers * 3).map(|test| test / 3).collect();
        for keys in [&keys[..], &(0..workers).collect::<Vec<_>>()] {
            let mut scheduler = for_mode("loadscope", &units(keys, workers)).unwrap();
            let (ran, _) = simulate(scheduler.as_mut(), workers, &vec![2.0; keys.len()]);
            assert!(ran.iter().all(|tests| tests.len() == keys.len() / workers as usize), "{ran:?}");
        }
    }
}

#[test]
fn tests_of_which_nothing_was_told_are_alone() {
    let mut scheduler = for_mode("loadscope", &job(10, 0, 2)).unwrap();
    let (ran, _) = simulate(scheduler.as_mut(), 2, &[1.0; 10]);
    assert!(ran.iter().all(|tests| tests.len() == 5), "{ran:?}");
}

#[test]
fn units_that_take_long_go_out_first_where_durations_are_known() {
    let job = Job { seconds: vec![0.1, 5.0, 0.1, 0.1, 2.0, 0.1, 0.1, 0.1], ..units(&[7, 3, 3, 7, 9, 5, 5, 5], 1) };
    assert_eq!(order_of(&job), [1, 2, 4, 5, 6, 7, 0, 3]);
}

#[test]
fn long_tests_go_out_first_with_a_short_one_behind_each() {
    let mut seconds = vec![0.02_f32; 100];
    (seconds[98], seconds[50], seconds[99]) = (1.0, 0.9, 0.8);
    let job = Job { seconds, ..job(100, 0, 2) };
    assert_eq!(moved("load", &job).long, 3);
    let everywhere = |_: TestIndex| true;
    let mut scheduler = for_mode("load", &job).unwrap();
    assert_eq!(scheduler.top_up(WorkerId(0), 0, &everywhere), [TestIndex(98), TestIndex(0)]);
    assert_eq!(scheduler.top_up(WorkerId(1), 0, &everywhere), [TestIndex(50), TestIndex(51)]);
    scheduler.finished(WorkerId(1), TestIndex(50), 0.9);
    assert_eq!(scheduler.top_up(WorkerId(1), 1, &everywhere)[0], TestIndex(99));
}

#[test]
fn the_order_is_left_alone_where_it_does_not_pay() {
    let uniform = Job { seconds: vec![0.5; 400], ..job(400, 0, 4) };
    let quick = Job { seconds: vec![0.001, 0.15], ..job(2, 0, 2) };
    let alone = Job { seconds: vec![0.1, 5.0], ..job(2, 0, 1) };
    for job in [uniform, quick, alone, job(10, 0, 2)] {
        assert_eq!(moved("load", &job).long, 0, "{job:?}");
    }
    let long = Job { seconds: vec![0.01, 5.0], ..job(2, 0, 2) };
    assert_eq!((moved("load", &long).long, moved("loadscope", &long).long), (1, 0));
}
