//! Session processes, seen from the server: started, ended, and cleaned up after.
//!
//! A session process keeps what loses its parent. When it is killed, that comes to the server; so a child which the
//! server did not start was of a session that is over.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use execnet_rs::process::{Children, HowEnded, children_of, kill_tree, signal_process};
use execnet_rs::transport::socket::known::SECRET_VARIABLES;
use execnet_rs::transport::socket::sealed::Keys;
use execnet_rs::transport::socket::token::Secret;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

/// The argument that makes the program a session process.
pub(crate) const SESSION_ARGUMENT: &str = "--session-of-a-server";

/// How long a session process may take to end what it started.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// The most that a session process has to say at its end.
const LAST_WORDS: u64 = 1024;

/// What a service manager says to the server alone.
const OF_THE_SERVICE_MANAGER: [&str; 4] = ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "WATCHDOG_PID"];

/// What a session process is told, over a socket and never by its arguments or environment.
pub(crate) struct Handover {
    pub(crate) keys: Keys,
    /// Whose session it is, for logs.
    pub(crate) peer: String,
}

impl Handover {
    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let peer = self.peer.as_bytes().get(..255).unwrap_or(self.peer.as_bytes());
        let length = u8::try_from(peer.len()).unwrap_or(u8::MAX);
        Zeroizing::new([self.keys.receive.bytes(), self.keys.send.bytes(), &[length][..], peer].concat())
    }

    /// Reads one by a function that fills a buffer.
    pub(crate) fn read(
        mut fill: impl FnMut(&mut [u8]) -> io::Result<()>,
        room: &mut Zeroizing<Vec<u8>>,
    ) -> io::Result<Self> {
        room.resize(65, 0);
        fill(room)?;
        let key = |at: usize| {
            let bytes = room.get(at..at + 32).and_then(|bytes| bytes.try_into().ok());
            bytes.map(Secret::new).ok_or(io::Error::from(io::ErrorKind::InvalidData))
        };
        let keys = Keys { receive: key(0)?, send: key(32)? };
        let mut peer = vec![0; usize::from(room.last().copied().unwrap_or_default())];
        fill(&mut peer)?;
        Ok(Self { keys, peer: String::from_utf8_lossy(&peer).into_owned() })
    }
}

/// What a session process says when it ends by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastWords {
    /// Why it ends.
    pub(crate) end: String,
    /// Bytes that came, and went.
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl LastWords {
    pub(crate) fn to_text(&self) -> String {
        format!("{} {} {}", self.received, self.sent, self.end)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ' ');
        let (received, sent) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { end: parts.next()?.to_owned(), received, sent })
    }
}

/// The children of this process that are sessions, and those that were there before it.
#[derive(Clone)]
pub(crate) struct Processes {
    children: Children,
    ours: Arc<Mutex<HashSet<u32>>>,
}

/// A session process.
pub(crate) struct SessionProcess {
    pid: u32,
    control: UnixStream,
    processes: Processes,
}

impl Processes {
    /// Makes this process the one that orphans come to. Call once.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn adopt() -> io::Result<Self> {
        let (children, _) = Children::adopt()?;
        // A shell that became this program may have left some.
        let before = children_of(std::process::id()).into_iter().collect();
        Ok(Self { children, ours: Arc::new(Mutex::new(before)) })
    }

    fn ours(&self) -> MutexGuard<'_, HashSet<u32>> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a session process for a connection. It does nothing before [`SessionProcess::begin`].
    ///
    /// # Errors
    /// If no process can be started.
    pub(crate) fn start(&self, connection: impl AsFd) -> io::Result<SessionProcess> {
        let (control, theirs) = StdUnixStream::pair()?;
        control.set_nonblocking(true)?;
        let control = UnixStream::from_std(control)?;
        let connection = connection.as_fd().try_clone_to_owned()?;
        // This program, also if its file was replaced meanwhile.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("socketserver").arg(SESSION_ARGUMENT);
        command.stdin(Stdio::from(connection)).stdout(Stdio::from(OwnedFd::from(theirs))).stderr(Stdio::null());
        for name in SECRET_VARIABLES.iter().chain(&OF_THE_SERVICE_MANAGER) {
            command.env_remove(name);
        }
        let pid = {
            // Nobody takes it for a stranger before it is known.
            let mut ours = self.ours();
            let pid = command.spawn()?.id();
            ours.insert(pid);
            pid
        };
        Ok(SessionProcess { pid, control, processes: self.clone() })
    }

    /// Ends what sessions that are over have left.
    async fn sweep(&self) {
        loop {
            let left: Vec<u32> = {
                let ours = self.ours();
                children_of(std::process::id()).into_iter().filter(|pid| !ours.contains(pid)).collect()
            };
            if left.is_empty() {
                return;
            }
            for pid in left {
                kill_tree(pid);
                // What it leaves comes here next.
                self.children.wait(pid).await;
            }
        }
    }
}

impl SessionProcess {
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Gives it its keys. Without, it ends.
    ///
    /// # Errors
    /// If it is gone.
    pub(crate) async fn begin(&mut self, handover: &Handover) -> io::Result<()> {
        self.control.write_all(&handover.to_bytes()).await
    }

    /// Ends it unbegun.
    pub(crate) async fn forsake(&mut self) {
        let _ = self.control.shutdown().await;
    }

    /// Waits until it has ended, or ends it once `wanted` is there. Then nothing that it started is left. Tells why it
    /// ended, in its own words where it has some.
    pub(crate) async fn end(mut self, wanted: impl Future<Output = &'static str>) -> LastWords {
        let mut ended = std::pin::pin!(self.processes.children.wait(self.pid));
        let mut because = None;
        let how = tokio::select! {
            how = &mut ended => how,
            why = wanted => {
                because = Some(why);
                let _ = self.control.shutdown().await;
                if let Ok(how) = tokio::time::timeout(CLEAN_UP, &mut ended).await {
                    how
                } else {
                    signal_process(self.pid, Signal::KILL);
                    ended.await
                }
            }
        };
        let mut words = String::new();
        let mut control = self.control.take(LAST_WORDS);
        let _ = tokio::time::timeout(Duration::from_secs(1), control.read_to_string(&mut words)).await;
        self.processes.ours().remove(&self.pid);
        self.processes.sweep().await;
        let said = LastWords::read(&words);
        let end = match (because, &said) {
            (Some(why), _) => why.to_owned(),
            (None, Some(said)) if how == HowEnded::Exited(0) => said.end.clone(),
            (None, _) => format!("the session process ended: {how}"),
        };
        LastWords { end, ..said.unwrap_or_default() }
    }
}
