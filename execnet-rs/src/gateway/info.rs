//! What hosts and interpreters say of themselves.

use std::time::Duration;

use super::{Gateway, GatewayError};
use crate::channel::Channel;
use crate::link::Link;
use crate::value::Value;

/// An interpreter, as execnet's `_rinfo` describes it, and what its host has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterpreterInfo {
    /// The program.
    pub executable: String,
    /// Major, minor, micro.
    pub version: (u32, u32, u32),
    /// `cpython`, `pypy`.
    pub implementation: String,
    /// `linux`, by `sys.platform`.
    pub platform: String,
    /// Its working directory.
    pub cwd: String,
    /// Its process id, on its host.
    pub pid: u32,
    /// Cores that it may use.
    pub cores: u32,
    /// The host's memory in bytes; 0 if it does not tell.
    pub memory: u64,
}

/// A host, as its agent describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostInfo {
    /// Its name.
    pub host: String,
    /// Its system: `Linux`.
    pub system: String,
    /// Its processor: `x86_64`.
    pub machine: String,
    /// The agent's working directory.
    pub cwd: String,
    /// The agent's process id.
    pub pid: u32,
    /// Cores that it may use.
    pub cores: u32,
    /// Its memory in bytes.
    pub memory: u64,
    /// How many processes of the agent's cgroup, or of the whole host, the kernel has killed because no memory was left, if
    /// it tells.
    pub oom_kills: Option<u64>,
    /// The agent's name and version.
    pub agent: String,
}

/// What an interpreter is doing: execnet's `remote_status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Channels that are open.
    pub channels: u32,
    /// Sources that are running or waiting to.
    pub executing: u32,
    /// `thread` or `main_thread_only`.
    pub execmodel: String,
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number<T: TryFrom<i64> + Default>(value: Option<&Value>) -> T {
    value.and_then(Value::as_int).and_then(|number| T::try_from(number).ok()).unwrap_or_default()
}

async fn ask(link: &Link, service: &str) -> Result<Value, GatewayError> {
    let channel = Channel::open(link, service)?;
    channel.send(()).await?;
    Ok(channel.receive().await?)
}

impl Gateway {
    /// What the interpreter says of itself, which is started if it was not yet. Cancel safe.
    ///
    /// # Errors
    /// If it does not start or has ended.
    pub async fn rinfo(&self) -> Result<InterpreterInfo, GatewayError> {
        let said = ask(self.python().await?, "info").await?;
        let version = said.get("version_info").and_then(Value::items).unwrap_or_default();
        Ok(InterpreterInfo {
            executable: text(&said, "executable"),
            version: (number(version.first()), number(version.get(1)), number(version.get(2))),
            implementation: text(&said, "implementation"),
            platform: text(&said, "platform"),
            cwd: text(&said, "cwd"),
            pid: number(said.get("pid")),
            cores: number(said.get("cores")),
            memory: number(said.get("memory")),
        })
    }

    /// What the agent says of its host. Cancel safe.
    ///
    /// # Errors
    /// If the link has ended.
    pub async fn host_info(&self) -> Result<HostInfo, GatewayError> {
        let said = ask(self.agent().await?, "info").await?;
        Ok(HostInfo {
            host: text(&said, "host"),
            system: text(&said, "system"),
            machine: text(&said, "machine"),
            cwd: text(&said, "cwd"),
            pid: number(said.get("pid")),
            cores: number(said.get("cores")),
            memory: number(said.get("memory")),
            oom_kills: said.get("oom_kills").and_then(Value::as_int).and_then(|count| u64::try_from(count).ok()),
            agent: text(&said, "agent"),
        })
    }

    /// What the interpreter is doing. Cancel safe.
    ///
    /// # Errors
    /// If it does not start or has ended.
    pub async fn remote_status(&self) -> Result<Status, GatewayError> {
        let said = ask(self.python().await?, "status").await?;
        Ok(Status {
            channels: number(said.get("numchannels")),
            executing: number(said.get("numexecuting")),
            execmodel: text(&said, "execmodel"),
        })
    }

    /// How long an answer of the agent takes.
    ///
    /// # Errors
    /// If the link has ended.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn round_trip(&self) -> Result<Duration, GatewayError> {
        let agent = self.agent().await?;
        agent.round_trip().await.map_err(|end| GatewayError::Receive(end.into()))
    }
}
