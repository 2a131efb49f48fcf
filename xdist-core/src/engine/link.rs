//! Connections from Python processes: reading frames into messages, and sending.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use execnet_rs::channel::Channel;
use execnet_rs::frame::{self, Decoder};
use execnet_rs::value::Value;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};

use super::happening::{Happening, MemberId};
use super::outbox::{Outbox, Pass, SHAPE};
use super::site::{HERE, Remote, SiteId};
use super::starved;
use crate::protocol::{FromPython, Hello, ToPython};

/// No message is larger: captured output and tracebacks are truncated long before.
const LARGEST_FRAME: usize = 256 << 20;
/// A process that connects says who it is when it has imported what it needs, which may take long on a slow disk. One
/// that dies before closes its connection.
const HELLO: Duration = Duration::from_mins(10);
/// Frames that say it.
const HELLO_FRAMES: u32 = 1;
/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// What a new connection says first.
pub(super) enum Greeting {
    /// Who it is.
    Hello(Box<Link>),
    /// That its interpreter cannot run tests, and why.
    Unusable(String),
}

/// A connection that has said who it is.
pub(super) struct Link {
    pub(super) hello: Hello,
    /// The host that it comes from.
    pub(super) site: SiteId,
    ends: Ends,
}

/// What carries it.
enum Ends {
    /// A socket of this host.
    Here(Reader, OwnedWriteHalf),
    /// A channel of another host's link.
    There(ChannelReader),
}

struct Reader {
    stream: OwnedReadHalf,
    decoder: Decoder,
    chunk: Vec<u8>,
}

/// A connection on another host.
struct ChannelReader {
    channel: Channel,
    remote: Arc<Remote>,
    decoder: Decoder,
}

impl Reader {
    /// Takes in what has arrived; `Ok(false)` at the end of the stream.
    ///
    /// `drain` asks the system itself: what the runtime believes about readiness may be older than the last bytes.
    fn read_some(&mut self, drain: bool) -> io::Result<bool> {
        let count = if drain {
            rustix::io::read(self.stream.as_ref(), &mut self.chunk)?
        } else {
            self.stream.try_read(&mut self.chunk)?
        };
        self.decoder.push(&self.chunk[..count]);
        Ok(count > 0)
    }
}

/// All complete messages, and what is wrong with the one after them.
fn messages(decoder: &mut Decoder) -> (Vec<FromPython>, Option<String>) {
    let mut messages = Vec::new();
    loop {
        match decoder.next_frame() {
            Ok(None) => return (messages, None),
            Err(error) => return (messages, Some(error.to_string())),
            Ok(Some(frame)) => match rmp_serde::from_slice(frame) {
                Ok(message) => messages.push(message),
                Err(error) => return (messages, Some(describe(frame, &error))),
            },
        }
    }
}

fn describe(frame: &[u8], error: &rmp_serde::decode::Error) -> String {
    let start = String::from_utf8_lossy(&frame[..frame.len().min(60)]).into_owned();
    format!("a message that is not understood ({error}): {start:?}")
}

impl Link {
    /// Waits for the first message of a new connection.
    pub(super) async fn greet(stream: UnixStream, peer: u32) -> Result<Greeting, String> {
        let (reader, writer) = stream.into_split();
        let mut reader = Reader { stream: reader, decoder: Decoder::new(LARGEST_FRAME), chunk: vec![0; CHUNK] };
        let hello = tokio::time::timeout(HELLO, first_message(&mut reader)).await;
        let hello = hello.map_err(|_| format!("process {peer} connected and said nothing"))??;
        Self::of_first(hello, HERE, peer, Ends::Here(reader, writer))
    }

    /// The same for a connection on another host.
    pub(super) async fn greet_there(
        remote: Arc<Remote>,
        channel: Channel,
        site: SiteId,
        peer: u32,
    ) -> Result<Greeting, String> {
        let mut reader = ChannelReader { channel, remote, decoder: Decoder::new(LARGEST_FRAME) };
        let first = async {
            loop {
                if let Some(frame) = reader.decoder.next_frame().map_err(|error| error.to_string())? {
                    return rmp_serde::from_slice(frame).map_err(|error| describe(frame, &error));
                }
                let piece = reader.receive().await.map_err(|()| "a process connected and left at once".to_owned())?;
                reader.decoder.push(&piece.bytes);
            }
        };
        let hello = tokio::time::timeout(HELLO, first).await;
        let hello = hello.map_err(|_| format!("process {peer} connected and said nothing"))??;
        Self::of_first(hello, site, peer, Ends::There(reader))
    }

    fn of_first(hello: FromPython, site: SiteId, peer: u32, ends: Ends) -> Result<Greeting, String> {
        match hello {
            FromPython::Hello(mut hello) => {
                // The kernel knows better than the process, which may live in a namespace of its own.
                if peer != 0 {
                    hello.pid = peer;
                }
                Ok(Greeting::Hello(Box::new(Self { hello, site, ends })))
            }
            FromPython::Unusable(why) => Ok(Greeting::Unusable(why)),
            _ => Err(format!("process {peer} did not say hello first")),
        }
    }

