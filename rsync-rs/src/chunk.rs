//! Deltas of large files by content-defined chunks. Pure but for the reader that is chunked.
//!
//! A *recipe* is the list of a file's chunks. The one who has the new file needs the recipe of the old one, nothing of
//! its contents, to say what to copy from where; so a sender that kept the recipe of what it sent before sends a delta
//! without asking, and one recipe serves any number of receivers. `examples/delta.rs` compares with a rolling sum.

use std::collections::HashMap;
use std::io::Read;

use fastcdc::v2020::{Normalization, StreamCDC};

use crate::codec::{Malformed, Put, Take};
use crate::digest::Digest;

/// Files of more bytes than this travel as deltas.
pub(crate) const DELTA_FROM: u64 = 64 << 10;
/// Files of more bytes than this travel whole: their recipe would be too long for memory and wire.
pub(crate) const DELTA_TO: u64 = 512 << 20;

/// Shortest, wanted and longest chunk in bytes. Both ends must cut alike: a change is a new protocol version.
const SIZES: (usize, usize, usize) = (1 << 10, 4 << 10, 32 << 10);

/// One chunk: its length and the first 8 bytes of its blake3 hash. What a collision would spoil, the hash of the whole
/// file shows, and then the file travels whole.
type Chunk = (u32, u64);

/// The chunks of a file, in order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Recipe(Vec<Chunk>);

/// A step that makes a new file of an old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Bytes of the old file.
    Copy { offset: u64, length: u64 },
    /// Bytes of the new file, at the same place in it.
    Data { offset: u64, length: u64 },
}

impl Recipe {
    /// Reads a file to its end: its hash, its length, its recipe.
    pub(crate) fn read(source: impl Read) -> std::io::Result<(Digest, u64, Self)> {
        let mut whole = blake3::Hasher::new();
        let mut length = 0;
        let mut chunks = Vec::new();
        let (shortest, wanted, longest) = SIZES;
        for chunk in StreamCDC::with_level(source, shortest, wanted, longest, Normalization::Level1) {
            let data = chunk?.data;
            whole.update(&data);
            length += data.len() as u64;
            let mut sum = [0; 8];
            sum.copy_from_slice(&blake3::hash(&data).as_bytes()[..8]);
            chunks.push((u32::try_from(data.len()).unwrap_or(u32::MAX), u64::from_le_bytes(sum)));
        }
        chunks.shrink_to_fit();
        Ok((Digest::finish(&whole), length, Self(chunks)))
    }

    /// How to make the file of `self` from the file of `old`.
    pub(crate) fn steps_from(&self, old: &Self) -> Vec<Step> {
        let mut places = HashMap::with_capacity(old.0.len());
        let mut offset = 0;
        for chunk in &old.0 {
            places.entry(*chunk).or_insert(offset);
            offset += u64::from(chunk.0);
        }
        let mut steps: Vec<Step> = Vec::new();
        let mut at = 0;
        for chunk in &self.0 {
            let added = u64::from(chunk.0);
            match (steps.last_mut(), places.get(chunk)) {
                (Some(Step::Copy { offset, length }), Some(place)) if *offset + *length == *place => *length += added,
                (Some(Step::Data { length, .. }), None) => *length += added,
                (_, Some(place)) => steps.push(Step::Copy { offset: *place, length: added }),
                (_, None) => steps.push(Step::Data { offset: at, length: added }),
            }
            at += added;
        }
        steps
    }

    /// About the bytes that [`Recipe::put`] writes.
    pub(crate) fn size_on_wire(&self) -> usize {
        self.0.len() * 10 + 10
    }

    pub(crate) fn put(&self, into: &mut Vec<u8>) {
        into.put_number(self.0.len() as u64);
        for (length, sum) in &self.0 {
            into.put_number(u64::from(*length));
            into.extend_from_slice(&sum.to_le_bytes());
        }
    }

    pub(crate) fn take(from: &mut Take<'_>) -> Result<Self, Malformed> {
        let count = from.count()?;
        let mut chunks = Vec::new();
        for _ in 0..count {
            let length = from.small()?;
            let mut sum = [0; 8];
            sum.copy_from_slice(from.raw(8)?);
            chunks.push((length, u64::from_le_bytes(sum)));
        }
        Ok(Self(chunks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn rebuild(old: &[u8], new: &[u8]) -> (Vec<u8>, u64) {
        let of = |bytes: &[u8]| Recipe::read(bytes).unwrap();
        let mut bytes = Vec::new();
        let mut sent = 0;
        for step in of(new).2.steps_from(&of(old).2) {
            let (from, offset, length) = match step {
                Step::Copy { offset, length } => (old, offset, length),
                Step::Data { offset, length } => {
                    sent += length;
                    (new, offset, length)
                }
            };
            bytes.extend_from_slice(&from[usize::try_from(offset).unwrap()..][..usize::try_from(length).unwrap()]);
        }
        (bytes, sent)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_delta_makes_the_new_file(
            seed: u64, length in 0..200_000usize, cut: prop::sample::Index, gone in 0..5000usize, added in 0..5000usize
        ) {
            let old = noise(seed, length);
            let at = cut.index(length + 1);
            let new = [&old[..at], &noise(!seed, added), &old[(at + gone).min(length)..]].concat();
            let (made, sent) = rebuild(&old, &new);
            prop_assert_eq!(made, new);
            prop_assert!(sent <= (added + 3 * SIZES.2) as u64, "{} bytes for {} new ones", sent, added);
        }

        #[test]
        fn a_recipe_survives_its_encoding(seed: u64, length in 0..100_000usize, junk: Vec<u8>) {
            let (digest, read, recipe) = Recipe::read(&noise(seed, length)[..]).unwrap();
            prop_assert_eq!((digest, read), (Digest::of(&noise(seed, length)), length as u64));
            let mut bytes = Vec::new();
            recipe.put(&mut bytes);
            prop_assert_eq!(Recipe::take(&mut Take::new(&bytes)), Ok(recipe));
            let _ = Recipe::take(&mut Take::new(&junk));
        }
    }
}
