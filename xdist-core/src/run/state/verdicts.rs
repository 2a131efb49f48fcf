//! What workers tell of their tests, and the one verdict of each.

use std::mem;
use std::time::Duration;

use super::super::outcome::Stop;
use super::super::worker::Running;
use super::RunState;
use crate::event::{Crashed, RunEvent, Verdict};
use crate::ids::{TestIndex, WorkerId};
use crate::protocol::BoxDied;
use crate::report::Report;

impl RunState {
    pub(super) fn started(&mut self, worker: WorkerId, test: TestIndex) {
        let Some(entry) = self.workers.get_mut(worker.at()) else { return };
        if entry.start(test) {
            self.again.remove(&test);
            self.emit(RunEvent::Started { test, worker });
        } else if !entry.is_running(test) && !self.settled.get(test.at()).is_some_and(|settled| *settled) {
            self.internal_error(Some(worker), format!("{worker} started test {} which it was not given", test.0));
        }
    }

    pub(super) fn passed(&mut self, worker: WorkerId, test: TestIndex, durations: [f64; 3]) {
        let Some(running) = self.workers.get_mut(worker.at()).and_then(|entry| entry.complete(test)) else { return };
        self.scheduler.finished(worker, test, durations.iter().sum());
        // A subtest or a plugin may have reported something although each phase passed.
        let verdict =
            if running.reports.is_empty() { Verdict::Passed { durations } } else { Verdict::Reported(running.reports) };
        self.settle(test, worker, verdict);
        self.feed(worker);
    }

    pub(super) fn reported(&mut self, worker: WorkerId, test: TestIndex, report: Report) {
        let Some(entry) = self.workers.get_mut(worker.at()) else { return };
        if let Some(running) = entry.running.as_mut().filter(|running| running.test == test) {
            let failed = count_failures(std::slice::from_ref(&report)) > 0;
            running.reports.push(report);
            if failed {
                self.failed(worker);
            }
        }
    }

    /// A test has failed, and may have more to report: whatever happens from now on, happens after this.
    pub(super) fn failed(&mut self, worker: WorkerId) {
        let limit = self.settings.maxfail;
        let failures = self.failures();
        if limit > 0 && failures >= limit && self.stop.is_none() {
            self.stop_run(Stop::failures(failures));
            self.failing = Some(worker);
        }
    }

    /// Failures so far, those of running tests included.
    pub(super) fn failures(&self) -> u32 {
        let running = self.workers.iter().filter_map(|entry| entry.running.as_ref());
        self.tally.failures + running.map(|running| count_failures(&running.reports)).sum::<u32>()
    }

    pub(super) fn done(&mut self, worker: WorkerId, test: TestIndex) {
        let Some(running) = self.workers.get_mut(worker.at()).and_then(|entry| entry.complete(test)) else { return };
        self.scheduler.finished(worker, test, running.reports.iter().map(|report| report.duration).sum());
        self.settle(test, worker, Verdict::Reported(running.reports));
        self.feed(worker);
    }

    pub(super) fn box_died(&mut self, worker: WorkerId, test: TestIndex, died: BoxDied) {
        let Some(Running { reports, .. }) = self.workers.get_mut(worker.at()).and_then(|entry| entry.complete(test))
        else {
            return;
        };
        let elapsed = Duration::try_from_secs_f64(died.elapsed).unwrap_or_default();
        self.scheduler.finished(worker, test, elapsed.as_secs_f64());
        let crashed = Crashed { how: died.how, output: died.output, reports, passed: Vec::new(), elapsed, boxed: true };
        self.tell_crash(test, worker, crashed);
        self.feed(worker);
    }

    pub(super) fn settle(&mut self, test: TestIndex, worker: WorkerId, verdict: Verdict) {
        let Some(settled) = self.settled.get_mut(test.at()) else { return };
        if mem::replace(settled, true) {
            return;
        }
        self.unsettled -= 1;
        let failures = match &verdict {
            Verdict::Passed { .. } | Verdict::Interrupted => 0,
            Verdict::Reported(reports) => count_failures(reports),
            Verdict::Crashed(crashed) => 1 + count_failures(&crashed.reports),
        };
        self.emit(RunEvent::Finished { test, worker, verdict });
        self.tally.failures += failures;
        let limit = self.settings.maxfail;
        let all = self.failures();
        if self.failing.take_if(|failing| *failing == worker).is_some() {
            // Its teardown may have failed, too.
            self.stop = Some(Stop::failures(all));
        } else if failures > 0 && limit > 0 && all >= limit {
            self.stop_run(Stop::failures(all));
        }
    }
}

/// pytest's own rule for `testsfailed`.
pub(super) fn count_failures(reports: &[Report]) -> u32 {
    let failed = reports.iter().filter(|report| report.is_failure() && report.wasxfail.is_none());
    u32::try_from(failed.count()).unwrap_or(u32::MAX)
}
