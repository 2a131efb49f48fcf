//! Any program, with its standard streams as channels of bytes.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::process::Stdio;

use rustix::process::{Pid, Signal, getpriority_process, setpriority_process};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;

use super::program::Care;
use super::refused;
use crate::channel::{Channel, RemoteError};
use crate::child::Child;
use crate::process::{HowEnded, is_group};
use crate::value::Value;

/// Bytes of output that travel at once.
pub(super) const PIECE: usize = 64 * 1024;

/// Where an output of the process goes.
enum Output {
    Nowhere,
    Stream(Channel),
    /// A file, or a named pipe.
    File(File),
}

impl Output {
    fn of(channel: &Channel, request: &Value, key: &str) -> Result<Self, RemoteError> {
        if let Some(path @ (Value::Str(_) | Value::Bytes(_))) = request.get(key) {
            let path = os_text(path)?;
            let file = File::options().write(true).open(&path);
            return Ok(Self::File(file.map_err(|error| refused(&path.to_string_lossy(), &error))?));
        }
        Ok(stream_of(channel, request, key)?.map_or(Self::Nowhere, Self::Stream))
    }

    /// What the process is given for it, and the channel that its pipe leads to.
    fn split(self, nowhere: Stdio) -> (Stdio, Option<Channel>) {
        match self {
            Self::Nowhere => (nowhere, None),
            Self::Stream(channel) => (Stdio::piped(), Some(channel)),
            Self::File(file) => (file.into(), None),
        }
    }
}

/// A stream of the process: a channel, or nothing.
fn stream_of(channel: &Channel, request: &Value, key: &str) -> Result<Option<Channel>, RemoteError> {
    match request.get(key) {
        None | Some(Value::None) => Ok(None),
        Some(Value::Channel(reference)) => match channel.resolve(*reference) {
            Some(stream) => Ok(Some(stream)),
            None => Err(RemoteError::new("ValueError", format!("`{key}` is no channel of this link"))),
        },
        Some(other) => Err(RemoteError::new("TypeError", format!("`{key}` is a {}, not a channel", other.kind()))),
    }
}

/// A text of the system, which may hold any bytes but NUL.
fn os_text(value: &Value) -> Result<OsString, RemoteError> {
    match value {
        Value::Str(text) => Ok(text.into()),
        Value::Bytes(bytes) => Ok(OsString::from_vec(bytes.to_vec())),
        other => Err(RemoteError::new("TypeError", format!("text or bytes are needed, not {}", other.kind()))),
    }
}

fn command_of(request: &Value) -> Result<Command, RemoteError> {
    let argv = request.get("argv").and_then(Value::items).unwrap_or_default();
    let argv = argv.iter().map(os_text).collect::<Result<Vec<_>, _>>()?;
    let Some((program, arguments)) = argv.split_first() else {
        return Err(RemoteError::new("ValueError", "`argv` is empty"));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(cwd) = request.get("cwd").filter(|cwd| **cwd != Value::None) {
        let cwd = os_text(cwd)?;
        if request.get("make_cwd").and_then(Value::as_bool) == Some(true) {
            std::fs::create_dir_all(&cwd).map_err(|error| refused(&cwd.to_string_lossy(), &error))?;
        }
        // Otherwise it would be the program that is said to be missing.
        std::fs::read_dir(&cwd).map_err(|error| refused(&cwd.to_string_lossy(), &error))?;
        // As a shell would leave it: programs believe it over what the system says.
        command.env("PWD", std::path::absolute(&cwd).map_err(|error| refused(&cwd.to_string_lossy(), &error))?);
        command.current_dir(cwd);
    }
    if let Some(Value::Dict(env)) = request.get("env") {
        for (name, value) in env {
            command.env(os_text(name)?, os_text(value)?);
        }
    }
    Ok(command)
}

/// A process that the agent has started, and its guard knows.
struct Started<'a> {
    child: Child,
    care: &'a Care,
}

