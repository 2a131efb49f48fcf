//! The stop page: a small file that all workers of this host map and read before each test.
//!
//! Byte 0 is the stop flag. The slot of worker k is 64 bytes at `64 * (k + 1)`: failures so far (u32, little endian), then
//! the phase of the running test (0 none, 1 set-up, 2 call, 3 teardown), and 1 once the worker found its connection broken.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::ids::WorkerId;

const SLOT: u64 = 64;
/// Where in a slot the phase stands.
const PHASE: u64 = 4;
/// Where in a slot a broken connection is noted.
const LOST_LINK: u64 = 5;
/// As many bytes as a slot has, for writing.
const EMPTY: [u8; 64] = [0; 64];

/// The controller's view of the page.
#[derive(Debug)]
pub(super) struct Page {
    file: File,
    path: PathBuf,
}

/// Bytes of a page for so many workers.
pub(super) fn size(workers: u32) -> usize {
    EMPTY.len() * (workers as usize + 1)
}

/// Where in a page it stands what a dead worker left there, and how many bytes that are.
pub(super) fn remains(worker: WorkerId) -> (u64, u64) {
    (SLOT * (u64::from(worker.0) + 1) + PHASE, LOST_LINK + 1 - PHASE)
}

/// A phase in words that follow "in", and whether set-up was over; empty if in none.
pub(super) fn phase(byte: u8) -> (&'static str, bool) {
    match byte {
        1 => ("set-up", false),
        2 => ("the call", true),
        3 => ("teardown", true),
        _ => ("", false),
    }
}

impl Page {
    /// Makes the page for so many workers.
    pub(super) fn create(path: &Path, workers: u32) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        // Written and not only measured: on a full disk this fails here, and not in a worker that touches its slot.
        for slot in 0..=u64::from(workers) {
            file.write_all_at(&EMPTY, SLOT * slot)?;
        }
        Ok(Self { file, path: path.to_owned() })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// No worker of this host starts a further test.
    pub(super) fn stop(&self) -> io::Result<()> {
        self.file.write_all_at(&[1], 0)
    }

    /// Whether the dead worker found its connection closed or replaced. Its successor starts afresh.
    pub(super) fn lost_link(&self, worker: WorkerId) -> bool {
        self.take(worker, LOST_LINK) != 0
    }

    /// In which phase of its test the dead worker was. Its successor starts in none.
    pub(super) fn last_phase(&self, worker: WorkerId) -> u8 {
        self.take(worker, PHASE)
    }

    /// A byte of a worker's slot, and 0 in its place; 0 if it cannot be read.
    fn take(&self, worker: WorkerId, offset: u64) -> u8 {
        let mut byte = [0];
        let at = SLOT * (u64::from(worker.0) + 1) + offset;
        let read = self.file.read_exact_at(&mut byte, at);
        let _ = self.file.write_all_at(&[0], at);
        read.map_or(0, |()| byte[0])
    }
}
