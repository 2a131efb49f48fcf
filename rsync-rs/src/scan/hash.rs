//! Reading one file to its hash, and noticing when it changes meanwhile.

use std::io::{self, Read};
use std::time::SystemTime;

use rustix::io::Errno;

use crate::chunk::{DELTA_FROM, DELTA_TO, Recipe};
use crate::confined::Held;
use crate::digest::Digest;
use crate::error::is_absent;
use crate::stat::Stat;

/// How often a file that changes is read.
const ATTEMPTS: usize = 3;

/// What reading a file came to.
#[derive(Debug)]
pub(super) enum Reading {
    Whole(Hashed),
    /// It changed each time.
    Changing,
    Vanished,
}

/// A file that was read while it did not change.
#[derive(Debug)]
pub(super) struct Hashed {
    pub(super) stat: Stat,
    pub(super) content: Digest,
    /// The chunks, of files that travel as deltas.
    pub(super) recipe: Option<Recipe>,
    /// It changed so recently that its times may not show the next change.
    pub(super) young: bool,
}

pub(super) fn read(directory: &Held, name: &[u8]) -> io::Result<Reading> {
    for _ in 0..ATTEMPTS {
        let now = SystemTime::now();
        let file = match directory.open(name) {
            Ok(file) => file,
            Err(error) if is_absent(error) => return Ok(Reading::Vanished),
            Err(error) => return Err(error.into()),
        };
        let before = Stat::at(&file, b"")?;
        if !before.is_file() {
            return Ok(Reading::Vanished);
        }
        let (content, length, recipe) = contents(&file, before.size)?;
        let after = Stat::at(&file, b"")?;
        if before == after && length == after.size {
            return Ok(Reading::Whole(Hashed { stat: after, content, recipe, young: after.is_young(now) }));
        }
    }
    Ok(Reading::Changing)
}

/// Hash, length and, for some sizes, recipe of a file of about `size` bytes.
pub(crate) fn contents(mut file: impl Read, size: u64) -> io::Result<(Digest, u64, Option<Recipe>)> {
    if size > DELTA_FROM && size <= DELTA_TO {
        let (content, length, recipe) = Recipe::read(file)?;
        return Ok((content, length, Some(recipe)));
    }
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((Digest::finish(&hasher), length, None)),
            Ok(read) => {
                hasher.update(&buffer[..read]);
                length += read as u64;
            }
            Err(error) if error.raw_os_error() == Some(Errno::INTR.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
    }
}