impl<'a> Started<'a> {
    fn new(child: Child, care: &'a Care) -> Self {
        care.group(child.pid());
        care.limit_files(child.pid());
        Self { child, care }
    }

    /// It has ended; what it left running in its group ends when nobody holds the process any more.
    fn ended(&self) {
        if is_group(self.child.pid()) {
            self.care.rest(self.child.pid());
        } else {
            self.care.forget(self.child.pid());
        }
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        self.child.kill();
        self.care.forget(self.child.pid());
    }
}

pub(super) async fn serve(channel: &Channel, care: &Care) -> Result<(), RemoteError> {
    let request = channel.receive().await?;
    let mut command = command_of(&request)?;
    let stdin = stream_of(channel, &request, "stdin")?;
    let (output, stdout) = Output::of(channel, &request, "stdout")?.split(Stdio::null());
    let (error, stderr) = Output::of(channel, &request, "stderr")?.split(Stdio::inherit());
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() }).stdout(output).stderr(error);
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let (child, pipes) = Child::spawn(&mut command).map_err(|error| refused(&program, &error))?;
    let started = Started::new(child, care);
    let child = &started.child;
    if let Some(nice) = request.get("nice").and_then(Value::as_int).and_then(|nice| i32::try_from(nice).ok()) {
        renice(child.pid(), nice).map_err(|error| refused("nice", &error.into()))?;
    }
    if let (Some(pipe), Some(stream)) = (pipes.stdin, stdin) {
        tokio::spawn(feed(stream, pipe));
    }
    if let (Some(pipe), Some(stream)) = (pipes.stdout, stdout) {
        tokio::spawn(drain(pipe, stream));
    }
    if let (Some(pipe), Some(stream)) = (pipes.stderr, stderr) {
        tokio::spawn(drain(pipe, stream));
    }
    let _ = channel.send(child.pid()).await;
    loop {
        tokio::select! {
            how = child.wait() => {
                let _ = channel.send(ended(how)).await;
                channel.finish();
                started.ended();
                while channel.next().await.is_ok_and(|order| order.is_some()) {}
                return Ok(());
            }
            order = channel.receive() => match order {
                Ok(order) => signal(child, &order),
                Err(_) => return Ok(()),
            },
        }
    }
}

fn renice(pid: u32, more: i32) -> rustix::io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    setpriority_process(pid, getpriority_process(pid)?.saturating_add(more))
}

fn signal(child: &Child, order: &Value) {
    let number = order.get("signal").and_then(Value::as_int).and_then(|number| i32::try_from(number).ok());
    match number.and_then(Signal::from_named_raw) {
        Some(Signal::KILL) => child.kill(),
        Some(signal) => child.signal(signal),
        None => {}
    }
}

pub(super) fn ended(how: HowEnded) -> Value {
    match how {
        HowEnded::Exited(code) => Value::dict([("code", code)]),
        HowEnded::Signaled(signal) => Value::dict([("signal", signal)]),
        HowEnded::Unknown => Value::Dict(Vec::new()),
    }
}

/// What comes through the channel goes into the pipe. Other values than bytes and text are left out.
pub(super) async fn feed<W: AsyncWrite + Unpin>(channel: Channel, mut pipe: W) {
    while let Ok(Some(piece)) = channel.next().await {
        let written = match &piece {
            Value::Bytes(bytes) => pipe.write_all(bytes).await,
            Value::Str(text) => pipe.write_all(text.as_bytes()).await,
            _ => Ok(()),
        };
        if written.is_err() {
            // Nobody reads: the sender learns it.
            return channel.close();
        }
    }
    let _ = pipe.shutdown().await;
}

/// What comes out of the pipe goes through the channel, then its end.
pub(super) async fn drain<R: AsyncRead + Unpin>(mut pipe: R, channel: Channel) {
    let mut piece = vec![0; PIECE];
    loop {
        match pipe.read(&mut piece).await {
            Ok(count @ 1..) if channel.send_bytes(&piece[..count]).await.is_ok() => {}
            _ => return channel.finish(),
        }
    }
}
