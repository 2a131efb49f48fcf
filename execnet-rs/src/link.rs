//! A link at work: a byte stream, the handshake on it, one task that reads and one that writes.
//!
//! Everything that is decided is decided in [`crate::mux`]; here bytes are moved, time is measured, and whoever waits is
//! woken. A link ends once, for one reason, and everything on it with it.

mod handshake;
mod heartbeat;
mod trace;

use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::mux::{Limits, LinkEnd, Mux, Request, Side};
use crate::wire::{Check, Decoder, Encoder, Outgoing};
pub(crate) use handshake::shake_hands;
pub use handshake::{Hello, LinkError};
pub use heartbeat::Heartbeat;
use heartbeat::{Patience, beat};
pub use trace::TRACE;
use trace::Trace;

/// Bytes that are written at once, about.
const BATCH: usize = 128 * 1024;

/// How a link is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who numbers channels how.
    pub side: Side,
    /// What the other side may do.
    pub limits: Limits,
    /// What the checksums of this side cover.
    pub check: Check,
    /// Whether the other side must show that it is there. None for one whose end is noticed otherwise.
    pub heartbeat: Option<Heartbeat>,
    /// How long the greeting and the hello may take.
    pub greeting: Duration,
    /// Names the link in traces and logs.
    pub name: String,
}

impl Options {
    /// The usual ones, for the side that asked for the connection, or the one that answers.
    pub fn new(side: Side, name: impl Into<String>) -> Self {
        Self {
            side,
            limits: Limits::default(),
            check: Check::Full,
            heartbeat: Some(Heartbeat::of(side)),
            greeting: Duration::from_secs(30),
            name: name.into(),
        }
    }
}

/// Bytes that a link has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that came.
    pub received: u64,
    /// Bytes that went.
    pub sent: u64,
}

/// What all handles of a link share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Numbers the links of this process, so that channels of different ones are told apart.
    pub(crate) id: u64,
    mux: Mutex<Mux>,
    transmit: Notify,
    pub(crate) hello: Hello,
    limits: Limits,
    ended: watch::Sender<Option<LinkEnd>>,
    tasks: Mutex<Vec<AbortHandle>>,
    received: AtomicU64,
    sent: AtomicU64,
    pings: AtomicU64,
    pub(crate) patience: Patience,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Mux> {
        self.mux.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the channels, then wakes whom that concerns.
    pub(crate) fn with<T>(&self, deed: impl FnOnce(&mut Mux) -> T) -> T {
        let mut mux = self.lock();
        let result = deed(&mut mux);
        let (wakes, transmit) = (mux.take_wakes(), mux.has_something());
        drop(mux);
        if transmit {
            self.transmit.notify_one();
        }
        wakes.into_iter().for_each(std::task::Waker::wake);
        result
    }

    /// Waits for something that the channels tell.
    pub(crate) async fn until<T>(&self, mut ask: impl FnMut(&mut Mux, &mut Context<'_>) -> Poll<T>) -> T {
        std::future::poll_fn(|context| self.with(|mux| ask(mux, context))).await
    }

    /// The largest message that the other side takes.
    pub(crate) fn message_limit(&self) -> usize {
        self.hello.message
    }

    pub(crate) fn decode_limits(&self) -> crate::value::Limits {
        crate::value::Limits { items: self.limits.message.min(1 << 24), ..crate::value::Limits::default() }
    }

    fn end(&self, end: LinkEnd) {
        self.with(|mux| mux.fail(end));
        let settled = self.lock().end().cloned();
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            if first {
                ended.clone_from(&settled);
            }
            first
        });
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.iter().for_each(AbortHandle::abort);
    }

    pub(crate) async fn ended(&self) -> LinkEnd {
        let mut watched = self.ended.subscribe();
        let ended = watched.wait_for(Option::is_some).await.map(|end| end.clone());
        ended.ok().flatten().unwrap_or(LinkEnd::Lost)
    }
}

/// A connection to another process that speaks the protocol. Dropping it ends it at once, without a goodbye.
#[derive(Debug)]
pub struct Link {
    pub(crate) shared: Arc<Shared>,
}

impl Link {
    /// Greets the other side of a stream and starts to serve it.
    ///
    /// Whatever comes before the other side's greeting goes to the log (target `execnet_rs::link`, level info).
    ///
    /// # Errors
    /// A [`LinkError`] if nobody greets back in time, or somebody of another version.
    ///
    /// # Cancellation
    /// Dropping the future drops the stream.
    pub async fn start<R, W>(mut reader: R, mut writer: W, options: Options) -> Result<Self, LinkError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let (hello, decoder, encoder) = shake_hands(&mut reader, &mut writer, &options).await?;
        let shared = Arc::new(Shared {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            mux: Mutex::new(Mux::new(options.side, options.limits, hello.initial)),
            transmit: Notify::new(),
            hello,
            limits: options.limits,
            ended: watch::channel(None).0,
            tasks: Mutex::default(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            pings: AtomicU64::new(0),
            patience: Patience::default(),
        });
        let trace = Trace::for_link(&options.name);
        let reading = tokio::spawn(read(Arc::clone(&shared), reader, decoder, trace.clone()));
        let writing = tokio::spawn(write(Arc::clone(&shared), writer, encoder, trace));
        let mut tasks = vec![reading.abort_handle(), writing.abort_handle()];
        if let Some(heartbeat) = options.heartbeat {
            tasks.push(tokio::spawn(beat(Arc::clone(&shared), heartbeat)).abort_handle());
        }
        *shared.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        if shared.lock().end().is_some() {
            // It ended before its tasks were known.
            shared.end(LinkEnd::Lost);
        }
        Ok(Self { shared })
    }

