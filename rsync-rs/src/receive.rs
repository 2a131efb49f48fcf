//! The receiving end: a destination, its lock, and the way from what is there to the tree that is offered.

mod apply;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod plan;
mod session;
mod stage;
mod state;
mod store;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thiserror::Error;

pub use self::session::Received;
pub use crate::message::Summary;

use self::state::Memory;
use crate::codec::Malformed;
use crate::confined::Held;
use crate::error::{FileError, Named};
use crate::link::{MessageReader, MessageWriter};
use crate::manifest::{Limits, ManifestError};
use crate::path::RelPath;

/// How often a lock that another run holds is tried: there is no call that waits for it with a limit.
const RETRY: Duration = Duration::from_millis(50);

/// Where a tree goes, and what the receiver may use. All of it is the receiving host's decision: nothing of it comes over
/// the wire.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory that becomes the tree; made if it is not there. Its own mode and files that were not put there are
    /// left alone.
    pub destination: PathBuf,
    /// A directory for what is remembered, outside of the destination, for any number of destinations.
    pub state: PathBuf,
    /// Bytes that contents which left the destination may take in `state`. 0: none are kept.
    pub store: u64,
    /// Accept links that lead out of the tree. They are never followed here, but whoever uses the tree may.
    pub outward_links: bool,
    /// How large a tree may be.
    pub limits: Limits,
}

impl Options {
    /// Options with a store of 512 MiB and no links out of the tree.
    pub fn new(destination: impl Into<PathBuf>, state: impl Into<PathBuf>) -> Self {
        Self {
            destination: destination.into(),
            state: state.into(),
            store: 512 << 20,
            outward_links: false,
            limits: Limits::default(),
        }
    }
}

/// Why a tree could not be received. The other end is told in the same words.
#[derive(Debug, Error)]
pub enum ReceiveError {
    /// A file operation failed. Files of the tree are old or new, each as a whole.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another run has the destination, longer than the caller wanted to wait.
    #[error("another run uses `{}`\nhint: wait for it, or give this one another directory", .0.display())]
    Busy(PathBuf),
    /// The other end broke the rules.
    #[error("the sender broke the protocol: {0}")]
    Protocol(&'static str),
    /// What the other end said cannot be read.
    #[error("the sender broke the protocol: {0}")]
    Malformed(#[from] Malformed),
    /// The tree that was offered cannot be one.
    #[error("the sender broke the protocol: {0}")]
    Manifest(#[from] ManifestError),
    /// The other end is of another version.
    #[error("the sender speaks version {0} of the protocol, this host version {version}\nhint: install the same version on both hosts", version = crate::message::VERSION)]
    Version(u64),
    /// The connection ended in the middle of an offer. What has arrived serves the next attempt.
    #[error("the connection ended before the tree was complete")]
    Ended,
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Link(io::Error),
    /// A directory with files that were not put there stands where a file should be.
    #[error("the directory `{0}` is in the way, with files that were not put there\nhint: remove it on the host")]
    InTheWay(RelPath),
    /// A link of the tree leads out of it.
    #[error("the link `{0}` leads out of the tree")]
    OutwardLink(RelPath),
    /// Two names that are one here.
    #[error("`{0}` and `{1}` are one name on this host, whose file system does not tell upper from lower case")]
    Case(RelPath, RelPath),
    /// The contents of a file never came as announced.
    #[error("the contents of `{0}` did not arrive as announced")]
    Contents(RelPath),
}

/// A destination that is locked: no other run changes it as long as this value lives, so it may be kept while the tree is
/// used.
#[derive(Debug)]
pub struct Destination {
    options: Options,
    root: Held,
    memory: Memory,
    /// The lock on the destination's directory itself.
    _lock: File,
}

impl Destination {
    /// Opens the destination and locks it. While another run has it, `waiting` is called once, and the lock is tried until
    /// `patience` is over.
    pub fn open(mut options: Options, patience: Duration, waiting: impl FnOnce()) -> Result<Self, ReceiveError> {
        let shown = options.destination.display().to_string();
        std::fs::create_dir_all(&options.destination).named("make the directory", &shown)?;
        let path = options.destination.canonicalize().named("find", &shown)?;
        let lock = File::open(&path).named("open", &shown)?;
        acquire(&lock, &path, patience, waiting)?;
        let root = Held::root(&path).named("open", &shown)?;
        std::fs::create_dir_all(&options.state).named("make the directory", options.state.display())?;
        options.state = options.state.canonicalize().named("find", options.state.display())?;
        let memory = Memory::open(&options.state, &path, &root).named("use", options.state.display())?;
        options.destination = path;
        Ok(Self { options, root, memory, _lock: lock })
    }

    /// Opens the destination and takes the other end's offers until it says goodbye. That is told what is waited for, and
    /// why there is no destination if there is none. The destination that is returned stays locked.
    pub fn serve(
        options: Options,
        patience: Duration,
        reader: &mut dyn MessageReader,
        writer: &mut dyn MessageWriter,
    ) -> Result<(Self, Received), ReceiveError> {
        // Whoever does not listen any more has its own error.
        match Self::open(options, patience, || drop(Self::say_waiting(writer))) {
            Ok(mut destination) => {
                let received = destination.receive(reader, writer)?;
                Ok((destination, received))
            }
            Err(error) => {
                let _ = Self::refuse(&error, reader, writer);
                Err(error)
            }
        }
    }

    /// Where the tree is: absolute, without links.
    pub fn path(&self) -> &Path {
        &self.options.destination
    }
}

fn acquire(lock: &File, path: &Path, patience: Duration, waiting: impl FnOnce()) -> Result<(), ReceiveError> {
    let begin = Instant::now();
    let mut waiting = Some(waiting);
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Ok(Err(error).named("lock", path.display())?),
            Err(TryLockError::WouldBlock) if begin.elapsed() >= patience => {
                return Err(ReceiveError::Busy(path.to_owned()));
            }
            Err(TryLockError::WouldBlock) => {
                if let Some(waiting) = waiting.take() {
                    waiting();
                }
                std::thread::sleep(RETRY.min(patience.saturating_sub(begin.elapsed())));
            }
        }
    }
}

/// Contents that are needed.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    /// The first entry that has them.
    entry: u32,
    /// Entries that still need them.
    uses: u32,
    /// More than one entry needed them.
    shared: bool,
}

#[cfg(test)]
mod tests;
