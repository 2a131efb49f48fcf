//! Scanning a source: one manifest, and where to read the contents that it names.

mod cache;
mod fnmatch;
mod hash;
mod links;
mod rules;
mod walk;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use thiserror::Error;

pub use self::links::Links;
pub use self::rules::{DEFAULT_PATTERNS, Reason, Rules};

pub(crate) use self::hash::contents;
pub(crate) use self::links::stays_inside;

use self::cache::{Cache, Memory};
pub(crate) use self::cache::{Kept, Recipes};
use self::rules::{Git, Judge};
use self::walk::{Directory, Found, Place, Results, Walk};
use crate::chunk::Recipe;
use crate::confined::{Cursor, Held};
use crate::digest::Digest;
use crate::error::{FileError, Named};
use crate::manifest::{Builder, Entry, Limits, Manifest, ManifestError, Node};
use crate::path::{PathError, RelPath};
use crate::stat::Stat;

/// Problems that an error lists; the rest are counted.
const LISTED: usize = 10;

/// What is to be synchronised: directories and files, each with its place in the tree, and rules for what they hold.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// What the tree is made of. Where two hold the same path, the first counts.
    pub mounts: Vec<Mount>,
    /// What to leave out. The mounts themselves are always taken.
    pub rules: Rules,
    /// What to do with links that lead out of the tree.
    pub links: Links,
    /// A directory to remember hashes and manifests in, for any number of sources. Without it every file is read at every
    /// scan, and a changed tree travels with its whole manifest.
    pub state: Option<PathBuf>,
}

/// A directory or file and its place in the tree.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Where it is.
    pub from: PathBuf,
    /// Where it goes. The root is for directories only.
    pub at: RelPath,
}

/// A path that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The path in the tree.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

impl Skipped {
    fn new(path: &RelPath, reason: Reason) -> Self {
        Self { path: path.as_path().into(), reason }
    }
}

/// Why a path cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The path in the tree.
    pub path: RelPath,
    /// Why.
    pub text: String,
}

/// Why a source cannot be scanned.
#[derive(Debug, Error)]
pub enum ScanError {
    /// A mount, or the state directory, cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A place in the tree that cannot be one.
    #[error("`{path}`: {source}")]
    Place {
        /// The place.
        path: String,
        /// Why.
        source: PathError,
    },
    /// Paths that cannot be taken, in order. Nothing is sent of a tree that would be incomplete.
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
    /// The tree is too large.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

fn list(problems: &[Problem]) -> String {
    let mut lines = vec!["the tree cannot be read completely:".to_owned()];
    lines.extend(problems.iter().take(LISTED).map(|Problem { path, text }| format!("  `{path}`: {text}")));
    if problems.len() > LISTED {
        lines.push(format!("  and {} more", problems.len() - LISTED));
    }
    lines.push("hint: leave out what need not go".to_owned());
    lines.join("\n")
}

/// A tree as it was at one moment.
#[derive(Debug)]
pub struct Snapshot {
    manifest: Manifest,
    /// Of each entry that is a file.
    files: Vec<Option<FileState>>,
    mounts: Vec<OpenMount>,
    /// Recipes of what was read in this scan, and of the rest when asked for.
    recipes: Recipes,
    kept: OnceLock<Option<Recipes>>,
    memory: Option<Memory>,
    skipped: Vec<Skipped>,
    read: u64,
}

/// A file when it was hashed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileState {
    pub(crate) stat: Stat,
    /// Its times may not show a change right after.
    pub(crate) young: bool,
}

/// A mount that is held open.
#[derive(Debug)]
struct OpenMount {
    at: RelPath,
    /// The directory, or the one that the file lies in.
    held: Arc<Held>,
    /// The name of the file, of a mount that is one.
    file: Option<Box<[u8]>>,
}

impl OpenMount {
    fn open(from: &Path, at: RelPath) -> io::Result<(Self, Stat)> {
        if std::fs::metadata(from)?.is_dir() {
            let held = Arc::new(Held::root(from)?);
            let stat = Stat::at(&*held, b"")?;
            return Ok((Self { at, held, file: None }, stat));
        }
        let from = from.canonicalize()?;
        let (Some(parent), Some(name)) = (from.parent(), from.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let held = Arc::new(Held::root(parent)?);
        let stat = held.stat(name.as_bytes())?;
        Ok((Self { at, held, file: Some(name.as_bytes().into()) }, stat))
    }
}

impl Source {
    /// A source of one directory, with the default rules.
    pub fn directory(from: impl Into<PathBuf>) -> Self {
        Self { mounts: vec![Mount { from: from.into(), at: RelPath::root() }], ..Self::default() }
    }

