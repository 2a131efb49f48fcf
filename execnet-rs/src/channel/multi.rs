//! Several channels as one.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{Channel, ReceiveError, SendError};
use crate::value::Value;

/// Values that a receive queue holds before its channels have to wait.
const QUEUED: usize = 64;

/// Several channels, in order.
#[derive(Clone, Debug, Default)]
pub struct MultiChannel {
    channels: Vec<Channel>,
}

impl MultiChannel {
    /// Takes channels together.
    pub fn new(channels: Vec<Channel>) -> Self {
        Self { channels }
    }

    /// The channels.
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// Sends a value through each.
    ///
    /// # Errors
    /// The first error; the others got the value.
    ///
    /// # Cancellation
    /// The first of them may have got the value, and the others not.
    pub async fn send_each(&self, value: impl Into<Value>) -> Result<(), SendError> {
        let value = value.into();
        let mut result = Ok(());
        for channel in &self.channels {
            let sent = channel.send(value.clone()).await;
            result = result.and(sent);
        }
        result
    }

    /// One value of each, in the order of the channels.
    ///
    /// # Errors
    /// The first error, in the same order.
    ///
    /// # Cancellation
    /// Not safe: what the first of them had sent by then is lost. [`MultiChannel::receive_queue`] loses nothing.
    pub async fn receive_each(&self) -> Result<Vec<Value>, ReceiveError> {
        let mut values = Vec::with_capacity(self.channels.len());
        for channel in &self.channels {
            values.push(channel.receive().await?);
        }
        Ok(values)
    }

    /// What comes from any of them, as it comes: the index of the channel and the value, or how it ended, which is the last
    /// of it. When the queue is dropped, the channels are read no further.
    pub fn receive_queue(&self) -> mpsc::Receiver<(usize, Result<Value, ReceiveError>)> {
        let (give, take) = mpsc::channel(QUEUED);
        for (index, channel) in self.channels.iter().cloned().enumerate() {
            let give = give.clone();
            tokio::spawn(async move {
                // A place first: what was received is never lost.
                while let Ok(place) = give.reserve().await {
                    let received = tokio::select! {
                        received = channel.receive() => received,
                        () = give.closed() => return,
                    };
                    let last = received.is_err();
                    place.send((index, received));
                    if last {
                        return;
                    }
                }
            });
        }
        take
    }

    /// Waits until nothing more arrives on any of them.
    ///
    /// # Errors
    /// The first error, after all have ended.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn wait_close(&self, limit: Option<Duration>) -> Result<(), ReceiveError> {
        let deadline = limit.map(|limit| tokio::time::Instant::now() + limit);
        let mut result = Ok(());
        for channel in &self.channels {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(tokio::time::Instant::now()));
            result = result.and(channel.wait_close(left).await);
        }
        result
    }
}

impl FromIterator<Channel> for MultiChannel {
    fn from_iter<I: IntoIterator<Item = Channel>>(channels: I) -> Self {
        Self::new(channels.into_iter().collect())
    }
}
