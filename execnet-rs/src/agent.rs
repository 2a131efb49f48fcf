//! The server at the far end of a link, on the host where things are to happen: it starts processes, accepts connections
//! of processes on its host, and describes the host.
//!
//! The same code serves a gateway of this process (over memory), a program's standard input and output
//! ([`serve_stdio`]), and whatever byte stream somebody authenticated ([`serve`]). Everything that was started for a link
//! ends with it. A program that is an agent and nothing else is a [`Program`]: it also looks after processes that others
//! have forked, and a guard beside it ends them if it is killed.
//!
//! | service | first message | then |
//! |---|---|---|
//! | `process` | `{argv, cwd, make_cwd, env, nice, stdin, stdout, stderr}`, the last three channels or None, the last two also paths | the agent sends the process id, and `{code}` or `{signal}` at the end; it takes `{signal}` |
//! | `listen` | None | the agent sends the path of a unix socket, then `(channel, process id)` for each connection; it takes channels of connections whose process is gone, which it ends with what was sent |
//! | `children` | None | the agent sends None; it takes `{watch, leads}` and sends `{pid, code}` or `{pid, signal}` at the end, and takes `{signal, pid, to}` with `to` one of `process`, `group`, `rest`; it sends `{stopped}` |
//! | `directory` | None | the agent sends the path of a private directory, then one answer to each order: `{order, name, …}` with `order` one of `pipe` (`to`: channel), `drain`, `write` (`at`, `bytes`), `read` (`at`, `length`), `take` (`last`: bytes) |
//! | `store` | `{owner, key, files}`, the last a list of `(path, length, CRC-32)` | the agent sends None if files are missing, and takes a list of `(path, contents)`; it sends the path of the directory |
//! | `info` | None | the agent sends a description and closes |
//! | `pause` | seconds | the agent sends None; until the channel is closed, or so much time has passed, silence does not end the link |
//!
//! A program adds services of its own with [`Program::with_service`].

mod children;
mod directory;
mod info;
mod listen;
mod pause;
mod process;
mod program;
mod stdio;
mod store;

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use crate::channel::{Channel, ReceiveError, RemoteError};
use crate::link::{Link, LinkError, Options};
use crate::mux::{LinkEnd, Side};
use program::Care;
pub use program::Program;

/// What a service's channel is served by.
pub type Serving = Pin<Box<dyn Future<Output = Result<(), RemoteError>> + Send>>;

/// A service that a program adds to those of every agent.
pub trait Service: Debug + Send + Sync {
    /// Serves one channel. It is closed in the end, with the error if there is one; the future is dropped with the link.
    fn serve(&self, channel: Channel) -> Serving;
}

/// Serves one link until it ends. Then everything that was started for it has ended too.
///
/// # Errors
/// If the link cannot be set up.
///
/// # Cancellation
/// Dropping the future ends the link and kills what was started for it.
pub async fn serve<R, W>(reader: R, writer: W, options: Options) -> Result<LinkEnd, LinkError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    serve_with(reader, writer, options, Care::default()).await
}

async fn serve_with<R, W>(reader: R, writer: W, options: Options, care: Care) -> Result<LinkEnd, LinkError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let link = Link::start(reader, writer, options).await?;
    let mut services = JoinSet::new();
    let end = loop {
        tokio::select! {
            request = link.request() => match request {
                Ok(request) => {
                    let channel = Channel::of_request(&link, &request);
                    services.spawn(serve_channel(request.service, channel, care.clone()));
                }
                Err(end) => break end,
            },
            Some(_) = services.join_next() => {}
        }
    };
    // Dropped tasks drop their processes, which kills them.
    services.shutdown().await;
    Ok(end)
}

/// Serves one link over this process's standard input and output. These are moved out of the way: what this process or its
/// children print goes to standard error, and cannot disturb the link.
///
/// # Errors
/// As [`serve`].
///
/// # Cancellation
/// As [`serve`].
pub async fn serve_stdio() -> Result<LinkEnd, LinkError> {
    let (reader, writer) = stdio::take()?;
    serve(reader, writer, Options::new(Side::Acceptor, "stdio")).await
}

async fn serve_channel(service: String, channel: Channel, care: Care) {
    let served = match service.as_str() {
        "process" => process::serve(&channel, &care).await,
        "listen" => listen::serve(&channel, &care).await,
        "children" => children::serve(&channel, &care).await,
        "directory" => directory::serve(&channel, &care).await,
        "store" => store::serve(&channel, &care).await,
        "info" => info::serve(&channel).await,
        "pause" => pause::serve(&channel).await,
        _ => match care.service(&service) {
            Some(own) => own.serve(channel.clone()).await,
            None => Err(RemoteError::new("LookupError", format!("no service `{service}` here"))),
        },
    };
    match served {
        Ok(()) => channel.close(),
        Err(error) => channel.fail(&error),
    }
}

/// What a service says when the system refuses something.
fn refused(what: &str, error: &io::Error) -> RemoteError {
    RemoteError::new("OSError", format!("{what}: {error}"))
}

impl From<ReceiveError> for RemoteError {
    fn from(error: ReceiveError) -> Self {
        Self::new("ProtocolError", error.to_string())
    }
}
