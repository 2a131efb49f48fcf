//! The sending end: one scanned source, any number of receivers at once.

mod parts;
mod session;
mod supply;

use std::io;

use thiserror::Error;

use self::session::{Ended, offer};
use self::supply::Supply;
use crate::codec::Malformed;
use crate::link::{MessageReader, MessageWriter};
use crate::message::{Summary, ToReceiver};
use crate::path::RelPath;
use crate::scan::{Snapshot, Source};

/// How often a source that changes meanwhile is scanned.
const ATTEMPTS: usize = 3;

/// One receiver: the two halves of the link to it.
pub struct Target {
    /// From the receiver.
    pub reader: Box<dyn MessageReader>,
    /// To the receiver.
    pub writer: Box<dyn MessageWriter>,
}

/// What happens on the way to one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It waits for another run.
    Waiting,
    /// It needs this many files, and bytes of them before compression.
    Sending {
        /// Files.
        files: u64,
        /// Bytes.
        bytes: u64,
    },
    /// This many bytes were handed to the link.
    Sent(u64),
}

/// Why a receiver does not have the tree.
#[derive(Debug, Error)]
pub enum SendError {
    /// The receiver says why.
    #[error("{0}")]
    Receiver(String),
    /// The connection ended.
    #[error("the connection ended before the tree was complete")]
    Ended,
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Link(io::Error),
    /// What the receiver said cannot be read.
    #[error("the receiver broke the protocol: {0}")]
    Malformed(#[from] Malformed),
    /// The receiver broke the rules.
    #[error("the receiver broke the protocol: {0}")]
    Protocol(&'static str),
    /// A file of the source, or of the sender's own, cannot be read.
    #[error("cannot read `{0}`: {1}")]
    Read(RelPath, io::Error),
    /// The source changed under each attempt.
    #[error("`{0}` changes while it is sent\nhint: wait until nothing writes to it, or leave it out")]
    Changing(RelPath),
    /// The source changed, and then could not be scanned.
    #[error("the tree changed while it was sent, and then: {0}")]
    Scan(String),
}

/// Brings `source`, of which `snapshot` was made, to all targets at once. `observe` is told what happens on the way to each,
/// from that target's thread. Blocks until every target has the tree or an error; says goodbye to all.
///
/// Where the source changes meanwhile, it is scanned again and all targets get what it is then.
pub fn push(
    source: &Source,
    snapshot: Snapshot,
    targets: &mut [Target],
    observe: &(dyn Fn(usize, Event) + Sync),
) -> (Snapshot, Vec<Result<Summary, SendError>>) {
    let mut snapshot = snapshot;
    let mut results: Vec<Option<Result<Summary, SendError>>> = targets.iter().map(|_| None).collect();
    for attempt in 1..=ATTEMPTS {
        let live = results.iter().filter(|result| !matches!(result, Some(Err(_)))).count();
        let supply = Supply::new(&snapshot, live);
        let mut stale: Vec<Option<RelPath>> = targets.iter().map(|_| None).collect();
        std::thread::scope(|scope| {
            let all = targets.iter_mut().zip(&mut results).zip(&mut stale).enumerate();
            for (index, ((target, result), stale)) in
                all.filter(|(_, ((_, result), _))| !matches!(result, Some(Err(_))))
            {
                let supply = &supply;
                scope.spawn(move || {
                    let observe = |event| observe(index, event);
                    match offer(supply, &mut *target.reader, &mut *target.writer, &observe) {
                        Ok(Ended::Done(summary)) => *result = Some(Ok(summary)),
                        Ok(Ended::Stale(path)) => *stale = Some(path),
                        Err(error) => *result = Some(Err(error)),
                    }
                });
            }
        });
        let Some(path) = stale.iter().flatten().next().cloned() else { break };
        let fail = |results: &mut Vec<Option<Result<_, _>>>, error: &dyn Fn() -> SendError| {
            for result in results.iter_mut().filter(|result| !matches!(result, Some(Err(_)))) {
                *result = Some(Err(error()));
            }
        };
        if attempt == ATTEMPTS {
            fail(&mut results, &|| SendError::Changing(path.clone()));
            break;
        }
        match source.scan() {
            Ok(now) => snapshot = now,
            Err(error) => {
                fail(&mut results, &|| SendError::Scan(error.to_string()));
                break;
            }
        }
    }
    for target in targets {
        // Whoever is gone needs no goodbye.
        let _ = target.writer.send(&ToReceiver::Bye.encode());
    }
    (snapshot, results.into_iter().map(|result| result.unwrap_or(Err(SendError::Ended))).collect())
}
