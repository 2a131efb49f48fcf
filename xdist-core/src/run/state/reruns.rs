//! Tests that crashed and that plugins may have run again.

use super::super::Succession;
use super::super::worker::{Phase, Worker};
use super::RunState;
use crate::event::RunEvent;
use crate::ids::{TestIndex, WorkerId};

/// A test that crashed is run again so many times at most, whatever plugins want.
const MOST_RERUNS: u32 = 100;

impl RunState {
    /// Plugins have looked at a crash. A test that is to run again has no verdict yet.
    pub(super) fn crash_seen(&mut self, test: TestIndex, again: bool) {
        let Some((worker, crashed)) = self.asked.remove(&test) else { return };
        if again && self.stop.is_none() && self.may_run_again(test) && self.someone_can_run(worker) {
            self.again.insert(test, (worker, crashed));
            self.scheduler.again(test);
        } else {
            self.crashed(test, worker, crashed);
        }
        // Workers may have waited for this answer with nothing else to do.
        for worker in (0..self.settings.workers).map(WorkerId) {
            self.feed(worker);
        }
        self.end_if_over();
    }

    /// Whether a test that crashed has not been run again too often. The deaths of workers have an end of their own, those of
    /// boxes have not.
    pub(super) fn may_run_again(&mut self, test: TestIndex) -> bool {
        let times = self.reruns.entry(test).or_default();
        *times += 1;
        let may = *times <= MOST_RERUNS;
        if !may {
            let text = format!(
                "a test crashes again and again: it has run {MOST_RERUNS} times more, as a plugin wanted, and does not once more"
            );
            self.emit(RunEvent::Notice(text));
        }
        may
    }

    pub(super) fn plugins_gone(&mut self) {
        for test in self.asked.keys().copied().collect::<Vec<_>>() {
            self.crash_seen(test, false);
        }
    }

    /// Whether a worker takes tests, or one can be started in the place of `worker`.
    pub(super) fn someone_can_run(&mut self, worker: WorkerId) -> bool {
        if self.someone_takes_tests(worker) {
            return true;
        }
        if self.workers[worker.at()].succession == Succession::Nowhere {
            return false;
        }
        if self.restarted >= self.settings.restarts {
            self.tell_limit(worker, 0);
            return false;
        }
        // One whose test took only a box down is replaced when it has left, as it was told to.
        if !self.workers.get(worker.at()).is_some_and(Worker::is_alive) {
            self.replace(worker);
        }
        true
    }

    /// Whether a crashed test is to run once more that one like this worker has.
    pub(super) fn could_run_again(&self, worker: WorkerId) -> bool {
        let lacks = &self.workers[worker.at()].lacks;
        self.again.keys().any(|test| self.settings.may_have(worker, *test) && !lacks.contains(test))
    }

    /// Whether a worker takes tests, or will, that `worker` may run.
    pub(super) fn someone_takes_tests(&self, worker: WorkerId) -> bool {
        let mut others = self.workers.iter().zip((0..).map(WorkerId));
        let alike = |other| self.settings.parts.is_empty() || other == worker;
        others.any(|(entry, other)| alike(other) && matches!(entry.phase, Phase::Starting | Phase::Running))
    }
}
