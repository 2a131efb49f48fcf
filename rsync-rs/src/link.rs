//! What the synchroniser needs of a connection: messages in order, both ways, with back pressure. Blocking, because
//! both ends work on files; [`stream`] makes links of byte streams, [`asynchronous`] of tokio's.

pub mod asynchronous;
pub mod stream;

use std::io;

/// Largest message, in bytes. A link must carry every message up to this size.
pub const MAX_MESSAGE: usize = 4 << 20;

/// The sending half of a link. Once it fails, the receiving half of the same link must come to an end as well: that is
/// waited for, since what the other end said last is the better reason. A limit of time is the link's, too.
pub trait MessageWriter: Send {
    /// Sends one message of at most [`MAX_MESSAGE`] bytes; blocks as long as the other end cannot take it.
    fn send(&mut self, message: &[u8]) -> io::Result<()>;
}

/// The receiving half of a link.
pub trait MessageReader: Send {
    /// The next message; `None` after the other end has closed the link between two messages.
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>>;
}

impl<T: MessageWriter + ?Sized> MessageWriter for Box<T> {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        (**self).send(message)
    }
}

impl<T: MessageReader + ?Sized> MessageReader for Box<T> {
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        (**self).receive()
    }
}
