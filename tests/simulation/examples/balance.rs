//! How near runs come to the shortest possible, in virtual time: our schedulers, and those of pytest-xdist. Prints a line
//! of JSON for each distribution of durations, for the benchmark table.
//!
//! `cargo run --release -p xdist-simulation --example balance [TESTS [WORKERS]]`

use std::error::Error;
use std::io::Write;

use rustix::time::{ClockId, clock_gettime};
use xdist_core::schedule::Job;
use xdist_simulation::peers::{Load, LoadScope, WorkSteal};
use xdist_simulation::race::Race;
use xdist_simulation::random::Random;

/// Tests of a module.
const MODULE: u32 = 20;

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Seconds that this thread has had a processor: what else the machine does is left out.
fn worked() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let tests: u32 = arguments.next().map_or(Ok(1_000_000), |word| word.parse())?;
    let workers: u32 = arguments.next().map_or(Ok(10_000), |word| word.parse())?;
    for sigma in [0.5, 1.0, 2.0] {
        let mut random = Random::new(7);
        let seconds: Vec<f64> = (0..tests).map(|_| 0.1 * random.log_normal(sigma)).collect();
        // No test takes as long as it did the last time.
        #[expect(clippy::cast_possible_truncation, reason = "as it is remembered")]
        let history: Vec<f32> = seconds.iter().map(|seconds| (seconds * random.log_normal(0.1)) as f32).collect();
        let modules: Vec<u32> = (0..tests).map(|test| test / MODULE).collect();
        let race = Race { seconds, workers, latency: 0.0005, ..Race::default() };
        let began = worked();
        for _ in 0..1000 {
            worked();
        }
        // What looking at the clock costs is not the scheduler's.
        let look = (worked() - began) / 1000.0;
        let mut decisions = 0_u64;
        let mut spent = 0.0;
        let mut most = 0;
        let before = resident();
        let mut ours = |mode: &str, job: Job| {
            race.ours(mode, job, |state, input| {
                decisions += 1;
                if decisions.is_multiple_of(65_536) {
                    most = most.max(resident());
                }
                let began = worked();
                let effects = state.handle(input);
                spent += worked() - began - look;
                effects
            })
        };
        let with_history = ours("load", Job { seconds: history, ..Job::default() });
        let without = ours("load", Job::default());
        let stealing = ours("worksteal", Job::default());
        let scope = ours("loadscope", Job { units: modules.clone(), ..Job::default() });
        let (bound, greedy) = (race.bound(), race.greedy());
        let load = race.peer(&mut Load::new(tests, workers));
        let steal = race.peer(&mut WorkSteal::new(tests, workers));
        let by_scope = race.peer(&mut LoadScope::new(&modules, workers));
        let (each, bytes) = (spent * 1e6 / decisions as f64, most.saturating_sub(before) / u64::from(tests));
        writeln!(
            std::io::stdout(),
            "{{\"sigma\": {sigma}, \"bound\": {bound:.3}, \"greedy\": {greedy:.3}, \"history\": {with_history:.3}, \
             \"load\": {without:.3}, \"worksteal\": {stealing:.3}, \"loadscope\": {scope:.3}, \
             \"peer_load\": {load:.3}, \"peer_worksteal\": {steal:.3}, \"peer_loadscope\": {by_scope:.3}, \
             \"us_each\": {each:.3}, \"bytes_a_test\": {bytes}}}"
        )?;
    }
    Ok(())
}
