//! What has to travel, cut into parts: a small file, a piece of a large one, a piece of a delta. Pure.

use std::collections::HashSet;

use crate::chunk::{Recipe, Step};
use crate::digest::Digest;
use crate::manifest::{Entry, Manifest};
use crate::pack::PACK;

/// Steps of one part of a delta.
const STEPS: usize = 8192;

/// Which part: the same for every receiver that needs the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    entry: u32,
    /// Number of the part in its file.
    part: u32,
    /// What a delta builds on.
    basis: Option<Digest>,
}

/// A step of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartStep {
    Basis(Digest),
    Copy {
        offset: u64,
        length: u64,
    },
    /// Bytes of the source file.
    Data {
        offset: u64,
        length: u32,
    },
}

/// What travels as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) key: Key,
    pub(super) entry: u32,
    pub(super) steps: Vec<PartStep>,
    /// Bytes of the source file in it.
    pub(super) bytes: usize,
    /// All of its file: may share a pack with others.
    pub(super) whole: bool,
}

impl Part {
    /// Whether a file begins with it.
    pub(super) fn is_first(&self) -> bool {
        self.key.part == 0
    }
}

/// The parts of a file that travels whole.
pub(super) fn whole(entry: u32, size: u64) -> Vec<Part> {
    let steps = pieces(0, size).map(|(offset, length)| PartStep::Data { offset, length });
    parts(entry, None, steps)
}

/// The parts of a file that is made of another.
pub(super) fn delta(entry: u32, new: &Recipe, old: &Recipe, basis: Digest, identity: Digest) -> Vec<Part> {
    let steps = new.steps_from(old).into_iter().flat_map(|step| match step {
        Step::Copy { offset, length } => vec![PartStep::Copy { offset, length }],
        Step::Data { offset, length } => {
            pieces(offset, length).map(|(offset, length)| PartStep::Data { offset, length }).collect()
        }
    });
    parts(entry, Some(identity), std::iter::once(PartStep::Basis(basis)).chain(steps))
}

fn pieces(offset: u64, length: u64) -> impl Iterator<Item = (u64, u32)> {
    (0..length).step_by(PACK).map(move |at| {
        let piece = (length - at).min(PACK as u64);
        (offset + at, u32::try_from(piece).unwrap_or(u32::MAX))
    })
}

fn parts(entry: u32, basis: Option<Digest>, steps: impl Iterator<Item = PartStep>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for step in steps {
        let bytes = if let PartStep::Data { length, .. } = step { length as usize } else { 0 };
        match parts.last_mut() {
            Some(last) if last.bytes + bytes <= PACK && last.steps.len() < STEPS => {
                last.steps.push(step);
                last.bytes += bytes;
            }
            _ => {
                let part = u32::try_from(parts.len()).unwrap_or(u32::MAX);
                let key = Key { entry, part, basis };
                parts.push(Part { key, entry, steps: vec![step], bytes, whole: false });
            }
        }
    }
    if let [only] = &mut parts[..] {
        only.whole = true;
    }
    parts
}

/// Entries whose contents `base` does not have, each content once.
pub(super) fn new_contents(base: Option<&Manifest>, target: &Manifest) -> Vec<u32> {
    let known = base.iter().flat_map(|base| base.entries()).filter_map(Entry::file).map(|(_, content)| content);
    let mut known: HashSet<Digest> = known.collect();
    let files = (0u32..).zip(target.entries()).filter_map(|(index, entry)| Some((index, entry.file()?)));
    files.filter(|(_, (size, content))| *size > 0 && known.insert(*content)).map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_cut_and_a_small_one_is_not() {
        assert!(whole(0, 0).is_empty());
        let small = whole(7, 10);
        assert_eq!((small.len(), small[0].bytes, small[0].whole), (1, 10, true));
        let large = whole(7, PACK as u64 * 2 + 1);
        assert_eq!(large.iter().map(|part| part.bytes).collect::<Vec<_>>(), [PACK, PACK, 1]);
        assert!(large.iter().all(|part| !part.whole));
    }
}
