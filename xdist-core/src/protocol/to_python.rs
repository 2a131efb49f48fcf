//! What the controller tells Python processes.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use serde::Serialize;
use serde_bytes::ByteBuf;

use super::host::{HostEvent, HostSetup, RunOver};
use crate::ids::TestIndex;

/// A message to a fork server, a session or a worker.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToPython {
    /// Fork server: fork one session or worker that starts from pytest's arguments.
    Fork(Box<ForkRequest>),
    /// Fork server: import these plugin modules (reported in `Facts`) before the next fork.
    Preload(Vec<String>),
    /// Fork server: import these modules as they are before the next fork.
    PreloadPlain(Vec<String>),
    /// Session after `Facts`: go on as plain pytest in the foreground.
    Plain,
    /// Session after `Facts`: fork the plugin host, then wait for `Collect`.
    ForkHost(Box<HostSetup>),
    /// Session after `Facts`: go on as the collector, with this identity.
    Collect(Box<Identity>, Rendering),
    /// Collector after `Collection`: fork these workers.
    ForkWorkers(Vec<Identity>),
    /// Collector: become worker `gw0` yourself.
    Become,
    /// Worker that sent `Collected`: send the ids too.
    SendIds,
    /// Worker: append these tests (indices of *its own* collection) to the queue.
    Run(Vec<TestIndex>),
    /// Worker: nothing more comes; run what is queued and end the session.
    NoMore,
    /// Worker: start no further test; finish the one that runs, end the session.
    Stop,
    /// Collector or fork server: the run is over, end.
    Finish,
    /// Plugin host: have plugins configure another incarnation of a worker.
    ConfigureNode(String, u32),
    /// Plugin host: say which of these tests stay together. Names are node ids with the group behind an at sign, if any.
    Split(Vec<String>),
    /// Plugin host: tests began and passed, see [`super::Followed`].
    Followed(ByteBuf),
    /// Plugin host: something else happened.
    Event(Box<HostEvent>),
    /// Plugin host: nothing more happens; end the session.
    RunOver(RunOver),
}

/// What a forked session or worker starts from.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ForkRequest {
    /// What it is to be.
    pub role: Role,
    /// `session-0`, or the worker's id.
    pub id: String,
    /// Incarnation of a worker.
    pub incarnation: u32,
    /// pytest's arguments as typed.
    pub args: Vec<Argument>,
    /// `PYTEST_ADDOPTS`, where it is not to be the fork server's.
    pub addopts: Option<String>,
    /// Directories in which it finds copies, and what they are copies of.
    pub paths: Vec<(String, String)>,
    /// Whether to set a worker's environment variables before conftests load.
    pub expect_distribution: bool,
    /// The worker as which a session collects, where that is known from the start.
    pub worker: Option<String>,
    /// Identity and rendering of a worker; a session gets its own with `Collect`.
    pub identity: Option<Identity>,
    /// How to render.
    pub rendering: Option<Rendering>,
    /// What a run of the loop is narrowed to.
    pub cycle: Option<Cycle>,
    /// What a plugin host starts from, where it is not forked from a session.
    pub host: Option<HostSetup>,
    /// Named pipe that becomes its stdout; the fork server's own stdout stays at hand for a plain run.
    pub stdout: String,
    /// As above, for stderr.
    pub stderr: String,
}

/// One run of a loop (`--looponfail`), which may be narrowed to some of the tests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cycle {
    /// What to run.
    pub selection: Selection,
    /// A file in which processes leave the names of the files that they open for writing.
    pub writes: String,
    /// Files that have changed since the run before.
    pub changed: Vec<String>,
}

/// Which of the tests that the arguments name are run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// All of them.
    #[default]
    Everything,
    /// Those that failed last by pytest's cache; all if there are none.
    LastFailed,
    /// Those with these node ids or below them, and those in these files, which are absolute paths.
    Some(Vec<String>, Vec<String>),
}

/// Role of a forked process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Parses arguments, then becomes plain pytest or the collector.
    #[default]
    Session,
    /// Configures, collects and runs tests.
    Worker,
    /// Plays the controller for plugins.
    Host,
}

/// Who a worker is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Identity {
    /// `gw0`.
    pub id: String,
    /// How many workers of this id there were before.
    pub incarnation: u32,
    /// Number of workers asked for.
    pub count: u32,
    /// Shared id of the run.
    pub testrunuid: String,
    /// Named pipes that become its stdout and stderr.
    pub stdout: String,
    /// As above.
    pub stderr: String,
    /// Its slot in the stop page.
    pub slot: u32,
    /// The stop page's file.
    pub page: String,
    /// `--dist` of the run.
    pub mode: String,
    /// Whether it is for this worker's collector to write what pytest keeps of the collection in its cache.
    pub writes_cache: bool,
    /// The worker's own part of the base temporary directory, empty: below the collector's.
    pub basetemp: String,
    /// The controller's `sys.argv`.
    pub mainargv: Vec<String>,
    /// What plugins on the controller's side added to its `workerinput`.
    #[serde(with = "serde_bytes")]
    pub input: Vec<u8>,
    /// Keys of that whose values differ from worker to worker.
    pub differing: Vec<String>,
}

/// How workers render reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rendering {
    /// Columns.
    pub width: u32,
    /// With colours.
    pub color: bool,
    /// Whether captured output of passed tests is wanted (`-rP`, junit logging).
    pub passed_output: bool,
    /// Whether junit's attributes and places are wanted.
    pub junit: bool,
    /// Whether a plugin host wants reports whole: nothing is rendered by workers then.
    pub whole: bool,
}

/// One word of a command line: text, or bytes where they are no text (a file name in another encoding).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Argument {
    /// UTF-8.
    Text(String),
    /// Anything else; Python decodes it as it decodes file names.
    Bytes(ByteBuf),
}

impl From<OsString> for Argument {
    fn from(word: OsString) -> Self {
        match word.into_string() {
            Ok(text) => Self::Text(text),
            Err(word) => Self::Bytes(ByteBuf::from(word.into_vec())),
        }
    }
}