    /// Reads the tree. Files that are known from an earlier scan, and did not change since, are not read again.
    pub fn scan(&self) -> Result<Snapshot, ScanError> {
        let mut places = Vec::new();
        for mount in &self.mounts {
            let from = std::path::absolute(&mount.from).named("find", mount.from.display())?;
            places.push((from, mount.at.clone()));
        }
        let memory = match &self.state {
            Some(state) => {
                let mounts = places.iter().map(|(from, at)| (from.as_path(), at));
                Some(Memory::open(state, mounts).named("use", state.display())?)
            }
            None => None,
        };
        let cache = memory.as_ref().map(Memory::load).unwrap_or_default();
        let judge = Judge::new(&self.rules);
        let mut mounts = Vec::new();
        let mut start = Vec::new();
        let mut given = Results::default();
        for (from, at) in &places {
            let (mount, stat) = OpenMount::open(from, at.clone()).named("read", from.display())?;
            if !at.is_root() {
                let found = if stat.is_directory() {
                    Found::Directory { mode: stat.permissions() }
                } else {
                    Found::File(stat, None)
                };
                given.place(at, found);
            } else if !stat.is_directory() {
                let source = PathError::NotAName;
                return Err(ScanError::Place { path: from.display().to_string(), source });
            }
            if stat.is_directory() {
                start.push(Directory {
                    place: Place::Opened(Arc::clone(&mount.held)),
                    path: at.clone(),
                    full: from.clone(),
                    git: if self.rules.gitignore { Git::above(from) } else { None },
                    searching: false,
                    included: false,
                    trail: vec![(stat.device, stat.inode)],
                });
            } else if let Some(name) = &mount.file {
                given.read_mount(&mount.held, name, at)?;
            }
            mounts.push(mount);
        }
        let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
        // Absolute links may name a mount by another path.
        let real = places.iter().filter_map(|(from, at)| Some((from.canonicalize().ok()?, at.clone())));
        let named: Vec<_> = real.chain(places.iter().cloned()).collect();
        let mut results = Walk::new(&judge, &cache, self.links, &named, start).run(threads);
        results.take_given(given);
        mounts.append(&mut results.followed);
        if !results.problems.is_empty() {
            results.problems.sort_by(|left, right| left.path.cmp(&right.path));
            return Err(ScanError::Problems(results.problems));
        }
        Snapshot::assemble(results, mounts, &cache, memory)
    }
}

impl Results {
    /// Puts `found` at `path`, in directories that are made up if no mount has them.
    fn place(&mut self, path: &RelPath, found: Found) {
        let mut above = path.parent();
        self.children.entry(above.clone()).or_default().push((path.clone(), found));
        while !above.is_root() {
            let child = (above.clone(), Found::Directory { mode: 0o755 });
            above = above.parent();
            self.children.entry(above.clone()).or_default().push(child);
        }
    }

    fn read_mount(&mut self, held: &Held, name: &[u8], at: &RelPath) -> Result<(), ScanError> {
        match hash::read(held, name).named("read", at)? {
            hash::Reading::Whole(hashed) => {
                self.read += hashed.stat.size;
                self.hashes.insert(at.clone(), hashed);
                Ok(())
            }
            hash::Reading::Changing | hash::Reading::Vanished => {
                let text = "it changes or vanishes while it is read".to_owned();
                Err(ScanError::Problems(vec![Problem { path: at.clone(), text }]))
            }
        }
    }

    /// Adds what the mounts themselves are; what a walk found comes first.
    fn take_given(&mut self, given: Self) {
        for (directory, children) in given.children {
            self.children.entry(directory).or_default().extend(children);
        }
        for (path, hashed) in given.hashes {
            self.hashes.entry(path).or_insert(hashed);
        }
        self.read += given.read;
    }

