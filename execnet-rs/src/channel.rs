//! Channels: one ordered stream of values in each direction, with ends and errors.
//!
//! | execnet | here |
//! |---|---|
//! | `send(obj)` | [`Channel::send`] |
//! | `receive(timeout)` | [`Channel::receive`], [`Channel::receive_within`] |
//! | iteration | `while let Some(value) = channel.next().await?` |
//! | `setcallback(f, endmarker)` | [`Channel::call_back`]: the end is passed as what it is |
//! | `waitclose(timeout)` | [`Channel::wait_close`] |
//! | `close(error)`, `isclosed()` | [`Channel::close`], [`Channel::fail`], [`Channel::is_closed`] |
//! | `makefile("r"/"w")` | [`Channel::text_reader`], [`Channel::text_writer`] |
//! | a channel inside a value | [`Channel::reference`], [`Channel::resolve`] |

mod error;
mod files;
mod multi;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::link::{Link, Shared};
use crate::mux::{ChannelEnd, ERROR_LIMIT, LinkEnd, Mux, PushError};
use crate::value::{ChannelRef, Value, decode, encode};
pub use error::{ReceiveError, RemoteError, SendError};
pub use files::{TextReader, TextWriter};
pub use multi::MultiChannel;
pub(crate) use stream::byte_stream;

/// A handle of a channel. Clones are handles of the same channel; when the last one is dropped, the channel is closed.
#[derive(Debug)]
pub struct Channel {
    shared: Arc<Shared>,
    number: u32,
}

impl Channel {
    /// Opens a channel on a link, for a service of the other side; for none if the name is empty: then send the channel's
    /// [reference](Channel::reference).
    ///
    /// # Errors
    /// If the link has ended, or no more channels can be opened.
    pub fn open(link: &Link, service: &str) -> Result<Self, SendError> {
        Self::open_shared(&link.shared, service)
    }

    fn open_shared(shared: &Arc<Shared>, service: &str) -> Result<Self, SendError> {
        let number = shared.with(|mux| mux.open(service))?;
        Ok(Self { shared: Arc::clone(shared), number })
    }

    /// The channel of a request, which is held already.
    pub fn of_request(link: &Link, request: &crate::mux::Request) -> Self {
        Self { shared: Arc::clone(&link.shared), number: request.channel }
    }

    /// Another channel on the same link, for no service.
    ///
    /// # Errors
    /// As [`Channel::open`].
    pub fn sibling(&self) -> Result<Self, SendError> {
        Self::open_shared(&self.shared, "")
    }

    /// This channel as a value, which can be sent through the same link.
    pub fn reference(&self) -> Value {
        Value::Channel(ChannelRef { link: self.shared.id, id: self.number })
    }

    /// The channel that was received as a value through the same link. One that has been closed since has ended; None for
    /// one of another link, or one that never was.
    pub fn resolve(&self, reference: ChannelRef) -> Option<Self> {
        let held = reference.link == self.shared.id && self.shared.with(|mux| mux.hold(reference.id));
        held.then(|| Self { shared: Arc::clone(&self.shared), number: reference.id })
    }

