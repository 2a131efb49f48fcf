//! Packs: the contents of many small files, or a piece of a large one, compressed together. Pure.
//!
//! A pack is a list of items, each a step in putting one file together, and one zstd frame with the bytes of all of them.
//! The steps of a file come in order, and no other file's between them.

use crate::codec::{Malformed, Put, Take};
use crate::digest::Digest;

/// Most bytes of contents in a pack, before compression.
pub(crate) const PACK: usize = 1 << 20;
/// 1: at least as small as `tar | zstd -1`, and faster than writing files.
const LEVEL: i32 = 1;

/// What is done next to the file of `entry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Index of an entry of the manifest that has these contents.
    pub(crate) entry: u32,
    pub(crate) step: PackStep,
}

/// A step in putting a file together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PackStep {
    /// Bytes that come in this pack.
    Data { length: u32 },
    /// Bytes of the basis.
    Copy { offset: u64, length: u64 },
    /// Which contents the copies are from; comes first.
    Basis(Digest),
}

/// A pack as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pack {
    pub(crate) items: Vec<Item>,
    /// The bytes of all items of data, in order.
    pub(crate) data: Vec<u8>,
}

impl Pack {
    /// The pack as bytes.
    pub(crate) fn encode(items: &[Item], data: &[u8]) -> std::io::Result<Vec<u8>> {
        let frame = zstd::bulk::compress(data, LEVEL)?;
        let packed = frame.len() < data.len();
        let mut bytes = Vec::with_capacity(items.len() * 8 + frame.len().min(data.len()) + 16);
        bytes.put_number(items.len() as u64);
        for item in items {
            bytes.put_number(u64::from(item.entry));
            match item.step {
                PackStep::Data { length } => {
                    bytes.push(0);
                    bytes.put_number(u64::from(length));
                }
                PackStep::Copy { offset, length } => {
                    bytes.push(1);
                    bytes.put_number(offset);
                    bytes.put_number(length);
                }
                PackStep::Basis(digest) => {
                    bytes.push(2);
                    bytes.put_digest(&digest);
                }
            }
        }
        bytes.push(u8::from(packed));
        bytes.extend_from_slice(if packed { &frame } else { data });
        Ok(bytes)
    }

    /// A pack from bytes of a peer: never more than [`PACK`] bytes of data, and as many as the items say.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut take = Take::new(bytes);
        let mut items = Vec::new();
        let mut total = 0;
        for _ in 0..take.count()? {
            let entry = take.small()?;
            let step = match take.byte()? {
                0 => PackStep::Data { length: take.small()? },
                1 => PackStep::Copy { offset: take.number()?, length: take.number()? },
                2 => PackStep::Basis(take.digest()?),
                _ => return Err(Malformed("an unknown step")),
            };
            if let PackStep::Data { length } = step {
                total += length as usize;
                if total > PACK {
                    return Err(Malformed("a pack larger than the limit"));
                }
            }
            items.push(Item { entry, step });
        }
        let packed = take.byte()? == 1;
        let data = if packed {
            zstd::bulk::decompress(take.rest(), total).map_err(|_| Malformed("a pack that cannot be decompressed"))?
        } else {
            take.rest().to_vec()
        };
        if data.len() == total {
            Ok(Self { items, data })
        } else {
            Err(Malformed("a pack of another size than it says"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn items(lengths: &[u32]) -> Vec<Item> {
        lengths
            .iter()
            .zip(0..)
            .map(|(length, entry)| Item { entry, step: PackStep::Data { length: *length } })
            .collect()
    }

    proptest! {
        #[test]
        fn a_pack_survives_its_encoding(lengths in prop::collection::vec(0..200u32, 0..9), offset: u64, byte: u8) {
            let data = vec![byte; lengths.iter().sum::<u32>() as usize];
            let mut items = items(&lengths);
            items.push(Item { entry: 9, step: PackStep::Basis(Digest::of(&data)) });
            items.push(Item { entry: 9, step: PackStep::Copy { offset, length: 1 } });
            let bytes = Pack::encode(&items, &data).unwrap();
            prop_assert_eq!(Pack::decode(&bytes), Ok(Pack { items, data }));
        }

        #[test]
        fn whatever_arrives_is_a_pack_or_an_error(bytes: Vec<u8>) {
            let _ = Pack::decode(&bytes);
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let zeros = vec![0; 3 * PACK];
        let bytes = Pack::encode(&items(&[3 << 20]), &zeros).unwrap();
        assert!(bytes.len() < 10_000 && Pack::decode(&bytes).is_err(), "more than the limit");
        let bytes = Pack::encode(&items(&[10]), &zeros).unwrap();
        assert!(Pack::decode(&bytes).is_err(), "more than it says");
        let bytes = Pack::encode(&items(&[10]), &[]).unwrap();
        assert!(Pack::decode(&bytes).is_err(), "less than it says");
    }
}
