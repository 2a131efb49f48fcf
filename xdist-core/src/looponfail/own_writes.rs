//! Which changes are the run's own doing: a run that writes files must not start the next one.
//!
//! Python processes leave word of what they open for writing (`xdist_worker/looponfail/writes.py`), before they write.
//! Of what other programs write during a run nobody leaves word: there it counts whether it is source, whether it was
//! there before, and whether it changes in every run.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::snapshot::{Change, Difference};

/// A source that changed in so many runs, one after the other, no longer stops them: another one follows.
const SUSPECT: u32 = 3;
/// Any other file that changed in so many starts none any more.
const CONVICTED: u32 = 4;
/// Files of which somebody edits one while tests run, by their endings.
const SOURCE: [&str; 7] = ["py", "pyi", "pyx", "toml", "ini", "cfg", "feature"];

/// What to do about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody changed it: it counts.
    Counts,
    /// It counts when the run is over.
    Later,
    /// The run did it.
    Own,
}

/// So many files that runs have made are remembered before it is looked which of them are still there.
const MANY: usize = 10_000;

/// What is known of what runs write.
#[derive(Debug, Default)]
pub struct OwnWrites {
    /// Where word is left, while a run is on.
    record: Option<PathBuf>,
    read: u64,
    rest: Vec<u8>,
    written: HashSet<PathBuf>,
    /// When the run was over, of which some events may be on their way.
    over: Option<SystemTime>,
    /// How many runs in a row a file has changed in without word.
    habits: HashMap<PathBuf, u32>,
    /// Files, no source, that came to be during a run and that nobody has changed since.
    born: HashSet<PathBuf>,
    /// Those of this run.
    seen: HashSet<PathBuf>,
}

impl OwnWrites {
    /// A run begins; word is left in this file.
    pub fn begin(&mut self, record: PathBuf) {
        self.record = Some(record);
        self.over = None;
        self.read = 0;
        self.rest.clear();
        self.written.clear();
        let seen = std::mem::take(&mut self.seen);
        self.habits.retain(|path, _| seen.contains(path));
        if self.born.len() > MANY {
            self.born.retain(|path| path.exists());
        }
    }

    /// The run was over at this time; some of what it did may not have been heard of.
    pub fn over(&mut self, at: SystemTime) {
        self.over = Some(at);
    }

    /// All that the run did was heard of.
    pub fn end(&mut self) {
        self.record = None;
        self.over = None;
        self.written.clear();
    }

    /// Whether the run is on, or some of what it did may come to be heard of.
    pub fn is_on(&self) -> bool {
        self.record.is_some()
    }

    /// Reads what was left since the last time.
    pub fn catch_up(&mut self) {
        let Some(record) = &self.record else { return };
        let mut more = Vec::new();
        let read = File::open(record).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.read))?;
            file.read_to_end(&mut more)
        });
        if read.is_err() {
            return;
        }
        self.read += more.len() as u64;
        self.take(&more);
    }

    fn take(&mut self, more: &[u8]) {
        self.rest.extend_from_slice(more);
        while let Some(end) = self.rest.iter().position(|byte| *byte == 0) {
            let name: Vec<u8> = self.rest.drain(..=end).take(end).collect();
            self.written.insert(PathBuf::from(OsStr::from_bytes(&name)));
        }
    }

    /// Judges a change. Have [`OwnWrites::catch_up`] read before.
    pub fn judge(&mut self, change: &Change) -> Verdict {
        let later = self.over.is_some_and(|over| change.modified.is_some_and(|at| at > over));
        if !self.is_on() || later {
            self.habits.remove(&change.path);
            self.born.remove(&change.path);
            return Verdict::Counts;
        }
        if self.was_written(&change.path) {
            return Verdict::Own;
        }
        let source = is_source(&change.path);
        if !source && change.difference == Difference::New {
            self.born.insert(change.path.clone());
        }
        if self.born.contains(&change.path) {
            return Verdict::Own;
        }
        let habit = self.habits.entry(change.path.clone()).or_default();
        if self.seen.insert(change.path.clone()) {
            *habit += 1;
        }
        if !source && *habit >= CONVICTED {
            Verdict::Own
        } else if source && *habit < SUSPECT {
            Verdict::Counts
        } else {
            Verdict::Later
        }
    }

    fn was_written(&self, path: &Path) -> bool {
        path.ancestors().any(|above| self.written.contains(above))
    }
}

fn is_source(path: &Path) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|ending| SOURCE.contains(&ending))
}
