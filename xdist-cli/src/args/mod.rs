//! What was typed, taken apart: this program's own options here, everything else to pytest.
//!
//! One definition of all options serves splitting, `--help` and errors. Two kinds of options are in it: *own* ones,
//! which only this program knows and which are taken out of the arguments, and those of pytest-xdist, which stay among
//! pytest's arguments. pytest's own parser reads the latter, so that they may as well stand in `addopts`,
//! `PYTEST_ADDOPTS` and ini files. Nothing here starts a process or reads a file.

mod definition;
mod error;
mod pytest;
mod split;

use std::ffi::OsString;
use std::time::Duration;

use clap::ArgMatches;
use execnet_rs::xspec::{Transport, XSpec};
use xdist_core::engine::PluginHost;
use xdist_core::fork::ForkLevel;
use xdist_core::looponfail::state::OnChange;

pub use error::UsageError;

/// To look more often would be all that this program does.
const SHORTEST_POLL: Duration = Duration::from_millis(50);

/// A command line of `xdist`, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// `--python`: the interpreter with its arguments, never empty; `None`: look for one.
    pub python: Option<Vec<String>>,
    /// `--fork`; `None`: as the ini file says, else chosen by what the project does.
    pub fork: Option<ForkLevel>,
    /// `--plugin-host`.
    pub plugin_host: PluginHost,
    /// `--no-history`.
    pub no_history: bool,
    /// How a loop is to be, if there is one.
    pub looponfail: LoopOptions,
    /// `--require-all-hosts`.
    pub require_all_hosts: bool,
    /// What to do.
    pub action: Action,
    /// Everything else, as typed and in order. With [`Action::PytestHelp`] pytest's own option stands where the user
    /// wrote ours.
    pub pytest_args: Vec<OsString>,
}

/// How a loop (`-f`) is to be; whether there is one is for pytest to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoopOptions {
    /// `--on-change`.
    pub on_change: OnChange,
    /// `--poll`.
    pub poll: Option<Duration>,
    /// `--no-clear`.
    pub no_clear: bool,
    /// `--bell`.
    pub bell: bool,
    /// `--stop-when-green`.
    pub stop_when_green: bool,
    /// `--no-preload`.
    pub no_preload: bool,
}

/// What a command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Run the tests.
    #[default]
    Run,
    /// Print [`help`].
    Help,
    /// Print [`version`].
    Version,
    /// `--trust`: ask for the token of the socket server there, and keep it.
    Trust {
        /// A name or an address, without the brackets of IPv6.
        host: String,
        /// Its port.
        port: u16,
    },
    /// Let pytest print its help or version: run it in the foreground with the arguments as they are.
    PytestHelp,
}

/// Takes the arguments after the program's name apart.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, UsageError> {
    let command = definition::command();
    let split = split::split(&command, args);
    let matches = command.no_binary_name(true).try_get_matches_from(split.own)?;
    Ok(Invocation {
        python: matches.get_one("python").map(python_command).transpose()?,
        fork: matches.get_one::<ForkLevel>("fork").copied(),
        plugin_host: plugin_host(&matches),
        no_history: matches.get_flag("no-history"),
        looponfail: loop_options(&matches)?,
        require_all_hosts: matches.get_flag("require-all-hosts"),
        action: action(&matches)?,
        pytest_args: split.pytest,
    })
}

/// What `xdist --help` prints, at most `columns` wide; with terminal escapes if `color`.
pub fn help(columns: usize, color: bool) -> String {
    let help = definition::command().term_width(columns).render_help();
    let text = if color { help.ansi().to_string() } else { help.to_string() };
    format!("{}\n", text.trim_end())
}

/// What `xdist --version` prints.
pub fn version() -> String {
    format!("xdist {}\n\npytest's own version: xdist --pytest-version\n", env!("CARGO_PKG_VERSION"))
}

fn action(matches: &ArgMatches) -> Result<Action, UsageError> {
    Ok(if matches.get_flag("help") {
        Action::Help
    } else if matches.get_flag("version") {
        Action::Version
    } else if matches.get_flag("pytest-help") || matches.get_flag("pytest-version") {
        Action::PytestHelp
    } else if let Some(address) = matches.get_one::<String>("trust") {
        trust(address)?
    } else {
        Action::Run
    })
}

/// Reads the address of a socket server as a spec has it.
fn trust(address: &str) -> Result<Action, UsageError> {
    let spec = XSpec::parse(&format!("socket={address}")).ok().filter(|spec| spec.parts().count() == 1);
    match spec.and_then(|spec| spec.transport().ok()) {
        Some(Transport::Socket { host, port }) => Ok(Action::Trust { host, port }),
        _ => Err(UsageError::new(
            format!("`--trust={address}` is no address"),
            "write HOST:PORT as in `--tx socket=HOST:PORT`",
        )),
    }
}

fn plugin_host(matches: &ArgMatches) -> PluginHost {
    let typed = matches.get_one::<String>("plugin-host");
    let known = PluginHost::ALL.into_iter().find(|(name, _)| typed.is_some_and(|typed| typed == name));
    known.map(|(_, choice)| choice).unwrap_or_default()
}

fn loop_options(matches: &ArgMatches) -> Result<LoopOptions, UsageError> {
    let typed = matches.get_one::<String>("on-change");
    let known = OnChange::ALL.into_iter().find(|(name, _)| typed.is_some_and(|typed| typed == name));
    let poll = matches.get_one::<String>("poll").map(|typed| {
        let seconds = typed.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        seconds.filter(|seconds| *seconds >= SHORTEST_POLL).ok_or_else(|| {
            UsageError::new(format!("`--poll={typed}` is no number of seconds from 0.05 up"), "for example --poll=2")
        })
    });
    Ok(LoopOptions {
        on_change: known.map(|(_, choice)| choice).unwrap_or_default(),
        poll: poll.transpose()?,
        no_clear: matches.get_flag("no-clear"),
        bell: matches.get_flag("bell"),
        stop_when_green: matches.get_flag("stop-when-green"),
        no_preload: matches.get_flag("no-preload"),
    })
}

/// Splits `--python` as a shell would.
fn python_command(typed: &OsString) -> Result<Vec<String>, UsageError> {
    let hint = "name an interpreter, with its arguments if it needs some: --python=\"python3 -X dev\"";
    let text =
        typed.to_str().ok_or_else(|| UsageError::new(format!("`--python={}` is not UTF-8", typed.display()), hint))?;
    let words = shlex::split(text)
        .ok_or_else(|| UsageError::new(format!("`--python={text}` has a quote that does not end"), hint))?;
    match words.first() {
        Some(program) if !program.is_empty() => Ok(words),
        _ => Err(UsageError::new("`--python` is empty", hint)),
    }
}

#[cfg(test)]
mod tests;
