//! What passes between the controller and the plugin host.
//!
//! Reports, warnings and what plugins give to workers pass through as bytes: both their ends are Python
//! (`xdist_worker/portable.py`).

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::facts::Interpreter;
use crate::ids::{TestIndex, WorkerId};

/// What a plugin host starts from.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HostSetup {
    /// `--dist`.
    pub mode: String,
    /// One xspec a worker.
    pub specs: Vec<String>,
    /// Shared id of the run.
    pub testrunuid: String,
    /// The run's base temporary directory; may be empty.
    pub basetemp: String,
    /// The controller's `sys.argv`.
    pub mainargv: Vec<String>,
    /// Our lines for the report header.
    pub header: Vec<String>,
}

/// Plugins have said what workers are to be given.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct HostReady {
    /// What plugins added to `workerinput`, by worker.
    pub inputs: Vec<ByteBuf>,
    /// Keys whose values differ from worker to worker.
    pub differing: Vec<String>,
    /// Whether a plugin wants to be asked about tests that took their worker down.
    pub handles_crashes: bool,
    /// The mode by which tests are dealt out: that of `--dist`, or what a scheduler of theirs is based on.
    pub mode: String,
    /// Whether a scheduler of theirs says which tests stay together.
    pub splits: bool,
}

/// One of several environments.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HostEnvironment {
    /// What it is called in the output.
    pub label: String,
    /// Ids of its workers.
    pub workers: Vec<String>,
    /// What they run on.
    pub interpreter: Interpreter,
    /// Its tests in its own order, by their places among all.
    pub tests: Vec<TestIndex>,
    /// Places and keywords of its tests.
    pub described: ByteBuf,
}

/// What happened in the run, in the order in which it was decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HostEvent {
    /// The tests are known.
    Collected {
        /// Node ids.
        ids: Vec<String>,
        /// How many verdicts there will be: under `each` a test has several.
        verdicts: u64,
        /// Their places and keywords.
        described: ByteBuf,
        /// Reports of collectors that did not pass.
        reports: Vec<ByteBuf>,
        /// Number of deselected tests.
        deselected: u32,
        /// What the terminal is to show of all this.
        lines: Vec<String>,
        /// Where tests run, if in several environments: `described` is theirs then.
        environments: Vec<HostEnvironment>,
        /// By worker: what to call the place of its verdicts, if there is more than one.
        labels: Vec<String>,
    },
    /// Sources are being brought to these workers, or have been: the third says which. Then, directories of the copy, and
    /// what they are copies of.
    Tree(Vec<String>, Vec<String>, bool, Vec<(String, String)>),
    /// A worker is ready.
    WorkerUp(String),
    /// A worker died: how, and whether it is replaced.
    WorkerDied(String, String, bool),
    /// A worker's session is over; what plugins put into `workeroutput`.
    WorkerDown(String, ByteBuf),
    /// Empty attributes that a worker's reports of a phase have from now on.
    Blanks(String, String, ByteBuf),
    /// A test has its verdict: its reports.
    Reported(String, TestIndex, Vec<ByteBuf>),
    /// A test took its worker down: how, what the worker wrote, reports from before, seconds of phases that plainly passed.
    Crashed(String, TestIndex, String, String, Vec<ByteBuf>, Vec<f64>),
    /// The user's interrupt came while a test ran.
    Interrupted(String, TestIndex),
    /// A warning: when, node id, place, the warning.
    Warning(String, String, Option<(String, i64)>, ByteBuf),
    /// `record_testsuite_property`.
    SuiteProperty(String, String),
    /// An exception in pytest or a plugin, in a worker if one is named.
    InternalError(Option<String>, String),
    /// A line that a worker wrote past capturing; whether to stderr.
    Output(String, bool, String),
    /// Something the user should know.
    Notice(String),
    /// A line that the terminal is to show as it is.
    Said(String),
    /// The user asked to stop.
    Stopping(String),
}

/// In the number of a worker: the test passed.
const PASSED: u32 = 1 << 31;

/// Tests that began, and that passed with nothing to say: many of them in one message, in order. Numbers are in
/// little-endian order.
#[derive(Debug, Default)]
pub struct Followed {
    bytes: Vec<u8>,
}

impl Followed {
    /// A worker began a test.
    pub fn began(&mut self, worker: WorkerId, test: TestIndex) {
        self.bytes.extend(worker.0.to_le_bytes());
        self.bytes.extend(test.0.to_le_bytes());
    }

    /// A test passed: seconds of set-up, call and teardown.
    pub fn passed(&mut self, worker: WorkerId, test: TestIndex, durations: [f64; 3]) {
        self.began(WorkerId(worker.0 | PASSED), test);
        self.bytes.extend(durations.iter().flat_map(|seconds| seconds.to_le_bytes()));
    }

    /// Size in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Everything, which is forgotten here.
    pub fn take(&mut self) -> ByteBuf {
        ByteBuf::from(std::mem::take(&mut self.bytes))
    }
}

/// The run is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunOver {
    /// The exit code, unless plugins change it.
    pub code: u8,
    /// Why the run stopped early, in pytest's words.
    pub reason: Option<String>,
    /// What pytest prints beneath that.
    pub detail: String,
    /// Text of a usage error, as pytest printed it.
    pub error: Option<String>,
    /// Tests that have no verdict.
    pub not_run: usize,
    /// What the terminal is to show of results by environment.
    pub results: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_followed_is_told_in_order_and_once() {
        let mut followed = Followed::default();
        followed.began(WorkerId(1), TestIndex(2));
        followed.passed(WorkerId(1), TestIndex(2), [0.5, 0.0, 0.0]);
        assert_eq!(followed.len(), 8 + 8 + 24);
        let told = followed.take();
        assert_eq!(told[..12], [1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0x80]);
        assert_eq!(told[16..24], 0.5_f64.to_le_bytes());
        assert!(followed.is_empty() && followed.take().is_empty());
    }
}
