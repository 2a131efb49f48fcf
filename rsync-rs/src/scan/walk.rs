//! The parallel walk: threads that take directories, and batches of files to be read, from one stack.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rustix::fs::FileType;

use super::cache::{Cache, Known};
use super::hash::{self, Hashed, Reading};
use super::links::{self, Links};
use super::rules::{Candidate, Git, Judge, Reason, Verdict};
use super::{OpenMount, Problem, Skipped};
use crate::confined::{Held, os};
use crate::digest::Digest;
use crate::error::present;
use crate::path::{PathError, RelPath, escape};
use crate::stat::Stat;

/// Bytes, and number of files, that make a batch to be read.
const BATCH: (u64, usize) = (1 << 20, 64);

/// What was found at a path.
#[derive(Debug)]
pub(super) enum Found {
    /// Only wanted, if it is in [`Results::searched`], with something in it.
    Directory {
        mode: u32,
    },
    /// With its hash, or without: then it is in [`Results::hashes`].
    File(Stat, Option<Digest>),
    Link {
        target: Vec<u8>,
        stat: Stat,
    },
}

/// What the threads came to.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// Names in each directory.
    pub(super) children: HashMap<RelPath, Vec<(RelPath, Found)>>,
    pub(super) hashes: HashMap<RelPath, Hashed>,
    /// Directories that, once read, turned out to be left out, and those that are wanted only if they are used.
    pub(super) left_out: HashSet<RelPath>,
    pub(super) searched: HashSet<RelPath>,
    /// Bytes that were read.
    pub(super) read: u64,
    pub(super) skipped: Vec<Skipped>,
    pub(super) problems: Vec<Problem>,
    /// Places that links lead to, if links out of the tree are followed.
    pub(super) followed: Vec<OpenMount>,
}

/// A directory to be read.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) place: Place,
    pub(super) path: RelPath,
    pub(super) full: PathBuf,
    pub(super) git: Option<Arc<Git>>,
    /// Only what is included by name is wanted.
    pub(super) searching: bool,
    /// Included by name, or below such a directory: `.gitignore` does not count.
    pub(super) included: bool,
    /// Devices and inodes of the directories that links were followed from and to.
    pub(super) trail: Vec<(u64, u64)>,
}

#[derive(Debug)]
pub(super) enum Place {
    Opened(Arc<Held>),
    In(Arc<Held>),
}

enum Task {
    Directory(Directory),
    /// Files to be read: their paths in the tree, and their names in the directory.
    Files(Arc<Held>, Vec<(RelPath, Box<[u8]>)>),
}

/// What one directory came to.
struct Listing<'c> {
    known: Known<'c>,
    skipped: Vec<Skipped>,
    tasks: Vec<Task>,
    children: Vec<(RelPath, Found)>,
    /// Files to be read, and their sizes.
    missing: Vec<(RelPath, u64)>,
}

impl Listing<'_> {
    fn skip(&mut self, path: &RelPath, reason: Reason) {
        self.skipped.push(Skipped::new(path, reason));
    }
}

/// What all threads share.
pub(super) struct Walk<'a> {
    pub(super) judge: &'a Judge,
    pub(super) cache: &'a Cache,
    pub(super) links: Links,
    /// Directories of the source and their places in the tree.
    pub(super) mounts: &'a [(PathBuf, RelPath)],
    queue: Mutex<Queue>,
    wake: Condvar,
    results: Mutex<Results>,
}

