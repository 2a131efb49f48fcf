//! Connections from Python processes: reading frames into messages, and sending.

use std::io;
use std::time::Duration;

use execnet_rs::frame::{self, Decoder};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};

use super::happening::{Happening, MemberId};
use crate::protocol::{FromPython, Hello, ToPython};

/// No message is larger: captured output and tracebacks are truncated long before.
const LARGEST_FRAME: usize = 256 << 20;
/// A process that connects says who it is when it has imported what it needs, which may take long on a slow disk. One
/// that dies before closes its connection.
const HELLO: Duration = Duration::from_mins(10);
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
    reader: Reader,
    writer: OwnedWriteHalf,
}

struct Reader {
    stream: OwnedReadHalf,
    decoder: Decoder,
    chunk: Vec<u8>,
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

    /// All complete messages, and what is wrong with the one after them.
    fn messages(&mut self) -> (Vec<FromPython>, Option<String>) {
        let mut messages = Vec::new();
        loop {
            match self.decoder.next_frame() {
                Ok(None) => return (messages, None),
                Err(error) => return (messages, Some(error.to_string())),
                Ok(Some(frame)) => match rmp_serde::from_slice(frame) {
                    Ok(message) => messages.push(message),
                    Err(error) => return (messages, Some(describe(frame, &error))),
                },
            }
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
        let hello = tokio::time::timeout(HELLO, first_message(&mut reader))
            .await
            .map_err(|_| format!("process {peer} connected and said nothing"))??;
        match hello {
            FromPython::Hello(mut hello) => {
                // The kernel knows better than the process, which may live in a namespace of its own.
                if peer != 0 {
                    hello.pid = peer;
                }
                Ok(Greeting::Hello(Box::new(Self { hello, reader, writer })))
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
        tokio::spawn(write_all(self.writer, outgoing));
        tokio::spawn(read_all(self.reader, member, happenings, dead));
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
    let fault = loop {
        // Messages may stand behind the hello already.
        let (messages, fault) = reader.messages();
        if !messages.is_empty() && happenings.send(Happening::Messages(member, messages)).await.is_err() {
            return;
        }
        if fault.is_some() {
            break fault;
        }
        let gone = *dead.borrow();
        if !gone {
            tokio::select! {
                _ = reader.stream.readable() => {}
                _ = dead.changed() => continue,
            }
        }
        match reader.read_some(gone) {
            Ok(true) => {}
            // Of a dead process everything has arrived, even if a child of its own still holds the connection.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !gone => {}
            Ok(false) | Err(_) => break None,
        }
    };
    let _ = happenings.send(Happening::LinkClosed(member, fault)).await;
}

async fn write_all(stream: OwnedWriteHalf, mut outgoing: mpsc::UnboundedReceiver<ToPython>) {
    while let Some(message) = outgoing.recv().await {
        let Ok(payload) = rmp_serde::to_vec_named(&message) else { continue };
        let mut bytes = Vec::with_capacity(payload.len() + frame::PREFIX);
        if frame::encode(&payload, &mut bytes).is_err() {
            continue;
        }
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
