//! How long tests took when they last ran, kept in pytest's cache directory.
//!
//! Read when the collection is known, to start what takes long before the rest and to send work by time; written when the
//! run is over. Nothing depends on it but the order and the size of messages. Where pytest's cache is off
//! (`-p no:cacheprovider`) or `--no-history` is given, nothing is read or written.

mod file;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;

use self::file::{KEY, Module, Stored};
use crate::cache::{self, CacheFile};
use crate::event::{RunEvent, Verdict};
use crate::ids::{TestIndex, WorkerId};
use crate::report::Report;

/// Set-up that takes so many seconds longer than usual is that of fixtures that others share.
const NOTICED: f32 = 0.02;

/// The durations of earlier runs, and those of this one.
#[derive(Debug)]
pub struct History {
    dir: PathBuf,
    stored: Stored,
    ids: Vec<String>,
    /// The file of each test, as a number.
    module_of: Vec<u32>,
    modules: Vec<String>,
    /// By test: total and set-up in seconds, and whether it was the first of its file on that worker.
    taken: Vec<Option<Taken>>,
    /// By worker: the file of its last test.
    last: HashMap<WorkerId, u32>,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    total: f32,
    set_up: f32,
    first: bool,
}

impl History {
    /// What a cache directory knows of these tests.
    pub fn read(dir: PathBuf, ids: &[String]) -> Self {
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut modules = Vec::new();
        let module_of = ids.iter().map(|id| {
            let module = module(id);
            *numbers.entry(module).or_insert_with(|| {
                modules.push(module.to_owned());
                u32::try_from(modules.len() - 1).unwrap_or(u32::MAX)
            })
        });
        let module_of = module_of.collect();
        Self {
            stored: Stored::read(&dir),
            dir,
            ids: ids.to_vec(),
            module_of,
            modules,
            taken: vec![None; ids.len()],
            last: HashMap::new(),
        }
    }

    /// Seconds of each test: as it took, else as tests of its file do, else as most tests do. Empty if none is known.
    pub fn seconds(&self) -> Vec<f32> {
        let known: Vec<_> = self.ids.iter().map(|id| self.stored.tests.get(id).map(|(seconds, _)| *seconds)).collect();
        let modules = self.modules.iter().map(|module| Some(self.stored.modules.get(module)?.0.median));
        let modules: Vec<_> = modules.collect();
        if known.iter().all(Option::is_none) && modules.iter().all(Option::is_none) {
            return Vec::new();
        }
        let usual = median(known.iter().flatten().copied().collect())
            .or_else(|| median(modules.iter().flatten().copied().collect()))
            .unwrap_or(0.0);
        let module = |at: usize| self.module_of.get(at).and_then(|module| modules.get(*module as usize).copied()?);
        known.iter().enumerate().map(|(at, seconds)| seconds.or_else(|| module(at)).unwrap_or(usual)).collect()
    }

    /// The file of each test, as a number.
    pub fn files(&self) -> &[u32] {
        &self.module_of
    }

    /// Seconds that the shared fixtures of each file take to set up; 0 where nothing is known.
    pub fn set_ups(&self) -> Vec<f32> {
        self.modules.iter().map(|module| self.stored.modules.get(module).map_or(0.0, |(it, _)| it.set_up)).collect()
    }

    /// Takes note of what an event says about durations.
    pub fn handle(&mut self, event: &RunEvent) {
        let RunEvent::Finished { test, worker, verdict } = event else { return };
        match verdict {
            Verdict::Passed { durations } => self.took(*test, *worker, durations.iter().sum(), durations[0]),
            Verdict::Reported(reports) => {
                let total = reports.iter().map(|report| report.duration).sum();
                let set_up = |report: &&Report| report.when == "setup";
                self.took(*test, *worker, total, reports.iter().filter(set_up).map(|report| report.duration).sum());
            }
            // It would have taken longer.
            Verdict::Crashed(_) | Verdict::Interrupted => {}
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "seconds need no more digits")]
    fn took(&mut self, test: TestIndex, worker: WorkerId, total: f64, set_up: f64) {
        let Some(module) = self.module_of.get(test.at()).copied() else { return };
        let first = self.last.insert(worker, module) != Some(module);
        if let Some(taken) = self.taken.get_mut(test.at()).filter(|_| total.is_finite() && total >= 0.0) {
            *taken = Some(Taken { total: total as f32, set_up: set_up as f32, first });
        }
    }

    /// Writes what the next run is to know. A cache that cannot be written is no reason to say anything: it is pytest's
    /// to warn of.
    pub fn write(&mut self) {
        if self.taken.iter().all(Option::is_none) {
            return;
        }
        self.remember();
        let value = serde_json::to_value(&self.stored).unwrap_or_default();
        for fault in cache::write(&self.dir, &[CacheFile { key: KEY, value }]) {
            tracing::debug!("{fault}");
        }
    }

    /// Puts this run's durations to those of earlier ones.
    fn remember(&mut self) {
        self.stored.age();
        let mut by_module: Vec<Vec<usize>> = vec![Vec::new(); self.modules.len()];
        for (at, module) in self.module_of.iter().enumerate().filter(|(at, _)| self.taken[*at].is_some()) {
            by_module[*module as usize].push(at);
        }
        for (module, tests) in self.modules.iter().zip(by_module).filter(|(_, tests)| !tests.is_empty()) {
            let taken = || tests.iter().filter_map(|at| self.taken[*at]);
            // What every other test does as well is no shared fixture.
            let usual = median(taken().filter(|taken| !taken.first).map(|taken| taken.set_up).collect());
            let shared = |taken: &Taken| match usual {
                Some(usual) if taken.first && taken.set_up - usual > NOTICED => taken.set_up - usual,
                _ => 0.0,
            };
            let set_up = taken().map(|taken| shared(&taken)).fold(0.0, f32::max);
            for at in &tests {
                let Some(taken) = self.taken[*at] else { continue };
                let own = (taken.total - shared(&taken)).max(0.0);
                let before = self.stored.tests.get(&self.ids[*at]).map(|(seconds, _)| *seconds);
                // Half of what was known: one slow run is soon forgotten.
                let seconds = rounded(before.map_or(own, |before| f32::midpoint(before, own)));
                self.stored.tests.insert(self.ids[*at].clone(), (seconds, 0));
            }
            let median = median(taken().map(|taken| taken.total - shared(&taken)).collect()).unwrap_or(0.0);
            let known = Module { median: rounded(median), set_up: rounded(set_up) };
            self.stored.modules.insert(module.clone(), (known, 0));
        }
        self.stored.bound();
    }
}

/// The file in a node id. Nothing but a guess at durations depends on it.
fn module(id: &str) -> &str {
    id.split_once("::").map_or(id, |(module, _)| module)
}

fn median(mut values: Vec<f32>) -> Option<f32> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f32::total_cmp).1)
}

/// To tenths of milliseconds: more is noise.
fn rounded(seconds: f32) -> f32 {
    (seconds * 1e4).round() / 1e4
}