    /// Moves what was found in `directory` to `entries`, in the order of a walk.
    fn emit(&mut self, directory: &RelPath, entries: &mut Vec<(Entry, Option<FileState>)>) {
        let mut children = self.children.remove(directory).unwrap_or_default();
        children.sort_by(|left, right| left.0.cmp(&right.0));
        children.dedup_by(|right, left| left.0 == right.0);
        for (path, found) in children {
            match found {
                Found::Directory { .. } if self.left_out.contains(&path) => {}
                Found::Directory { mode } => {
                    let before = entries.len();
                    entries.push((Entry { path: path.clone(), node: Node::Directory { mode } }, None));
                    self.emit(&path, entries);
                    if entries.len() == before + 1 && self.searched.contains(&path) {
                        entries.pop();
                    }
                }
                // Without a hash it vanished before it was read.
                Found::File(stat, known) => {
                    let (stat, content, young) = match (known, self.hashes.get(&path)) {
                        (Some(content), _) => (stat, content, false),
                        (None, Some(hashed)) => (hashed.stat, hashed.content, hashed.young),
                        (None, None) => continue,
                    };
                    let state = FileState { stat, young };
                    let (mode, size, modified) = (stat.permissions(), stat.size, stat.modified);
                    entries.push((Entry { path, node: Node::File { mode, size, modified, content } }, Some(state)));
                }
                Found::Link { target, stat } => {
                    let node = Node::Link { target: target.into(), modified: stat.modified };
                    entries.push((Entry { path, node }, None));
                }
            }
        }
    }
}

impl Snapshot {
    fn assemble(
        mut results: Results,
        mounts: Vec<OpenMount>,
        cache: &Cache,
        memory: Option<Memory>,
    ) -> Result<Self, ScanError> {
        let mut entries = Vec::new();
        results.emit(&RelPath::root(), &mut entries);
        let mut builder = Builder::new(Limits::default());
        let mut files = Vec::with_capacity(entries.len());
        let mut recipes = HashMap::new();
        for (entry, file) in entries {
            if let Some((_, content)) = entry.file()
                && !results.hashes.is_empty()
                && let Some(recipe) = results.hashes.get_mut(&entry.path).and_then(|hashed| hashed.recipe.take())
            {
                recipes.insert(content, recipe);
            }
            builder.push_entry(entry)?;
            files.push(file);
        }
        let manifest = builder.finish();
        if let Some(memory) = &memory {
            let known = || {
                let states = manifest.entries().iter().zip(&files);
                states.filter_map(|(entry, file)| {
                    let ((_, content), state) = (entry.file()?, file.as_ref().filter(|state| !state.young)?);
                    Some((&entry.path, &state.stat, content))
                })
            };
            memory.keep(&manifest, &mut recipes).named("write in", memory.path().display())?;
            if results.read > 0 || known().count() != cache.len() {
                memory.save(known()).named("write in", memory.path().display())?;
            }
        }
        let mut skipped = results.skipped;
        skipped.sort_by(|left, right| left.path.cmp(&right.path));
        let kept = OnceLock::new();
        Ok(Self { manifest, files, mounts, recipes, kept, memory, skipped, read: results.read })
    }

    /// The tree.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What was left out, and why, by path.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Bytes that were read and hashed: nothing, if nothing changed since the last scan.
    pub fn bytes_read(&self) -> u64 {
        self.read
    }

    /// A manifest that this source had before, with recipes of its large files.
    pub(crate) fn recall(&self, root: &Digest) -> Option<Kept> {
        self.memory.as_ref()?.recall(root)
    }

    /// The chunks of a large file of this tree.
    pub(crate) fn recipe(&self, content: &Digest) -> Option<&Recipe> {
        self.recipes.get(content).or_else(|| {
            let kept = self.kept.get_or_init(|| self.recall(&self.manifest.root()).map(|kept| kept.recipes));
            kept.as_ref()?.get(content)
        })
    }

    /// The state of the file at `entry` when it was hashed.
    pub(crate) fn file(&self, entry: usize) -> Option<FileState> {
        self.files.get(entry).copied().flatten()
    }

    /// Opens files of the tree; files in order open each directory once.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { snapshot: self, cursor: None }
    }
}

/// Opens files of a snapshot.
#[derive(Debug)]
pub(crate) struct Reader<'s> {
    snapshot: &'s Snapshot,
    cursor: Option<(usize, Cursor<'s>)>,
}

impl Reader<'_> {
    /// The file at `path` of the tree, which may have changed since the scan.
    pub(crate) fn open(&mut self, path: &RelPath) -> rustix::io::Result<File> {
        let mounts = self.snapshot.mounts.iter().enumerate();
        let within = mounts.filter(|(_, mount)| path.is_within(&mount.at));
        // The first of the longest: what follows a link lies deeper than the mount that has the link.
        let found = within.min_by_key(|(_, mount)| std::cmp::Reverse(mount.at.depth()));
        let (index, mount) = found.ok_or(rustix::io::Errno::NOENT)?;
        if let Some(name) = &mount.file {
            return mount.held.open(name);
        }
        let mut below = path.components().skip(mount.at.depth());
        let below = below.try_fold(RelPath::root(), |path, name| path.child(name));
        let below = below.map_err(|_| rustix::io::Errno::NOENT)?;
        if self.cursor.as_ref().is_none_or(|(held, _)| *held != index) {
            self.cursor = Some((index, Cursor::new(&mount.held)));
        }
        let (_, cursor) = self.cursor.as_mut().ok_or(rustix::io::Errno::NOENT)?;
        cursor.parent(&below)?.open(below.name())
    }
}