    /// What all handles of its link share.
    pub(crate) fn link(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The channel's number, the same on both sides.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Sends a value. Waits while more than a bounded amount waits to be sent, because the other side does not take it.
    ///
    /// # Errors
    /// If the value cannot be sent, is too large, or the channel or the link has ended.
    ///
    /// # Cancellation
    /// Safe: the value is sent as a whole or not at all.
    pub async fn send(&self, value: impl Into<Value>) -> Result<(), SendError> {
        let mut message = Vec::new();
        encode(&value.into(), self.shared.id, &mut message)?;
        self.send_encoded(message.into()).await
    }

    /// Sends a value, or gives it back as an error if that would mean to wait.
    ///
    /// # Errors
    /// As [`Channel::send`]; also [`SendError::Full`].
    pub fn try_send(&self, value: impl Into<Value>) -> Result<(), SendError> {
        let mut message = Vec::new();
        encode(&value.into(), self.shared.id, &mut message)?;
        let limit = self.shared.message_limit();
        self.shared.with(|mux| {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            match mux.poll_room(self.number, &mut context) {
                std::task::Poll::Ready(Ok(())) => mux.push(self.number, message.into(), limit).map_err(SendError::from),
                std::task::Poll::Ready(Err(error)) => Err(error.into()),
                std::task::Poll::Pending => Err(SendError::Full),
            }
        })
    }

    async fn send_encoded(&self, message: Bytes) -> Result<(), SendError> {
        let limit = self.shared.message_limit();
        if message.len() > limit {
            return Err(PushError::TooLarge { length: message.len(), limit }.into());
        }
        // Room and push under one lock, so that no crowd of senders gets past the bound together.
        let mut message = Some(message);
        let pushed = self.shared.until(|mux, context| {
            mux.poll_room(self.number, context)
                .map(|room| room.and_then(|()| mux.push(self.number, message.take().unwrap_or_default(), limit)))
        });
        Ok(pushed.await?)
    }

    /// Sends bytes, as [`Value::Bytes`]; without copying them into a value first.
    ///
    /// # Errors
    /// As [`Channel::send`].
    ///
    /// # Cancellation
    /// As [`Channel::send`].
    pub async fn send_bytes(&self, bytes: &[u8]) -> Result<(), SendError> {
        let mut message = Vec::with_capacity(bytes.len() + 5);
        crate::value::encode_bytes(bytes, &mut message)?;
        self.send_encoded(message.into()).await
    }

    /// The next value.
    ///
    /// # Errors
    /// [`ReceiveError::Ended`] after the last one; [`ReceiveError::Remote`] if the other side closed with an error;
    /// [`ReceiveError::Link`] if the link is gone. Again and again.
    ///
    /// # Cancellation
    /// Safe: nothing is lost.
    pub async fn receive(&self) -> Result<Value, ReceiveError> {
        let message = self.shared.until(|mux, context| mux.poll_message(self.number, context)).await;
        self.decoded(message)
    }

    /// The next value, if it comes in time.
    ///
    /// # Errors
    /// As [`Channel::receive`]; also [`ReceiveError::TimedOut`].
    ///
    /// # Cancellation
    /// As [`Channel::receive`].
    pub async fn receive_within(&self, limit: Duration) -> Result<Value, ReceiveError> {
        tokio::time::timeout(limit, self.receive()).await.unwrap_or(Err(ReceiveError::TimedOut(limit)))
    }

    /// The next value; None after the last one.
    ///
    /// # Errors
    /// As [`Channel::receive`], but for the end.
    ///
    /// # Cancellation
    /// As [`Channel::receive`].
    pub async fn next(&self) -> Result<Option<Value>, ReceiveError> {
        match self.receive().await {
            Ok(value) => Ok(Some(value)),
            Err(ReceiveError::Ended) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn decoded(&self, message: Result<Bytes, ChannelEnd>) -> Result<Value, ReceiveError> {
        match message {
            Ok(message) => Ok(decode(&message, self.shared.id, self.shared.decode_limits())?),
            Err(end) => Err(self.error_of(end)),
        }
    }

    fn error_of(&self, end: ChannelEnd) -> ReceiveError {
        match end {
            ChannelEnd::Finished | ChannelEnd::Closed => ReceiveError::Ended,
            ChannelEnd::Link(end) => ReceiveError::Link(end),
            ChannelEnd::Failed(error) => match decode(&error, self.shared.id, self.shared.decode_limits()) {
                Ok(error) => ReceiveError::Remote(Box::new(RemoteError::from_value(&error))),
                Err(error) => error.into(),
            },
        }
    }

    /// Calls back for every value, those that have arrived already first, and once with the end. Goes on when all handles
    /// are dropped. The callback runs in a task: it must not block.
    pub fn call_back(self, mut callback: impl FnMut(Result<Value, ReceiveError>) + Send + 'static) -> JoinHandle<()> {
        tokio::spawn(async move {
            loop {
                let received = self.receive().await;
                let last = received.is_err();
                callback(received);
                if last {
                    return;
                }
            }
        })
    }

    /// Waits until nothing more can arrive. What has arrived may still be received. Cancel safe.
    ///
    /// # Errors
    /// The other side's error, or the end of the link; [`ReceiveError::TimedOut`].
    pub async fn wait_close(&self, limit: Option<Duration>) -> Result<(), ReceiveError> {
        let closed = self.shared.until(|mux, context| mux.poll_closed(self.number, context));
        let end = match limit {
            Some(limit) => tokio::time::timeout(limit, closed).await.map_err(|_| ReceiveError::TimedOut(limit))?,
            None => closed.await,
        };
        match self.error_of(end) {
            ReceiveError::Ended => Ok(()),
            error => Err(error),
        }
    }

    /// Whether nothing can be sent or received any more. What has arrived may still be received.
    pub fn is_closed(&self) -> bool {
        self.shared.with(|mux| mux.is_closed(self.number))
    }

    /// Sends no more; receiving goes on. What was sent still arrives.
    pub fn finish(&self) {
        self.shared.with(|mux| mux.finish(self.number));
    }

    /// Closes both directions, for all handles. What was sent still arrives.
    pub fn close(&self) {
        self.shared.with(|mux| mux.close(self.number, None));
    }

    /// Closes both directions with an error for the other side. What was sent arrives before it. Of texts that are too
    /// long, the beginning and the end are sent.
    pub fn fail(&self, error: &RemoteError) {
        let encoded = |error: &RemoteError| {
            let mut body = Vec::new();
            // Its parts are text and numbers, which can always be sent.
            let _ = encode(&error.to_value(), self.shared.id, &mut body);
            body
        };
        let mut body = encoded(error);
        if body.len() > ERROR_LIMIT {
            body = encoded(&error.shortened());
        }
        self.shared.with(|mux| mux.close(self.number, Some(body.into())));
    }

    /// How the link ended, once it has. Cancel safe.
    pub async fn link_ended(&self) -> LinkEnd {
        self.shared.ended().await
    }

    /// This channel as a source of text: pieces that are received, cut anew.
    pub fn text_reader(self) -> TextReader {
        TextReader::new(self)
    }

    /// This channel as a sink of text: every piece is sent as one value.
    pub fn text_writer(self) -> TextWriter {
        TextWriter::new(self)
    }
}

impl Clone for Channel {
    fn clone(&self) -> Self {
        self.shared.with(|mux| mux.hold(self.number));
        Self { shared: Arc::clone(&self.shared), number: self.number }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.shared.with(|mux: &mut Mux| mux.release(self.number));
    }
}
