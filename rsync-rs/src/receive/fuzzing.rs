//! What must hold of a receiver whatever its sender says; see [`crate::fuzzing`].

pub(crate) mod pack;
pub(crate) mod session;

use crate::codec::Take;
use crate::digest::Digest;
use crate::manifest::Node;
use crate::pack::{Item, PackStep};
use crate::stat::Time;

/// Contents that a seed and a length decide.
fn contents(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| at.to_le_bytes()[0].wrapping_mul(31) ^ at.to_le_bytes()[1] ^ seed).collect()
}

fn file(contents: &[u8], mode: u32) -> Node {
    let modified = Time { seconds: 1_700_000_000, nanos: 7 };
    Node::File { mode, size: contents.len() as u64, modified, content: Digest::of(contents) }
}

/// Steps of a pack as anybody might send them, and the data that goes with them. `files` are the contents of the tree's
/// entries, which some steps are true to.
fn steps(take: &mut Take<'_>, files: &[(u32, Vec<u8>)]) -> (Vec<Item>, Vec<u8>) {
    let (mut items, mut data) = (Vec::new(), Vec::new());
    for _ in 0..take.choice(12) {
        let which = usize::from(take.choice(8));
        let (entry, contents) =
            files.get(which).map_or((u32::from(take.choice(16)), &[][..]), |file| (file.0, &file.1));
        let step = match take.choice(6) {
            0 | 1 => {
                let start = usize::try_from(take.amount(1 << 16)).unwrap_or(0).min(contents.len());
                let length = usize::try_from(take.amount(1 << 16)).unwrap_or(0).min(contents.len() - start);
                data.extend_from_slice(&contents[start..start + length]);
                PackStep::Data { length: u32::try_from(length).unwrap_or(0) }
            }
            2 => {
                let wild = take.part();
                data.extend_from_slice(wild);
                PackStep::Data { length: u32::try_from(wild.len()).unwrap_or(0) }
            }
            3 | 4 => PackStep::Copy { offset: take.amount(u64::MAX), length: take.amount(u64::MAX) },
            _ => PackStep::Basis(files.get(which ^ 1).map_or(Digest::of(b"?"), |(_, contents)| Digest::of(contents))),
        };
        items.push(Item { entry, step });
    }
    (items, data)
}
