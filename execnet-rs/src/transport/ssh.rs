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
mod pacing;
mod plan;
mod program;
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
    /// Nothing will change by itself.
    Final(String),
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

    async fn try_to_connect(&self, plan: &Plan, via: Option<&Gateway>) -> Result<Connected, ConnectError> {
        let mut attempt = 0;
        loop {
            let turn = self.pacing.turn(plan.host()).await;
            let tried = program::connect(plan, via).await;
            drop(turn);
            match tried {
                Ok(connected) => return Ok(connected),
                Err(Trouble::Final(text)) => return Err(ConnectError::Other(text)),
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

impl Transport for SshTransport {
    fn connect<'a>(&'a self, spec: &'a XSpec, via: Option<&'a Gateway>) -> Connecting<'a> {
        Box::pin(async move {
            let plan = self.plan(spec).await?;
            self.try_to_connect(&plan, via).await
        })
    }
}
