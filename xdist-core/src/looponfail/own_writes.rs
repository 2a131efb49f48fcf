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
use std::time::{Duration, SystemTime};

use super::snapshot::{Change, Difference};

/// A source that changed in so many runs, one after the other and at the same moment of each, no longer stops them: another
/// one follows.
const SUSPECT: u32 = 3;
/// So it is with one that changed in so many, whenever that was: nobody is so diligent.
const OFTEN: u32 = 8;
/// Moments are the same if no more lies between them, and this part of the time since the run began.
const MOMENT: Duration = Duration::from_millis(200);
const PART: u32 = 20;
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

/// How a file changes in run after run, without word.
#[derive(Clone, Copy, Debug, Default)]
struct Habit {
    /// How many they are.
    runs: u32,
    /// In how many of these, the last ones, it was at the same moment.
    alike: u32,
    /// How long after the beginning of the last one.
    moment: Option<Duration>,
}

impl Habit {
    fn again(&mut self, moment: Option<Duration>) {
        let alike = match (self.moment, moment) {
            (Some(before), Some(now)) => before.abs_diff(now) <= MOMENT + now / PART,
            _ => false,
        };
        self.runs += 1;
        self.alike = if alike { self.alike + 1 } else { 1 };
        self.moment = moment;
    }
}

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
    /// When it began.
    began: Option<SystemTime>,
    /// Files that changed in the last runs without word.
    habits: HashMap<PathBuf, Habit>,
    /// Files, no source, that came to be during a run and that nobody has changed since.
    born: HashSet<PathBuf>,
    /// Those of this run.
    seen: HashSet<PathBuf>,
}

impl OwnWrites {
    /// A run begins, at this time; word is left in this file.
    pub fn begin(&mut self, record: PathBuf, at: SystemTime) {
        self.record = Some(record);
        self.began = Some(at);
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
            let moment = change.modified.zip(self.began).and_then(|(at, began)| at.duration_since(began).ok());
            habit.again(moment);
        }
        if !source && habit.runs >= CONVICTED {
            Verdict::Own
        } else if source && habit.alike < SUSPECT && habit.runs < OFTEN {
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
