//! The threads in which trees travel: one that sends to all copies at once, one for each copy on this host.
//!
//! Every copy has its part in one conversation from the start. The link to it is put in its place when its host is there;
//! until then whoever wants to use it waits.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use execnet_rs::channel::Channel;
use rsync_rs::link::stream::{StreamReader, StreamWriter};
use rsync_rs::link::{MessageReader, MessageWriter};
use rsync_rs::{Destination, Event, Options, SendError, Snapshot, Source, Summary, Target, push};

/// How long one run waits for another one that has the destination.
const PATIENCE: Duration = Duration::from_hours(1);

/// What becomes of all copies.
pub(super) type Results = (Snapshot, Vec<Result<Summary, SendError>>);

/// Where the two halves of a link are put once there is one. Dropped before, there will be none.
pub(super) struct Socket {
    reader: Sender<Box<dyn MessageReader>>,
    writer: Sender<Box<dyn MessageWriter>>,
}

impl Socket {
    /// Connects whoever waits.
    pub(super) fn plug(self, reader: Box<dyn MessageReader>, writer: Box<dyn MessageWriter>) {
        // Nobody may wait any more.
        let _ = self.reader.send(reader);
        let _ = self.writer.send(writer);
    }
}

/// A copy's part, and the place for its link.
pub(super) fn target() -> (Target, Socket) {
    let (reader, later_reader) = channel();
    let (writer, later_writer) = channel();
    let target = Target { reader: Box::new(Later::new(later_reader)), writer: Box::new(Later::new(later_writer)) };
    (target, Socket { reader, writer })
}

/// Half of a link that is there later.
struct Later<T> {
    coming: Receiver<T>,
    there: Option<T>,
}

impl<T> Later<T> {
    fn new(coming: Receiver<T>) -> Self {
        Self { coming, there: None }
    }

    fn wait(&mut self) -> io::Result<&mut T> {
        if self.there.is_none() {
            self.there = self.coming.recv().ok();
        }
        self.there.as_mut().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl MessageReader for Later<Box<dyn MessageReader>> {
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.wait()?.receive()
    }
}

impl MessageWriter for Later<Box<dyn MessageWriter>> {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.wait()?.send(message)
    }
}

/// Ends a conversation from outside.
#[derive(Debug)]
pub(in crate::engine) enum Cut {
    Here(UnixStream),
    There(Channel),
}

impl Cut {
    pub(super) fn cut(self) {
        match self {
            // What is not connected any more has ended.
            Self::Here(stream) => drop(stream.shutdown(Shutdown::Both)),
            Self::There(stream) => stream.close(),
        }
    }
}

/// Scans, and sends to all; tells by `done` what came of it. `observe` is told of what happens on the way.
pub(super) fn send(
    source: Source,
    mut targets: Vec<Target>,
    scanned: impl FnOnce(&Snapshot) + Send + 'static,
    observe: impl Fn(usize, Event) + Send + Sync + 'static,
    done: impl FnOnce(Result<Results, String>) + Send + 'static,
) -> io::Result<()> {
    let thread = move || {
        let results = match source.scan() {
            Ok(snapshot) => {
                scanned(&snapshot);
                Ok(push(&source, snapshot, &mut targets, &observe))
            }
            Err(error) => Err(error.to_string()),
        };
        done(results);
    };
    std::thread::Builder::new().name("trees".to_owned()).spawn(thread).map(drop)
}

/// Receives a copy on this host. `done` is told the destination, which stays locked as long as it lives. What is returned
/// can be shut down, which ends the conversation.
pub(super) fn receive(
    options: Options,
    socket: Socket,
    done: impl FnOnce(Result<Destination, String>) + Send + 'static,
) -> io::Result<Cut> {
    let (near, far) = UnixStream::pair()?;
    let cut = Cut::Here(near.try_clone()?);
    socket.plug(Box::new(StreamReader::new(near.try_clone()?)), Box::new(StreamWriter::new(near)));
    let mut reader = StreamReader::new(far.try_clone()?);
    let thread = move || {
        let mut writer = StreamWriter::new(far);
        let served = Destination::serve(options, PATIENCE, &mut reader, &mut writer);
        done(served.map(|(destination, _)| destination).map_err(|error| error.to_string()));
    };
    std::thread::Builder::new().name("tree".to_owned()).spawn(thread).map(|_| cut)
}

/// A directory of this user's for what is remembered of trees.
pub(super) fn state(part: &str) -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    let cache = etcetera::choose_base_strategy().ok()?.cache_dir();
    let state = cache.join("xdist").join(part);
    std::fs::create_dir_all(&state).ok().filter(|()| cache.is_absolute())?;
    Some(state)
}
