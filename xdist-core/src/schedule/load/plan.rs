//! Which tests are started before their turn, because the run would otherwise end with somebody waiting for them.
//!
//! In the order of collection a test that takes long may be the last to start. What that costs is seconds of all workers
//! but one; what it costs to start it first is that its neighbours meet other fixtures. So the order is left alone unless
//! the longest test is a good part of what a worker has to do.

use crate::ids::TestIndex;
use crate::schedule::Job;

/// The longest test is worth it from this part of a worker's share of the whole.
const WORTH: f64 = 0.05;
/// And from so many seconds.
const NOTICED: f64 = 0.2;
/// Then all tests that take a greater part than this are started first…
const LONG: f64 = 0.015;
/// …and no shorter ones than this, in seconds.
const SHORTEST: f64 = 0.05;

/// Tests to start first, the longest one at the head; none if the order is well as it is.
pub(in crate::schedule) fn long_first(job: &Job) -> Vec<TestIndex> {
    let seconds = |test: usize| job.seconds.get(test).copied().map_or(0.0, f64::from);
    let total: f64 = (0..job.tests as usize).map(seconds).sum();
    let share = total / f64::from(job.workers.max(1));
    let longest = (0..job.tests as usize).map(seconds).fold(0.0, f64::max);
    if job.workers < 2 || longest < NOTICED || longest < WORTH * share {
        return Vec::new();
    }
    let least = (LONG * share).max(SHORTEST);
    let mut long: Vec<_> =
        (job.first..job.tests).filter(|test| seconds(*test as usize) >= least).map(TestIndex).collect();
    long.sort_by(|a, b| seconds(b.at()).total_cmp(&seconds(a.at())));
    long
}
