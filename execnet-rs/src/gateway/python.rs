//! The interpreter of a gateway: started beside this process over a socket pair, or by the agent of the host.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command;

use super::{Gateway, GatewayError, Place, ProcessRequest};
use crate::channel::byte_stream;
use crate::child::Child;
use crate::embedded::{BOOT, Settings, program};
use crate::link::{Link, LinkError, Options};
use crate::mux::Side;
use crate::transport::{ConnectError, Keeper};
use crate::wire::Check;

/// The interpreter of a spec that names none.
const PYTHON: &str = "python3";

/// A running interpreter.
#[derive(Debug)]
pub(super) struct Interpreter {
    pub(super) link: Link,
    pub(super) keeper: Keeper,
}

impl Interpreter {
    pub(super) async fn start(gateway: &Gateway) -> Result<Self, GatewayError> {
        let spec = gateway.spec();
        let mut argv = spec.python().unwrap_or_else(|| vec![PYTHON.to_owned()]);
        let command = argv.join(" ");
        if spec.dont_write_bytecode() {
            argv.push("-B".to_owned());
        }
        argv.extend(["-c", BOOT].map(str::to_owned));
        let mut settings = Settings {
            id: gateway.id().to_owned(),
            execmodel: spec.execmodel().to_string(),
            check: "header",
            chdir: spec.chdir().map(str::to_owned),
            nice: spec.nice().unwrap_or_default(),
            cache: None,
        };
        if let Place::Here { .. } = gateway.root().place {
            settings.cache = cache_directory();
            let started = start_here(&argv, spec.env());
            let (child, stream) = started.map_err(|error| ConnectError::Start { program: argv[0].clone(), error })?;
            let (reader, writer) = stream.into_split();
            return Self::greet(gateway, command, &settings, reader, writer, Keeper::child(child)).await;
        }
        let mut request = ProcessRequest::new(&argv).with_stdin().with_stdout();
        for (name, value) in spec.env() {
            request = request.env(name, value);
        }
        let mut process = gateway.plain_process(request).await?;
        let (Some(stdin), Some(stdout)) = (process.take_stdin(), process.take_stdout()) else {
            return Err(GatewayError::Answer("a process without streams".to_owned()));
        };
        let (reader, writer) = byte_stream(stdin, stdout);
        Self::greet(gateway, command, &settings, reader, writer, Keeper::process(process)).await
    }

    async fn greet<R, W>(
        gateway: &Gateway,
        command: String,
        settings: &Settings,
        reader: R,
        mut writer: W,
        keeper: Keeper,
    ) -> Result<Self, GatewayError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let options = Options {
            // Within one host, and inside of the agent's link, nothing changes bytes. That it has died is seen at its streams,
            // and that it is busy is no fault.
            check: Check::Header,
            heartbeat: None,
            ..Options::new(Side::Initiator, gateway.id())
        };
        let started = match writer.write_all(&program(settings)).await {
            Ok(()) => Link::start(reader, writer, options).await,
            Err(error) => Err(LinkError::Io(error)),
        };
        match started {
            Ok(link) => Ok(Self { link, keeper }),
            Err(error) => {
                let how = keeper.ended(Duration::from_millis(200)).await;
                Err(GatewayError::Interpreter { command, how, error })
            }
        }
    }
}

/// Starts an interpreter whose standard input and output are one socket.
fn start_here<'a>(argv: &[String], env: impl Iterator<Item = (&'a str, &'a str)>) -> io::Result<(Child, UnixStream)> {
    let (near, far) = StdStream::pair()?;
    near.set_nonblocking(true)?;
    let output = OwnedFd::from(far.try_clone()?);
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).envs(env).stdin(Stdio::from(OwnedFd::from(far))).stdout(Stdio::from(output));
    let (child, _) = Child::spawn(&mut command)?;
    Ok((child, UnixStream::from_std(near)?))
}

/// Where compiled modules are kept on this host.
fn cache_directory() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join("execnet-rs"))
}
