//! Making the changes: removals, then what is new in the order of a walk, then the modes of directories. Everything that
//! takes long was done before; each path changes from old to new by one rename.

use std::collections::HashSet;

use rustix::io::{Errno, Result};

use super::ReceiveError;
use super::plan::{Action, Plan, Removal};
use super::stage::Stage;
use crate::confined::{Cursor, Held};
use crate::error::{Named, is_absent};
use crate::manifest::{Entry, Manifest, Node};
use crate::message::Summary;
use crate::path::RelPath;
use crate::scan::contents;
use crate::stat::Stat;

/// Notices that are passed on; the rest are counted.
const NOTICES: usize = 20;

/// Makes the destination the tree. Returns the stat of each entry.
pub(super) fn apply(
    root: &Held,
    plan: &mut Plan,
    target: &Manifest,
    stage: &mut Stage<'_>,
    summary: &mut Summary,
) -> std::result::Result<Vec<Stat>, ReceiveError> {
    let mut kept = Vec::new();
    let mut cursor = Cursor::loosening(root);
    for removal in plan.removals.iter().rev() {
        match remove(&mut cursor, removal).named("remove", &removal.entry.path)? {
            Removed::Yes => summary.removed += 1,
            Removed::NotThere => {}
            Removed::Kept => kept.push(&removal.entry.path),
        }
    }
    let mut loosened: HashSet<RelPath> = cursor.loosened().into_iter().collect();
    let mut cursor = Cursor::loosening(root);
    let mut stats = Vec::with_capacity(plan.actions.len());
    for (entry, action) in target.entries().iter().zip(&plan.actions) {
        let stat = match action {
            Action::Keep(stat) => *stat,
            Action::Adjust => {
                summary.adjusted += 1;
                adjust(&mut cursor, entry).named("set mode and time of", &entry.path)?
            }
            Action::Make => {
                let parent = cursor.parent(&entry.path).named("enter", entry.path.parent())?;
                make_room(parent, entry)?;
                match &entry.node {
                    Node::Directory { mode } => {
                        match parent.make_directory(entry.path.name(), *mode | 0o700) {
                            // Somebody else has just made it, such as a program that is to start there.
                            Err(Errno::EXIST) if is_directory(parent, entry) => {}
                            made => made.named("make the directory", &entry.path)?,
                        }
                        loosened.insert(entry.path.clone());
                    }
                    Node::File { content, .. } => {
                        summary.written += 1;
                        let mut empty = super::Wanted::default();
                        stage.place(entry, parent, plan.wanted.get_mut(content).unwrap_or(&mut empty))?;
                    }
                    Node::Link { .. } => {
                        summary.written += 1;
                        stage.place_link(entry, parent)?;
                    }
                }
                parent.stat(entry.path.name()).named("look at", &entry.path)?
            }
        };
        stats.push(stat);
    }
    loosened.extend(cursor.loosened());
    let mut cursor = Cursor::new(root);
    // What lies in a directory comes first: without its own rights a directory cannot be entered any more.
    for entry in target.entries().iter().rev().filter(|entry| loosened.contains(&entry.path)) {
        if let Node::Directory { mode } = entry.node {
            let set = cursor.parent(&entry.path).and_then(|parent| parent.set_mode(entry.path.name(), mode));
            set.named("set the mode of", &entry.path)?;
        }
    }
    let more = kept.len().saturating_sub(NOTICES);
    for path in kept.into_iter().take(NOTICES) {
        summary.notices.push(format!("kept `{path}`: it is not, or holds more than, what was put there"));
    }
    if more > 0 {
        summary.notices.push(format!("kept {more} more"));
    }
    Ok(stats)
}

enum Removed {
    Yes,
    NotThere,
    Kept,
}

/// Removes what was put there, and nothing else: not a directory that others use, not a thing of another kind.
fn remove(cursor: &mut Cursor<'_>, removal: &Removal) -> Result<Removed> {
    let Removal { entry, doubtful } = removal;
    let name = entry.path.name();
    let parent = match cursor.parent(&entry.path) {
        Ok(parent) => parent,
        Err(error) if is_absent(error) => return Ok(Removed::NotThere),
        Err(error) => return Err(error),
    };
    let stat = match parent.stat(name) {
        Ok(stat) => stat,
        Err(error) if is_absent(error) => return Ok(Removed::NotThere),
        Err(error) => return Err(error),
    };
    let removed = match &entry.node {
        Node::Directory { .. } if stat.is_directory() => parent.remove_directory(name),
        Node::File { .. } if stat.is_file() && (!doubtful || holds(parent, entry)) => parent.remove_file(name),
        Node::Link { target, .. }
            if stat.is_link() && (!doubtful || parent.read_link(name).is_ok_and(|found| found == **target)) =>
        {
            parent.remove_file(name)
        }
        _ => return Ok(Removed::Kept),
    };
    match removed {
        Ok(()) => Ok(Removed::Yes),
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY) => Ok(Removed::Kept),
        Err(error) if is_absent(error) => Ok(Removed::NotThere),
        Err(error) => Err(error),
    }
}

fn holds(parent: &Held, entry: &Entry) -> bool {
    let Some((size, content)) = entry.file() else { return false };
    let file = parent.open(entry.path.name()).map_err(std::io::Error::from);
    file.and_then(|file| contents(file, size)).is_ok_and(|(found, ..)| found == content)
}

fn adjust(cursor: &mut Cursor<'_>, entry: &Entry) -> Result<Stat> {
    let (parent, name) = (cursor.parent(&entry.path)?, entry.path.name());
    match &entry.node {
        Node::Directory { mode } => parent.set_mode(name, *mode)?,
        Node::File { mode, modified, .. } => {
            parent.set_mode(name, *mode)?;
            parent.set_modified(name, *modified)?;
        }
        Node::Link { modified, .. } => parent.set_modified(name, *modified)?,
    }
    parent.stat(name)
}

fn is_directory(parent: &Held, entry: &Entry) -> bool {
    parent.stat(entry.path.name()).is_ok_and(|stat| stat.is_directory())
}

/// Makes room for `entry`: a file in place of an empty directory, a directory in place of a file or link.
fn make_room(parent: &Held, entry: &Entry) -> std::result::Result<(), ReceiveError> {
    let name = entry.path.name();
    let Ok(stat) = parent.stat(name) else { return Ok(()) };
    let is_directory = matches!(entry.node, Node::Directory { .. });
    let made = match (is_directory, stat.is_directory()) {
        (true, false) => parent.remove_file(name),
        (false, true) => parent.remove_directory(name),
        _ => return Ok(()),
    };
    match made {
        Err(Errno::NOTEMPTY | Errno::EXIST) => Err(ReceiveError::InTheWay(entry.path.clone())),
        result => Ok(result.named("make room for", &entry.path)?),
    }
}
