//! Workers that leave: what becomes of their tests, who is replaced, and when everybody is gone.

use std::mem;

use super::super::outcome::Stop;
use super::super::worker::{Phase, Running, Worker};
use super::super::{Death, Effect, Succession};
use super::RunState;
use super::verdicts::count_failures;
use crate::event::{Crashed, RunEvent, Verdict};
use crate::ids::{TestIndex, WorkerId};
use crate::protocol::Ended;
use crate::report::Report;

/// Starts in a row that may fail before a worker is given up.
const FAILED_STARTS: u32 = 3;

impl RunState {
    pub(super) fn session_ended(&mut self, worker: WorkerId, ended: &Ended) {
        if let Some(entry) = self.workers.get_mut(worker.at()).filter(|entry| entry.is_alive()) {
            // It saw the stop flag: whoever set it is about to say why.
            self.left_early |= entry.running.is_none() && !entry.queue.is_empty();
            entry.phase = Phase::Over;
        }
        self.tally.ends.push((ended.before, ended.after));
    }

    pub(super) fn gone(&mut self, worker: WorkerId, death: &Death) {
        let Some(entry) = self.workers.get_mut(worker.at()).filter(|entry| entry.is_alive()) else { return };
        let before = mem::replace(&mut entry.phase, Phase::Gone);
        let queue: Vec<_> = entry.queue.drain(..).collect();
        let running = entry.running.take();
        if before == Phase::Starting {
            entry.failed_starts += 1;
        }
        let failed_starts = entry.failed_starts;
        entry.succession = death.succession;
        let worked = mem::take(&mut entry.worked);
        let idle = running.is_none() && queue.is_empty();
        // With tests left it saw the stop flag: whoever set it is about to say why, and a replacement would see it too.
        let finished = before == Phase::Over && (idle || (death.clean && running.is_none()));
        self.scheduler.give_back(worker, queue);
        let gave_up = self.interrupted || (self.stop.is_some() && (before == Phase::Over || running.is_none()));
        if gave_up {
            self.give_up(worker, running);
        } else if !finished {
            self.bury(worker, death, running, failed_starts);
        } else if self.could_run_again(worker)
            && self.is_left_for(worker)
            && !self.someone_takes_tests(worker)
            && self.restarted < self.settings.restarts
            && death.succession != Succession::Nowhere
        {
            self.replace(worker);
        }
        if !death.clean
            && worked
            && (before == Phase::Over || (before == Phase::Finishing && idle && !self.interrupted))
        {
            self.tally.bad_end = true;
            self.emit(RunEvent::Notice(format!("worker {worker} ended with {} after its last test", death.how)));
        }
        // What it had, or was left for it, may be what others wait for.
        self.feed_waiting();
        self.end_if_over();
    }

    /// A worker that had not finished is gone and nobody asked it to go.
    pub(super) fn bury(&mut self, worker: WorkerId, death: &Death, running: Option<Running>, failed_starts: u32) {
        let asks = self.settings.plugins_see_crashes && running.is_some();
        let wanted = self.stop.is_none() && (self.is_left_for(worker) || asks);
        let limit = self.settings.restarts;
        let last = running.as_ref().filter(|_| !asks).is_some_and(|running| self.is_last_failure(&running.reports));
        let possible = self.succeeds(worker, death.succession);
        let restart = wanted && !last && possible && self.restarted < limit && failed_starts < FAILED_STARTS;
        // The verdict may stop the run (--maxfail), so the worker's end is told first.
        self.emit(RunEvent::WorkerDied { worker, how: death.how.clone(), replaced: restart });
        if running.is_none() && !death.output.trim().is_empty() {
            self.emit(RunEvent::Notice(format!("worker {worker} wrote before it ended:\n{}", death.output.trim_end())));
        }
        if let Some(Running { test, reports }) = running {
            let crashed = Crashed {
                how: death.how.clone(),
                output: death.output.clone(),
                // The first report that says something takes those before it along.
                passed: if reports.is_empty() { death.over.clone() } else { Vec::new() },
                reports,
                elapsed: death.elapsed,
                boxed: false,
            };
            self.tell_crash(test, worker, crashed);
        }
        if self.stop.is_some() {
            return;
        }
        if restart {
            self.replace(worker);
        } else if wanted && possible {
            self.tell_limit(worker, failed_starts);
        }
    }

