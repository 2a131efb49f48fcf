//! The file in pytest's cache, `v/xdist/history`: what it holds, and how much of it is kept.
//!
//! A file that is missing, broken, too large or of another version is no history, and nothing else: the run goes on, and
//! writes a new one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Key in pytest's sense.
pub(super) const KEY: &str = "xdist/history";
/// Of the format. A file of another one is not read.
const VERSION: u32 = 1;
/// Tests that are kept: those that take longest. Of the others their modules tell enough.
const TESTS: usize = 50_000;
const MODULES: usize = 20_000;
/// Runs after which a test, or a module, that did not run is forgotten.
const UNSEEN: u32 = 100;
/// A larger file is none of ours.
const BYTES: u64 = 1 << 26;

/// What is kept between runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    version: u32,
    /// By node id: seconds, and runs since.
    pub(super) tests: BTreeMap<String, (f32, u32)>,
    /// By file: what its tests take, and runs since.
    pub(super) modules: BTreeMap<String, (Module, u32)>,
}

/// What the tests of a file take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Module {
    /// Seconds of the median test.
    pub(super) median: f32,
    /// Seconds that its first test on a worker takes longer to set up than the others do: the fixtures that they share.
    pub(super) set_up: f32,
}

impl Default for Stored {
    fn default() -> Self {
        Self { version: VERSION, tests: BTreeMap::new(), modules: BTreeMap::new() }
    }
}

impl Stored {
    /// What the cache directory holds, if it is of use.
    pub(super) fn read(dir: &Path) -> Self {
        let path = dir.join("v").join(KEY);
        let fits = fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() <= BYTES);
        let text = if fits { fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        serde_json::from_str::<Self>(&text).ok().filter(|stored| stored.version == VERSION).unwrap_or_default().sane()
    }

    fn sane(mut self) -> Self {
        let sane = |seconds: f32| (0.0..1e7).contains(&seconds);
        self.tests.retain(|_, (seconds, _)| sane(*seconds));
        self.modules.retain(|_, (module, _)| sane(module.median) && sane(module.set_up));
        self
    }

    /// One more run is over: everything is one run older, and what is too old or too much is forgotten.
    pub(super) fn age(&mut self) {
        self.tests.values_mut().for_each(|(_, unseen)| *unseen = unseen.saturating_add(1));
        self.modules.values_mut().for_each(|(_, unseen)| *unseen = unseen.saturating_add(1));
        self.tests.retain(|_, (_, unseen)| *unseen <= UNSEEN);
        self.modules.retain(|_, (_, unseen)| *unseen <= UNSEEN);
    }

    /// No more than fits.
    pub(super) fn bound(&mut self) {
        if let Some(least) = nth(self.tests.values().map(|(seconds, _)| *seconds), TESTS) {
            self.tests.retain(|_, (seconds, _)| *seconds > least);
        }
        if let Some(least) = nth(self.modules.values().map(|(module, _)| module.median), MODULES) {
            self.modules.retain(|_, (module, _)| module.median > least);
        }
    }
}

/// The greatest value that is one too many.
fn nth(values: impl Iterator<Item = f32>, most: usize) -> Option<f32> {
    let mut values: Vec<f32> = values.collect();
    (values.len() > most).then(|| *values.select_nth_unstable_by(most, |a, b| b.total_cmp(a)).1)
}
