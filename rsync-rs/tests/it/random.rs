//! Random changes of a tree: names that are no text, links, modes, times, contents small and large.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use crate::support::{mode, noise};

#[derive(Clone, Debug)]
pub(crate) enum Change {
    File {
        path: PathBuf,
        seed: u64,
        length: usize,
        mode: u32,
        time: u32,
    },
    /// New contents of the same length, and the old time.
    Sly {
        path: PathBuf,
    },
    Directory {
        path: PathBuf,
        mode: u32,
    },
    Link {
        path: PathBuf,
        target: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
}

fn paths() -> impl Strategy<Value = PathBuf> {
    let name = prop::sample::select(vec![&b"a"[..], b"b", b"c.py", b"\xff\xfe", b"\n $", b".x"]);
    prop::collection::vec(name, 1..4).prop_map(|names| names.iter().map(|name| OsStr::from_bytes(name)).collect())
}

pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    let length = prop_oneof![4 => 0..300usize, 1 => 60_000..140_000usize];
    let modes = prop_oneof![Just(0o644), Just(0o755), Just(0o444), Just(0o600)];
    let change = prop_oneof![
        8 => (paths(), 0..5u64, length, modes, any::<u32>())
            .prop_map(|(path, seed, length, mode, time)| Change::File { path, seed, length, mode, time }),
        2 => paths().prop_map(|path| Change::Sly { path }),
        2 => (paths(), prop_oneof![Just(0o755), Just(0o555), Just(0o700)])
            .prop_map(|(path, mode)| Change::Directory { path, mode }),
        2 => (paths(), paths()).prop_map(|(path, target)| Change::Link { path, target }),
        2 => paths().prop_map(|path| Change::Remove { path }),
        2 => (paths(), paths()).prop_map(|(from, to)| Change::Rename { from, to }),
    ];
    prop::collection::vec(change, 0..16)
}

/// Applies what is possible.
pub(crate) fn apply(root: &Path, change: &Change) {
    let parent = |path: &Path| {
        let parent = path.parent().unwrap();
        fs::create_dir_all(parent).is_ok() && fs::canonicalize(parent).unwrap().starts_with(root)
    };
    let remove = |path: &Path| fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
    match change {
        Change::File { path, seed, length, mode: bits, time } => {
            let path = root.join(path);
            let _ = fs::remove_file(&path);
            // Directories may be read-only.
            if parent(&path) && !path.is_dir() && fs::write(&path, noise(*seed, *length)).is_ok() {
                let then = SystemTime::UNIX_EPOCH + Duration::new(u64::from(*time), *time / 5);
                File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
                mode(&path, *bits);
            }
        }
        Change::Sly { path } => {
            let path = root.join(path);
            let Ok(metadata) = fs::symlink_metadata(&path) else { return };
            let bytes: Vec<u8> = fs::read(&path).unwrap_or_default().iter().map(|byte| !byte).collect();
            if metadata.is_file() && fs::write(&path, bytes).is_ok() {
                let times = FileTimes::new().set_modified(metadata.modified().unwrap());
                File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
            }
        }
        Change::Directory { path, mode: bits } => {
            let path = root.join(path);
            if parent(&path) && (path.is_dir() && !path.is_symlink() || fs::create_dir(&path).is_ok()) {
                mode(&path, *bits);
            }
        }
        Change::Link { path, target } => {
            let path = root.join(path);
            if parent(&path) {
                let _ = symlink(target, path);
            }
        }
        Change::Remove { path } => drop(remove(&root.join(path))),
        Change::Rename { from, to } => {
            if parent(&root.join(to)) && parent(&root.join(from)) {
                let _ = fs::rename(root.join(from), root.join(to));
            }
        }
    }
}
