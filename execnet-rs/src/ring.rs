//! Records that a process leaves in a file that it maps, and that another one reads: writing one is a copy in memory, and
//! wakes nobody.
//!
//! ```text
//! allowed u64 | 56 bytes of nothing | records, in a ring        (little-endian)
//! a record: its number, counted from 1, u64 | what it says | CRC-32 of all that u32
//! ```
//! The reader writes `allowed`, how many records may have been written in all: none before it has opened the file, later
//! as many as it has read and one ring more. A record counts when its number is the expected one and its sum is right, so
//! that a half-written one never does, whatever ends its writer. Read with positioned reads.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// Where the first record stands.
pub const HEADER: u64 = 64;
/// Bytes of a record's number.
const NUMBER: usize = 8;
/// Bytes of a record's sum.
const SUM: usize = 4;
/// Bytes read at once, about.
const PORTION: usize = 3 << 10;
/// How long until the next look, where something was found.
const SOON: Duration = Duration::from_millis(25);
/// How long at most, where nothing was found.
const SELDOM: Duration = Duration::from_secs(1);

/// How a ring is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    slots: u64,
    record: usize,
}

impl Shape {
    /// So many records of so many bytes each, number and sum included; None if nobody needs that many, or they hold nothing.
    pub const fn new(slots: u64, record: usize) -> Option<Self> {
        if slots == 0 || slots > 1 << 20 || record <= NUMBER + SUM || record > 1 << 12 {
            return None;
        }
        Some(Self { slots, record })
    }

    /// Records in the ring.
    pub const fn slots(self) -> u64 {
        self.slots
    }

    /// Bytes of a record.
    pub const fn record(self) -> usize {
        self.record
    }
}

/// The reader's end.
#[derive(Debug)]
pub struct Ring {
    file: File,
    shape: Shape,
    /// Records read so far.
    taken: u64,
    pause: Duration,
}

impl Ring {
    /// Opens the file that a process has made, which needs no name any more, and lets it write there.
    ///
    /// # Errors
    /// If there is no such file, or it cannot be written to.
    pub fn open(path: &Path, shape: Shape) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        let _ = std::fs::remove_file(path);
        let ring = Self { file, shape, taken: 0, pause: SOON };
        ring.allow()?;
        Ok(ring)
    }

    /// How long until the next look.
    pub fn pause(&self) -> Duration {
        self.pause
    }

    /// The writer is busy: it may leave something soon.
    pub fn expect(&mut self) {
        self.pause = SOON;
    }

    /// The records that were left since the last look, whole, one behind the other.
    pub fn look(&mut self) -> Vec<u8> {
        let mut found = Vec::new();
        while self.read_portion(&mut found) {}
        if found.is_empty() {
            self.pause = (self.pause * 2).min(SELDOM);
        } else {
            self.pause = SOON;
            // Without room, the writer has other ways.
            let _ = self.allow();
        }
        found
    }

    /// Reads some records; false if there are no more.
    fn read_portion(&mut self, found: &mut Vec<u8>) -> bool {
        let Shape { slots, record } = self.shape;
        let slot = self.taken % slots;
        let most = (PORTION / record).max(1);
        let wanted = usize::try_from(slots - slot).unwrap_or(most).min(most) * record;
        let mut bytes = vec![0; wanted];
        if self.file.read_exact_at(&mut bytes, HEADER + slot * record as u64).is_err() {
            return false;
        }
        for record in bytes.chunks_exact(record) {
            if !is_record(record, self.taken + 1) {
                return false;
            }
            self.taken += 1;
            found.extend_from_slice(record);
        }
        true
    }

    /// Says how many records may have been written in all.
    fn allow(&self) -> io::Result<()> {
        self.file.write_all_at(&(self.taken + self.shape.slots).to_le_bytes(), 0)
    }
}

/// Whether these bytes are the record of this number, and whole.
fn is_record(record: &[u8], number: u64) -> bool {
    let Some((body, sum)) = record.split_last_chunk::<SUM>() else { return false };
    body.starts_with(&number.to_le_bytes()) && crc32fast::hash(body).to_le_bytes() == *sum
}

/// A record as its writer leaves it.
pub fn record(number: u64, says: &[u8]) -> Vec<u8> {
    let mut record = number.to_le_bytes().to_vec();
    record.extend_from_slice(says);
    record.extend(crc32fast::hash(&record).to_le_bytes());
    record
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHAPE: Shape = Shape::new(8, 20).unwrap();

    /// A ring whose writer has the file as well.
    fn ring() -> (tempfile::TempDir, Ring, File) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring");
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        file.set_len(HEADER + SHAPE.slots() * SHAPE.record() as u64).unwrap();
        let ring = Ring::open(&path, SHAPE).unwrap();
        assert!(!path.exists());
        (folder, ring, file)
    }

    fn allowed(file: &File) -> u64 {
        let mut allowed = [0; 8];
        file.read_exact_at(&mut allowed, 0).unwrap();
        u64::from_le_bytes(allowed)
    }

    fn leave(file: &File, number: u64, kept: usize) {
        let record = record(number, &number.to_be_bytes());
        file.write_all_at(&record[..kept], HEADER + (number - 1) % 8 * 20).unwrap();
    }

    proptest! {
        #[test]
        fn all_that_was_left_is_read_once_and_in_turn(burst in prop::collection::vec(0_u64..20, 0..12), cut in 0_usize..20) {
            let (_folder, mut ring, file) = ring();
            let (mut written, mut seen) = (0, Vec::new());
            for count in burst {
                for _ in 0..count {
                    if written < allowed(&file) {
                        written += 1;
                        leave(&file, written, 20);
                    }
                }
                seen.extend(ring.look());
            }
            // Its writer ends in the middle of one.
            leave(&file, written + 1, cut);
            seen.extend(ring.look());
            let expected: Vec<u8> = (1..=written).flat_map(|number| record(number, &number.to_be_bytes())).collect();
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn nothing_is_looked_for_more_and_more_seldom() {
        let (_folder, mut ring, file) = ring();
        for _ in 0..10 {
            assert!(ring.look().is_empty());
        }
        assert_eq!(ring.pause(), SELDOM);
        leave(&file, 1, 20);
        assert_eq!(ring.look().len(), 20);
        assert_eq!(ring.pause(), SOON);
    }

    #[test]
    fn shapes_have_limits() {
        for (slots, record) in [(0, 20), (1 << 21, 20), (8, 12), (8, 5000)] {
            assert_eq!(Shape::new(slots, record), None, "{slots} {record}");
        }
    }
}
