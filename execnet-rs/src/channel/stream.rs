//! Two channels of bytes as one stream, for a link that travels inside of another one.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};

use super::Channel;
use crate::value::Value;

/// Bytes on their way between the stream and the channels.
const BUFFER: usize = 256 * 1024;

impl Channel {
    /// The channel as a stream of bytes, for both sides to agree upon. Dropping the writing half ends that direction; a
    /// channel or link that fails is the end of what can be read.
    pub fn into_byte_stream(
        self,
    ) -> (impl AsyncRead + Send + Unpin + 'static, impl AsyncWrite + Send + Unpin + 'static) {
        byte_stream(self.clone(), self)
    }
}

/// What is written is sent through `input`, what comes from `output` can be read. The ends go along.
pub(crate) fn byte_stream(input: Channel, output: Channel) -> (ReadHalf<DuplexStream>, WriteHalf<DuplexStream>) {
    let (near, far) = duplex(BUFFER);
    let (mut from_near, mut to_near) = split(far);
    tokio::spawn(async move {
        let mut chunk = vec![0; BUFFER / 4];
        loop {
            match from_near.read(&mut chunk).await {
                Ok(count @ 1..) if input.send_bytes(&chunk[..count]).await.is_ok() => {}
                _ => return input.finish(),
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let piece: Bytes = match output.receive().await {
                Ok(Value::Bytes(piece)) => piece,
                _ => break,
            };
            if to_near.write_all(&piece).await.is_err() {
                break;
            }
        }
        let _ = to_near.shutdown().await;
    });
    split(near)
}
