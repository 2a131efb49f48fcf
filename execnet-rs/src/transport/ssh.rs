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
mod files;
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
mod vagrant;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::{ConnectError, Connected, Connecting, Transport};
use crate::gateway::Gateway;
use crate::xspec::{self, XSpec};
pub use agents::{AGENT_DIR, Agents};
use arguments::Arguments;
use pacing::Pacing;
use plan::Plan;
use settings::Settings;
use vagrant::Machine;

/// How long the program may take to say which settings count. `Match exec` may ask other hosts.
const ASKING: Duration = Duration::from_secs(20);

/// The way to hosts that can be reached by ssh; to be registered for `ssh`.
#[derive(Clone, Debug)]
pub struct SshTransport {
    agents: Agents,
    program: String,
    vagrant: String,
    terminal: bool,
    pacing: Arc<Pacing>,
    asking: Arc<Mutex<()>>,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trouble {
    /// The server has too many that it has not let in yet; a moment later it may not.
    Busy(String),
    /// Only the ssh program can do it, or say why not.
    Beyond(String),
    /// Somebody who can be asked could help.
    Asks(String),
    /// Nothing will change by itself.
    Final(String),
}

impl Trouble {
    /// The same for somebody who can be asked.
    fn asks(self) -> Self {
        match self {
            Self::Final(text) => Self::Asks(text),
            other => other,
        }
    }
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
        let (program, vagrant) = ("ssh".to_owned(), "vagrant".to_owned());
        Self { agents, program, vagrant, terminal: false, pacing: Arc::default(), asking: Arc::default() }
    }

    /// Lets the ssh program ask on the terminal for passphrases, and whether an unknown host's key is right. Without a
    /// terminal, or in the background, nobody is asked.
    #[must_use]
    pub fn with_terminal(mut self) -> Self {
        self.terminal = crate::process::is_in_foreground();
        self
    }

    /// Users are asked one question at a time, and none while somebody holds this.
    #[must_use]
    pub fn asking(mut self, asking: Arc<Mutex<()>>) -> Self {
        self.asking = asking;
        self
    }

    /// Another ssh program.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<String>) -> Self {
        self.program = program.into();
        self
    }

    /// Another vagrant program.
    #[must_use]
    pub fn with_vagrant(mut self, program: impl Into<String>) -> Self {
        self.vagrant = program.into();
        self
    }

    /// The way to the host of a spec, who is to go it, and the machine whose configuration it needs.
    async fn plan(&self, spec: &XSpec) -> Result<(Plan, Client, Option<Machine>), ConnectError> {
        let client = Client::of(spec);
        let xspec::Transport::Ssh { mut arguments, mut config, vagrant } =
            spec.transport().map_err(|error| ConnectError::Other(error.to_string()))?
        else {
            return Err(ConnectError::Other(format!("`{spec}` does not go by ssh")));
        };
        let mut machine = None;
        if vagrant {
            let made = vagrant::settings_of(&self.vagrant, &arguments.join(" ")).await.map_err(ConnectError::Other)?;
            arguments = vec![made.name.clone()];
            config = Some(made.path.display().to_string());
            machine = Some(made);
        }
        let arguments = Arguments::sort(&arguments).map_err(ConnectError::Other)?;
        let agents = self.agents.clone();
        let finding = tokio::task::spawn_blocking(move || agents.find());
        let asked = self.ask_program(config.as_deref(), &arguments).await?;
        let client = if asked.is_none() && client == Client::Either { Client::Library } else { client };
        let settings = match asked {
            Some(settings) => settings,
            None => without_program(&self.program, config.as_deref(), &arguments)?,
        };
        let agents = finding.await.unwrap_or_default();
        Ok((Plan { program: self.program.clone(), config, arguments, settings, agents }, client, machine))
    }

    /// What counts for a host; None if there is no program that could say it.
    async fn ask_program(&self, config: Option<&str>, arguments: &Arguments) -> Result<Option<Settings>, ConnectError> {
        let asked = plan::ask_for_settings(&self.program, config, arguments);
        match program::printed(&asked, ASKING).await {
            Ok((settings, _)) if !settings.is_empty() => Ok(Some(Settings::read(&settings))),
            Ok((_, complaint)) => {
                let complaint = complaint.lines().map(str::trim).collect::<Vec<_>>().join("; ");
                Err(ConnectError::Other(format!("`{}` does not take this: {complaint}", self.program)))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
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
            let tried = self.connect_once(plan, client, via).await;
            drop(turn);
            match tried {
                Ok(connected) => return Ok(connected),
                Err(Trouble::Final(text) | Trouble::Beyond(text) | Trouble::Asks(text)) => {
                    return Err(ConnectError::Other(text));
                }
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

    /// One try, by the one client and then maybe by the other.
    async fn connect_once(&self, plan: &Plan, client: Client, via: Option<&Gateway>) -> Result<Connected, Trouble> {
        // What goes through another host is a program there.
        if via.is_some() {
            return program::connect(plan, via, false).await;
        }
        if client != Client::Program {
            match in_this_process(plan).await {
                Err(Trouble::Beyond(why)) if client == Client::Either => {
                    tracing::debug!(host = plan.host(), why, "by the ssh program");
                }
                result => return result,
            }
        }
        match program::connect(plan, None, false).await {
            Err(Trouble::Asks(_)) if self.terminal => {
                // One question at a time.
                let _turn = self.asking.lock().await;
                program::connect(plan, None, true).await
            }
            result => result,
        }
    }
}

/// What counts for a host, by the files alone.
#[cfg(feature = "ssh2")]
fn without_program(_: &str, config: Option<&str>, arguments: &Arguments) -> Result<Settings, ConnectError> {
    files::settings(arguments, config, &std::env::home_dir().unwrap_or_default()).map_err(ConnectError::Other)
}

#[cfg(not(feature = "ssh2"))]
fn without_program(program: &str, _: Option<&str>, _: &Arguments) -> Result<Settings, ConnectError> {
    Err(ConnectError::Other(format!(
        "there is no program `{program}` here: install OpenSSH's client, or use `socket=`"
    )))
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
            let (plan, client, _machine) = self.plan(spec).await?;
            self.connect_patiently(&plan, client, via).await
        })
    }
}
