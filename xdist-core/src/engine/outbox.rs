//! The outbox: a ring of records in which a worker leaves word of fast tests that plainly passed.
//!
//! `xdist_worker/outbox.py` says what stands there and when the worker writes. On this host the file is read here, on
//! another one by its agent, which passes the records on.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::Duration;

use execnet_rs::ring::{Ring, Shape};

use crate::ids::TestIndex;
use crate::protocol::FromPython;

/// Records in the ring.
pub(super) const SLOTS: u64 = 1024;
/// Bytes of a record, with its number and sum.
pub(super) const RECORD: usize = 48;
/// How the file is laid out.
pub(super) const SHAPE: Shape = Shape::new(SLOTS, RECORD).unwrap();

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
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// The file, if it is on this host.
    ring: Option<Ring>,
    /// Read, and not passed on yet.
    read: VecDeque<Pass>,
    /// The test that runs, by what was passed on.
    running: Option<TestIndex>,
}

impl Outbox {
    /// Opens the file that a worker of this host has made, and lets the worker use it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { ring: Some(Ring::open(path, SHAPE)?), ..Self::default() })
    }

    /// How long until the next look, where that has to be taken from here.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.ring.as_ref().map(Ring::pause)
    }

    /// Reads what has been left since the last look.
    pub(super) fn look(&mut self) {
        let records = self.ring.as_mut().map(Ring::look).unwrap_or_default();
        self.take(&records);
    }

    /// Takes records that were read elsewhere.
    pub(super) fn take(&mut self, records: &[u8]) {
        let (records, _) = records.as_chunks::<RECORD>();
        self.read.extend(records.iter().filter_map(decode));
    }

    /// The worker is busy: it may leave something soon.
    pub(super) fn expect(&mut self) {
        if let Some(ring) = &mut self.ring {
            ring.expect();
        }
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
}

/// What a record says, which is known to be whole.
fn decode(record: &[u8; RECORD]) -> Option<Pass> {
    let mut rest = record.get(8..)?;
    let mut word = || Some(u32::from_le_bytes(take(&mut rest)?));
    let (after, test, next) = (word()?, TestIndex(word()?), TestIndex(word()?));
    let mut seconds = || Some(f64::from_le_bytes(take(&mut rest)?));
    Some(Pass { after, test, durations: [seconds()?, seconds()?, seconds()?], next })
}

/// A record as the worker writes it.
#[cfg(test)]
pub(super) fn encode(number: u64, after: u32, test: u32, next: u32, durations: [f64; 3]) -> Vec<u8> {
    let mut says: Vec<u8> = [after, test, next].iter().flat_map(|word| word.to_le_bytes()).collect();
    says.extend(durations.iter().flat_map(|seconds| seconds.to_le_bytes()));
    execnet_rs::ring::record(number, &says)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*first)
}
