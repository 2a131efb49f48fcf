//! Processes on a gateway's host, and connections that processes there make.

use rustix::process::Signal;
use tokio::sync::OnceCell;

use super::{Gateway, GatewayError};
use crate::channel::{Channel, ReceiveError};
use crate::process::HowEnded;
use crate::ring::Shape;
use crate::value::Value;

/// A program that is to be started. Its standard error is that of the agent, and input and output are empty, unless they
/// are asked for.
#[derive(Clone, Debug, Default)]
pub struct ProcessRequest {
    argv: Vec<Value>,
    cwd: Option<Value>,
    make_cwd: bool,
    env: Vec<(Value, Value)>,
    nice: Option<i32>,
    streams: [bool; 3],
    files: [Option<Value>; 3],
}

impl ProcessRequest {
    /// A program and its arguments: text, or bytes for what is not UTF-8. A program without `/` is looked for in `PATH`.
    pub fn new<T: Into<Value> + Clone>(argv: &[T]) -> Self {
        Self { argv: argv.iter().cloned().map(Into::into).collect(), ..Self::default() }
    }

    /// Where it starts; as the agent, or the spec's `chdir`, unless this is said.
    #[must_use]
    pub fn cwd(mut self, directory: impl Into<Value>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// The directory in which it starts is made, with those above it, if it is missing.
    #[must_use]
    pub fn make_cwd(mut self) -> Self {
        self.make_cwd = true;
        self
    }

    /// A variable of its environment, beside the agent's.
    #[must_use]
    pub fn env(mut self, name: impl Into<Value>, value: impl Into<Value>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Added to its niceness.
    #[must_use]
    pub fn nice(mut self, nice: i32) -> Self {
        self.nice = Some(nice);
        self
    }

    /// Its standard input is a channel: bytes and text are written, the end of the channel closes it.
    #[must_use]
    pub fn with_stdin(mut self) -> Self {
        self.streams[0] = true;
        self
    }

    /// Its standard output is a channel of bytes.
    #[must_use]
    pub fn with_stdout(mut self) -> Self {
        self.streams[1] = true;
        self
    }

    /// Its standard error is a channel of bytes.
    #[must_use]
    pub fn with_stderr(mut self) -> Self {
        self.streams[2] = true;
        self
    }

    /// Its standard output goes to a file or named pipe of the host, which is there.
    #[must_use]
    pub fn stdout_to(mut self, path: impl Into<Value>) -> Self {
        self.files[1] = Some(path.into());
        self
    }

    /// Its standard error goes to a file or named pipe of the host, which is there.
    #[must_use]
    pub fn stderr_to(mut self, path: impl Into<Value>) -> Self {
        self.files[2] = Some(path.into());
        self
    }
}

/// A process on a gateway's host. When this is dropped, the process and what it started are killed.
#[derive(Debug)]
pub struct Process {
    control: Channel,
    pid: u32,
    streams: [Option<Channel>; 3],
    ended: OnceCell<HowEnded>,
}

impl Process {
    /// Its number on its host.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its standard input, once.
    pub fn take_stdin(&mut self) -> Option<Channel> {
        self.streams[0].take()
    }

    /// Its standard output, once.
    pub fn take_stdout(&mut self) -> Option<Channel> {
        self.streams[1].take()
    }

    /// Its standard error, once.
    pub fn take_stderr(&mut self) -> Option<Channel> {
        self.streams[2].take()
    }

    /// Waits until it has ended. Cancel safe.
    ///
    /// # Errors
    /// If the link ended first.
    pub async fn wait(&self) -> Result<HowEnded, ReceiveError> {
        let ended = self.ended.get_or_try_init(|| async {
            let how = self.control.receive().await?;
            Ok::<_, ReceiveError>(how_ended(&how))
        });
        ended.await.copied()
    }

    /// Sends a signal to its process group.
    pub fn signal(&self, signal: Signal) {
        // To a process that is gone, there is nothing to send.
        let _ = self.control.try_send(Value::dict([("signal", signal.as_raw())]));
    }

    /// Kills it and what it has started.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }
}

/// Reads `{code}` or `{signal}`.
pub(super) fn how_ended(how: &Value) -> HowEnded {
    let number = |key: &str| how.get(key).and_then(Value::as_int).and_then(|number| i32::try_from(number).ok());
    match (number("code"), number("signal")) {
        (Some(code), _) => HowEnded::Exited(code),
        (None, Some(signal)) => HowEnded::Signaled(signal),
        (None, None) => HowEnded::Unknown,
    }
}

/// A unix socket on a gateway's host. When this is dropped, the socket and its connections are closed.
#[derive(Debug)]
pub struct Connections {
    channel: Channel,
    path: String,
}

impl Connections {
    /// The socket's path on the host, in a directory that only the agent's user can enter.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The next connection, as a channel of bytes, and the process id of who made it. Cancel safe.
    ///
    /// # Errors
    /// If the link ended, or the host refuses.
    pub async fn accept(&self) -> Result<(Channel, u32), GatewayError> {
        let said = self.channel.receive().await?;
        if let Some([Value::Channel(reference), pid]) = said.items()
            && let Some(connection) = self.channel.resolve(*reference)
            && let Some(pid) = pid.as_int().and_then(|pid| u32::try_from(pid).ok())
        {
            return Ok((connection, pid));
        }
        Err(GatewayError::Answer(format!("{} for a connection", said.kind())))
    }

    /// The process that made this connection leaves records in a file of the host: from here on they come through the
    /// connection's channel, which then also carries tuples of three bytes each: records that are older than the bytes,
    /// bytes, records that may be older than them. An agent that knows nothing of it never lets the process write there.
    pub fn follow(&self, connection: &Channel, path: &str, shape: Shape) {
        let _ = self.channel.try_send(Value::dict([
            ("follow", connection.reference()),
            ("path", path.into()),
            ("slots", shape.slots().into()),
            ("record", (shape.record() as u64).into()),
        ]));
    }

    /// The process that made this connection is gone: the connection ends with what was sent, also if another process
    /// still holds it.
    pub fn drain(&self, connection: &Channel) {
        // On a link that has ended there is nothing to drain.
        let _ = self.channel.try_send(connection.reference());
    }
}

impl Gateway {
    /// Starts a process on the host, in the spec's directory, environment and niceness unless the request says otherwise.
    ///
    /// An agent that dies takes no process along by itself: for one in another process, what its processes lose is their
    /// standard streams; for `popen`, whose agent is this process, a program that must leave nothing behind even if it is
    /// killed has a [`crate::guard::Guard`] and tells it of [`Process::pid`].
    ///
    /// # Errors
    /// If the host refuses: no such program, no such directory; or the link has ended.
    ///
    /// # Cancellation
    /// Safe: a process that was started is killed.
    pub async fn process(&self, mut request: ProcessRequest) -> Result<Process, GatewayError> {
        let spec = self.spec();
        if request.cwd.is_none() {
            request.cwd = spec.chdir().map(Value::from);
            request.make_cwd = request.cwd.is_some();
        }
        let env = spec.env().map(|(name, value)| (name.into(), value.into()));
        request.env = env.chain(std::mem::take(&mut request.env)).collect();
        request.nice = request.nice.or(spec.nice());
        self.plain_process(request).await
    }

    /// Starts a process as the request says and nothing else.
    pub(super) async fn plain_process(&self, request: ProcessRequest) -> Result<Process, GatewayError> {
        let control = Channel::open(self.agent().await?, "process")?;
        let mut streams = [None, None, None];
        for (stream, wanted) in streams.iter_mut().zip(request.streams) {
            if wanted {
                *stream = Some(control.sibling()?);
            }
        }
        let [_, output, error] = request.files;
        let stream = |index: usize| streams[index].as_ref().map_or(Value::None, Channel::reference);
        let asked = Value::dict([
            ("argv", Value::List(request.argv)),
            ("cwd", request.cwd.into()),
            ("make_cwd", request.make_cwd.into()),
            ("env", Value::Dict(request.env)),
            ("nice", request.nice.into()),
            ("stdin", stream(0)),
            ("stdout", output.unwrap_or_else(|| stream(1))),
            ("stderr", error.unwrap_or_else(|| stream(2))),
        ]);
        control.send(asked).await?;
        let started = control.receive().await?;
        let pid = started.as_int().and_then(|pid| u32::try_from(pid).ok());
        let pid = pid.ok_or_else(|| GatewayError::Answer(format!("{} for a process id", started.kind())))?;
        Ok(Process { control, pid, streams, ended: OnceCell::new() })
    }

    /// Listens on the host for connections of processes there.
    ///
    /// # Errors
    /// If the host refuses, or the link has ended.
    ///
    /// # Cancellation
    /// Nobody listens then.
    pub async fn listen(&self) -> Result<Connections, GatewayError> {
        let channel = Channel::open(self.agent().await?, "listen")?;
        channel.send(()).await?;
        match channel.receive().await? {
            Value::Str(path) => Ok(Connections { channel, path }),
            other => Err(GatewayError::Answer(format!("{} for a path", other.kind()))),
        }
    }
}