    /// What the other side said of itself.
    pub fn hello(&self) -> &Hello {
        &self.shared.hello
    }

    /// The next request of the other side. Cancel safe.
    ///
    /// # Errors
    /// How the link ended, if it has.
    pub async fn request(&self) -> Result<Request, LinkEnd> {
        self.shared.until(Mux::poll_request).await
    }

    /// Says goodbye after all that can be sent now, and waits until that is done or `limit` has passed; the link has ended
    /// then. Idempotent.
    ///
    /// # Cancellation
    /// The goodbye is still said.
    pub async fn goodbye(&self, limit: Duration) -> LinkEnd {
        self.shared.with(Mux::say_goodbye);
        if let Ok(end) = tokio::time::timeout(limit, self.shared.ended()).await {
            return end;
        }
        self.abort();
        self.shared.ended().await
    }

    /// Ends the link at once.
    pub fn abort(&self) {
        self.shared.end(LinkEnd::Closed);
    }

    /// How the link ended, if it has.
    pub fn end(&self) -> Option<LinkEnd> {
        self.shared.ended.borrow().clone()
    }

    /// Waits for the end. Cancel safe.
    pub async fn ended(&self) -> LinkEnd {
        self.shared.ended().await
    }

    /// How long an answer of the other side takes.
    ///
    /// # Errors
    /// How the link ended, if it has.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn round_trip(&self) -> Result<Duration, LinkEnd> {
        let token = self.shared.pings.fetch_add(1, Ordering::Relaxed);
        let start = Instant::now();
        self.shared.with(|mux| mux.ping(token));
        self.shared.until(|mux, context| mux.poll_pong(token, context)).await?;
        Ok(start.elapsed())
    }

    /// Bytes carried so far.
    pub fn traffic(&self) -> Traffic {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic { received: count(&self.shared.received), sent: count(&self.shared.sent) }
    }

    /// Channels that are open.
    pub fn channel_count(&self) -> usize {
        self.shared.lock().channel_count()
    }

    /// Bytes that are kept on this side: received and not taken, or to be sent.
    pub fn kept(&self) -> usize {
        self.shared.lock().kept()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.abort();
    }
}

async fn read<R: AsyncRead + Unpin>(shared: Arc<Shared>, mut reader: R, mut decoder: Decoder, trace: Option<Trace>) {
    let end = loop {
        // What came behind the hello is looked at before more is waited for.
        let taken = shared.with(|mux| {
            while let Some(frame) = decoder.next_frame()? {
                if let Some(trace) = &trace {
                    trace.frame("<-", &frame);
                }
                mux.receive(frame)?;
            }
            Ok(mux.end().is_some())
        });
        match taken {
            Ok(false) => {}
            Ok(true) => break LinkEnd::Goodbye,
            Err(error) => break LinkEnd::Disturbed(error),
        }
        match reader.read_buf(decoder.room()).await {
            Ok(0) if shared.lock().has_said_goodbye() => break LinkEnd::Closed,
            Ok(0) => break LinkEnd::Lost,
            Ok(count) => {
                shared.received.fetch_add(count as u64, Ordering::Relaxed);
            }
            Err(error) => break LinkEnd::Broken(error.to_string()),
        }
    };
    shared.end(end);
}

async fn write<W: AsyncWrite + Unpin>(shared: Arc<Shared>, mut writer: W, mut encoder: Encoder, trace: Option<Trace>) {
    let mut out = Outgoing::default();
    let end = loop {
        out.clear();
        let said = shared.with(|mux| {
            mux.transmit(&mut encoder, &mut out, BATCH);
            mux.has_said_goodbye()
        });
        if out.is_empty() {
            if said {
                let _ = writer.shutdown().await;
                break LinkEnd::Closed;
            }
            shared.transmit.notified().await;
            continue;
        }
        if let Some(trace) = &trace {
            trace.bytes("->", &out.concat());
        }
        if let Err(error) = write_out(&mut writer, &out).await {
            break LinkEnd::Broken(error.to_string());
        }
        shared.sent.fetch_add(out.len() as u64, Ordering::Relaxed);
    };
    shared.end(end);
}

/// Writes all of it: from where it is, unless the writer wants one piece at a time, which may cost it a packet each.
async fn write_out<W: AsyncWrite + Unpin>(writer: &mut W, out: &Outgoing) -> io::Result<()> {
    if writer.is_write_vectored() {
        let mut pieces: Vec<IoSlice<'_>> = out.pieces().map(IoSlice::new).collect();
        let mut rest = &mut pieces[..];
        while !rest.is_empty() {
            match writer.write_vectored(rest).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => IoSlice::advance_slices(&mut rest, count),
            }
        }
    } else {
        writer.write_all(&out.concat()).await?;
    }
    writer.flush().await
}