    /// Starts to pass messages on; returns where to put messages for the process.
    pub(super) fn serve(
        self,
        member: MemberId,
        happenings: mpsc::Sender<Happening>,
        dead: watch::Receiver<bool>,
    ) -> mpsc::UnboundedSender<ToPython> {
        // Unbounded, but only this program fills it, and only in answer to what the process did.
        let (sender, outgoing) = mpsc::unbounded_channel();
        match self.ends {
            Ends::Here(reader, writer) => {
                tokio::spawn(write_all(writer, outgoing));
                tokio::spawn(read_all(reader, member, happenings, dead));
            }
            Ends::There(reader) => {
                tokio::spawn(write_channel(reader.channel.clone(), Arc::clone(&reader.remote), outgoing));
                tokio::spawn(read_channel(reader, member, happenings, dead));
            }
        }
        sender
    }
}

async fn first_message(reader: &mut Reader) -> Result<FromPython, String> {
    loop {
        reader.stream.readable().await.map_err(|error| error.to_string())?;
        match reader.read_some(false) {
            Ok(true) => {}
            Ok(false) => return Err("a process connected and left at once".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.to_string()),
        }
        if let Some(frame) = reader.decoder.next_frame().map_err(|error| error.to_string())? {
            return rmp_serde::from_slice(frame).map_err(|error| describe(frame, &error));
        }
    }
}

