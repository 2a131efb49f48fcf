//! A gateway: a live link to one host, and on it any number of channels, processes and running Python source.
//!
//! ```text
//!  this process                                        the host
//!  Gateway --- link (stdio of `command`, a transport) --- agent
//!     |                                                     +- processes
//!     |                                                     +- python, whose own link travels in two of the agent's channels
//!     +- for `popen`: the agent in this process, python beside it over a socket pair
//! ```
//! Interpreters and in-process agents are started when they are needed first.

mod children;
mod directory;
mod info;
mod process;
mod python;
mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::io::{duplex, split};
use tokio::sync::OnceCell;

use crate::agent;
use crate::channel::{Channel, ReceiveError, RemoteError, SendError};
use crate::link::{Link, LinkError, Options, Traffic};
use crate::mux::{LinkEnd, Side};
use crate::process::HowEnded;
use crate::source::{Source, SourceError};
use crate::transport::{ConnectError, Connected, KILL, Keeper};
use crate::wire::Check;
use crate::xspec::{XSpec, XSpecError};
pub use children::{Descendants, Signalled};
pub use directory::Directory;
pub use info::{HostInfo, InterpreterInfo, Status};
pub use process::{Connections, Process, ProcessRequest};
use python::Interpreter;
pub use store::Stored;

/// Bytes on their way between this process and an agent in it.
const MEMORY: usize = 256 * 1024;

/// Why a gateway does not do what it should.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// The spec cannot be used.
    #[error(transparent)]
    Spec(#[from] XSpecError),
    /// A second gateway of one name.
    #[error("there is a gateway `{0}` already; an id can be used once in a group")]
    SecondId(String),
    /// `via` names a gateway that is not there.
    #[error("no gateway `{0}` to go through; make it first, in the same group")]
    NoVia(String),
    /// Nobody knows the way.
    #[error("no transport for `{0}` is registered with this group")]
    NoTransport(&'static str),
    /// The way to the host failed.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No agent answers at the other end.
    #[error("no agent at `{address}`{}: {error}", ended(*.how))]
    Agent {
        /// Where.
        address: String,
        /// How the program that leads there ended, if it has.
        how: Option<HowEnded>,
        /// What came instead.
        error: LinkError,
    },
    /// The interpreter does not start.
    #[error("interpreter `{command}` does not answer{}: {error}", ended(*.how))]
    Interpreter {
        /// How it was started.
        command: String,
        /// How it ended, if it has.
        how: Option<HowEnded>,
        /// What came instead.
        error: LinkError,
    },
    /// The source cannot be sent.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The other side refused.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Something cannot be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// An answer did not come.
    #[error(transparent)]
    Receive(ReceiveError),
    /// An answer that makes no sense.
    #[error("the other side answered something else: {0}")]
    Answer(String),
    /// It was ended before.
    #[error("the gateway has been ended")]
    Exited,
}

fn ended(how: Option<HowEnded>) -> String {
    how.map(|how| format!(", which ended with {how}")).unwrap_or_default()
}

impl From<ReceiveError> for GatewayError {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Remote(error) => Self::Remote(*error),
            error => Self::Receive(error),
        }
    }
}

/// A gateway. Clones are handles of the same one; when the last one is dropped, everything on it ends at once.
#[derive(Clone, Debug)]
pub struct Gateway {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: String,
    spec: XSpec,
    place: Place,
    interpreter: OnceCell<Interpreter>,
    exited: AtomicBool,
    sources: AtomicU64,
}

/// Where a gateway's host is.
#[derive(Debug)]
enum Place {
    /// This host.
    Here { agent: OnceCell<Link> },
    /// The host of another gateway.
    With(Gateway),
    /// Behind a link.
    There { agent: Link, address: String, keeper: Keeper },
}

impl Gateway {
    fn new(id: String, spec: XSpec, place: Place) -> Self {
        let (interpreter, exited, sources) = (OnceCell::new(), AtomicBool::new(false), AtomicU64::new(1));
        Self { inner: Arc::new(Inner { id, spec, place, interpreter, exited, sources }) }
    }

    /// A gateway to this host, or to the host of another gateway.
    pub(crate) fn beside(id: String, spec: XSpec, via: Option<Self>) -> Self {
        Self::new(id, spec, via.map_or_else(|| Place::Here { agent: OnceCell::new() }, Place::With))
    }

    /// A gateway to the agent at the end of a byte stream.
    pub(crate) async fn at(id: String, spec: XSpec, connected: Connected) -> Result<Self, GatewayError> {
        let Connected { reader, writer, remote_address: address, keeper } = connected;
        match Link::start(reader, writer, Options::new(Side::Initiator, id.clone())).await {
            Ok(agent) => Ok(Self::new(id, spec, Place::There { agent, address, keeper })),
            Err(error) => {
                // If it is about to end, the reader of the error wants to know how.
                let how = keeper.ended(Duration::from_millis(200)).await;
                Err(GatewayError::Agent { address, how, error })
            }
        }
    }

    /// Its name in its group.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// What it was made from.
    pub fn spec(&self) -> &XSpec {
        &self.inner.spec
    }

    /// Where it leads to, for people; None for this host.
    pub fn remote_address(&self) -> Option<&str> {
        match &self.root().place {
            Place::There { address, .. } => Some(address),
            Place::Here { .. } | Place::With(_) => None,
        }
    }

    /// The gateway whose agent serves this one.
    fn root(&self) -> &Inner {
        let mut inner = &*self.inner;
        while let Place::With(gateway) = &inner.place {
            inner = &gateway.inner;
        }
        inner
    }

    /// Whether it goes through another one, directly.
    pub(crate) fn goes_via(&self) -> Option<&str> {
        self.inner.spec.via()
    }

