//! The state machine itself.
//!
//! One verdict a test: a verdict is committed when the worker says that the test's protocol is complete, or when the
//! worker's process is gone and everything it sent has been read. `settled` makes a second one impossible.

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use super::outcome::{Stop, Tally};
use super::worker::{Phase, Running, Worker};
use super::{Death, Effect, Input, Succession};
use crate::event::{Crashed, RunEvent, Verdict};
use crate::exit;
use crate::ids::{TestIndex, WorkerId};
use crate::protocol::{BoxDied, Ended, Stopping};
use crate::report::Report;
use crate::schedule::Scheduler;

/// Starts in a row that may fail before a worker is given up.
const FAILED_STARTS: u32 = 3;
/// A test that crashed is run again so many times at most, whatever plugins want.
const MOST_RERUNS: u32 = 100;

/// What a run is to respect.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Number of tests in the reference collection.
    pub tests: u32,
    /// Workers that are being started.
    pub workers: u32,
    /// `--maxfail`; 0 is no limit.
    pub maxfail: u32,
    /// How many workers may be replaced in all.
    pub restarts: u32,
    /// Failed collectors: they count as failures.
    pub collect_errors: u32,
    /// Whether plugins are asked about tests that took their worker down.
    pub plugins_see_crashes: bool,
    /// `--dist=each`: where every worker's own tests begin, and where the last one's end; empty if tests are anybody's.
    pub parts: Vec<u32>,
}

impl Settings {
    /// Whether a worker is one that may be given a test.
    fn may_have(&self, worker: WorkerId, test: TestIndex) -> bool {
        match (self.parts.get(worker.at()), self.parts.get(worker.at() + 1)) {
            (Some(start), Some(end)) => (*start..*end).contains(&test.0),
            _ => self.parts.is_empty(),
        }
    }
}

/// The state of a run from the first worker to the last.
pub struct RunState {
    settings: Settings,
    scheduler: Box<dyn Scheduler + Send>,
    workers: Vec<Worker>,
    settled: Vec<bool>,
    unsettled: usize,
    restarted: u32,
    limit_told: bool,
    stop: Option<Stop>,
    /// The worker whose test met `--maxfail`, while that test is in its teardown: what ends it there ends the run, as
    /// serially.
    failing: Option<WorkerId>,
    /// A worker left since none was to start another test, and nobody has said why.
    left_early: bool,
    interrupted: bool,
    tally: Tally,
    complete: bool,
    /// Crashes that plugins have not looked at yet.
    asked: BTreeMap<TestIndex, (WorkerId, Box<Crashed>)>,
    /// Crashed tests that are to run again and have not begun: crashed they are if they never do.
    again: BTreeMap<TestIndex, (WorkerId, Box<Crashed>)>,
    /// How many times plugins wanted a test to run again.
    reruns: BTreeMap<TestIndex, u32>,
    effects: Vec<Effect>,
}

impl RunState {
    /// A run about to start; all its workers are being started.
    pub fn new(settings: Settings, scheduler: Box<dyn Scheduler + Send>) -> Self {
        Self {
            workers: (0..settings.workers).map(|_| Worker::new()).collect(),
            settled: vec![false; settings.tests as usize],
            unsettled: settings.tests as usize,
            restarted: 0,
            limit_told: false,
            stop: None,
            failing: None,
            left_early: false,
            interrupted: false,
            tally: Tally { failures: settings.collect_errors, ..Tally::default() },
            complete: false,
            asked: BTreeMap::new(),
            again: BTreeMap::new(),
            reruns: BTreeMap::new(),
            effects: Vec::new(),
            scheduler,
            settings,
        }
    }

    /// A worker that never is: its environment did not come up. Call before anything happens.
    pub fn absent(&mut self, worker: WorkerId) {
        if let Some(entry) = self.workers.get_mut(worker.at()) {
            entry.phase = Phase::Gone;
            self.scheduler.give_back(worker, Vec::new());
        }
    }

