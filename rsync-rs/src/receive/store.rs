//! Contents that were once at a destination, by their hash: what a change of branch takes away comes back from here.
//!
//! Bounded by size, the oldest go first. Contents are copied in and out and hashed both times, so that nothing that
//! happens to a file in the store, or was going to happen to the one it was made of, is ever taken for the contents.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::digest::Digest;

/// A store, held open by any number of receivers at once.
#[derive(Debug)]
pub(super) struct Store {
    directory: PathBuf,
    limit: u64,
    /// Held shared by users; who removes things holds it alone.
    lock: File,
    added: bool,
}

impl Store {
    pub(super) fn open(state: &Path, limit: u64) -> io::Result<Self> {
        let directory = state.join("store");
        fs::create_dir_all(&directory)?;
        let lock = File::options().create(true).truncate(false).write(true).open(directory.join("lock"))?;
        lock.lock_shared()?;
        Ok(Self { directory, limit, lock, added: false })
    }

    pub(super) fn is_empty(&self) -> bool {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        !entries.into_iter().any(|entry| entry.path().is_dir())
    }

    fn path(&self, content: &Digest) -> PathBuf {
        let name = content.to_string();
        self.directory.join(&name[..2]).join(&name[2..])
    }

    /// Whether contents of this size would be kept, and are not yet.
    pub(super) fn wants(&self, content: &Digest, size: u64) -> bool {
        size > 0 && size <= self.limit / 8 && !self.path(content).exists()
    }

    /// Keeps what `source` holds, if it is `content`.
    pub(super) fn add(&mut self, content: &Digest, source: &mut impl Read) -> io::Result<()> {
        let path = self.path(content);
        let directory = path.parent().unwrap_or(&self.directory);
        fs::create_dir_all(directory)?;
        let mut file = tempfile::Builder::new().prefix("new-").tempfile_in(directory)?;
        if copy(source, &mut file)?.0 == *content {
            file.persist(path)?;
            self.added = true;
        }
        Ok(())
    }

    /// The file with `content`, to be checked by whoever reads it.
    pub(super) fn get(&self, content: &Digest) -> Option<File> {
        let file = File::open(self.path(content)).ok()?;
        // What is used stays longest.
        let _ = file.set_modified(SystemTime::now());
        Some(file)
    }

    /// Removes what turned out not to be `content`.
    pub(super) fn reject(&self, content: &Digest) {
        let _ = fs::remove_file(self.path(content));
    }

    /// Removes the oldest contents until the rest fits, and what interrupted runs left; later, if others use the store.
    pub(super) fn prune(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.added) {
            return Ok(());
        }
        match self.lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let result = self.prune_alone();
        self.lock.lock_shared()?;
        result
    }

    fn prune_alone(&self) -> io::Result<()> {
        let mut kept = Vec::new();
        let mut total = 0;
        for directory in fs::read_dir(&self.directory)? {
            let directory = directory?.path();
            if !directory.is_dir() {
                continue;
            }
            for file in fs::read_dir(&directory)? {
                let file = file?;
                if file.file_name().as_encoded_bytes().starts_with(b"new-") {
                    fs::remove_file(file.path())?;
                    continue;
                }
                let metadata = file.metadata()?;
                total += metadata.len();
                kept.push((metadata.modified()?, file.path(), metadata.len()));
            }
        }
        kept.sort();
        for (_, path, size) in kept {
            if total <= self.limit {
                break;
            }
            fs::remove_file(path)?;
            total -= size;
        }
        Ok(())
    }
}

/// Copies to the end; the hash and the length of what was copied.
pub(super) fn copy(source: &mut impl Read, target: &mut impl Write) -> io::Result<(Digest, u64)> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok((Digest::finish(&hasher), length)),
            Ok(read) => {
                hasher.update(&buffer[..read]);
                target.write_all(&buffer[..read])?;
                length += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn contents_are_checked_on_the_way_in_and_pruned_oldest_first() {
        let state = tempfile::tempdir().unwrap();
        let mut store = Store::open(state.path(), 8000).unwrap();
        assert!(store.is_empty());
        store.add(&Digest::of(b"other"), &mut &b"this"[..]).unwrap();
        assert!(store.get(&Digest::of(b"other")).is_none());
        let blobs: Vec<_> = (0..12u8).map(|seed| vec![seed; 1000]).collect();
        for (blob, age) in blobs.iter().zip((0..12).rev()) {
            let content = Digest::of(blob);
            assert!(store.wants(&content, 1000));
            store.add(&content, &mut &blob[..]).unwrap();
            assert!(!store.wants(&content, 1000));
            let then = SystemTime::now() - Duration::from_secs(60 + age);
            File::options().append(true).open(store.path(&content)).unwrap().set_modified(then).unwrap();
        }
        assert!(!store.wants(&Digest::of(b"x"), 1001), "too large a part of the limit");
        store.get(&Digest::of(&blobs[0])).unwrap();
        let other = Store::open(state.path(), 8000).unwrap();
        store.prune().unwrap();
        assert!(store.get(&Digest::of(&blobs[1])).is_some(), "another user: nothing is removed");
        drop(other);
        store.added = true;
        store.prune().unwrap();
        let left: Vec<_> = (0..12).filter(|at| store.get(&Digest::of(&blobs[*at])).is_some()).collect();
        assert_eq!(left, [0, 1, 6, 7, 8, 9, 10, 11]);
    }
}
