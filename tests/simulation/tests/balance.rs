//! Runs come near the shortest possible. `examples/balance.rs` plays the same with a million tests.

use xdist_core::run::RunState;
use xdist_core::schedule::Job;
use xdist_simulation::race::Race;
use xdist_simulation::random::Random;

fn race(seed: u64, sigma: f64, tests: u32, workers: u32) -> (Race, Vec<f32>) {
    let mut random = Random::new(seed);
    let seconds: Vec<f64> = (0..tests).map(|_| 0.1 * random.log_normal(sigma)).collect();
    // No test takes as long as it did the last time.
    #[expect(clippy::cast_possible_truncation, reason = "as it is remembered")]
    let history = seconds.iter().map(|seconds| (seconds * random.log_normal(0.1)) as f32).collect();
    (Race { seconds, workers, latency: 0.0005, ..Race::default() }, history)
}

#[test]
fn with_history_a_run_is_nearly_as_short_as_can_be() {
    for sigma in [0.5, 1.0, 2.0] {
        for (tests, workers) in [(8000, 80), (400, 8)] {
            let (race, history) = race(11, sigma, tests, workers);
            for mode in ["load", "worksteal"] {
                let end = race.ours(mode, Job { seconds: history.clone(), ..Job::default() }, RunState::handle);
                assert!(end <= 1.05 * race.bound(), "{mode}, sigma {sigma}: {end}, at least {}", race.bound());
            }
        }
    }
}

#[test]
fn without_history_a_run_is_about_as_short_as_with_a_scheduler_at_no_distance() {
    for sigma in [0.5, 1.0, 2.0] {
        // When the longest test starts is luck, for both.
        let (mut ours, mut greedy) = (0.0, 0.0);
        for seed in 0..30 {
            let (race, _) = race(seed, sigma, 2000, 20);
            ours += race.ours("load", Job::default(), RunState::handle) / race.bound();
            greedy += race.greedy() / race.bound();
        }
        assert!(ours <= 1.10 * greedy, "sigma {sigma}: {ours}, greedy {greedy}");
    }
}

#[test]
fn wrong_history_costs_little() {
    for sigma in [0.5, 1.0, 2.0] {
        let (race, mut history) = race(11, sigma, 4000, 40);
        history.reverse();
        let end = race.ours("load", Job { seconds: history, ..Job::default() }, RunState::handle);
        assert!(end <= 1.25 * race.greedy(), "sigma {sigma}: {end}, greedy {}", race.greedy());
    }
}

#[test]
fn workers_far_away_are_sent_more_at_a_time() {
    let far = Race { seconds: vec![0.001; 20_000], workers: 8, latency: 0.15, ..Race::default() };
    let end = |race: &Race, round_trips| race.ours("load", Job { round_trips, ..Job::default() }, RunState::handle);
    let (known, unknown) = (end(&far, vec![0.3; 8]), end(&far, Vec::new()));
    assert!(known < 0.6 * unknown, "far {known}, not known to be far {unknown}");
}

#[test]
fn files_with_dear_fixtures_are_set_up_once_where_that_is_shorter() {
    for (sigma, workers) in [(0.5, 8), (1.0, 8), (2.0, 4)] {
        let (mut kept, mut parted) = (0.0, 0.0);
        for seed in 0..30 {
            let (plain, history) = race(seed, sigma, 2000, workers);
            let files: Vec<u32> = (0..2000).map(|test| test / 20).collect();
            // In every other file: as long as ten tests take.
            let set_ups: Vec<f32> = (0..100_u8).map(|file| f32::from(file % 2)).collect();
            let race = Race { files: files.clone(), set_ups: set_ups.iter().map(|s| f64::from(*s)).collect(), ..plain };
            let known = Job { seconds: history, files, set_ups, ..Job::default() };
            let end = race.ours("auto", known.clone(), RunState::handle);
            kept += end;
            parted += race.ours("load", known, RunState::handle);
            let shortest = (race.seconds.iter().sum::<f64>() + race.set_ups.iter().sum::<f64>()) / f64::from(workers);
            let longest = race.seconds.iter().copied().fold(0.0, f64::max);
            assert!(end <= 1.15 * shortest.max(longest), "sigma {sigma}, seed {seed}: {end}, at least {shortest}");
        }
        assert!(kept < parted, "sigma {sigma}: {kept} kept, {parted} parted");
    }
}
