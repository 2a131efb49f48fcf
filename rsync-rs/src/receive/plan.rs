//! What has to be done to a destination to make it a tree: decided from the tree, from what was put there, and from
//! looking, before anything is changed.

use std::collections::{HashMap, HashSet};
use std::fs::File;

use super::state::Applied;
use super::{ReceiveError, Wanted};
use crate::confined::{Cursor, Held};
use crate::digest::Digest;
use crate::error::{Named, present};
use crate::manifest::{Entry, Manifest, Node};
use crate::path::RelPath;
use crate::scan::contents;
use crate::stat::Stat;

/// What is done for one entry of the tree.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// It is there; this is its stat.
    Keep(Stat),
    /// Only mode or time are wrong.
    Adjust,
    /// It has to be made; contents come from the staging area.
    Make,
}

/// Something that was put there and is no part of the tree.
#[derive(Debug)]
pub(super) struct Removal {
    pub(super) entry: Entry,
    /// An interrupted run may have put it there, or may not have come so far: it goes only if it is what that run
    /// would have put there.
    pub(super) doubtful: bool,
}

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) actions: Vec<Action>,
    /// In the order of a walk.
    pub(super) removals: Vec<Removal>,
    /// Contents that must be in the staging area before anything is changed.
    pub(super) wanted: HashMap<Digest, Wanted>,
    /// Contents that will be gone, and their size.
    pub(super) leaving: Vec<(Digest, u64)>,
    places: HashMap<Digest, (RelPath, Stat)>,
}

impl Plan {
    /// Plans the way from `applied`, of which `intact` tells what still is so, to `target`.
    pub(super) fn new(
        root: &Held,
        applied: &Applied,
        intact: &[bool],
        journal: Option<&Manifest>,
        target: &Manifest,
    ) -> Result<Self, ReceiveError> {
        let mut plan = Self {
            actions: Vec::with_capacity(target.entries().len()),
            removals: Vec::new(),
            wanted: HashMap::new(),
            leaving: Vec::new(),
            places: HashMap::new(),
        };
        let known = applied.manifest.entries();
        for ((entry, stat), intact) in known.iter().zip(&applied.stats).zip(intact) {
            if let (Some((_, content)), true) = (entry.file(), intact) {
                plan.places.entry(content).or_insert_with(|| (entry.path.clone(), *stat));
            }
        }
        let mut cursor = Cursor::new(root);
        let mut before = known.iter().zip(&applied.stats).zip(intact).peekable();
        for (index, entry) in (0u32..).zip(target.entries()) {
            while before.next_if(|((old, _), _)| old.path < entry.path).is_some() {}
            let same = before.next_if(|((old, _), _)| old.path == entry.path);
            let same = same.and_then(|((old, stat), intact)| intact.then_some((old, *stat)));
            let action = match same {
                Some((old, stat)) if old.node == entry.node => Action::Keep(stat),
                Some((old, _)) if old.file().is_some() && old.file() == entry.file() => Action::Adjust,
                Some((old, _)) if old.file().is_some() && entry.file().is_some() => Action::Make,
                _ => plan.look(&mut cursor, entry)?,
            };
            if let (Action::Make, Some((size, content))) = (action, entry.file())
                && size > 0
            {
                let wanted = plan.wanted.entry(content).or_insert(Wanted { entry: index, uses: 0, shared: false });
                wanted.uses += 1;
                wanted.shared = wanted.uses > 1;
            }
            plan.actions.push(action);
        }
        plan.removals(&applied.manifest, journal, target);
        plan.leaving(applied, intact, target);
        Ok(plan)
    }

    /// Looks at what stands at the path of `entry`.
    fn look(&mut self, cursor: &mut Cursor<'_>, entry: &Entry) -> Result<Action, ReceiveError> {
        let name = entry.path.name();
        let found = present(cursor.parent(&entry.path).and_then(|parent| Ok((parent.stat(name)?, parent))));
        // A directory that cannot be entered now may be made enterable when the time comes.
        let Ok(Some((stat, parent))) = found else { return Ok(Action::Make) };
        let right = match &entry.node {
            Node::Directory { mode } if stat.is_directory() => stat.permissions() == *mode,
            Node::Link { target, modified } if stat.is_link() => {
                match parent.read_link(name) {
                    Ok(found) if found == **target => {}
                    _ => return Ok(Action::Make),
                }
                stat.modified == *modified
            }
            Node::File { mode, size, modified, content } if stat.is_file() && stat.size == *size => {
                let Ok(file) = parent.open(name) else { return Ok(Action::Make) };
                let (found, length, _) = contents(&file, *size).named("read", &entry.path)?;
                if length == *size {
                    self.places.entry(found).or_insert_with(|| (entry.path.clone(), stat));
                }
                // Looked at again: what was read must be what is kept.
                if found != *content || Stat::at(&file, b"").ok() != Some(stat) {
                    return Ok(Action::Make);
                }
                stat.permissions() == *mode && stat.modified == *modified
            }
            _ => return Ok(Action::Make),
        };
        Ok(if right { Action::Keep(stat) } else { Action::Adjust })
    }

    fn removals(&mut self, applied: &Manifest, journal: Option<&Manifest>, target: &Manifest) {
        let gone = |entry: &&Entry| target.find(&entry.path).is_none();
        let certain = applied.entries().iter().filter(gone);
        self.removals.extend(certain.map(|entry| Removal { entry: entry.clone(), doubtful: false }));
        if let Some(journal) = journal {
            let more = journal.entries().iter().filter(gone).filter(|entry| applied.find(&entry.path).is_none());
            self.removals.extend(more.map(|entry| Removal { entry: entry.clone(), doubtful: true }));
            self.removals.sort_by(|left, right| left.entry.path.cmp(&right.entry.path));
        }
    }

    fn leaving(&mut self, applied: &Applied, intact: &[bool], target: &Manifest) {
        let mut staying: HashSet<Digest> =
            target.entries().iter().filter_map(Entry::file).map(|(_, content)| content).collect();
        for (entry, _) in applied.manifest.entries().iter().zip(intact).filter(|(_, intact)| **intact) {
            if let Some((size, content)) = entry.file()
                && staying.insert(content)
            {
                self.leaving.push((content, size));
            }
        }
    }

    /// Opens contents that are somewhere in the destination. What is read must still be checked.
    pub(super) fn find(&self, root: &Held, content: &Digest) -> Option<File> {
        let (path, stat) = self.places.get(content)?;
        let file = Cursor::new(root).parent(path).ok()?.open(path.name()).ok()?;
        Stat::at(&file, b"").is_ok_and(|found| found == *stat).then_some(file)
    }

    /// Nothing has to be changed.
    pub(super) fn is_empty(&self) -> bool {
        self.removals.is_empty() && self.actions.iter().all(|action| matches!(action, Action::Keep(_)))
    }
}
