//! The run as a pure state machine: [`Input`] in, [`Effect`]s out. No clock, no I/O, no processes.
//!
//! It commits one verdict a test (see `state`), decides when workers are replaced, when nothing more is coming, when the
//! run stops, and what its exit code is (see `outcome`). The engine performs the effects and feeds back what happened.

mod outcome;
mod state;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::HashSet;
use std::time::Duration;

pub use outcome::Stop;
pub use state::{Lacking, RunState, Settings};

use crate::event::{Crashed, RunEvent};
use crate::ids::{TestIndex, WorkerId};
use crate::protocol::{BoxDied, Ended, Stopping};
use crate::report::Report;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A worker is willing to run tests; `lacks` are those it did not collect.
    Ready {
        /// Which.
        worker: WorkerId,
        /// Tests of the reference collection that it does not have.
        lacks: HashSet<TestIndex>,
    },
    /// A test began.
    Started(WorkerId, TestIndex),
    /// A test passed with nothing to say: seconds of set-up, call and teardown.
    Passed(WorkerId, TestIndex, [f64; 3]),
    /// One report of the running test.
    Reported(WorkerId, TestIndex, Box<Report>),
    /// The protocol of the running test is complete.
    Done(WorkerId, TestIndex),
    /// The running test took down the process that it had for itself; its worker goes on.
    BoxDied(WorkerId, TestIndex, BoxDied),
    /// A worker's session wants to stop.
    Stopping(WorkerId, Stopping),
    /// A plugin on the controller's side wants the run to stop.
    PluginStops(Stopping),
    /// A worker's session is over; the process is about to leave.
    SessionEnded(WorkerId, Ended),
    /// A worker's process is gone and everything it had sent has been fed in.
    Gone(WorkerId, Death),
    /// An exception in pytest or a plugin.
    InternalError(Option<WorkerId>, String),
    /// Plugins have looked at a test that took its worker down; whether it is to run again.
    CrashSeen(TestIndex, bool),
    /// A worker has more tests than the run: they are not run.
    LeftOut,
    /// A worker has other tests than the run, which forbids that.
    CollectionsDiffer,
    /// No plugin answers any more.
    PluginsGone,
    /// The user (or a supervisor) wants the run to end.
    Interrupt(String),
}

/// How a worker's process ended.
#[derive(Clone, Debug, Default)]
pub struct Death {
    /// `exit code 3`, `signal 11 (SIGSEGV)`.
    pub how: String,
    /// Whether the process exited with code 0 of its own.
    pub clean: bool,
    /// What it last wrote past capturing.
    pub output: String,
    /// Since the running test began.
    pub elapsed: Duration,
    /// Seconds of the running test's phases that were over.
    pub over: Vec<f64>,
    /// Whether another one can take its place.
    pub succession: Succession,
}

/// Whether a worker can be started in the place of one that died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Succession {
    /// Where it was.
    #[default]
    There,
    /// Its host is gone. On another one, if nobody else can do its work: those there have workers of their own.
    Elsewhere,
    /// Its host is gone, and no other has its tests.
    Nowhere,
}

/// Something to be done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send these tests to a worker, in this order.
    Run(WorkerId, Vec<TestIndex>),
    /// Tell a worker that nothing more comes.
    NoMore(WorkerId),
    /// Tell a worker to start no further test.
    StopWorker(WorkerId),
    /// Set the stop flag in the page that all workers of this host read.
    SetStopPage,
    /// Interrupt whatever tests are running.
    InterruptWorkers,
    /// Start a worker in the place of one that died.
    Replace(WorkerId, u32),
    /// Show plugins a test that took its worker down: they may have it run again.
    AskPlugins(TestIndex, WorkerId, Box<Crashed>),
    /// Tell the reporters.
    Emit(RunEvent),
    /// Everything is over: no worker is left.
    Complete,
}
