//! `ssh=[user@]host`: hosts on which nothing of ours is installed. The agent is copied there once, and serves the link over
//! the streams of one remote command.
//!
//! ```text
//!  spec -> arguments -> `ssh -G` -> settings -> plan -+- program: the system's ssh
//!                                                     +- library: in this process, where that is enough
//!                                  bootstrap: one command that is the agent or asks for it
//! ```
//! What reads and decides is pure (`arguments`, `settings`, `plan`, `bootstrap`, `known_hosts`); `program`, `library`,
//! `dialogue` and `agents` do things.

mod agents;
mod arguments;
mod bootstrap;
mod dialogue;
#[cfg(feature = "ssh2")]
mod keys;
#[cfg(feature = "ssh2")]
mod known_hosts;
#[cfg(feature = "ssh2")]
mod library;
mod pacing;
mod plan;
mod program;
#[cfg(feature = "ssh2")]
mod reach;
mod said;
mod settings;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use super::{ConnectError, Connected, Connecting, Transport};
use crate::gateway::Gateway;
use crate::xspec::{self, XSpec};
pub use agents::{AGENT_DIR, Agents};
use arguments::Arguments;
use pacing::Pacing;
use plan::Plan;
use settings::Settings;

/// How long the program may take to say which settings count. `Match exec` may ask other hosts.
const ASKING: Duration = Duration::from_secs(20);

/// The way to hosts that can be reached by ssh; to be registered for `ssh`.
#[derive(Clone, Debug)]
pub struct SshTransport {
    agents: Agents,
    program: String,
    terminal: bool,
    pacing: Arc<Pacing>,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trouble {
    /// The server has too many that it has not let in yet; a moment later it may not.
    Busy(String),
    /// Only the ssh program can do it, or say why not.
    Beyond(String),
    /// Nothing will change by itself.
    Final(String),
}

/// Who makes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    /// This process where that is enough, the program otherwise.
    Either,
    /// This process, `ssh_client=ssh2`.
    Library,
    /// The program, `ssh_client=openssh`.
    Program,
}

impl Client {
    fn of(spec: &XSpec) -> Self {
        match spec.get("ssh_client") {
            Some("ssh2") => Self::Library,
            Some("openssh") => Self::Program,
            _ => Self::Either,
        }
    }
}

impl SshTransport {
    /// The usual one: agents of this program, the `ssh` of `PATH`, and nobody is asked for anything.
    pub fn new(agents: Agents) -> Self {
        Self { agents, program: "ssh".to_owned(), terminal: false, pacing: Arc::default() }
    }

    /// Lets the ssh program ask on the terminal for passphrases, and whether a host's key is right.
    #[must_use]
    pub fn with_terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    /// Another ssh program.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<String>) -> Self {
        self.program = program.into();
        self
    }

    async fn plan(&self, spec: &XSpec) -> Result<Plan, ConnectError> {
        let xspec::Transport::Ssh { arguments, config, vagrant } =
            spec.transport().map_err(|error| ConnectError::Other(error.to_string()))?
        else {
            return Err(ConnectError::Other(format!("`{spec}` does not go by ssh")));
        };
        debug_assert!(!vagrant);
        let arguments = Arguments::sort(&arguments).map_err(ConnectError::Other)?;
        let agents = self.agents.clone();
        let finding = tokio::task::spawn_blocking(move || agents.find());
        let settings = self.settings(config.as_deref(), &arguments).await?;
        let agents = finding.await.unwrap_or_default();
        Ok(Plan { program: self.program.clone(), config, arguments, settings, agents, terminal: self.terminal })
    }

    async fn settings(&self, config: Option<&str>, arguments: &Arguments) -> Result<Settings, ConnectError> {
        let asked = plan::ask_for_settings(&self.program, config, arguments);
        match program::printed(&asked, ASKING).await {
            Ok((settings, _)) if !settings.is_empty() => Ok(Settings::read(&settings)),
            Ok((_, complaint)) => {
                let complaint = complaint.lines().map(str::trim).collect::<Vec<_>>().join("; ");
                Err(ConnectError::Other(format!("`{}` does not take this: {complaint}", self.program)))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Err(ConnectError::Other(format!(
                "there is no program `{}` here: install OpenSSH's client, or use `socket=`",
                self.program
            ))),
            Err(error) => Err(ConnectError::Start { program: self.program.clone(), error }),
        }
    }

    async fn connect_patiently(
        &self,
        plan: &Plan,
        client: Client,
        via: Option<&Gateway>,
    ) -> Result<Connected, ConnectError> {
        let mut attempt = 0;
        loop {
            let turn = self.pacing.turn(plan.host()).await;
            let tried = connect_once(plan, client, via).await;
            drop(turn);
            match tried {
                Ok(connected) => return Ok(connected),
                Err(Trouble::Final(text) | Trouble::Beyond(text)) => return Err(ConnectError::Other(text)),
                Err(Trouble::Busy(text)) => {
                    let Some(pause) = pacing::pause(attempt, pacing::chance()) else {
                        return Err(ConnectError::Other(text));
                    };
                    tracing::info!(host = plan.host(), ?pause, text, "once more");
                    tokio::time::sleep(pause).await;
                    attempt += 1;
                }
            }
        }
    }
}

/// One try, by the one client and then maybe by the other.
async fn connect_once(plan: &Plan, client: Client, via: Option<&Gateway>) -> Result<Connected, Trouble> {
    // What goes through another host is a program there.
    if client == Client::Program || via.is_some() {
        return program::connect(plan, via).await;
    }
    match in_this_process(plan).await {
        Err(Trouble::Beyond(why)) if client == Client::Either => {
            tracing::debug!(host = plan.host(), why, "by the ssh program");
            program::connect(plan, None).await
        }
        result => result,
    }
}

#[cfg(feature = "ssh2")]
async fn in_this_process(plan: &Plan) -> Result<Connected, Trouble> {
    library::connect(plan).await
}

#[cfg(not(feature = "ssh2"))]
#[expect(clippy::unused_async, reason = "as with the feature")]
async fn in_this_process(_: &Plan) -> Result<Connected, Trouble> {
    Err(Trouble::Beyond("this program was built without connections of its own by ssh (feature `ssh2`)".to_owned()))
}

impl Transport for SshTransport {
    fn connect<'a>(&'a self, spec: &'a XSpec, via: Option<&'a Gateway>) -> Connecting<'a> {
        Box::pin(async move {
            let plan = self.plan(spec).await?;
            self.connect_patiently(&plan, Client::of(spec), via).await
        })
    }
}