async fn read_all(
    mut reader: Reader,
    member: MemberId,
    happenings: mpsc::Sender<Happening>,
    mut dead: watch::Receiver<bool>,
) {
    let mut outgoing = Outgoing::new(member, happenings, None);
    let fault = loop {
        // Messages may stand behind the hello already.
        let (messages, fault) = messages(&mut reader.decoder);
        if outgoing.messages(messages).await.is_err() {
            return;
        }
        if fault.is_some() {
            break fault;
        }
        let gone = *dead.borrow();
        if !gone {
            let pause = outgoing.outbox.as_ref().and_then(Outbox::pause);
            tokio::select! {
                _ = reader.stream.readable() => {}
                _ = dead.changed() => continue,
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
        // A frame that has only begun may be what a test wrote: what follows it is not believed before it is complete.
        if !reader.decoder.is_midway() && outgoing.left().await.is_err() {
            return;
        }
        match reader.read_some(gone) {
            Ok(true) => {}
            // Of a dead process everything has arrived, even if a child of its own still holds the connection.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !gone => {}
            Ok(false) | Err(_) => break None,
        }
    };
    if fault.is_none() && outgoing.rest().await.is_err() {
        return;
    }
    let _ = outgoing.happenings.send(Happening::LinkClosed(member, fault)).await;
}

/// What came of a process on another host at once.
#[derive(Default)]
struct Piece {
    /// Records of its outbox that are older than the bytes.
    older: Bytes,
    bytes: Bytes,
    /// Records that may be older than what the bytes say.
    newer: Bytes,
}

impl Piece {
    fn of(value: Value) -> Self {
        let items = match value {
            Value::Bytes(bytes) => return Self { bytes, ..Self::default() },
            Value::Tuple(items) => items,
            // Its agent sends nothing else.
            _ => Vec::new(),
        };
        let mut items = items.into_iter().map(|item| if let Value::Bytes(bytes) = item { bytes } else { Bytes::new() });
        let mut next = || items.next().unwrap_or_default();
        Self { older: next(), bytes: next(), newer: next() }
    }
}

impl ChannelReader {
    /// Waits for what comes next. Cancel safe.
    async fn receive(&mut self) -> Result<Piece, ()> {
        self.channel.receive().await.map(Piece::of).map_err(drop)
    }
}

/// As [`read_all`], for a connection on another host.
async fn read_channel(
    mut reader: ChannelReader,
    member: MemberId,
    happenings: mpsc::Sender<Happening>,
    mut dead: watch::Receiver<bool>,
) {
    let (remote, channel) = (Arc::clone(&reader.remote), reader.channel.clone());
    let follow = move |path: &str| remote.connections.follow(&channel, path, SHAPE);
    let mut outgoing = Outgoing::new(member, happenings, Some(Box::new(follow)));
    let mut drained = false;
    // Messages may stand behind the hello already.
    let mut piece = Piece::default();
    let fault = loop {
        match outgoing.piece(&mut reader.decoder, &piece, Some(&reader.remote)).await {
            Ok(None) => {}
            Ok(fault) => break fault,
            Err(Closed) => return,
        }
        piece = tokio::select! {
            received = reader.receive() => match received {
                Ok(piece) => piece,
                Err(()) => break None,
            },
            Ok(_) = dead.wait_for(|dead| *dead), if !drained => {
                drained = true;
                reader.remote.connections.drain(&reader.channel);
                Piece::default()
            }
        };
    };
    if fault.is_none() && outgoing.rest().await.is_err() {
        return;
    }
    let _ = outgoing.happenings.send(Happening::LinkClosed(member, fault)).await;
}

/// The engine is gone.
struct Closed;

/// What a process tells, on its way to the engine, in the order in which it was told.
struct Outgoing {
    member: MemberId,
    happenings: mpsc::Sender<Happening>,
    /// Frames that the process has sent and that were passed on.
    frames: u32,
    outbox: Option<Outbox>,
    /// Has an outbox on another host read, where the process is on one.
    follow: Option<Follow>,
}

type Follow = Box<dyn Fn(&str) + Send + Sync>;

impl Outgoing {
    fn new(member: MemberId, happenings: mpsc::Sender<Happening>, follow: Option<Follow>) -> Self {
        Self { member, happenings, frames: HELLO_FRAMES, outbox: None, follow }
    }

    /// Passes on what came from another host; returns what is wrong with it.
    async fn piece(
        &mut self,
        decoder: &mut Decoder,
        piece: &Piece,
        remote: Option<&Remote>,
    ) -> Result<Option<String>, Closed> {
        self.take(&piece.older);
        // As on this host: what follows a frame that has only begun is not believed before that is complete.
        if !decoder.is_midway() {
            self.left().await?;
        }
        decoder.push(&piece.bytes);
        self.take(&piece.newer);
        let (mut messages, fault) = messages(decoder);
        for message in &mut messages {
            if let (FromPython::BoxDied(_, died), Some(remote)) = (message, remote)
                && starved::is_suspect(&died.how)
            {
                died.oom_kills = remote.oom_kills().await;
            }
        }
        self.messages(messages).await?;
        if fault.is_none() && !decoder.is_midway() {
            self.left().await?;
        }
        Ok(fault)
    }

    /// Takes in records that were read on another host.
    fn take(&mut self, records: &[u8]) {
        if let Some(outbox) = &mut self.outbox {
            outbox.take(records);
        }
    }

    /// Has the outbox read, here or there. One that cannot be opened is never written to: the worker sends everything.
    fn open(&self, path: &str) -> Option<Outbox> {
        if let Some(follow) = &self.follow {
            follow(path);
            return Some(Outbox::default());
        }
        Outbox::open(path.as_ref()).inspect_err(|error| tracing::debug!("{path} cannot be opened: {error}")).ok()
    }

    /// Passes frames on, each after what was left in the outbox before it was sent.
    async fn messages(&mut self, messages: Vec<FromPython>) -> Result<(), Closed> {
        if let Some(outbox) = self.outbox.as_mut().filter(|_| !messages.is_empty()) {
            outbox.look();
            outbox.expect();
        }
        let mut told = Vec::new();
        for message in messages {
            if let Some(outbox) = &mut self.outbox {
                let passes = outbox.before(self.frames);
                outbox.note(&message);
                if !passes.is_empty() {
                    self.tell(std::mem::take(&mut told)).await?;
                    self.pass(passes).await?;
                }
            }
            self.frames = self.frames.wrapping_add(1);
            match message {
                FromPython::Outbox(path) => self.outbox = self.open(&path),
                message => told.push(message),
            }
        }
        self.tell(told).await
    }

    /// Passes on what was left in the outbox since.
    async fn left(&mut self) -> Result<(), Closed> {
        let Some(outbox) = &mut self.outbox else { return Ok(()) };
        outbox.look();
        let passes = outbox.before(self.frames);
        self.pass(passes).await
    }

    /// Passes on all that the process has left.
    async fn rest(&mut self) -> Result<(), Closed> {
        let Some(outbox) = &mut self.outbox else { return Ok(()) };
        outbox.look();
        let passes = outbox.rest();
        self.pass(passes).await
    }

    async fn tell(&self, messages: Vec<FromPython>) -> Result<(), Closed> {
        if messages.is_empty() {
            return Ok(());
        }
        self.happenings.send(Happening::Messages(self.member, messages)).await.map_err(|_| Closed)
    }

    async fn pass(&self, passes: Vec<Pass>) -> Result<(), Closed> {
        if passes.is_empty() {
            return Ok(());
        }
        self.happenings.send(Happening::Passes(self.member, passes)).await.map_err(|_| Closed)
    }
}

/// A message as a frame.
fn framed(message: &ToPython) -> Option<Vec<u8>> {
    let payload = rmp_serde::to_vec_named(message).ok()?;
    let mut bytes = Vec::with_capacity(payload.len() + frame::PREFIX);
    frame::encode(&payload, &mut bytes).ok()?;
    Some(bytes)
}

async fn write_channel(channel: Channel, remote: Arc<Remote>, mut outgoing: mpsc::UnboundedReceiver<ToPython>) {
    while let Some(message) = outgoing.recv().await {
        let Some(bytes) = framed(&message) else { continue };
        // What it tells of must be there.
        remote.settled().await;
        if channel.send_bytes(&bytes).await.is_err() {
            return;
        }
    }
    channel.finish();
}

async fn write_all(stream: OwnedWriteHalf, mut outgoing: mpsc::UnboundedReceiver<ToPython>) {
    while let Some(message) = outgoing.recv().await {
        let Some(bytes) = framed(&message) else { continue };
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            // A process that is gone is noticed elsewhere.
            if stream.writable().await.is_err() {
                return;
            }
            match stream.try_write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}