    /// Whether one is started in the place of a worker, as far as hosts decide it.
    pub(super) fn succeeds(&self, worker: WorkerId, succession: Succession) -> bool {
        match succession {
            Succession::There => true,
            Succession::Nowhere => false,
            Succession::Elsewhere => {
                let others = self.workers.iter().zip((0..).map(WorkerId)).filter(|(_, other)| *other != worker);
                !others.into_iter().any(|(entry, _)| matches!(entry.phase, Phase::Starting | Phase::Running))
            }
        }
    }

    /// Whether a test is pending that one in the place of this worker may run.
    pub(super) fn is_left_for(&self, worker: WorkerId) -> bool {
        self.scheduler.pending() > 0
            && (self.settings.parts.is_empty() || self.scheduler.has_for(&|test| self.settings.may_have(worker, test)))
    }

    /// Whether a crash after these reports meets `--maxfail`.
    pub(super) fn is_last_failure(&self, reports: &[Report]) -> bool {
        let limit = self.settings.maxfail;
        limit > 0 && self.tally.failures + 1 + count_failures(reports) >= limit
    }

    /// A test crashed: plugins look at that first, if any want to.
    pub(super) fn tell_crash(&mut self, test: TestIndex, worker: WorkerId, crashed: Crashed) {
        if self.settings.plugins_see_crashes {
            self.asked.insert(test, (worker, Box::new(crashed.clone())));
            self.effects.push(Effect::AskPlugins(test, worker, Box::new(crashed)));
        } else {
            self.crashed(test, worker, Box::new(crashed));
        }
    }

    pub(super) fn crashed(&mut self, test: TestIndex, worker: WorkerId, crashed: Box<Crashed>) {
        self.tally.crashes += 1;
        self.settle(test, worker, Verdict::Crashed(crashed));
    }

    pub(super) fn replace(&mut self, worker: WorkerId) {
        self.restarted += 1;
        let entry = &mut self.workers[worker.at()];
        entry.phase = Phase::Starting;
        entry.incarnation += 1;
        entry.lacks.clear();
        let incarnation = entry.incarnation;
        self.effects.push(Effect::Replace(worker, incarnation));
    }

    pub(super) fn tell_limit(&mut self, worker: WorkerId, failed_starts: u32) {
        if failed_starts >= FAILED_STARTS {
            self.emit(RunEvent::Notice(format!(
                "worker {worker} could not be started {failed_starts} times, giving it up"
            )));
        } else if !mem::replace(&mut self.limit_told, true) {
            let text = match self.settings.restarts {
                0 => format!("worker {worker} crashed and worker restarting disabled"),
                limit => format!("maximum crashed workers reached: {limit}"),
            };
            self.emit(RunEvent::Notice(text));
        }
    }

    /// A worker is gone after the run was told to stop: its running test, if any, has no verdict by pytest.
    pub(super) fn give_up(&mut self, worker: WorkerId, running: Option<Running>) {
        if let Some(Running { test, reports }) = running {
            let verdict = if reports.is_empty() { Verdict::Interrupted } else { Verdict::Reported(reports) };
            self.settle(test, worker, verdict);
        }
    }

    pub(super) fn end_if_over(&mut self) {
        if self.complete || !self.asked.is_empty() || self.workers.iter().any(Worker::is_alive) {
            return;
        }
        for (test, (worker, crashed)) in mem::take(&mut self.again) {
            self.crashed(test, worker, crashed);
        }
        self.complete = true;
        let limit = self.settings.maxfail;
        if self.stop.is_none() && self.unsettled > 0 && self.left_early && limit > 0 {
            // By the workers' own count, in which a failure of a test that ran again stays one.
            self.stop = Some(Stop::failures(limit));
        }
        if self.stop.is_none() && self.unsettled > 0 {
            self.tally.lost = self.unsettled;
            self.tally.never_started = self.unsettled == self.settled.len();
        }
        self.effects.push(Effect::Complete);
    }
}
