//! Runs under `--dist=each`: environments that may have other tests than their neighbours, each worker with all of its own.
//!
//! A test of such a run is a pair of a worker and one of its environment's tests, so that it may pass here and take its
//! process down there. Whatever else befalls a run is that of the run in another mode with the same seed.

use xdist_core::schedule::Job;

use crate::random::Random;
use crate::scenario::{Scenario, deed};

impl Scenario {
    /// The run of a seed, every test once a worker.
    pub fn each(seed: u64) -> Self {
        let mut scenario = Self::of(seed);
        let mut random = Random::new(!seed);
        let workers = scenario.settings.workers;
        let environments = 1 + random.below(workers);
        let most = if random.chance(0.02) { 60 } else { 12 };
        let tests: Vec<u32> = (0..environments).map(|_| random.below(most)).collect();
        let homes: Vec<u32> = (0..workers).map(|_| random.below(environments)).collect();
        // A run without any worker does not begin.
        let missing = random.chance(0.1).then(|| random.below(environments));
        let missing = missing.filter(|missing| homes.iter().any(|home| home != missing));
        scenario.absent = (0..workers).filter(|worker| Some(homes[*worker as usize]) == missing).collect();
        let mut parts = vec![0];
        let mut end = 0;
        for home in &homes {
            end += if Some(*home) == missing { 0 } else { tests[*home as usize] };
            parts.push(end);
        }
        let trouble = if scenario.is_calm() { 0.0 } else { random.pick(&[0.0, 0.02, 0.1, 0.4]) };
        let scale = random.pick(&[0.001, 0.02, 0.3]);
        scenario.mode = "each";
        scenario.seconds = (0..end).map(|_| scale * random.log_normal(1.0)).collect();
        scenario.deeds = (0..end).map(|_| deed(&mut random, trouble)).collect();
        scenario.limits = vec![0; end as usize];
        scenario.lacks_change = random.chance(0.5);
        scenario.settings.tests = end;
        scenario.settings.parts.clone_from(&parts);
        scenario.job = Job { tests: end, workers, chunk: scenario.job.chunk, parts, ..Job::default() };
        scenario.reserve(&mut random);
        scenario
    }
}