    fn check(&self) -> Result<(), GatewayError> {
        if self.inner.exited.load(Ordering::Acquire) { Err(GatewayError::Exited) } else { Ok(()) }
    }

    /// The link to the agent, for services of one's own.
    ///
    /// # Errors
    /// If the gateway was ended.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn agent(&self) -> Result<&Link, GatewayError> {
        self.check()?;
        match &self.root().place {
            Place::There { agent, .. } => Ok(agent),
            Place::Here { agent } => agent.get_or_try_init(|| agent_in_memory(&self.inner.id)).await,
            Place::With(_) => Err(GatewayError::Exited),
        }
    }

    /// A channel to the agent's service for pauses, if this gateway has a link to another host of its own.
    pub(crate) fn pausing(&self) -> Option<Channel> {
        match &self.inner.place {
            Place::There { agent, .. } => Channel::open(agent, "pause").ok(),
            Place::Here { .. } | Place::With(_) => None,
        }
    }

    /// Runs Python source on the host, in the gateway's interpreter, which is started with the first one.
    ///
    /// The source finds `channel` among its globals, the other end of what is returned, and `"__channelexec__"` as
    /// `__name__`. The channel is closed when the source has run; if it fails, with the error.
    ///
    /// # Errors
    /// If the interpreter does not start or has ended, or the source cannot be sent. What the source itself does wrong comes
    /// through the channel, as [`ReceiveError::Remote`].
    ///
    /// # Cancellation
    /// Safe; source that was sent may run.
    pub async fn remote_exec(&self, source: impl Into<Source>) -> Result<Channel, GatewayError> {
        let number = self.inner.sources.fetch_add(1, Ordering::Relaxed);
        let request = source.into().into_request(number)?;
        let interpreter = self.interpreter().await?;
        let channel = Channel::open(&interpreter.link, "exec")?;
        channel.send(request).await?;
        Ok(channel)
    }

    /// A new channel to the interpreter, for no source yet: send it inside of a value.
    ///
    /// # Errors
    /// As [`Gateway::remote_exec`].
    ///
    /// # Cancellation
    /// As [`Gateway::python`].
    pub async fn new_channel(&self) -> Result<Channel, GatewayError> {
        Ok(Channel::open(&self.interpreter().await?.link, "")?)
    }

    /// The link to the interpreter, which is started if it was not yet.
    ///
    /// # Errors
    /// If it does not start.
    ///
    /// # Cancellation
    /// Safe; an interpreter that was about to start is ended.
    pub async fn python(&self) -> Result<&Link, GatewayError> {
        Ok(&self.interpreter().await?.link)
    }

    async fn interpreter(&self) -> Result<&Interpreter, GatewayError> {
        self.check()?;
        self.inner.interpreter.get_or_try_init(|| Interpreter::start(self)).await
    }

    /// Bytes that the links to agent and interpreter have carried.
    pub fn traffic(&self) -> Traffic {
        let agent = match &self.inner.place {
            Place::There { agent, .. } => Some(agent),
            Place::Here { agent } => agent.get(),
            Place::With(_) => None,
        };
        let links = [agent, self.inner.interpreter.get().map(|interpreter| &interpreter.link)];
        links.into_iter().flatten().map(Link::traffic).fold(Traffic::default(), |sum, more| Traffic {
            received: sum.received + more.received,
            sent: sum.sent + more.sent,
        })
    }

    /// Waits until the link to the host or to the interpreter ends, whichever is first. For a gateway on which nothing was
    /// started yet, the interpreter is. Cancel safe.
    ///
    /// # Errors
    /// If the interpreter does not start.
    pub async fn ended(&self) -> Result<LinkEnd, GatewayError> {
        let interpreter = self.interpreter().await?;
        Ok(match &self.root().place {
            Place::There { agent, .. } => tokio::select! {
                end = agent.ended() => end,
                end = interpreter.link.ended() => end,
            },
            Place::Here { .. } | Place::With(_) => interpreter.link.ended().await,
        })
    }

    /// Ends the gateway: goodbye to the interpreter and the agent, time until `limit` for what runs there, and then the end
    /// of all its processes. Always returns, a few seconds after `limit` at the latest. Idempotent.
    ///
    /// # Cancellation
    /// Nothing can be started any more; what has not ended yet does when the last handle is dropped.
    pub async fn terminate(&self, limit: Duration) {
        self.inner.exited.store(true, Ordering::Release);
        let deadline = Instant::now() + limit;
        let left = || deadline.saturating_duration_since(Instant::now());
        if let Some(interpreter) = self.inner.interpreter.get() {
            interpreter.link.goodbye(left()).await;
            interpreter.keeper.end(left()).await;
        }
        match &self.inner.place {
            Place::Here { agent } => {
                if let Some(agent) = agent.get() {
                    agent.goodbye(left().max(KILL)).await;
                }
            }
            Place::There { agent, keeper, .. } => {
                agent.goodbye(left()).await;
                keeper.end(left()).await;
            }
            Place::With(_) => {}
        }
    }
}

/// An agent in this process.
async fn agent_in_memory(id: &str) -> Result<Link, GatewayError> {
    let (near, far) = duplex(MEMORY);
    let options = |side, name: &str| Options {
        // Memory flips no bits, and one process does not outlive itself.
        check: Check::Header,
        heartbeat: None,
        ..Options::new(side, name)
    };
    let (from_near, to_near) = split(far);
    tokio::spawn(agent::serve(from_near, to_near, options(Side::Acceptor, "agent")));
    let (from_far, to_far) = split(near);
    let started = Link::start(from_far, to_far, options(Side::Initiator, id)).await;
    started.map_err(|error| GatewayError::Agent { address: "this process".to_owned(), how: None, error })
}
