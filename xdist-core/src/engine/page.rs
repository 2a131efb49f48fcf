//! The stop page: a small file that all workers of this host map and read before each test.
//!
//! Byte 0 is the stop flag. The slot of worker k is 64 bytes at `64 * (k + 1)`: failures so far (u32, little endian), then
//! the phase of the running test (0 none, 1 set-up, 2 call, 3 teardown), and 1 once the worker found its connection broken;
//! from byte 8 on the seconds of the test's set-up and call (f64, little endian), as far as they are over.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::ids::WorkerId;

const SLOT: u64 = 64;
/// Where in a slot stands what a dead worker leaves: first of all, the phase.
const LEFT: u64 = 4;
/// Up to the end of the seconds.
const LEFT_SIZE: usize = 20;
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

/// What a dead worker left in its slot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Left {
    phase: u8,
    seconds: [f64; 2],
    /// It found its connection closed or replaced.
    pub(super) lost_link: bool,
}

impl Left {
    /// Where in a page it stands, and how many bytes that are.
    pub(super) fn place(worker: WorkerId) -> (u64, u64) {
        (SLOT * (u64::from(worker.0) + 1) + LEFT, LEFT_SIZE as u64)
    }

    /// Reads these bytes of a slot; nothing, if they are too few.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let Some([phase, lost_link, _, _, seconds @ ..]) = bytes.first_chunk::<LEFT_SIZE>() else {
            return Self::default();
        };
        let (set_up, call) = seconds.split_at(8);
        let number = |bytes: &[u8]| bytes.first_chunk().map_or(0.0, |bytes| f64::from_le_bytes(*bytes));
        // A test may have written there.
        let sane = |seconds: f64| if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
        Self { phase: *phase, seconds: [sane(number(set_up)), sane(number(call))], lost_link: *lost_link != 0 }
    }

    /// The phase of its test in which it was, in words that follow "in"; empty if in none.
    pub(super) fn phase(&self) -> &'static str {
        match self.phase {
            1 => "set-up",
            2 => "the call",
            3 => "teardown",
            _ => "",
        }
    }

    /// Seconds of the phases that were over.
    pub(super) fn over(&self) -> &[f64] {
        match self.phase {
            2 => &self.seconds[..1],
            3 => &self.seconds,
            _ => &[],
        }
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

    /// What the dead worker left, and zeros in its place: its successor starts in no phase. Nothing, if it cannot be read.
    pub(super) fn take_left(&self, worker: WorkerId) -> Left {
        let mut bytes = [0; LEFT_SIZE];
        let (at, _) = Left::place(worker);
        let read = self.file.read_exact_at(&mut bytes, at);
        let _ = self.file.write_all_at(&[0; LEFT_SIZE], at);
        read.map_or_else(|_| Left::default(), |()| Left::of(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_left_is_read_once() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let page = Page::create(&directory.path().join("page"), 2)?;
        let (at, _) = Left::place(WorkerId(1));
        let left = [&[3, 1, 0, 0][..], &0.5_f64.to_le_bytes(), &0.25_f64.to_le_bytes()].concat();
        page.file.write_all_at(&left, at)?;
        assert_eq!(page.take_left(WorkerId(0)), Left::default());
        let found = page.take_left(WorkerId(1));
        assert_eq!((found.phase(), found.over(), found.lost_link), ("teardown", &[0.5, 0.25][..], true));
        assert_eq!(page.take_left(WorkerId(1)), Left::default());
        Ok(())
    }

    #[test]
    fn seconds_are_those_of_phases_that_are_over_and_numbers() {
        let left = |phase: u8, seconds: f64| {
            Left::of(&[&[phase, 0, 0, 0][..], &seconds.to_le_bytes(), &seconds.to_le_bytes()].concat())
        };
        for (phase, words, over) in
            [(0, "", &[][..]), (1, "set-up", &[]), (2, "the call", &[0.5]), (3, "teardown", &[0.5, 0.5]), (9, "", &[])]
        {
            assert_eq!((left(phase, 0.5).phase(), left(phase, 0.5).over()), (words, over));
        }
        for rubbish in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(left(2, rubbish).over(), [0.0]);
        }
        assert_eq!(Left::of(&[3; LEFT_SIZE - 1]), Left::default());
    }
}
