//! What Python processes tell the controller.

use serde::Deserialize;
use serde_bytes::ByteBuf;

use super::host::HostReady;
use crate::collection::Collection;
use crate::facts::{Facts, Interpreter};
use crate::ids::TestIndex;
use crate::report::{Report, Warning};

/// A message from a fork server, a session or a worker.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromPython {
    /// First message of every connection.
    Hello(Hello),
    /// Fork server: this interpreter cannot run tests (no pytest, too old); it exits.
    Unusable(String),
    /// Parent of a fork: `(id, incarnation, pid)` of the child; the child's own hello may come earlier.
    Forked(String, u32, u32),
    /// Whoever was asked to fork: the system makes no process for `(id, incarnation)`, and why.
    Refused(String, u32, String),
    /// Session: pytest parsed its arguments.
    Facts(Box<Facts>),
    /// Session: configured; lines of `pytest_report_header`.
    Configured(Vec<String>),
    /// Session: first reason not to fork after collection, as text with file and line.
    Evidence(String),
    /// The session that collects for the run, or a worker asked for its ids: everything collected.
    Collection(Box<Collection>),
    /// Worker that collected for itself: number of tests and a digest of the node ids in order.
    Collected(u32, String),
    /// Worker: forked after collection, or done with collecting, and willing to run tests.
    Ready,
    /// Worker: a test begins.
    Started(TestIndex),
    /// Worker: a whole test passed with nothing to say: index, seconds of set-up, call and teardown. Includes `Done`.
    Passed(TestIndex, f64, f64, f64),
    /// Worker: as `Passed`, and the next test (last field) began.
    PassedNext(TestIndex, f64, f64, f64, TestIndex),
    /// Worker: the file in which it leaves word of fast tests that passed, once the controller lets it.
    Outbox(String),
    /// Worker: empty attributes that its reports of a phase have from now on, for a plugin host.
    Blanks(String, ByteBuf),
    /// Worker: one report of a test that is not plainly passed.
    Report(TestIndex, Box<Report>),
    /// Worker: the process that ran a test, forked for it alone, died in it. Includes `Done`.
    BoxDied(TestIndex, BoxDied),
    /// Worker: the protocol of a test is complete.
    Done(TestIndex),
    /// Any session: a warning.
    Warning(Warning),
    /// Any session: `record_testsuite_property`.
    SuiteProperty(String, String),
    /// Worker: the session wants to stop, and why.
    Stopping(Stopping),
    /// Any session: pytest's or a plugin's exception.
    InternalError(String),
    /// Plugin host: configured, its session has started, nodes are configured.
    HostReady(HostReady),
    /// Plugin host: the unit of each of the tests that were to be split.
    Units(Vec<u32>),
    /// Plugin host: what plugins added to the `workerinput` of this incarnation of a worker.
    NodeConfigured(String, u32, ByteBuf),
    /// Plugin host: plugins have looked at a test that took its worker down; whether it is to run again.
    CrashSeen(TestIndex, bool),
    /// Plugin host: the hook of a plugin that has been running between two questions.
    SlowHook(String),
    /// Any session: the pytest session is over, sessionfinish and unconfigure are done.
    Ended(Ended),
}

/// Who is speaking.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Hello {
    /// Version of this protocol.
    pub protocol: u32,
    /// `server`, `session` or `worker`.
    pub role: String,
    /// `server`, `session-0`, `gw0`….
    pub id: String,
    /// Incarnation of the worker; 0 for others.
    pub incarnation: u32,
    /// `os.getpid()`.
    pub pid: u32,
    /// Fork servers tell what they run on.
    pub interpreter: Option<Interpreter>,
}

/// Why a worker's session stops by itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Stopping {
    /// `fail` (`session.shouldfail`), `stop` (`session.shouldstop`), `exit` (`pytest.exit`) or `interrupt`
    /// (`KeyboardInterrupt`).
    pub kind: String,
    /// pytest's text for it.
    pub reason: String,
    /// What pytest prints beneath that: where an interrupt came from.
    pub detail: String,
    /// Exit code that `pytest.exit` asked for, if any.
    pub code: Option<i64>,
}

/// How the process of one test (`--boxed`) ended before the test was over.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct BoxDied {
    /// `signal 11 (SIGSEGV) in call`, `over --box-timeout 5: signal 6 (SIGABRT) in setup`.
    pub how: String,
    /// What it wrote, and its stack.
    pub output: String,
    /// Seconds since the test began.
    pub elapsed: f64,
    /// Of another host, by its agent: how many processes the kernel has killed there for want of memory.
    #[serde(skip)]
    pub oom_kills: Option<u64>,
}

/// The end of a pytest session.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Ended {
    /// Exit status given to `pytest_sessionfinish`.
    pub before: i64,
    /// Exit status after it (`session.exitstatus` may have been changed by a plugin).
    pub after: i64,
    /// Text of a usage error or of `pytest.exit` outside a test, empty otherwise.
    pub message: String,
    /// `config.workeroutput`, for a plugin host.
    pub output: ByteBuf,
    /// Traceback of an exception that came after the tests, in `pytest_sessionfinish` or `pytest_unconfigure`.
    pub traceback: String,
}
