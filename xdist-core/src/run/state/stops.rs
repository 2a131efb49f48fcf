//! Runs that are to stop before their end.

use super::super::Effect;
use super::super::outcome::Stop;
use super::super::worker::Phase;
use super::RunState;
use crate::event::RunEvent;
use crate::exit;
use crate::ids::WorkerId;
use crate::protocol::Stopping;

impl RunState {
    pub(super) fn stopping(&mut self, worker: WorkerId, stopping: Stopping) {
        // A worker that was told to stop says so too: the first reason is the run's.
        if stopping.kind != "fail" && self.failing == Some(worker) {
            self.overrule(stop_of(stopping));
        } else {
            self.stop_run(stop_of(stopping));
        }
        self.stop_worker(worker);
    }

    pub(super) fn internal_error(&mut self, worker: Option<WorkerId>, text: String) {
        self.tally.internal_error = true;
        self.emit(RunEvent::InternalError { worker, text });
        self.stop_run(Stop::new("internal error", exit::INTERNAL_ERROR));
    }

    pub(super) fn interrupt(&mut self, why: String) {
        self.interrupted = true;
        self.emit(RunEvent::Stopping { why });
        self.overrule(Stop::new("KeyboardInterrupt", exit::INTERRUPTED));
        self.effects.push(Effect::InterruptWorkers);
    }

    /// Stops the run, also if a failure has done so whose test is not over.
    pub(super) fn overrule(&mut self, stop: Stop) {
        if self.failing.take().is_some() {
            self.stop = Some(stop);
        } else {
            self.stop_run(stop);
        }
    }

    pub(super) fn stop_run(&mut self, stop: Stop) {
        if self.stop.is_some() {
            return;
        }
        self.stop = Some(stop);
        self.effects.push(Effect::SetStopPage);
        for worker in (0..self.settings.workers).map(WorkerId) {
            self.stop_worker(worker);
        }
        self.scheduler.drain();
    }

    pub(super) fn stop_worker(&mut self, worker: WorkerId) {
        let Some(entry) = self.workers.get_mut(worker.at()) else { return };
        if matches!(entry.phase, Phase::Running | Phase::Finishing) {
            entry.phase = Phase::Finishing;
            self.effects.push(Effect::StopWorker(worker));
        }
    }
}

/// Why a session wants to stop, and the exit code of a run that stops so.
pub(super) fn stop_of(stopping: Stopping) -> Stop {
    let code = match stopping.kind.as_str() {
        "fail" => exit::TESTS_FAILED,
        "exit" => {
            stopping.code.map_or(exit::INTERRUPTED, |code| u8::try_from(code & 0xff).unwrap_or(exit::INTERRUPTED))
        }
        _ => exit::INTERRUPTED,
    };
    Stop { detail: stopping.detail, ..Stop::new(stopping.reason, code) }
}
