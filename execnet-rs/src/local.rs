//! Connections from processes on this host: a unix socket in a private directory, and named pipes for their output.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::net::unix::pipe;
use tokio::net::{UnixListener, UnixStream};

/// A listening unix socket. Whoever can reach its directory can connect: keep the directory private (0700).
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Listens at `path`, which must not exist yet.
    ///
    /// # Errors
    /// If something stands there, or the path is no place for a socket.
    pub fn bind(path: &Path) -> io::Result<Self> {
        Ok(Self { socket: UnixListener::bind(path)?, path: path.to_owned() })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection and the process id of who made it, as the kernel knows it.
    ///
    /// # Errors
    /// If the system has no descriptor for it.
    ///
    /// # Cancellation
    /// Safe: no connection is lost.
    pub async fn accept(&self) -> io::Result<(UnixStream, u32)> {
        let (stream, _) = self.socket.accept().await?;
        let pid = stream.peer_cred()?.pid().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
        Ok((stream, pid))
    }
}

/// Makes a named pipe and opens its reading end, so that it never reads as ended: whoever reads it learns from the
/// writer's death when to stop. A child that inherited the pipe can thus hold nothing up.
///
/// # Errors
/// If something stands there, or nothing can be made there.
pub fn named_pipe(path: &Path) -> io::Result<pipe::Receiver> {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    pipe::OpenOptions::new().read_write(true).open_receiver(path)
}
