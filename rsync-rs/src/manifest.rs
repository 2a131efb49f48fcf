//! The manifest: what a tree is, as data. Pure.
//!
//! Entries stand in the order of a walk, and on the wire each names its parent by depth and itself by one component, so
//! that no encoding exists of `..`, of an absolute path, of a child of a link, or of two entries with one path.

mod diff;

use thiserror::Error;

use crate::codec::{Malformed, Put, Take};
use crate::digest::Digest;
use crate::path::{PathError, RelPath};
use crate::stat::Time;

pub(crate) use diff::{apply, difference};

/// Longest target of a symbolic link, in bytes.
const MAX_TARGET: usize = 4095;
/// Size of an entry in memory, over the bytes of its path: for the cap on a manifest.
const ENTRY_COST: usize = 128;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory. Its times are no part of the tree: every ignored file in it changes them.
    Directory {
        /// Permission bits, at most `0o777`.
        mode: u32,
    },
    /// A regular file.
    File {
        /// Permission bits, at most `0o777`.
        mode: u32,
        /// Bytes.
        size: u64,
        /// Last change.
        modified: Time,
        /// Hash of the contents.
        content: Digest,
    },
    /// A symbolic link.
    Link {
        /// Where it points, 1 to 4095 bytes without NUL.
        target: Box<[u8]>,
        /// Last change.
        modified: Time,
    },
}

/// One path and what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub path: RelPath,
    /// What.
    pub node: Node,
}

impl Entry {
    /// Size and contents of a file.
    pub fn file(&self) -> Option<(u64, Digest)> {
        match self.node {
            Node::File { size, content, .. } => Some((size, content)),
            _ => None,
        }
    }
}

/// What a manifest may not be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A name that is none.
    #[error("manifest: {0}")]
    Path(#[from] PathError),
    /// Not in the order of a walk, or a path twice.
    #[error("manifest: `{0}` is not after the entry before it")]
    Order(RelPath),
    /// More than [`Limits`] allow.
    #[error("manifest: larger than the limit of {0}")]
    TooLarge(&'static str),
    /// Not the tree that was announced.
    #[error("manifest: not the tree that was announced")]
    WrongRoot,
}

/// How large a manifest may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Entries.
    pub entries: usize,
    /// Bytes in memory.
    pub memory: usize,
    /// Bytes of one file.
    pub file: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 4_000_000, memory: 1 << 30, file: 1 << 44 }
    }
}

/// A whole tree. Equal trees have equal roots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    entries: Vec<Entry>,
    root: Digest,
}

impl Manifest {
    /// The entries, in the order of a walk.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The hash of the whole manifest.
    pub fn root(&self) -> Digest {
        self.root
    }

    /// The entry of `path`.
    pub fn find(&self, path: &RelPath) -> Option<&Entry> {
        self.entries.binary_search_by(|entry| entry.path.cmp(path)).ok().map(|at| &self.entries[at])
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().filter_map(Entry::file).fold(0, |sum, (size, _)| sum.saturating_add(size))
    }

    /// The manifest as bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        encode(&self.entries)
    }

    /// A manifest from the bytes of [`Manifest::encode`].
    pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, ManifestError> {
        let mut take = Take::new(bytes);
        let mut builder = Builder::new(*limits);
        while !take.is_empty() {
            let depth = take.number()?;
            let name = take.bytes()?;
            builder.push(usize::try_from(depth).unwrap_or(usize::MAX), name, take_node(&mut take)?)?;
        }
        Ok(builder.finish())
    }
}

fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * 64);
    for entry in entries {
        put_place(&entry.path, &mut bytes);
        put_node(&entry.node, &mut bytes);
    }
    bytes
}

fn put_place(path: &RelPath, into: &mut Vec<u8>) {
    into.put_number(path.depth().saturating_sub(1) as u64);
    into.put_bytes(path.name());
}

fn put_node(node: &Node, into: &mut Vec<u8>) {
    match node {
        Node::Directory { mode } => {
            into.push(0);
            into.put_number(u64::from(*mode));
        }
        Node::File { mode, size, modified, content } => {
            into.push(1);
            into.put_number(u64::from(*mode));
            into.put_number(*size);
            modified.put(into);
            into.put_digest(content);
        }
        Node::Link { target, modified } => {
            into.push(2);
            into.put_bytes(target);
            modified.put(into);
        }
    }
}

fn take_node(from: &mut Take<'_>) -> Result<Node, Malformed> {
    Ok(match from.byte()? {
        0 => Node::Directory { mode: from.small()? },
        1 => Node::File {
            mode: from.small()?,
            size: from.number()?,
            modified: Time::take(from)?,
            content: from.digest()?,
        },
        2 => Node::Link { target: from.bytes()?.into(), modified: Time::take(from)? },
        _ => return Err(Malformed("an unknown kind of entry")),
    })
}

/// Puts a manifest together, entry by entry, and refuses what cannot be one.
#[derive(Debug)]
pub(crate) struct Builder {
    limits: Limits,
    entries: Vec<Entry>,
    memory: usize,
    /// Indices of the directories that the last entry lies in, itself included if it is one.
    chain: Vec<usize>,
}

impl Builder {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, entries: Vec::new(), memory: 0, chain: Vec::new() }
    }

    /// Adds `name`, whose parent is the directory at `depth` among those that the last entry lies in (0: the root).
    pub(crate) fn push(&mut self, depth: usize, name: &[u8], node: Node) -> Result<(), ManifestError> {
        if depth > self.chain.len() {
            return Err(Malformed("an entry whose parent is no directory").into());
        }
        self.chain.truncate(depth);
        let path = match self.chain.last() {
            Some(parent) => self.entries[*parent].path.child(name)?,
            None => RelPath::root().child(name)?,
        };
        if self.entries.last().is_some_and(|last| last.path >= path) {
            return Err(ManifestError::Order(path));
        }
        check(&node, &self.limits)?;
        self.memory += ENTRY_COST + path.as_bytes().len();
        if let Node::Link { target, .. } = &node {
            self.memory += target.len();
        }
        if self.entries.len() >= self.limits.entries {
            return Err(ManifestError::TooLarge("entries"));
        }
        if self.memory > self.limits.memory {
            return Err(ManifestError::TooLarge("memory"));
        }
        if matches!(node, Node::Directory { .. }) {
            self.chain.push(self.entries.len());
        }
        self.entries.push(Entry { path, node });
        Ok(())
    }

    /// Adds an entry by its path.
    pub(crate) fn push_entry(&mut self, entry: Entry) -> Result<(), ManifestError> {
        let Entry { path, node } = entry;
        self.push(path.depth().saturating_sub(1), path.name(), node)?;
        // The parent that was found by its depth must be the one that the path names.
        if self.entries.last().is_some_and(|last| last.path == path) { Ok(()) } else { Err(ManifestError::Order(path)) }
    }

    pub(crate) fn finish(mut self) -> Manifest {
        self.entries.shrink_to_fit();
        let root = Digest::of(&encode(&self.entries));
        Manifest { entries: self.entries, root }
    }
}

fn check(node: &Node, limits: &Limits) -> Result<(), ManifestError> {
    match node {
        Node::Directory { mode } | Node::File { mode, .. } if mode & !0o777 != 0 => {
            Err(Malformed("permission bits out of range").into())
        }
        Node::File { size, .. } if *size > limits.file => Err(ManifestError::TooLarge("a file's size")),
        Node::Link { target, .. } if target.is_empty() || target.len() > MAX_TARGET || target.contains(&0) => {
            Err(Malformed("a link's target that cannot be one").into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