    /// Takes in what happened and returns what is to be done.
    pub fn handle(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Ready { worker, lacks } => self.ready(worker, lacks),
            Input::Started(worker, test) => self.started(worker, test),
            Input::Passed(worker, test, durations) => self.passed(worker, test, durations),
            Input::Reported(worker, test, report) => self.reported(worker, test, *report),
            Input::Done(worker, test) => self.done(worker, test),
            Input::BoxDied(worker, test, died) => self.box_died(worker, test, died),
            Input::Stopping(worker, stopping) => self.stopping(worker, stopping),
            Input::PluginStops(stopping) => self.stop_run(stop_of(stopping)),
            Input::SessionEnded(worker, ended) => self.session_ended(worker, &ended),
            Input::Gone(worker, death) => self.gone(worker, &death),
            Input::InternalError(worker, text) => self.internal_error(worker, text),
            Input::CrashSeen(test, again) => self.crash_seen(test, again),
            Input::PluginsGone => self.plugins_gone(),
            Input::CollectionsDiffer => self.stop_run(Stop::new(
                "different tests were collected, which --strict-collection forbids",
                exit::COLLECTIONS_DIFFER,
            )),
            Input::LeftOut => self.tally.left_out = true,
            Input::Interrupt(why) => self.interrupt(why),
        }
        // Whoever went away with nothing may get something now.
        loop {
            let woken = self.scheduler.woken();
            if woken.is_empty() {
                return mem::take(&mut self.effects);
            }
            for worker in woken {
                self.feed(worker);
            }
        }
    }

    /// Whether what this incarnation of a worker tells still counts. Nothing does once its end is known: what it had is
    /// with others by then, whatever arrives late from a host that was lost and is back.
    pub fn hears(&self, worker: WorkerId, incarnation: u32) -> bool {
        self.workers.get(worker.at()).is_some_and(|entry| entry.is_alive() && entry.incarnation == incarnation)
    }

    /// Whether a worker was told that nothing more comes and has nothing left.
    pub fn is_idle(&self, worker: WorkerId) -> bool {
        self.workers.get(worker.at()).is_some_and(|entry| entry.phase == Phase::Finishing && entry.load() == 0)
    }

    /// Why the run stopped early, if it did.
    pub fn stop(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    /// Tests that have no verdict.
    pub fn not_run(&self) -> Vec<TestIndex> {
        let open = self.settled.iter().zip(0..).filter(|(settled, _)| !**settled);
        open.map(|(_, index)| TestIndex(index)).collect()
    }

    /// The exit code; final once [`Effect::Complete`] was returned.
    pub fn exit_code(&self) -> u8 {
        self.tally.exit_code(self.stop.as_ref(), self.settings.tests)
    }

    /// The exit code before plugins of workers had their say, for those that see the whole run.
    pub fn own_exit_code(&self) -> u8 {
        self.tally.own_exit_code(self.stop.as_ref(), self.settings.tests)
    }

    fn ready(&mut self, worker: WorkerId, lacks: std::collections::HashSet<TestIndex>) {
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

    fn started(&mut self, worker: WorkerId, test: TestIndex) {
        let Some(entry) = self.workers.get_mut(worker.at()) else { return };
        if entry.start(test) {
            self.again.remove(&test);
            self.emit(RunEvent::Started { test, worker });
        } else if !entry.is_running(test) && !self.settled.get(test.at()).is_some_and(|settled| *settled) {
            self.internal_error(Some(worker), format!("{worker} started test {} which it was not given", test.0));
        }
    }

    fn passed(&mut self, worker: WorkerId, test: TestIndex, durations: [f64; 3]) {
        let Some(running) = self.workers.get_mut(worker.at()).and_then(|entry| entry.complete(test)) else { return };
        self.scheduler.finished(worker, test, durations.iter().sum());
        // A subtest or a plugin may have reported something although each phase passed.
        let verdict =
            if running.reports.is_empty() { Verdict::Passed { durations } } else { Verdict::Reported(running.reports) };
        self.settle(test, worker, verdict);
        self.feed(worker);
    }

    fn reported(&mut self, worker: WorkerId, test: TestIndex, report: Report) {
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
    fn failed(&mut self, worker: WorkerId) {
        let limit = self.settings.maxfail;
        let failures = self.failures();
        if limit > 0 && failures >= limit && self.stop.is_none() {
            self.stop_run(Stop::failures(failures));
            self.failing = Some(worker);
        }
    }

    /// Failures so far, those of running tests included.
    fn failures(&self) -> u32 {
        let running = self.workers.iter().filter_map(|entry| entry.running.as_ref());
        self.tally.failures + running.map(|running| count_failures(&running.reports)).sum::<u32>()
    }

    fn done(&mut self, worker: WorkerId, test: TestIndex) {
        let Some(running) = self.workers.get_mut(worker.at()).and_then(|entry| entry.complete(test)) else { return };
        self.scheduler.finished(worker, test, running.reports.iter().map(|report| report.duration).sum());
        self.settle(test, worker, Verdict::Reported(running.reports));
        self.feed(worker);
    }

    fn box_died(&mut self, worker: WorkerId, test: TestIndex, died: BoxDied) {
        let Some(Running { reports, .. }) = self.workers.get_mut(worker.at()).and_then(|entry| entry.complete(test))
        else {
            return;
        };
        let elapsed = Duration::try_from_secs_f64(died.elapsed).unwrap_or_default();
        self.scheduler.finished(worker, test, elapsed.as_secs_f64());
        let crashed = Crashed { how: died.how, output: died.output, reports, set_up: false, elapsed, boxed: true };
        self.tell_crash(test, worker, crashed);
        self.feed(worker);
    }

    fn settle(&mut self, test: TestIndex, worker: WorkerId, verdict: Verdict) {
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

    /// Gives a worker what it should have queued, or tells it that nothing more comes.
    fn feed(&mut self, worker: WorkerId) {
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
        if !more {
            entry.phase = Phase::Finishing;
            self.effects.push(Effect::NoMore(worker));
            self.release_waiting();
        }
    }

    /// Feeds workers that wait for tests, or for what follows their last one.
    fn feed_waiting(&mut self) {
        for worker in (0..self.settings.workers).map(WorkerId) {
            if self.workers[worker.at()].load() < 2 {
                self.feed(worker);
            }
        }
    }

    /// Workers that hold a test until they know what follows it, now that nothing does.
    fn release_waiting(&mut self) {
        if self.scheduler.pending() > 0 || !self.asked.is_empty() {
            return;
        }
        for (entry, worker) in self.workers.iter_mut().zip((0..).map(WorkerId)) {
            if entry.phase == Phase::Running && entry.load() < 2 {
                entry.phase = Phase::Finishing;
                self.effects.push(Effect::NoMore(worker));
            }
        }
    }

    fn stopping(&mut self, worker: WorkerId, stopping: Stopping) {
        // A worker that was told to stop says so too: the first reason is the run's.
        if stopping.kind != "fail" && self.failing == Some(worker) {
            self.overrule(stop_of(stopping));
        } else {
            self.stop_run(stop_of(stopping));
        }
        self.stop_worker(worker);
    }

    fn session_ended(&mut self, worker: WorkerId, ended: &Ended) {
        if let Some(entry) = self.workers.get_mut(worker.at()).filter(|entry| entry.is_alive()) {
            // It saw the stop flag: whoever set it is about to say why.
            self.left_early |= entry.running.is_none() && !entry.queue.is_empty();
            entry.phase = Phase::Over;
        }
        self.tally.ends.push((ended.before, ended.after));
    }

    fn gone(&mut self, worker: WorkerId, death: &Death) {
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
        } else if !self.again.is_empty()
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
    fn bury(&mut self, worker: WorkerId, death: &Death, running: Option<Running>, failed_starts: u32) {
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
                set_up: death.set_up && reports.is_empty(),
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
    fn succeeds(&self, worker: WorkerId, succession: Succession) -> bool {
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
    fn is_left_for(&self, worker: WorkerId) -> bool {
        self.scheduler.pending() > 0
            && (self.settings.parts.is_empty() || self.scheduler.has_for(&|test| self.settings.may_have(worker, test)))
    }

    /// Whether a crash after these reports meets `--maxfail`.
    fn is_last_failure(&self, reports: &[Report]) -> bool {
        let limit = self.settings.maxfail;
        limit > 0 && self.tally.failures + 1 + count_failures(reports) >= limit
    }

    /// A test crashed: plugins look at that first, if any want to.
    fn tell_crash(&mut self, test: TestIndex, worker: WorkerId, crashed: Crashed) {
        if self.settings.plugins_see_crashes {
            self.asked.insert(test, (worker, Box::new(crashed.clone())));
            self.effects.push(Effect::AskPlugins(test, worker, Box::new(crashed)));
        } else {
            self.crashed(test, worker, Box::new(crashed));
        }
    }

    fn crashed(&mut self, test: TestIndex, worker: WorkerId, crashed: Box<Crashed>) {
        self.tally.crashes += 1;
        self.settle(test, worker, Verdict::Crashed(crashed));
    }

    fn replace(&mut self, worker: WorkerId) {
        self.restarted += 1;
        let entry = &mut self.workers[worker.at()];
        entry.phase = Phase::Starting;
        entry.incarnation += 1;
        entry.lacks.clear();
        let incarnation = entry.incarnation;
        self.effects.push(Effect::Replace(worker, incarnation));
    }

    /// Plugins have looked at a crash. A test that is to run again has no verdict yet.
    fn crash_seen(&mut self, test: TestIndex, again: bool) {
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
    fn may_run_again(&mut self, test: TestIndex) -> bool {
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

    fn plugins_gone(&mut self) {
        for test in self.asked.keys().copied().collect::<Vec<_>>() {
            self.crash_seen(test, false);
        }
    }

    /// Whether a worker takes tests, or one can be started in the place of `worker`.
    fn someone_can_run(&mut self, worker: WorkerId) -> bool {
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

    /// Whether a worker takes tests, or will, that `worker` may run.
    fn someone_takes_tests(&self, worker: WorkerId) -> bool {
        let mut others = self.workers.iter().zip((0..).map(WorkerId));
        let alike = |other| self.settings.parts.is_empty() || other == worker;
        others.any(|(entry, other)| alike(other) && matches!(entry.phase, Phase::Starting | Phase::Running))
    }

    fn tell_limit(&mut self, worker: WorkerId, failed_starts: u32) {
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
    fn give_up(&mut self, worker: WorkerId, running: Option<Running>) {
        if let Some(Running { test, reports }) = running {
            let verdict = if reports.is_empty() { Verdict::Interrupted } else { Verdict::Reported(reports) };
            self.settle(test, worker, verdict);
        }
    }

    fn internal_error(&mut self, worker: Option<WorkerId>, text: String) {
        self.tally.internal_error = true;
        self.emit(RunEvent::InternalError { worker, text });
        self.stop_run(Stop::new("internal error", exit::INTERNAL_ERROR));
    }

    fn interrupt(&mut self, why: String) {
        self.interrupted = true;
        self.emit(RunEvent::Stopping { why });
        self.overrule(Stop::new("KeyboardInterrupt", exit::INTERRUPTED));
        self.effects.push(Effect::InterruptWorkers);
    }

    /// Stops the run, also if a failure has done so whose test is not over.
    fn overrule(&mut self, stop: Stop) {
        if self.failing.take().is_some() {
            self.stop = Some(stop);
        } else {
            self.stop_run(stop);
        }
    }

    fn stop_run(&mut self, stop: Stop) {
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

    fn stop_worker(&mut self, worker: WorkerId) {
        let Some(entry) = self.workers.get_mut(worker.at()) else { return };
        if matches!(entry.phase, Phase::Running | Phase::Finishing) {
            entry.phase = Phase::Finishing;
            self.effects.push(Effect::StopWorker(worker));
        }
    }

    fn end_if_over(&mut self) {
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

    fn emit(&mut self, event: RunEvent) {
        self.effects.push(Effect::Emit(event));
    }
}

/// Why a session wants to stop, and the exit code of a run that stops so.
fn stop_of(stopping: Stopping) -> Stop {
    let code = match stopping.kind.as_str() {
        "fail" => exit::TESTS_FAILED,
        "exit" => {
            stopping.code.map_or(exit::INTERRUPTED, |code| u8::try_from(code & 0xff).unwrap_or(exit::INTERRUPTED))
        }
        _ => exit::INTERRUPTED,
    };
    Stop { detail: stopping.detail, ..Stop::new(stopping.reason, code) }
}

/// pytest's own rule for `testsfailed`.
fn count_failures(reports: &[Report]) -> u32 {
    let failed = reports.iter().filter(|report| report.is_failure() && report.wasxfail.is_none());
    u32::try_from(failed.count()).unwrap_or(u32::MAX)
}
