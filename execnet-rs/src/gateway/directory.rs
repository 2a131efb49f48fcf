//! A private directory on a gateway's host.

use tokio::sync::{mpsc, oneshot};

use super::{Gateway, GatewayError};
use crate::channel::{Channel, ReceiveError};
use crate::value::Value;

/// A private directory on a gateway's host, for small files and named pipes. Orders are carried out in the order in which
/// they are given, and none waits for the answer to another. It is removed when the last handle of this is dropped.
#[derive(Clone, Debug)]
pub struct Directory {
    path: String,
    channel: Channel,
    orders: mpsc::UnboundedSender<(Value, oneshot::Sender<Answer>)>,
}

type Answer = Result<Value, ReceiveError>;

impl Directory {
    /// Its path on the host.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Makes a named pipe there, and returns what is written into it as a channel of bytes. The pipe has no end of its own
    /// before [`Directory::drain`] is called.
    ///
    /// # Errors
    /// If the host refuses, or the link has ended.
    ///
    /// # Cancellation
    /// The pipe may be made; nobody reads it.
    pub async fn pipe(&self, name: &str) -> Result<Channel, GatewayError> {
        let bytes = self.channel.sibling()?;
        self.order("pipe", name, [("to", bytes.reference())]).await?;
        Ok(bytes)
    }

    /// Whoever wrote into a pipe is gone: its channel ends with what was written, whoever else still holds it.
    pub fn drain(&self, name: &str) {
        drop(self.order("drain", name, []));
    }

    /// Writes into a file there, which is made if it is missing.
    ///
    /// # Errors
    /// As [`Directory::pipe`].
    ///
    /// # Cancellation
    /// It may be written.
    pub fn write(
        &self,
        name: &str,
        at: u64,
        bytes: Vec<u8>,
    ) -> impl Future<Output = Result<(), GatewayError>> + Send + use<> {
        let written = self.order("write", name, [("at", Value::from(at)), ("bytes", bytes.into())]);
        async move { written.await.map(drop) }
    }

    /// At most so many bytes of a file there, from this place on; None if there is no such file.
    ///
    /// # Errors
    /// As [`Directory::pipe`].
    ///
    /// # Cancellation
    /// Safe.
    pub async fn read(&self, name: &str, at: u64, length: u64) -> Result<Option<Vec<u8>>, GatewayError> {
        Ok(bytes_of(&self.order("read", name, [("at", Value::from(at)), ("length", length.into())]).await?))
    }

    /// The last so many bytes of a file there, which is removed; None if there is no such file.
    ///
    /// # Errors
    /// As [`Directory::pipe`].
    ///
    /// # Cancellation
    /// The file may be gone.
    pub async fn take(&self, name: &str, last: u64) -> Result<Option<Vec<u8>>, GatewayError> {
        Ok(bytes_of(&self.order("take", name, [("last", last.into())]).await?))
    }

    /// Gives an order; it is on its way when this returns.
    fn order<const N: usize>(
        &self,
        order: &str,
        name: &str,
        rest: [(&str, Value); N],
    ) -> impl Future<Output = Result<Value, GatewayError>> + Send + use<N> {
        let parts = [("order", Value::from(order)), ("name", name.into())];
        let (tell, told) = oneshot::channel();
        let _ = self.orders.send((Value::dict(parts.into_iter().chain(rest)), tell));
        let channel = self.channel.clone();
        async move {
            let Ok(answer) = told.await else {
                return Err(GatewayError::Receive(ReceiveError::Link(channel.link_ended().await)));
            };
            let answer = answer?;
            match answer.get("error").and_then(Value::as_str) {
                Some(error) => Err(GatewayError::Answer(error.to_owned())),
                None => Ok(answer),
            }
        }
    }
}

fn bytes_of(answer: &Value) -> Option<Vec<u8>> {
    answer.as_bytes().map(|bytes| bytes.to_vec())
}

impl Gateway {
    /// Makes a private directory on the host.
    ///
    /// # Errors
    /// If the host refuses, or the link has ended.
    ///
    /// # Cancellation
    /// The directory is removed.
    pub async fn directory(&self) -> Result<Directory, GatewayError> {
        let channel = Channel::open(self.agent().await?, "directory")?;
        channel.send(()).await?;
        let Value::Str(path) = channel.receive().await? else {
            return Err(GatewayError::Answer("no path for a directory".to_owned()));
        };
        let (orders, mut ordered) = mpsc::unbounded_channel::<(Value, oneshot::Sender<Answer>)>();
        let (sent, mut awaited) = mpsc::unbounded_channel::<oneshot::Sender<Answer>>();
        let (sending, hearing) = (channel.clone(), channel.clone());
        tokio::spawn(async move {
            while let Some((order, tell)) = ordered.recv().await {
                if sent.send(tell).is_err() || sending.send(order).await.is_err() {
                    break;
                }
            }
            sending.close();
        });
        tokio::spawn(async move {
            while let Some(tell) = awaited.recv().await {
                let answer = hearing.receive().await;
                let last = answer.is_err();
                let _ = tell.send(answer);
                if last {
                    return;
                }
            }
        });
        Ok(Directory { path, channel, orders })
    }
}
