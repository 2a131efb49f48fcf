//! Who gets which tests, and who is told that nothing more comes.

use std::collections::HashSet;
use std::mem;

use super::super::Effect;
use super::super::worker::Phase;
use super::RunState;
use crate::event::RunEvent;
use crate::ids::{TestIndex, WorkerId};

impl RunState {
    pub(super) fn ready(&mut self, worker: WorkerId, lacks: HashSet<TestIndex>) {
        let Some(entry) = self.workers.get_mut(worker.at()).filter(|entry| entry.phase == Phase::Starting) else {
            return;
        };
        entry.phase = Phase::Running;
        entry.failed_starts = 0;
        let lacking = !lacks.is_empty();
        entry.lacks = lacks;
        let incarnation = entry.incarnation;
        self.emit(RunEvent::WorkerUp { worker, incarnation });
        if self.stop.is_some() {
            self.stop_worker(worker);
        } else {
            self.feed(worker);
            if lacking || self.is_idle(worker) {
                // What was left to it is for others.
                self.feed_waiting();
            }
        }
    }

    /// Gives a worker what it should have queued, or tells it that nothing more comes.
    pub(super) fn feed(&mut self, worker: WorkerId) {
        let Some(entry) = self.workers.get_mut(worker.at()) else { return };
        if entry.phase != Phase::Running || self.stop.is_some() {
            return;
        }
        let lacks = mem::take(&mut entry.lacks);
        let settings = &self.settings;
        let can_run = |test: TestIndex| (lacks.is_empty() || !lacks.contains(&test)) && settings.may_have(worker, test);
        let batch = self.scheduler.top_up(worker, entry.load(), &can_run);
        // What plugins still look at may have to run again: somebody must be there for it.
        let queued = entry.load() + batch.len();
        let more =
            !self.asked.is_empty() || (self.scheduler.pending() > 0 && self.scheduler.keeps(worker, queued, &can_run));
        entry.lacks = lacks;
        if !batch.is_empty() {
            entry.queue.extend(&batch);
            self.effects.push(Effect::Run(worker, batch));
        }
        if !more && self.scheduler.may_leave(worker) {
            entry.phase = Phase::Finishing;
            self.effects.push(Effect::NoMore(worker));
            self.release_waiting();
        }
    }

    /// Feeds workers that wait for tests, or for what follows their last one.
    pub(super) fn feed_waiting(&mut self) {
        for worker in (0..self.settings.workers).map(WorkerId) {
            if self.workers[worker.at()].load() < 2 {
                self.feed(worker);
            }
        }
    }

    /// Workers that hold a test until they know what follows it, now that nothing does.
    pub(super) fn release_waiting(&mut self) {
        if self.scheduler.pending() > 0 || !self.asked.is_empty() {
            return;
        }
        for (entry, worker) in self.workers.iter_mut().zip((0..).map(WorkerId)) {
            if entry.phase == Phase::Running && entry.load() < 2 && self.scheduler.may_leave(worker) {
                entry.phase = Phase::Finishing;
                self.effects.push(Effect::NoMore(worker));
            }
        }
    }
}
