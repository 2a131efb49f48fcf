//! A session process: one client's connection, with keys that both sides have already shown, and the agent on it. It ends
//! with the connection, or when the server says so or is gone; then nothing that it started is left.
//!
//! The connection is its standard input, a socket to the server its standard output: both are moved out of the way of
//! children at once.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use execnet_rs::agent::Program;
use execnet_rs::guard::Guard;
use execnet_rs::link::Options;
use execnet_rs::mux::Side;
use execnet_rs::process::{signal_process, tree_of};
use execnet_rs::transport::socket::sealed::{Opener, Sealer};
use execnet_rs::transport::socket::stream::{SealedReader, SealedWriter};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{DumpableBehavior, Signal, WaitOptions, set_dumpable_behavior, setsid, wait};
use rustix::stdio::{dup2_stdin, dup2_stdout, stderr, stdin, stdout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::signal::unix::{SignalKind, signal};

use crate::FAILED;
use crate::sessions::{Handover, LastWords, is_guard};
use crate::trees::with_trees;

/// How long the client may take for its greeting.
const GREETING: Duration = Duration::from_secs(10);

/// The whole process.
pub(crate) fn main() -> ExitCode {
    let code = match live() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    };
    end_descendants();
    code
}

fn live() -> io::Result<()> {
    // A session of its own: what happens to the server's terminal is not its business.
    let _ = setsid();
    // Keys are in this process, and tests run as the same user.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let (stream, control) = take()?;
    // While this process has one thread and no child.
    let guard = Guard::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let end = runtime.block_on(talk(stream, control, guard));
    // With it go the agent's processes that are left.
    drop(runtime);
    end
}

/// Takes the connection and the socket to the server.
fn take() -> io::Result<(OwnedFd, StdUnixStream)> {
    let (stream, control) = (fcntl_dupfd_cloexec(stdin(), 3)?, fcntl_dupfd_cloexec(stdout(), 3)?);
    dup2_stdin(OpenOptions::new().read(true).open("/dev/null")?)?;
    dup2_stdout(stderr())?;
    Ok((stream, control.into()))
}

async fn talk(stream: OwnedFd, mut control: StdUnixStream, guard: Guard) -> io::Result<()> {
    // What loses its parent comes to this process from here on.
    let program = with_trees(Program::begin(Some(guard))?);
    let mut handover = zeroize::Zeroizing::new(Vec::new());
    let handover = Handover::read(|room| control.read_exact(room), &mut handover)?;
    let stream = std::net::TcpStream::from(stream);
    stream.set_nonblocking(true)?;
    let (reader, writer) = TcpStream::from_std(stream)?.into_split();
    // The first frame of each side was the handshake's.
    let reader = SealedReader::new(reader, Opener::new(&handover.keys.receive, 1)?);
    let writer = SealedWriter::new(writer, Sealer::new(&handover.keys.send, 1)?);
    let (received, sent) = (reader.count(), writer.count());
    let mut options = Options::new(Side::Acceptor, handover.peer.as_str());
    options.greeting = GREETING;
    control.set_nonblocking(true)?;
    let mut control = UnixStream::from_std(control)?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut word = [0];
    let end = tokio::select! {
        end = program.serve(reader, writer, options) => match end {
            Ok(end) => end.to_string(),
            Err(error) => error.to_string(),
        },
        // Nothing comes but the end: the server wants it, or is gone.
        _ = control.read(&mut word) => String::new(),
        _ = terminated.recv() => "SIGTERM".to_owned(),
    };
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let words = LastWords { end, received: count(&received), sent: count(&sent) };
    control.write_all(words.to_text().as_bytes()).await
}

/// Kills everything below this process, daemons included, and waits until it is gone. A guard that is left has directories
/// to remove, and leaves then.
fn end_descendants() {
    loop {
        let own = std::process::id();
        let others = tree_of(own).into_iter().filter(|pid| *pid != own && !is_guard(*pid));
        others.for_each(|pid| signal_process(pid, Signal::KILL));
        match wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
