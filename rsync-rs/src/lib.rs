//! `rsync-rs`: a one-way synchroniser of trees to many receivers, over any ordered link.
//!
//! A [`Source`] is scanned to a [`Snapshot`]; [`push`] brings it to any number of [`Target`]s at once; at the other end a
//! [`Destination`] takes it. Both ends block, so call them from threads that may.
//!
//! ```no_run
//! use std::time::Duration;
//! use rsync_rs::link::stream::{StreamReader, StreamWriter};
//! use rsync_rs::{Destination, Options, Source, Target, push};
//!
//! # fn receiver() -> Result<(), Box<dyn std::error::Error>> {
//! // At the receiving end: here on its standard streams.
//! let options = Options::new("/home/me/copy", "/home/me/.cache/copies");
//! let mut destination = Destination::open(options, Duration::from_mins(1), || ())?;
//! destination.receive(&mut StreamReader::new(std::io::stdin()), &mut StreamWriter::new(std::io::stdout()))?;
//! # Ok(()) }
//!
//! # fn sender(pipe_in: std::fs::File, pipe_out: std::fs::File) -> Result<(), Box<dyn std::error::Error>> {
//! // At the sending end.
//! let mut source = Source::directory("/home/me/project");
//! source.state = Some("/home/me/.cache/sources".into());
//! let snapshot = source.scan()?;
//! let reader = Box::new(StreamReader::new(pipe_in));
//! let target = Target { reader, writer: Box::new(StreamWriter::new(pipe_out)) };
//! let (_, results) = push(&source, snapshot, &mut [target], &|_, _| ());
//! for result in results {
//!     println!("{} files written", result?.written);
//! }
//! # Ok(()) }
//! ```
//!
//! # What is promised
//!
//! - Afterwards the destination has the tree's files, links and directories with their modes, and with the times of files
//!   and links to the nanosecond. Times of directories, owners, hard links and extended attributes are not synchronised.
//! - At every instant each path has its old contents or its new ones. Nothing is changed before everything has arrived; a
//!   run that is killed at any point is completed by the next.
//! - Nothing is removed that was not put there. What stands at a path of the tree is replaced.
//! - Whatever the other end sends, the receiver touches nothing outside of its destination and its state directory.
//! - What changed at the destination since, by tests for example, is put right.

#![warn(missing_docs)]

mod chunk;
mod codec;
mod confined;
mod digest;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod link;
mod manifest;
mod message;
mod pack;
mod path;
mod receive;
mod scan;
mod sealed;
mod send;
mod stat;

pub use codec::Malformed;
pub use digest::Digest;
pub use error::FileError;
pub use manifest::{Entry, Limits, Manifest, ManifestError, Node};
pub use path::{MAX_COMPONENT, MAX_DEPTH, PathError, RESERVED, RelPath, escape};
pub use receive::{Destination, Options, ReceiveError, Received, Summary};
pub use scan::{DEFAULT_PATTERNS, Links, Mount, Problem, Reason, Rules, ScanError, Skipped, Snapshot, Source};
pub use send::{Event, SendError, Target, push};
pub use stat::Time;
