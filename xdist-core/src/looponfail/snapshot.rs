//! Which files of a tree have other contents than before: by size and times first, by hash where those differ.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Metadata};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::rules::{Rules, is_environment};

/// Of larger files size and times must do.
const LARGEST_HASHED: u64 = 4 << 20;

/// A file as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    size: u64,
    modified: (i64, i64),
    inode: u64,
    contents: Option<blake3::Hash>,
}

/// How a file differs from before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It was not there.
    New,
    /// It has other contents.
    Contents,
    /// It is no more.
    Gone,
}

/// A file that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub path: PathBuf,
    /// How.
    pub difference: Difference,
    /// When it was last written, if it is there.
    pub modified: Option<SystemTime>,
}

/// What is known of the files that are watched.
#[derive(Debug, Default)]
pub struct Snapshot {
    files: BTreeMap<PathBuf, Seen>,
    /// With their numbers: one that was made anew has to be entered again.
    directories: HashMap<PathBuf, u64>,
}

impl Snapshot {
    /// Looks at a path of which something was heard: what has changed there and below. `enter` is told of each new
    /// directory before it is read.
    pub fn look(&mut self, path: &Path, rules: &mut Rules, enter: &mut dyn FnMut(&Path)) -> Vec<Change> {
        let mut changes = Vec::new();
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                if rules.ignores_anywhere(path, true) {
                    return changes;
                }
                if self.directories.contains_key(path) {
                    self.lost_below(path, &mut changes, true);
                }
                self.walk(path, rules, enter, &mut changes);
            }
            Ok(found) if found.is_file() => {
                if !rules.ignores_anywhere(path, false) {
                    changes.extend(self.file(path, &found));
                }
            }
            Ok(_) => {}
            Err(_) => self.lost_below(path, &mut changes, false),
        }
        changes
    }

    /// Looks at everything below a directory, and forgets what is no more.
    fn walk(&mut self, directory: &Path, rules: &mut Rules, enter: &mut dyn FnMut(&Path), changes: &mut Vec<Change>) {
        let mut waiting = vec![directory.to_owned()];
        while let Some(directory) = waiting.pop() {
            let Ok(found) = fs::metadata(&directory) else { continue };
            if self.directories.insert(directory.clone(), found.ino()) != Some(found.ino()) {
                enter(&directory);
            }
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                let Ok(kind) = entry.file_type() else { continue };
                let found = if kind.is_symlink() { fs::metadata(&path) } else { entry.metadata() };
                let Ok(found) = found else { continue };
                if rules.ignores(&path, found.is_dir()) {
                    continue;
                }
                if found.is_dir() {
                    // A link is followed to where it leads; there the files have their names.
                    let real = if kind.is_symlink() { fs::canonicalize(&path).unwrap_or(path) } else { path };
                    if kind.is_symlink() {
                        if self.directories.contains_key(&real) || is_above(&real, &directory) {
                            continue;
                        }
                        rules.add_root(real.clone());
                    }
                    if !is_environment(&real) {
                        waiting.push(real);
                    }
                } else if found.is_file() {
                    changes.extend(self.file(&path, &found));
                }
            }
        }
    }

    /// Forgets files below a path that are no more; all of them, or those alone.
    fn lost_below(&mut self, path: &Path, changes: &mut Vec<Change>, look: bool) {
        let gone = |path: &Path| !look || fs::symlink_metadata(path).is_err();
        let below = self.files.range::<Path, _>((Bound::Included(path), Bound::Unbounded));
        let below = below.take_while(|(file, _)| file.starts_with(path)).map(|(file, _)| file.clone());
        let lost: Vec<PathBuf> = below.filter(|file| gone(file)).collect();
        for path in lost {
            self.files.remove(&path);
            changes.push(Change { path, difference: Difference::Gone, modified: None });
        }
        self.directories.retain(|known, _| !known.starts_with(path) || !gone(known));
    }

    /// Looks at one file.
    fn file(&mut self, path: &Path, found: &Metadata) -> Option<Change> {
        let known = self.files.get(path).copied();
        let mut now = Seen {
            size: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            inode: found.ino(),
            contents: None,
        };
        if let Some(known) = known
            && (known.size, known.modified, known.inode) == (now.size, now.modified, now.inode)
            && known.contents.is_some()
        {
            return None;
        }
        now.contents = hash(path, now.size).ok();
        let difference = match known {
            None => Some(Difference::New),
            Some(known) => (known.size != now.size || known.contents != now.contents).then_some(Difference::Contents),
        };
        self.files.insert(path.to_owned(), now);
        let modified = UNIX_EPOCH.checked_add(Duration::new(
            u64::try_from(found.mtime()).unwrap_or(0),
            u32::try_from(found.mtime_nsec()).unwrap_or(0),
        ));
        difference.map(|difference| Change { path: path.to_owned(), difference, modified })
    }
}

fn is_above(above: &Path, below: &Path) -> bool {
    below.starts_with(above)
}

/// What a file holds; for large ones something that is equal for equal sizes.
fn hash(path: &Path, size: u64) -> io::Result<blake3::Hash> {
    if size > LARGEST_HASHED {
        let times = fs::metadata(path).map(|found| (found.mtime(), found.mtime_nsec()))?;
        return Ok(blake3::hash(format!("{times:?}").as_bytes()));
    }
    Ok(blake3::hash(&fs::read(path)?))
}
