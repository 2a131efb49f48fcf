//! How links and channels end, and why something cannot be sent.

use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use crate::wire::{Kind, WireError};

/// What a peer did that it may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// The frames themselves are wrong.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A second hello.
    #[error("a second hello")]
    SecondHello,
    /// A body that its kind of frame cannot have.
    #[error("malformed frame of kind {0:?}")]
    Malformed(Kind),
    /// A channel that was never opened.
    #[error("frame for channel {0}, which was never opened")]
    UnknownChannel(u32),
    /// A new channel with a number that cannot be new.
    #[error("channel {0} cannot be opened: wrong or used number")]
    WrongNumber(u32),
    /// More channels than allowed.
    #[error("too many channels")]
    TooManyChannels,
    /// More was sent than the credit allowed, or more credit was given than can be.
    #[error("credit was not kept to")]
    Credit,
    /// A message beyond the limit.
    #[error("message is larger than the limit of {0} bytes")]
    MessageTooLarge(usize),
    /// A message after the last one.
    #[error("message after the end of its channel")]
    AfterEnd,
    /// Pings faster than answers can be sent.
    #[error("too many pings")]
    TooManyPings,
}

/// How a link ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LinkEnd {
    /// As it should: the other side said goodbye.
    #[error("the other side said goodbye")]
    Goodbye,
    /// As it should: this side said goodbye.
    #[error("the connection was closed here")]
    Closed,
    /// The stream ended without a goodbye: the other side was killed, or the network or a program in between gave up.
    #[error("the connection ended without a goodbye")]
    Lost,
    /// Reading or writing failed.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// What came is not what the other side can have sent.
    #[error("the connection was disturbed: {0}")]
    Disturbed(#[from] ProtocolError),
    /// Nothing came for too long, although an answer was due.
    #[error("nothing was heard from the other side for {0:?}")]
    Silent(Duration),
}

/// Why nothing more arrives on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelEnd {
    /// The other side sends no more; it may still receive.
    Finished,
    /// The channel was closed, by either side.
    Closed,
    /// The other side closed the channel with this error.
    Failed(Bytes),
    /// The link ended.
    Link(LinkEnd),
}

/// Why something cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PushError {
    /// The channel is closed, or its sending half is.
    #[error("the channel is closed")]
    Closed,
    /// The link has ended.
    #[error(transparent)]
    Link(LinkEnd),
    /// Larger than the other side accepts.
    #[error("a message of {length} bytes is larger than the limit of {limit} bytes")]
    TooLarge {
        /// Its bytes.
        length: usize,
        /// Bytes accepted.
        limit: usize,
    },
    /// Two thousand million channels were opened already.
    #[error("no more channels can be opened on this connection")]
    NoNumbers,
}

impl From<&ChannelEnd> for PushError {
    fn from(end: &ChannelEnd) -> Self {
        match end {
            ChannelEnd::Link(end) => Self::Link(end.clone()),
            ChannelEnd::Finished | ChannelEnd::Closed | ChannelEnd::Failed(_) => Self::Closed,
        }
    }
}
