//! The outbox: a small file that a worker maps, in which it leaves word of fast tests that plainly passed.
//!
//! `xdist_worker/outbox.py` says how the file is laid out and when the worker writes there. Read with positioned reads;
//! nothing in it is believed that is not numbered in turn and summed up rightly.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use crate::ids::TestIndex;
use crate::protocol::FromPython;

/// Records in the ring.
pub(super) const SLOTS: u64 = 1024;
/// Where the first record stands.
pub(super) const HEADER: u64 = 64;
/// Bytes of a record without its sum.
const BODY: usize = 44;
/// Bytes of a record.
pub(super) const RECORD: usize = BODY + 4;
/// Records read at once.
const PORTION: usize = 64;
/// The worker sends a frame as often as this if it leaves anything: to look by oneself is for when it does not.
const SOON: Duration = Duration::from_millis(25);
/// How long at most until the next look at an outbox in which nothing was found.
const SELDOM: Duration = Duration::from_secs(1);

/// A record: a test passed with nothing to say, and the next one began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pass {
    /// Frames that the worker had sent before.
    after: u32,
    pub(super) test: TestIndex,
    pub(super) durations: [f64; 3],
    pub(super) next: TestIndex,
}

/// The controller's end of one worker's outbox.
#[derive(Debug)]
pub(super) struct Outbox {
    file: File,
    /// Records read so far.
    taken: u64,
    /// Read, and not passed on yet.
    read: VecDeque<Pass>,
    /// The test that runs, by what was passed on.
    running: Option<TestIndex>,
    pause: Duration,
}

impl Outbox {
    /// Opens the file that a worker has made, for which it needs no name any more, and lets the worker use it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        let _ = std::fs::remove_file(path);
        let outbox = Self { file, taken: 0, read: VecDeque::new(), running: None, pause: SOON };
        outbox.allow()?;
        Ok(outbox)
    }

    /// How long until the next look.
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    /// Reads what has been left since the last look.
    pub(super) fn look(&mut self) {
        let before = self.taken;
        while self.read_portion() {}
        if self.taken == before {
            self.pause = (self.pause * 2).min(SELDOM);
        } else {
            self.pause = SOON;
            // Without room the worker sends frames.
            let _ = self.allow();
        }
    }

    /// The worker is busy: it may leave something soon.
    pub(super) fn expect(&mut self) {
        self.pause = SOON;
    }

    /// What was left before a frame that comes after so many others; with all of them, what is left at all.
    pub(super) fn before(&mut self, frames: u32) -> Vec<Pass> {
        let mut passes = Vec::new();
        while let Some(pass) = self.read.pop_front_if(|pass| pass.after <= frames && self.running == Some(pass.test)) {
            self.running = Some(pass.next);
            passes.push(pass);
        }
        passes
    }

    /// Everything that was read: nothing more arrives that it could have to wait for.
    pub(super) fn rest(&mut self) -> Vec<Pass> {
        self.read.drain(..).collect()
    }

    /// Takes note of a frame that is passed on: a record is about the test that frames and records say is running.
    pub(super) fn note(&mut self, message: &FromPython) {
        match message {
            FromPython::Started(test) | FromPython::PassedNext(.., test) => self.running = Some(*test),
            FromPython::Passed(..) | FromPython::Done(_) => self.running = None,
            _ => {}
        }
    }

    /// Reads some records; false if there are no more.
    fn read_portion(&mut self) -> bool {
        let slot = self.taken % SLOTS;
        let mut bytes = [0; RECORD * PORTION];
        let wanted = usize::try_from(SLOTS - slot).unwrap_or(PORTION).min(PORTION) * RECORD;
        if self.file.read_exact_at(&mut bytes[..wanted], HEADER + slot * RECORD as u64).is_err() {
            return false;
        }
        let (records, _) = bytes[..wanted].as_chunks::<RECORD>();
        for record in records {
            let Some(pass) = decode(record, self.taken + 1) else { return false };
            self.taken += 1;
            self.read.push_back(pass);
        }
        true
    }

    /// Says how many records may have been written in all.
    fn allow(&self) -> io::Result<()> {
        self.file.write_all_at(&(self.taken + SLOTS).to_le_bytes(), 0)
    }
}

/// A record, if it is the one of this number and whole.
fn decode(record: &[u8; RECORD], number: u64) -> Option<Pass> {
    let (body, sum) = record.split_at(BODY);
    let mut rest = body;
    if u64::from_le_bytes(take(&mut rest)?) != number || crc32(body).to_le_bytes() != sum {
        return None;
    }
    let mut word = || Some(u32::from_le_bytes(take(&mut rest)?));
    let (after, test, next) = (word()?, TestIndex(word()?), TestIndex(word()?));
    let mut seconds = || Some(f64::from_le_bytes(take(&mut rest)?));
    Some(Pass { after, test, durations: [seconds()?, seconds()?, seconds()?], next })
}

/// A record as the worker writes it.
#[cfg(test)]
pub(super) fn encode(number: u64, after: u32, test: u32, next: u32, durations: [f64; 3]) -> Vec<u8> {
    let mut record = number.to_le_bytes().to_vec();
    record.extend([after, test, next].iter().flat_map(|word| word.to_le_bytes()));
    record.extend(durations.iter().flat_map(|seconds| seconds.to_le_bytes()));
    record.extend(crc32(&record).to_le_bytes());
    record
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*first)
}

/// The usual CRC-32, as Python's `binascii` has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| (sum >> 8) ^ CRC_TABLE[usize::from(sum.to_le_bytes()[0] ^ byte)])
}

const CRC_TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    let mut byte = 0;
    while at < 256 {
        let mut value = byte;
        let mut bit = 0;
        while bit < 8 {
            value = (value >> 1) ^ (0xedb8_8320 * (value & 1));
            bit += 1;
        }
        table[at] = value;
        at += 1;
        byte += 1;
    }
    table
}
