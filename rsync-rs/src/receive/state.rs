//! What a receiver remembers of a destination: the tree that it put there with the stat of each entry, the trees before,
//! and, during a change, the tree that it is on the way to.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::codec::{Malformed, Put, Take};
use crate::confined::{Cursor, Held};
use crate::digest::Digest;
use crate::manifest::{Builder, Limits, Manifest, Node};
use crate::sealed;
use crate::stat::Stat;

/// Trees that are remembered.
const KEPT: usize = 8;
const APPLIED: [u8; 8] = *b"rsdest01";
const TREE: [u8; 8] = *b"rsknow01";
const JOURNAL: [u8; 8] = *b"rsjour01";
/// Entries for which another thread is worth its start.
const SHARE: usize = 512;

/// What was put at a destination.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) manifest: Manifest,
    /// Of each entry, when it had been put there. Of directories only the mode counts.
    pub(super) stats: Vec<Stat>,
    /// Roots of this tree and those before, the latest first.
    pub(super) roots: VecDeque<Digest>,
}

impl Applied {
    fn nothing() -> Self {
        Self { manifest: Builder::new(Limits::default()).finish(), stats: Vec::new(), roots: VecDeque::new() }
    }

    /// Which entries are still as they were put there. Looks with several threads.
    pub(super) fn intact(&self, root: &Held) -> Vec<bool> {
        let entries = self.manifest.entries();
        let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
        let share = entries.len().div_ceil(threads).max(SHARE);
        let mut intact = vec![false; entries.len()];
        std::thread::scope(|scope| {
            let parts = entries.chunks(share).zip(self.stats.chunks(share)).zip(intact.chunks_mut(share));
            for ((entries, stats), intact) in parts {
                scope.spawn(move || {
                    let mut cursor = Cursor::new(root);
                    for ((entry, known), intact) in entries.iter().zip(stats).zip(intact) {
                        let found = cursor.parent(&entry.path).and_then(|parent| parent.stat(entry.path.name()));
                        *intact = found.is_ok_and(|found| match entry.node {
                            Node::Directory { mode } => found.is_directory() && found.permissions() == mode,
                            _ => found == *known,
                        });
                    }
                });
            }
        });
        intact
    }
}

/// The directory of one destination's state.
#[derive(Debug)]
pub(super) struct Memory {
    directory: PathBuf,
    /// Device and inode of the destination: another directory of the same name has nothing of ours.
    identity: (u64, u64),
}

impl Memory {
    /// The memory, in `state`, of the destination at the absolute path `path`, which is `root`.
    pub(super) fn open(state: &Path, path: &Path, root: &Held) -> io::Result<Self> {
        let key = Digest::of(path.as_os_str().as_bytes()).to_string();
        let directory = state.join("destinations").join(&key[..32]);
        fs::create_dir_all(directory.join("trees"))?;
        let stat = Stat::at(root, b"")?;
        Ok(Self { directory, identity: (stat.device, stat.inode) })
    }

    /// What was put there; nothing if that is not known.
    pub(super) fn applied(&self) -> Applied {
        let bytes = sealed::read(&self.directory.join("applied"), APPLIED).unwrap_or_default();
        self.decode(&bytes).unwrap_or_else(Applied::nothing)
    }

    fn decode(&self, bytes: &[u8]) -> Option<Applied> {
        let mut take = Take::new(bytes);
        let identity = (take.number().ok()?, take.number().ok()?);
        let count = take.count().ok()?;
        let roots = (0..count).map(|_| take.digest()).collect::<Result<_, Malformed>>().ok()?;
        let manifest = Manifest::decode(take.bytes().ok()?, &Limits::default()).ok()?;
        let stats: Vec<_> = manifest.entries().iter().map(|_| Stat::take(&mut take)).collect::<Result<_, _>>().ok()?;
        (identity == self.identity).then_some(Applied { manifest, stats, roots })
    }

    /// The tree that a run was on the way to when it ended.
    pub(super) fn journal(&self) -> Option<Manifest> {
        let bytes = sealed::read(&self.directory.join("journal"), JOURNAL)?;
        let mut take = Take::new(&bytes);
        let identity = (take.number().ok()?, take.number().ok()?);
        let manifest = Manifest::decode(take.rest(), &Limits::default()).ok()?;
        (identity == self.identity).then_some(manifest)
    }

    /// Says that the destination is on the way to `manifest`.
    pub(super) fn begin(&self, manifest: &Manifest) -> io::Result<()> {
        let mut bytes = Vec::new();
        bytes.put_number(self.identity.0);
        bytes.put_number(self.identity.1);
        bytes.extend_from_slice(&manifest.encode());
        sealed::write(&self.directory.join("journal"), JOURNAL, &bytes)
    }

    /// Says that the destination is there.
    pub(super) fn finish(&self, applied: &Applied) -> io::Result<()> {
        let mut bytes = Vec::new();
        bytes.put_number(self.identity.0);
        bytes.put_number(self.identity.1);
        bytes.put_number(applied.roots.len() as u64);
        for root in &applied.roots {
            bytes.put_digest(root);
        }
        bytes.put_bytes(&applied.manifest.encode());
        for stat in &applied.stats {
            stat.put(&mut bytes);
        }
        sealed::write(&self.directory.join("applied"), APPLIED, &bytes)?;
        self.keep(&applied.manifest)?;
        // Also what runs that were killed left half written: nobody else is here, by the destination's lock.
        for entry in fs::read_dir(self.directory.join("trees"))?.chain(fs::read_dir(&self.directory)?) {
            let entry = entry?;
            let name = entry.file_name();
            let known = Digest::parse(name.as_bytes()).is_some_and(|root| applied.roots.contains(&root));
            if !known && !["applied", "journal", "trees"].iter().any(|ours| name == *ours) {
                fs::remove_file(entry.path())?;
            }
        }
        match fs::remove_file(self.directory.join("journal")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn keep(&self, manifest: &Manifest) -> io::Result<()> {
        let path = self.tree(&manifest.root());
        if path.exists() {
            return Ok(());
        }
        sealed::write(&path, TREE, &zstd::encode_all(&manifest.encode()[..], 1)?)
    }

    /// A tree that was there before.
    pub(super) fn recall(&self, root: &Digest) -> Option<Manifest> {
        let bytes = zstd::decode_all(&sealed::read(&self.tree(root), TREE)?[..]).ok()?;
        Manifest::decode(&bytes, &Limits::default()).ok().filter(|manifest| manifest.root() == *root)
    }

    fn tree(&self, root: &Digest) -> PathBuf {
        self.directory.join("trees").join(root.to_string())
    }
}

/// The roots to remember after `root` was put in place.
pub(super) fn remember(before: &VecDeque<Digest>, root: Digest) -> VecDeque<Digest> {
    let older = before.iter().copied().filter(|known| *known != root);
    std::iter::once(root).chain(older).take(KEPT).collect()
}