struct Queue {
    tasks: Vec<Task>,
    /// Tasks queued or being worked on.
    open: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        judge: &'a Judge,
        cache: &'a Cache,
        links: Links,
        mounts: &'a [(PathBuf, RelPath)],
        start: Vec<Directory>,
    ) -> Self {
        let open = start.len();
        let tasks = start.into_iter().map(Task::Directory).collect();
        let queue = Mutex::new(Queue { tasks, open });
        Self { judge, cache, links, mounts, queue, wake: Condvar::new(), results: Mutex::default() }
    }

    /// Walks to the end, with `threads` threads.
    pub(super) fn run(self, threads: usize) -> Results {
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| self.work());
            }
            self.work();
        });
        self.results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut queue = lock(&self.queue);
        loop {
            // The latest first: that keeps few directories open.
            if let Some(task) = queue.tasks.pop() {
                drop(queue);
                match task {
                    Task::Directory(directory) => self.directory(directory),
                    Task::Files(parent, files) => self.files(&parent, files),
                }
                queue = lock(&self.queue);
                queue.open -= 1;
                if queue.open == 0 {
                    self.wake.notify_all();
                }
            } else if queue.open == 0 {
                return;
            } else {
                queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn push(&self, tasks: Vec<Task>) {
        if !tasks.is_empty() {
            let mut queue = lock(&self.queue);
            queue.open += tasks.len();
            queue.tasks.extend(tasks);
            self.wake.notify_all();
        }
    }

    fn problem(&self, path: &RelPath, text: &dyn std::fmt::Display) {
        lock(&self.results).problems.push(Problem { path: path.clone(), text: text.to_string() });
    }

    fn directory(&self, mut directory: Directory) {
        let read = |held: Arc<Held>| held.names().map(|names| (held, names));
        // One that is removed while it is open cannot be read either.
        let names = match &directory.place {
            Place::Opened(held) => read(Arc::clone(held)).map(Some),
            Place::In(parent) => present(parent.enter(directory.path.name()).and_then(|held| read(Arc::new(held)))),
        };
        let (held, names) = match names {
            Ok(Some(found)) => found,
            Ok(None) => return self.skip(&directory.path, Reason::Vanished),
            Err(error) => return self.problem(&directory.path, &error),
        };
        let has = |wanted: &[u8]| names.iter().any(|name| **name == *wanted);
        if matches!(directory.place, Place::In(_)) && !directory.searching {
            let rules = &self.judge.rules;
            let reason = match () {
                () if rules.environments && has(b"pyvenv.cfg") => Some(Reason::Environment),
                () if rules.caches && has(b"CACHEDIR.TAG") => Some(Reason::Cache),
                () => None,
            };
            let candidate = Candidate { path: &directory.path, full: &directory.full, is_directory: true };
            if let Some(reason) = reason
                && !self.judge.includes(candidate)
            {
                if let Verdict::Skip(reason) = self.judge.leave_out(candidate, reason) {
                    lock(&self.results).left_out.insert(directory.path.clone());
                    return self.skip(&directory.path, reason);
                }
                lock(&self.results).searched.insert(directory.path.clone());
                directory.searching = true;
            }
        }
        if has(b".gitignore") && self.judge.rules.gitignore && !directory.included {
            let file = directory.full.join(".gitignore");
            directory.git = Git::file(&directory.full, &file, directory.git.take());
        }
        let known = self.cache.directory(&directory.path);
        let mut listing =
            Listing { known, skipped: Vec::new(), tasks: Vec::new(), children: Vec::new(), missing: Vec::new() };
        for name in names {
            self.name(&directory, &held, &name, &mut listing);
        }
        let Listing { skipped, mut tasks, children, missing, .. } = listing;
        let mut batch = (0, Vec::new());
        for (path, size) in missing {
            batch.0 += size;
            let name = path.name().into();
            batch.1.push((path, name));
            if batch.0 >= BATCH.0 || batch.1.len() >= BATCH.1 {
                tasks.push(Task::Files(Arc::clone(&held), std::mem::take(&mut batch.1)));
                batch.0 = 0;
            }
        }
        if !batch.1.is_empty() {
            tasks.push(Task::Files(Arc::clone(&held), batch.1));
        }
        let mut results = lock(&self.results);
        results.skipped.extend(skipped);
        results.children.entry(directory.path).or_default().extend(children);
        drop(results);
        self.push(tasks);
    }

    fn name(&self, directory: &Directory, held: &Arc<Held>, name: &[u8], listing: &mut Listing<'_>) {
        let path = match directory.path.child(name) {
            Ok(path) => path,
            Err(PathError::Reserved) => {
                return listing.skipped.push(Skipped { path: os(name).into(), reason: Reason::Reserved });
            }
            Err(error) => return self.problem(&directory.path, &format!("`{}` in it: {error}", escape(name))),
        };
        let stat = match present(held.stat(name)) {
            Ok(Some(stat)) => stat,
            Ok(None) => return listing.skip(&path, Reason::Vanished),
            Err(error) => return self.problem(&path, &error),
        };
        let full = directory.full.join(os(name));
        let candidate = Candidate { path: &path, full: &full, is_directory: stat.is_directory() };
        let mut git = directory.git.clone();
        let mut searching = false;
        let mut included = directory.included;
        match self.judge.judge(candidate, git.as_ref()) {
            Verdict::Included => (git, included) = (None, true),
            Verdict::Take if directory.searching => match self.judge.leave_out(candidate, Reason::Vanished) {
                Verdict::Search(_) => searching = true,
                _ => return,
            },
            Verdict::Take => {}
            Verdict::Search(reason) => {
                searching = true;
                listing.skip(&path, reason);
            }
            // What lies in a directory that was left out needs no word of its own.
            Verdict::Skip(_) if directory.searching => return,
            Verdict::Skip(reason) => return listing.skip(&path, reason),
        }
        match stat.kind() {
            FileType::Directory => {
                listing.tasks.push(Task::Directory(Directory {
                    place: Place::In(Arc::clone(held)),
                    path: path.clone(),
                    full,
                    git,
                    searching,
                    included,
                    trail: directory.trail.clone(),
                }));
                if searching {
                    lock(&self.results).searched.insert(path.clone());
                }
                listing.children.push((path, Found::Directory { mode: stat.permissions() }));
            }
            FileType::RegularFile => {
                let content = listing.known.content(name, &stat);
                if content.is_none() {
                    listing.missing.push((path.clone(), stat.size));
                }
                listing.children.push((path, Found::File(stat, content)));
            }
            FileType::Symlink => {
                let target = match present(held.read_link(name)) {
                    Ok(Some(target)) => target,
                    Ok(None) => return listing.skip(&path, Reason::Vanished),
                    Err(error) => return self.problem(&path, &error),
                };
                let mounts = self.mounts.iter().map(|(from, at)| (from.as_path(), at));
                match (links::inside(&path, &target, mounts), self.links) {
                    (Some(target), _) => listing.children.push((path, Found::Link { target, stat })),
                    (None, Links::Keep) => listing.children.push((path, Found::Link { target, stat })),
                    (None, Links::Skip) => listing.skip(&path, Reason::Link(escape(&target))),
                    (None, Links::Refuse) => {
                        self.problem(&path, &format!("a link that leads out of the tree, to `{}`", escape(&target)));
                    }
                    (None, Links::Copy) => self.follow(directory, path, full, git, listing),
                }
            }
            other => listing.skip(&path, Reason::Special(kind(other))),
        }
    }

    /// Takes what the link at `path` leads to in its place.
    fn follow(
        &self,
        directory: &Directory,
        path: RelPath,
        full: PathBuf,
        git: Option<Arc<Git>>,
        listing: &mut Listing<'_>,
    ) {
        let opened = std::fs::canonicalize(&full).and_then(|from| OpenMount::open(&from, path.clone()));
        let (mount, stat) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.problem(&path, &format!("a link that leads nowhere: {error}")),
        };
        if stat.is_file() {
            let content = listing.known.content(path.name(), &stat);
            if content.is_none() {
                let name = mount.file.clone().unwrap_or_default();
                listing.tasks.push(Task::Files(Arc::clone(&mount.held), vec![(path.clone(), name)]));
            }
            listing.children.push((path, Found::File(stat, content)));
        } else if stat.is_directory() {
            let mut trail = directory.trail.clone();
            let identity = (stat.device, stat.inode);
            if trail.contains(&identity) {
                return self.problem(&path, &"a link to a directory that it lies in");
            }
            trail.push(identity);
            listing.tasks.push(Task::Directory(Directory {
                place: Place::Opened(Arc::clone(&mount.held)),
                path: path.clone(),
                full,
                git,
                searching: directory.searching,
                included: directory.included,
                trail,
            }));
            listing.children.push((path, Found::Directory { mode: stat.permissions() }));
        } else {
            return self.skip(&path, Reason::Special(kind(stat.kind())));
        }
        lock(&self.results).followed.push(mount);
    }

    fn files(&self, parent: &Held, files: Vec<(RelPath, Box<[u8]>)>) {
        let mut local = Results::default();
        for (path, name) in files {
            match hash::read(parent, &name) {
                Ok(Reading::Whole(hashed)) => {
                    local.read += hashed.stat.size;
                    local.hashes.insert(path, hashed);
                }
                Ok(Reading::Changing) => self.problem(&path, &"it changes whenever it is read"),
                Ok(Reading::Vanished) => {
                    local.skipped.push(Skipped::new(&path, Reason::Vanished));
                }
                Err(error) => self.problem(&path, &error),
            }
        }
        lock(&self.results).merge(local);
    }

    fn skip(&self, path: &RelPath, reason: Reason) {
        lock(&self.results).skipped.push(Skipped::new(path, reason));
    }
}

impl Results {
    fn merge(&mut self, other: Self) {
        self.hashes.extend(other.hashes);
        self.skipped.extend(other.skipped);
        self.problems.extend(other.problems);
        self.read += other.read;
    }
}

fn kind(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "named pipe",
        FileType::Socket => "socket",
        FileType::BlockDevice | FileType::CharacterDevice => "device",
        _ => "thing of an unknown kind",
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
