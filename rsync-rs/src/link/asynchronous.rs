//! Links over tokio's streams, for threads that may block: call the synchroniser from `spawn_blocking`.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Handle;

use super::{MessageReader, MessageWriter, stream};

/// Writes messages to an [`AsyncWrite`].
#[derive(Debug)]
pub struct AsyncWriter<W> {
    runtime: Handle,
    stream: W,
}

impl<W: AsyncWrite + Unpin + Send> AsyncWriter<W> {
    /// A writer over `stream`, driven by `runtime`. It blocks: not for threads of the runtime itself.
    pub fn new(runtime: Handle, stream: W) -> Self {
        Self { runtime, stream }
    }
}

impl<W: AsyncWrite + Unpin + Send> MessageWriter for AsyncWriter<W> {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let head = stream::prefix(message)?;
        self.runtime.block_on(async {
            self.stream.write_all(&head).await?;
            self.stream.write_all(message).await?;
            self.stream.flush().await
        })
    }
}

/// Reads messages from an [`AsyncRead`].
#[derive(Debug)]
pub struct AsyncReader<R> {
    runtime: Handle,
    stream: R,
}

impl<R: AsyncRead + Unpin + Send> AsyncReader<R> {
    /// A reader over `stream`, driven by `runtime`. It blocks: not for threads of the runtime itself.
    pub fn new(runtime: Handle, stream: R) -> Self {
        Self { runtime, stream }
    }
}

impl<R: AsyncRead + Unpin + Send> MessageReader for AsyncReader<R> {
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.runtime.block_on(async {
            let mut head = [0; 4];
            let mut filled = 0;
            while filled < head.len() {
                match self.stream.read(&mut head[filled..]).await? {
                    0 if filled == 0 => return Ok(None),
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    read => filled += read,
                }
            }
            let length = stream::length(head)?;
            let mut message = Vec::new();
            (&mut self.stream).take(length as u64).read_to_end(&mut message).await?;
            if message.len() < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(Some(message)) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_pass_between_threads() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (near, far) = tokio::io::duplex(16);
        let mut writer = AsyncWriter::new(runtime.handle().clone(), near);
        let mut reader = AsyncReader::new(runtime.handle().clone(), far);
        let sending = std::thread::spawn(move || {
            writer.send(b"longer than the buffer between").unwrap();
            writer.send(b"").unwrap();
        });
        assert_eq!(reader.receive().unwrap().as_deref(), Some(&b"longer than the buffer between"[..]));
        assert_eq!(reader.receive().unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(reader.receive().unwrap(), None);
        sending.join().unwrap();
    }
}
