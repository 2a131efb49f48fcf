//! The controller alone, fed by simulated workers: frames are decoded, the scheduler and the run state machine work, and
//! every verdict is counted. Prints one line of JSON for the benchmark table.
//!
//! `cargo run --release -p xdist-core --example controller_load [VERDICTS [WORKERS]]`

use std::collections::{HashSet, VecDeque};
use std::error::Error;
use std::io::Write;
use std::time::Instant;

use execnet_rs::frame::{self, Decoder};
use xdist_core::event::RunEvent;
use xdist_core::ids::{TestIndex, WorkerId};
use xdist_core::protocol::{Ended, FromPython};
use xdist_core::run::{Death, Effect, Input, RunState, Settings};
use xdist_core::schedule::{Job, for_mode};

/// Tests that a simulated worker finishes before the next one has its turn.
const TURN: usize = 50;

#[derive(Default)]
struct Worker {
    inbox: VecDeque<TestIndex>,
    running: Option<TestIndex>,
    no_more: bool,
    over: bool,
}

struct Simulation {
    state: RunState,
    workers: Vec<Worker>,
    verdicts: usize,
    complete: bool,
}

impl Simulation {
    fn feed(&mut self, input: Input) {
        for effect in self.state.handle(input) {
            match effect {
                Effect::Run(worker, tests) => self.workers[worker.at()].inbox.extend(tests),
                Effect::NoMore(worker) => self.workers[worker.at()].no_more = true,
                Effect::Emit(RunEvent::Finished { .. }) => self.verdicts += 1,
                Effect::Complete => self.complete = true,
                _ => {}
            }
        }
    }

    /// What a worker would send in one turn, as bytes.
    fn turn(&mut self, worker: usize) -> Result<Vec<u8>, Box<dyn Error>> {
        let mut bytes = Vec::new();
        let entry = &mut self.workers[worker];
        for _ in 0..TURN {
            if let Some(test) = entry.running.take() {
                passed(test, &mut bytes)?;
            }
            if entry.inbox.len() > 1 || entry.no_more {
                entry.running = entry.inbox.pop_front();
            }
            match entry.running {
                Some(test) => started(test, &mut bytes)?,
                None => break,
            }
        }
        Ok(bytes)
    }
}

fn passed(test: TestIndex, out: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    let mut payload = b"\x81\xa6passed\x94".to_vec();
    payload.extend(rmp_serde::to_vec(&test)?);
    for _ in 0..3 {
        payload.extend(rmp_serde::to_vec(&0.0001_f64)?);
    }
    Ok(frame::encode(&payload, out)?)
}

fn started(test: TestIndex, out: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    let mut payload = b"\x81\xa7started".to_vec();
    payload.extend(rmp_serde::to_vec(&test)?);
    Ok(frame::encode(&payload, out)?)
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let tests: u32 = arguments.next().map_or(Ok(1_000_000), |word| word.parse())?;
    let workers: u32 = arguments.next().map_or(Ok(32), |word| word.parse())?;
    let scheduler = for_mode("load", &Job { tests, workers, ..Job::default() }).ok_or("no scheduler")?;
    let settings = Settings { tests, workers, ..Settings::default() };
    let mut simulation = Simulation {
        state: RunState::new(settings, scheduler),
        workers: (0..workers).map(|_| Worker::default()).collect(),
        verdicts: 0,
        complete: false,
    };
    let before = resident_kib();
    let began = Instant::now();
    let mut decoders: Vec<_> = (0..workers).map(|_| Decoder::new(1 << 20)).collect();
    for worker in (0..workers).map(WorkerId) {
        simulation.feed(Input::Ready { worker, lacks: HashSet::new() });
    }
    while !simulation.complete {
        for worker in (0..workers).map(WorkerId) {
            let bytes = simulation.turn(worker.at())?;
            let decoder = &mut decoders[worker.at()];
            decoder.push(&bytes);
            while let Some(frame) = decoder.next_frame()? {
                match rmp_serde::from_slice(frame)? {
                    FromPython::Passed(test, setup, call, teardown) => {
                        simulation.feed(Input::Passed(worker, test, [setup, call, teardown]));
                    }
                    FromPython::Started(test) => simulation.feed(Input::Started(worker, test)),
                    other => return Err(format!("unexpected {other:?}").into()),
                }
            }
            let entry = &mut simulation.workers[worker.at()];
            if entry.no_more && entry.inbox.is_empty() && entry.running.is_none() && !entry.over {
                entry.over = true;
                simulation.feed(Input::SessionEnded(worker, Ended::default()));
                simulation.feed(Input::Gone(worker, Death { clean: true, ..Death::default() }));
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let growth = resident_kib().saturating_sub(before);
    let verdicts = simulation.verdicts;
    writeln!(
        std::io::stdout(),
        "{{\"verdicts\": {verdicts}, \"seconds\": {seconds:.3}, \"rss_growth_kib\": {growth}}}"
    )?;
    Ok(())
}
