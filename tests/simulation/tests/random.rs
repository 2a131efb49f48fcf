//! Random runs: the seed of one that breaks a promise is printed, and belongs into `SEEDS`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use xdist_simulation::scenario::Scenario;
use xdist_simulation::world::play;

/// Runs of a whole check.
const RUNS: u64 = 100_000;
/// Runs under `--dist=each` of a whole check.
const RUNS_OF_EACH: u64 = 25_000;
/// Runs that once broke a promise.
const SEEDS: [u64; 7] = [
    // Workers held their last test while what came back of a unit waited for the worker with the rest.
    2815, 23678, 42011, 63802, 80015,
    // A worker with one test was not told that a resource had become free.
    118_827, // A group with a serial test in it was split.
    30_043,
];

/// The same under `--dist=each`.
const SEEDS_OF_EACH: [u64; 3] = [
    // A worker was told that nothing follows before it was told what it runs: plugins had died, and the crash at which they
    // were to look was dealt with in between.
    12_836,
    // Workers that had left were replaced again and again, since another one's test was to run once more.
    1_006_247,
    // A worker was sent home, since a test that was to run once more, and that it lacks, stood before those that it has.
    1_106_077,
];

/// The number in an environment variable.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays runs made from seeds. `XDIST_SEED` is the first seed, or the only one with `XDIST_RUNS=1`.
fn check(runs: u64, make: fn(u64) -> Scenario) {
    let first = number("XDIST_SEED").unwrap_or(0);
    let runs = number("XDIST_RUNS").unwrap_or(runs);
    let next = AtomicU64::new(first);
    let broken = AtomicU64::new(u64::MAX);
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + runs || broken.load(Ordering::Relaxed) != u64::MAX {
                        break;
                    }
                    if catch_unwind(AssertUnwindSafe(|| play(make(seed)))).is_err() {
                        broken.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let broken = broken.into_inner();
    let scenario = make(broken);
    assert!(
        broken == u64::MAX,
        "{scenario:?}\nseed {broken} breaks a promise: XDIST_SEED={broken} XDIST_RUNS=1 plays it alone"
    );
}

#[test]
fn promises_hold_in_random_runs() {
    check(RUNS, Scenario::of);
}

#[test]
fn promises_hold_where_every_worker_has_tests_of_its_own() {
    check(RUNS_OF_EACH, Scenario::each);
}

#[test]
fn what_once_broke_holds() {
    for seed in SEEDS {
        play(Scenario::of(seed));
    }
    for seed in SEEDS_OF_EACH {
        play(Scenario::each(seed));
    }
}
