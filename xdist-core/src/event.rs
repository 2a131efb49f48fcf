//! The linear stream of events that reporters read. Reporters decide nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::collection::Collection;
use crate::facts::{Facts, Interpreter};
use crate::ids::{TestIndex, WorkerId};
use crate::report::{Report, Warning};
use crate::schedule::Moved;

/// One thing that happened in a run, in the order in which it was decided.
#[derive(Clone, Debug)]
pub enum RunEvent {
    /// Interpreter and facts are known, pytest is configured, nothing is collected yet. Once, first.
    Configured(Box<Configured>),
    /// The collection is known and workers are being started. At most once.
    Collected(Box<Collected>),
    /// A worker is ready. `replaces` tells how many workers of this id died before it.
    WorkerUp {
        /// Which.
        worker: WorkerId,
        /// 0 for the first worker of this id.
        incarnation: u32,
    },
    /// A worker ended before its time; the verdict of the test it was running, if any, comes right after.
    WorkerDied {
        /// Which.
        worker: WorkerId,
        /// `signal 11 (SIGSEGV)`, `exit code 3`.
        how: String,
        /// Whether another one takes its place.
        replaced: bool,
    },
    /// A worker began a test.
    Started {
        /// Which test.
        test: TestIndex,
        /// Where.
        worker: WorkerId,
    },
    /// A test has been running for long (ini `xdist_slow_after`).
    StillRunning {
        /// Which test.
        test: TestIndex,
        /// Where.
        worker: WorkerId,
        /// For how long.
        elapsed: Duration,
    },
    /// A test has its one verdict.
    Finished {
        /// Which test.
        test: TestIndex,
        /// Where it ran.
        worker: WorkerId,
        /// What came out.
        verdict: Verdict,
    },
    /// A warning, counted once.
    Warning(Warning),
    /// A line that a worker wrote to its own stdout or stderr past pytest's capturing (`-s`, C code, fd 2).
    Output {
        /// Who wrote it.
        worker: WorkerId,
        /// True for stderr.
        stderr: bool,
        /// One line without its end, or an unfinished line at the worker's end. Lossily decoded.
        line: String,
    },
    /// An exception in a plugin or in pytest: the run ends with exit code 3.
    InternalError {
        /// Where it happened, if in a worker.
        worker: Option<WorkerId>,
        /// The traceback, without the `INTERNALERROR> ` prefix.
        text: String,
    },
    /// Something the user should know, one line, readable after "xdist: ".
    Notice(String),
    /// Sources are on their way to other places for a while now; `None`: not any more. For a line that moves.
    Bringing(Option<Bringing>),
    /// The user asked to stop (Ctrl-C, SIGTERM): running tests are being interrupted.
    Stopping {
        /// `Ctrl-C`, `SIGTERM`….
        why: String,
    },
    /// The plugin host, which shows everything, is gone: whoever kept silent for its sake has to speak.
    HostDied {
        /// `signal 9 (SIGKILL)`.
        how: String,
    },
    /// The run is over. Once, last.
    Ended(Box<Ended>),
}

/// Sources on their way to all copies together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bringing {
    /// Copies that are made.
    pub copies: usize,
    /// Files that they need.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
    /// Bytes that were sent: compressed, and of files that changed the changes.
    pub sent: u64,
    /// Seconds since it began.
    pub seconds: f64,
}

/// Facts for the header.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// The interpreter of the workers.
    pub interpreter: Interpreter,
    /// How it was found (`--python`, `VIRTUAL_ENV`, `.venv`, PATH…).
    pub interpreter_source: String,
    /// Interpreters that were looked at and not used: `(path, why)`.
    pub passed_over: Vec<(String, String)>,
    /// What pytest said of the arguments.
    pub facts: Arc<Facts>,
    /// Lines of `pytest_report_header`, from pytest and plugins: `rootdir: …`, `plugins: …`.
    pub header: Vec<String>,
    /// Version of this program.
    pub version: String,
    /// Whether text from workers was rendered with colours.
    pub color: bool,
    /// Whether the run has a plugin host.
    pub hosted: bool,
    /// The words of a command that runs one test in one process as this run does, but for the test's node id.
    pub alone: Vec<String>,
}

/// What there is to run, and on what.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// The reference collection.
    pub collection: Arc<Collection>,
    /// Workers that will be started (may be fewer than asked for).
    pub workers: u32,
    /// Workers asked for.
    pub asked: u32,
    /// `collected`, `imported` or `never`.
    pub fork: String,
    /// Why this fork level, empty when it is simply the default.
    pub fork_reason: String,
    /// What is started before its turn because of what is known of earlier runs.
    pub moved: Moved,
    /// Where tests run: one environment, mostly.
    pub environments: Vec<Environment>,
    /// `--dist=each`: every worker runs all of its environment's tests, and each has its own verdict on a test.
    pub each: bool,
}

