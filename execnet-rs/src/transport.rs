//! How a gateway gets to its host: a byte stream at whose other end an agent answers.
//!
//! `popen` needs none, `command=ARGV` is here, [`socket`] is ready to be registered; others plug in by [`Transport`] (see
//! [`crate::group::Group::register`]).

pub mod socket;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::Command;

use crate::channel::byte_stream;
use crate::child::Child;
use crate::gateway::{Gateway, GatewayError, Process, ProcessRequest};
use crate::process::HowEnded;
use crate::xspec::XSpec;

/// A byte stream to an agent.
pub struct Connected {
    /// Bytes from the agent, maybe behind noise.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// Bytes to the agent.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// Where it leads to, for people.
    pub remote_address: String,
    /// What has to end with the link.
    pub keeper: Keeper,
}

/// What a transport runs for a link, and what ends with it.
#[derive(Debug, Default)]
pub struct Keeper(Kept);

#[derive(Debug, Default)]
enum Kept {
    #[default]
    Nothing,
    Child(Child),
    Remote(Process),
}

impl Keeper {
    /// Nothing but the stream itself.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// A process on this host.
    pub(crate) fn child(child: Child) -> Self {
        Self(Kept::Child(child))
    }

    /// A process on the host of another gateway.
    pub fn process(process: Process) -> Self {
        Self(Kept::Remote(process))
    }

    /// How the process ended, if there is one and it ends in time. Cancel safe.
    pub(crate) async fn ended(&self, limit: Duration) -> Option<HowEnded> {
        match &self.0 {
            Kept::Nothing => None,
            Kept::Child(child) => child.wait_within(limit).await,
            Kept::Remote(process) => tokio::time::timeout(limit, process.wait()).await.ok()?.ok(),
        }
    }

    /// Ends it: waits for its own end until `limit` has passed, kills it then.
    pub(crate) async fn end(&self, limit: Duration) {
        match &self.0 {
            Kept::Nothing => {}
            Kept::Child(child) => {
                let _ = child.wait_within(limit).await;
                child.kill();
                let _ = child.wait_within(KILL).await;
            }
            Kept::Remote(process) => {
                if tokio::time::timeout(limit, process.wait()).await.is_err() {
                    process.kill();
                    let _ = tokio::time::timeout(KILL, process.wait()).await;
                }
            }
        }
    }
}

/// How long the system may take to kill a process.
pub(crate) const KILL: Duration = Duration::from_secs(2);

/// Why there is no way to a host.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// A program could not be started.
    #[error("cannot start `{program}`: {error}")]
    Start {
        /// Which.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// The gateway on the way does not do it.
    #[error(transparent)]
    Via(Box<GatewayError>),
    /// The host is there, and does not let this user in; the text says what to do.
    #[error("{0}")]
    Refused(String),
    /// Anything else; the text says what to do.
    #[error("{0}")]
    Other(String),
}

/// A future of a transport.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = Result<Connected, ConnectError>> + Send + 'a>>;

/// A way to a host.
pub trait Transport: Send + Sync {
    /// Connects. `via` is the gateway that the spec names, on whose host the way begins.
    ///
    /// # Errors
    /// A [`ConnectError`] whose text says what to do.
    ///
    /// # Cancellation
    /// Dropping the future must leave nothing behind.
    fn connect<'a>(&'a self, spec: &'a XSpec, via: Option<&'a Gateway>) -> Connecting<'a>;
}

/// A program whose standard input and output lead to an agent; its standard error stays this process's.
pub(crate) async fn run_command(argv: &[String], via: Option<&Gateway>) -> Result<Connected, ConnectError> {
    let remote_address = argv.join(" ");
    if let Some(via) = via {
        let request = ProcessRequest::new(argv).with_stdin().with_stdout();
        let mut process = via.process(request).await.map_err(|error| ConnectError::Via(Box::new(error)))?;
        let (Some(stdin), Some(stdout)) = (process.take_stdin(), process.take_stdout()) else {
            return Err(ConnectError::Other("the process has no streams".to_owned()));
        };
        let (reader, writer) = byte_stream(stdin, stdout);
        let keeper = Keeper::process(process);
        return Ok(Connected { reader: Box::new(reader), writer: Box::new(writer), remote_address, keeper });
    }
    let Some((program, arguments)) = argv.split_first() else {
        return Err(ConnectError::Other("`command` names no program".to_owned()));
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let started = Child::spawn(&mut command);
    let (child, pipes) = started.map_err(|error| ConnectError::Start { program: program.clone(), error })?;
    let (Some(stdin), Some(stdout)) = (pipes.stdin, pipes.stdout) else {
        return Err(ConnectError::Other(format!("`{program}` has no streams")));
    };
    let keeper = Keeper::child(child);
    Ok(Connected { reader: Box::new(stdout), writer: Box::new(stdin), remote_address, keeper })
}
