//! What the run knows of one worker.

use std::collections::{HashSet, VecDeque};

use super::Succession;
use crate::ids::TestIndex;
use crate::report::Report;

/// Where a worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Asked for, not heard of yet.
    Starting,
    /// Runs tests, may be given more.
    Running,
    /// Was told that nothing more comes, or to stop.
    Finishing,
    /// Its session is over.
    Over,
    /// Its process is gone.
    Gone,
}

/// The test a worker is running.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) test: TestIndex,
    pub(super) reports: Vec<Report>,
}

/// One worker, or the line of its incarnations.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) phase: Phase,
    pub(super) incarnation: u32,
    /// Starts in a row that ended before the worker was ready.
    pub(super) failed_starts: u32,
    /// Sent and not started, in the order in which the worker will take them.
    pub(super) queue: VecDeque<TestIndex>,
    pub(super) running: Option<Running>,
    pub(super) lacks: HashSet<TestIndex>,
    /// Whether this incarnation began a test.
    pub(super) worked: bool,
    /// Whether another one can take its place, as was said when it died.
    pub(super) succession: Succession,
}

impl Worker {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Starting,
            incarnation: 0,
            failed_starts: 0,
            queue: VecDeque::new(),
            running: None,
            lacks: HashSet::new(),
            worked: false,
            succession: Succession::There,
        }
    }

    /// Whether its process may still send something.
    pub(super) fn is_alive(&self) -> bool {
        self.phase != Phase::Gone
    }

    /// Tests at the worker, the running one included.
    pub(super) fn load(&self) -> usize {
        self.queue.len() + usize::from(self.running.is_some())
    }

    /// Notes that a test began. False if the worker was never given it.
    pub(super) fn start(&mut self, test: TestIndex) -> bool {
        let known = match self.queue.iter().position(|queued| *queued == test) {
            Some(0) => self.queue.pop_front().is_some(),
            Some(at) => self.queue.remove(at).is_some(),
            None => false,
        };
        if known {
            self.worked = true;
            self.running = Some(Running { test, reports: Vec::new() });
        }
        known
    }

    /// Whether it runs this test, as far as is known.
    pub(super) fn is_running(&self, test: TestIndex) -> bool {
        self.running.as_ref().is_some_and(|running| running.test == test)
    }

    /// The running test, if it is this one; it runs no more.
    pub(super) fn complete(&mut self, test: TestIndex) -> Option<Running> {
        self.running.take_if(|running| running.test == test)
    }
}