impl Collected {
    /// Verdicts to come, if nothing stops the run.
    pub fn verdicts(&self) -> u64 {
        if !self.each {
            return self.collection.ids.len() as u64;
        }
        let of = |one: &Environment| one.tests.len() as u64 * one.workers.len() as u64;
        self.environments.iter().map(of).sum()
    }

    /// What to call the places where a test has a verdict each, by worker: its environment; the worker as well, where
    /// an environment has several that each have their own verdict.
    pub fn labels(&self) -> Vec<String> {
        // Numbers of workers whose environments did not come up are nobody's.
        let workers = self.environments.iter().flat_map(|one| &one.workers).map(|worker| worker.at() + 1).max();
        let mut labels = vec![String::new(); workers.unwrap_or_default()];
        for one in &self.environments {
            for worker in &one.workers {
                let label = match (self.each && one.workers.len() > 1, self.environments.len() > 1) {
                    (false, _) => one.label.clone(),
                    (true, false) => worker.to_string(),
                    (true, true) => format!("{}/{worker}", one.label),
                };
                if let Some(slot) = labels.get_mut(worker.at()) {
                    *slot = label;
                }
            }
        }
        labels
    }
}

/// An interpreter in its surroundings, and the workers in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Environment {
    /// What tells it from the others, short: `py311`.
    pub label: String,
    /// As it was asked for: `popen//python=python3.12`.
    pub spec: String,
    /// The interpreter.
    pub interpreter: Interpreter,
    /// Its workers, in order.
    pub workers: Vec<WorkerId>,
    /// Its tests in its own order, by their places in the run's collection.
    pub tests: Arc<Vec<TestIndex>>,
    /// The words of a command that runs one test in one process as here, but for the test's node id.
    pub alone: Vec<String>,
    /// `collected`, `imported` or `never`.
    pub fork: String,
    /// Why this fork level, empty when it is simply the default.
    pub fork_reason: String,
}

/// The one verdict of a test.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Set-up, call and teardown passed with nothing to say; seconds of each.
    Passed {
        /// Seconds of set-up, call and teardown.
        durations: [f64; 3],
    },
    /// Anything else pytest reported, in order.
    Reported(Vec<Report>),
    /// The worker died while it ran the test, or the test's own process did.
    Crashed(Box<Crashed>),
    /// The user's interrupt came while the test ran: no verdict by pytest.
    Interrupted,
}

/// How a test took its process down: its worker, or one that it had for itself.
#[derive(Clone, Debug, Default)]
pub struct Crashed {
    /// `signal 11 (SIGSEGV)`, `exit code 0`, `killed after …`.
    pub how: String,
    /// What the worker last wrote past capturing (fault handler's dump…), at most some KiB.
    pub output: String,
    /// Reports that had arrived before the crash (a failed call before a crash in teardown).
    pub reports: Vec<Report>,
    /// Seconds of set-up and call, as far as they had passed with nothing to say, so that no report of them came.
    pub passed: Vec<f64>,
    /// From the start of the test to the death.
    pub elapsed: Duration,
    /// Whether it was a process of the test's own (`--boxed`): the worker lives.
    pub boxed: bool,
}

impl Crashed {
    /// Seconds of the phase in which the process died.
    #[must_use]
    pub fn last_phase(&self) -> f64 {
        let before: f64 = self.reports.iter().map(|report| report.duration).chain(self.passed.iter().copied()).sum();
        (self.elapsed.as_secs_f64() - before).max(0.0)
    }

    /// Who died: `worker gw0`, `box on gw0`.
    pub fn who(&self, worker: impl std::fmt::Display) -> String {
        if self.boxed { format!("box on {worker}") } else { format!("worker {worker}") }
    }
}

/// How the run ended.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// The exit code.
    pub exit: u8,
    /// pytest's closing line in exclamation marks: `stopping after 1 failures`, `KeyboardInterrupt`,
    /// `_pytest.outcomes.Exit: bye`, `Interrupted: 2 errors during collection`.
    pub reason: Option<String>,
    /// Lines beneath it, rendered by pytest: where a `KeyboardInterrupt` came from.
    pub detail: String,
    /// Text of an error before any test (usage error), printed as it is, to stderr.
    pub error: Option<String>,
    /// Tests that never started or were given up.
    pub not_run: Vec<TestIndex>,
    /// Wall time of the run.
    pub elapsed: Duration,
    /// `record_testsuite_property`, each name once, in order.
    pub suite_properties: Vec<(String, String)>,
    /// Wall clock at the start, seconds since the epoch.
    pub started_at: f64,
}
