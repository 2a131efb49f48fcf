//! The frames of [`super::sealed`] as an ordinary byte stream.

use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::sealed::{MOST, Opener, Sealer};

/// Room for what has arrived: a few of the largest frames.
const ROOM: usize = 256 * 1024;

/// Plain bytes that are encrypted at once, at most: a few frames make one write.
const BATCH: usize = 4 * MOST;

/// What comes, decrypted.
pub struct SealedReader<R> {
    inner: R,
    opener: Opener,
    buffer: Vec<u8>,
    /// What has arrived and is not opened.
    arrived: Range<usize>,
    /// What is opened and not taken.
    plain: Range<usize>,
    count: Arc<AtomicU64>,
}

impl<R> SealedReader<R> {
    /// Reads the frames that `inner` gives.
    pub fn new(inner: R, opener: Opener) -> Self {
        Self { inner, opener, buffer: vec![0; ROOM], arrived: 0..0, plain: 0..0, count: Arc::default() }
    }

    /// How many bytes have come, frames and all; goes on counting.
    pub fn count(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.count)
    }

    /// Gives what is opened, as far as there is room for it.
    fn give(&mut self, out: &mut ReadBuf<'_>) {
        let count = self.plain.len().min(out.remaining());
        let taken = self.plain.start..self.plain.start + count;
        out.put_slice(&self.buffer[taken]);
        self.plain.start += count;
    }

    /// Opens the next frame, if it is whole.
    fn open(&mut self) -> io::Result<bool> {
        let start = self.arrived.start;
        let Some(opened) = self.opener.open(&mut self.buffer[self.arrived.clone()])? else { return Ok(false) };
        self.plain = start + opened.plain.start..start + opened.plain.end;
        self.arrived.start += opened.whole;
        Ok(true)
    }

    /// Has room behind what arrived for the rest of any frame.
    fn make_room(&mut self) {
        if self.arrived.is_empty() {
            self.arrived = 0..0;
        } else if self.buffer.len() - self.arrived.start <= MOST * 2 {
            self.buffer.copy_within(self.arrived.clone(), 0);
            self.arrived = 0..self.arrived.len();
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for SealedReader<R> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = out.remaining();
        loop {
            this.give(out);
            if out.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if this.open()? {
                continue;
            }
            if out.remaining() < before {
                return Poll::Ready(Ok(()));
            }
            this.make_room();
            let room = &mut this.buffer[this.arrived.end..];
            let count = ready!(pin!(this.inner.read(room)).poll(context))?;
            this.arrived.end += count;
            this.count.fetch_add(count as u64, Ordering::Relaxed);
            if count == 0 {
                // An end between frames may be one: the link above knows whether a goodbye was said.
                let whole = this.arrived.is_empty();
                return Poll::Ready(if whole { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) });
            }
        }
    }
}

/// What goes, encrypted.
pub struct SealedWriter<W> {
    inner: W,
    sealer: Sealer,
    sealed: Vec<u8>,
    written: usize,
    count: Arc<AtomicU64>,
}

impl<W> SealedWriter<W> {
    /// Writes frames to `inner`.
    pub fn new(inner: W, sealer: Sealer) -> Self {
        Self { inner, sealer, sealed: Vec::new(), written: 0, count: Arc::default() }
    }

    /// How many bytes have gone, frames and all; goes on counting.
    pub fn count(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.count)
    }
}

impl<W: AsyncWrite + Unpin> SealedWriter<W> {
    fn poll_sealed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.sealed.get(self.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.inner).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => {
                    self.written += count;
                    self.count.fetch_add(count as u64, Ordering::Relaxed);
                }
            }
        }
        self.sealed.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for SealedWriter<W> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // What was taken before goes first, so that no more than one batch is ever kept.
        ready!(this.poll_sealed(context))?;
        let taken = bytes.get(..BATCH).unwrap_or(bytes);
        this.sealer.seal(taken, &mut this.sealed)?;
        // What cannot go now goes with the next call.
        if let Poll::Ready(Err(error)) = this.poll_sealed(context) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_sealed(context))?;
        Pin::new(&mut this.inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_sealed(context))?;
        Pin::new(&mut this.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncWriteExt, duplex};

    use super::super::token::Secret;
    use super::*;

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_stream_arrives_whole_through_any_narrow_place(
            width in 1_usize..100_000,
            writes in prop::collection::vec(0_usize..300_000, 1..5),
            piece in 1_usize..100_000,
        ) {
            let key = Secret::new([9; 32]);
            let (near, far) = duplex(width);
            let mut writer = SealedWriter::new(near, Sealer::new(&key, 5).unwrap());
            let mut reader = SealedReader::new(far, Opener::new(&key, 5).unwrap());
            let total = writes.iter().sum();
            let sent: Vec<u8> = (0_u32..).map(|at| at.to_le_bytes()[(at % 3) as usize]).take(total).collect();
            let sending = async {
                let mut rest = sent.as_slice();
                for count in writes {
                    let (now, later) = rest.split_at(count);
                    writer.write_all(now).await.unwrap();
                    rest = later;
                }
                writer.shutdown().await.unwrap();
            };
            let receiving = async {
                let (mut all, mut room) = (Vec::new(), vec![0; piece]);
                loop {
                    match reader.read(&mut room).await.unwrap() {
                        0 => return all,
                        count => all.extend_from_slice(&room[..count]),
                    }
                }
            };
            let ((), received) = run(async { tokio::join!(sending, receiving) });
            prop_assert!(received == sent);
        }
    }

    #[test]
    fn an_end_inside_of_a_frame_is_an_error() {
        let key = Secret::new([9; 32]);
        let mut bytes = Vec::new();
        Sealer::new(&key, 0).unwrap().seal(b"hello", &mut bytes).unwrap();
        for kept in [1, 2, 3, bytes.len() - 1] {
            let mut reader = SealedReader::new(&bytes[..kept], Opener::new(&key, 0).unwrap());
            let error = run(reader.read(&mut [0; 8])).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{kept}");
        }
        let mut reader = SealedReader::new(&bytes[..], Opener::new(&key, 0).unwrap());
        let mut all = Vec::new();
        run(reader.read_to_end(&mut all)).unwrap();
        assert_eq!(all, b"hello");
    }
}
