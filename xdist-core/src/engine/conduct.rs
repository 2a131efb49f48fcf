//! From the collection to the last worker: messages in, the run state machine's effects out.

use std::io;
use std::time::Instant;

use execnet_rs::process::{HowEnded, OpenFiles};
use rustix::process::Signal;

use super::Engine;
use super::happening::{Happening, MemberId};
use super::members::MemberRole;
use super::outbox::Pass;
use super::site::HERE;
use crate::event::RunEvent;
use crate::fork::ForkLevel;
use crate::ids::{TestIndex, WorkerId};
use crate::protocol::{Ended, ForkRequest, FromPython, HostEvent, Role, ToPython};
use crate::run::{Effect, Input};

/// Named pipes for what a worker writes.
const STREAM_FILES: u64 = 2;
/// A worker's connection, and its outbox.
const LINK_FILES: u64 = 2;
const WORKER_FILES: u64 = STREAM_FILES + LINK_FILES;
/// What the controller opens beside: a file to write, `/proc` to read.
const SPARE_FILES: u64 = 6;
/// Where the limit is higher than what workers take by so much, open files need not be counted.
const PLENTY: u64 = 200;
/// What would help where the system makes no process.
const MORE_PROCESSES: &str =
    "\nhint: a higher limit on processes or memory (`ulimit -u`, that of the container) would help there";

impl Engine<'_> {
    pub(super) fn message(&mut self, member: MemberId, message: FromPython) {
        match message {
            // First messages, and this is not the first. An outbox is the connection's affair.
            FromPython::Hello(_) | FromPython::Unusable(_) | FromPython::Outbox(_) => {}
            FromPython::Forked(id, incarnation, pid) => {
                if let Some(child) = self.members.find(&id, incarnation) {
                    self.watch(child, pid);
                }
            }
            FromPython::Refused(id, incarnation, why) => {
                if let Some(child) = self.members.find(&id, incarnation) {
                    self.refused(child, &why);
                }
            }
            FromPython::Facts(facts) => self.facts(member, *facts),
            FromPython::Configured(header) => self.configured(member, header),
            FromPython::Evidence(text) => self.evidence(member, &text),
            FromPython::Collection(collection) => self.collection(member, *collection),
            FromPython::Collected(_, digest) => self.collected_alike(member, digest),
            FromPython::Ready => {
                self.members.get_mut(member).readiness.willing = true;
                self.tell_ready(member);
            }
            FromPython::Warning(warning) => self.warning(member, warning),
            FromPython::SuiteProperty(name, value) => {
                if !self.suite_properties.iter().any(|(known, _)| *known == name) {
                    self.tell_host(HostEvent::SuiteProperty(name.clone(), value.clone()));
                    self.suite_properties.push((name, value));
                }
            }
            FromPython::InternalError(text) => self.internal_error_in(member, text),
            FromPython::HostReady(ready) => self.host_ready(ready),
            FromPython::Units(units) => self.host_split(units),
            FromPython::NodeConfigured(worker, incarnation, input) => {
                self.node_configured(&worker, incarnation, input);
            }
            FromPython::SlowHook(hook) => self.slow_hook(&hook),
            FromPython::CrashSeen(test, again) => self.crash_seen(test, again),
            FromPython::Ended(ended) => self.session_over(member, ended),
            FromPython::Stopping(stopping) => match self.worker_of(member) {
                Some(worker) => self.feed(Input::Stopping(worker, stopping)),
                None if self.is_host(member) => self.host_stops(stopping),
                None if Some(member) == self.environment(self.members.get(member).environment).session => {
                    self.wind_up();
                }
                None => {}
            },
            FromPython::Started(test) => self.started(member, test),
            FromPython::Passed(test, setup, call, teardown) => {
                self.about(member, test, |worker, test| Input::Passed(worker, test, [setup, call, teardown]));
            }
            FromPython::PassedNext(test, setup, call, teardown, next) => {
                self.about(member, test, |worker, test| Input::Passed(worker, test, [setup, call, teardown]));
                self.started(member, next);
            }
            FromPython::Blanks(when, blanks) => {
                if let Some(worker) = self.worker_of(member) {
                    self.tell_host(HostEvent::Blanks(worker.to_string(), when, blanks));
                }
            }
            FromPython::Report(test, report) => {
                self.about(member, test, |worker, test| Input::Reported(worker, test, report));
            }
            FromPython::BoxDied(test, died) => self.box_died(member, test, died),
            FromPython::Done(test) => self.about(member, test, Input::Done),
        }
    }

    /// The system refuses what a process needs: says once what would help, and gives it up.
    pub(super) fn refused(&mut self, member: MemberId, why: &str) {
        let hint = if why.contains("open files") {
            "fewer workers (-n), or a higher limit (`ulimit -n`), would help"
        } else {
            "fewer workers (-n), or a higher limit on processes or memory (`ulimit -u`, that of the container), would help"
        };
        if self.worker_of(member).is_some() && !std::mem::replace(&mut self.refusal_told, true) {
            let name = &self.members.get(member).name;
            self.emit(&RunEvent::Notice(format!("the system refuses to make a process for {name}: {why}; {hint}")));
        }
        let worker = self.worker_of(member).is_some();
        self.give_up(member, if worker { format!("no process: {why}") } else { format!("{why}; {hint}") });
    }

    /// A process cannot be started on another host.
    pub(super) fn not_started(&mut self, member: MemberId, why: &str) {
        match self.members.get(member).role {
            MemberRole::Server => {
                let id = self.members.get(member).environment;
                let python = self.environment(id).launch.python.first().cloned().unwrap_or_default();
                self.give_up(member, String::new());
                let refused = ["Resource temporarily unavailable", "Cannot allocate memory"];
                let hint = if refused.iter().any(|text| why.contains(text)) { MORE_PROCESSES } else { "" };
                self.environment_failed(id, format!("`{python}` cannot be started: {why}{hint}"));
            }
            MemberRole::Session | MemberRole::Host | MemberRole::Worker(..) => self.refused(member, why),
        }
    }

    /// Processes whose connections cannot be taken will not be of use: they end, and give back what they hold.
    pub(super) fn no_room(&mut self, why: &str) {
        if !std::mem::replace(&mut self.refusal_told, true) {
            self.emit(&RunEvent::Notice(why.to_owned()));
        }
        for member in self.members.living() {
            let entry = self.members.get_mut(member);
            if entry.pid.is_some() && !entry.was_linked() && entry.exited().is_none() {
                why.clone_into(&mut entry.cause);
                self.kill(member, Signal::KILL);
            }
        }
    }

    /// A process that was asked for will never be.
    pub(super) fn give_up(&mut self, member: MemberId, why: String) {
        self.members.get_mut(member).never_was = why;
        let happenings = self.happenings.clone();
        tokio::spawn(async move { happenings.send(Happening::Exited(member, HowEnded::Unknown)).await });
    }

    /// Which worker a member is.
    pub(super) fn worker_of(&self, member: MemberId) -> Option<WorkerId> {
        match self.members.get(member).role {
            MemberRole::Worker(worker, _) => Some(worker),
            MemberRole::Server | MemberRole::Session | MemberRole::Host => None,
        }
    }

    /// Feeds in a message about a test, in the run's numbering.
    pub(super) fn about(
        &mut self,
        member: MemberId,
        test: TestIndex,
        input: impl FnOnce(WorkerId, TestIndex) -> Input,
    ) {
        let entry = self.members.get(member);
        let translated = entry.translation.for_run(test);
        if let (MemberRole::Worker(worker, incarnation), Some(test)) = (entry.role, translated)
            && self.run.as_ref().is_some_and(|run| run.hears(worker, incarnation))
        {
            self.feed(input(worker, test));
            self.note_end(worker);
        }
    }

    /// Tests that passed some milliseconds ago at most. What the process wrote since may be the running test's: it is not
    /// shown yet.
    pub(super) fn passes(&mut self, member: MemberId, passes: Vec<Pass>) {
        for Pass { test, durations, next, .. } in passes {
            self.about(member, test, |worker, test| Input::Passed(worker, test, durations));
            self.members.get_mut(member).test_began = Some(Instant::now());
            self.about(member, next, Input::Started);
        }
    }

    fn started(&mut self, member: MemberId, test: TestIndex) {
        self.show_output(member);
        self.members.get_mut(member).test_began = Some(Instant::now());
        self.about(member, test, Input::Started);
    }

    /// Feeds the run state machine and does what it says.
    pub(super) fn feed(&mut self, input: Input) {
        self.inputs.push_back(input);
        if std::mem::replace(&mut self.feeding, true) {
            // What follows from something that is being done is done after it: messages keep their order.
            return;
        }
        while let Some(input) = self.inputs.pop_front() {
            for effect in self.run.as_mut().map(|run| run.handle(input)).unwrap_or_default() {
                self.perform(effect);
            }
        }
        self.feeding = false;
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Run(worker, tests) => {
                if let Some(member) = self.members.worker(worker).map(|id| self.members.get(id)) {
                    member.tell(ToPython::Run(member.translation.for_worker(tests)));
                }
            }
            Effect::NoMore(worker) => {
                self.tell_worker(worker, ToPython::NoMore);
                self.note_end(worker);
            }
            Effect::StopWorker(worker) => self.tell_worker(worker, ToPython::Stop),
            Effect::SetStopPage => self.set_stop_page(),
            Effect::InterruptWorkers => self.interrupt_workers(),
            Effect::Replace(worker, incarnation) => self.start_worker(worker, incarnation),
            Effect::AskPlugins(test, worker, crashed) => self.ask_plugins(test, worker, &crashed),
            Effect::Emit(event) => self.emit(&self.shown(event)),
            Effect::Complete => self.wind_up(),
        }
    }

    /// What users are told: tests by their place in the collection.
    fn shown(&self, mut event: RunEvent) -> RunEvent {
        if let (RunEvent::Started { test, .. } | RunEvent::Finished { test, .. }, Some(layout)) =
            (&mut event, &self.layout)
        {
            *test = layout.shown(*test);
        }
        event
    }

    /// The worker may have nothing left to run: its session should come to its end.
    fn note_end(&mut self, worker: WorkerId) {
        let idle = self.run.as_ref().is_some_and(|run| run.is_idle(worker));
        if let Some(member) = self.members.worker(worker).filter(|_| idle) {
            self.members.get_mut(member).ending_since.get_or_insert_with(Instant::now);
        }
    }

    fn tell_worker(&mut self, worker: WorkerId, message: ToPython) {
        if let Some(member) = self.members.worker(worker) {
            self.members.get(member).tell(message);
        }
    }

    /// Whether one more worker's files can be opened, beside those that others are still to open. Where there is too
    /// little room for all, some do the work: without looking ahead, all would get stuck half-way.
    fn room_for_worker(&self) -> io::Result<()> {
        let living = self.members.living();
        let awaited = living.iter().filter(|id| !self.members.get(**id).was_linked()).count() as u64;
        if OpenFiles::limit().is_none_or(|limit| limit > PLENTY + living.len() as u64 * WORKER_FILES) {
            return Ok(());
        }
        OpenFiles::room_for(awaited * LINK_FILES + STREAM_FILES + SPARE_FILES)
    }

    /// Starts one worker from the best process there is.
    pub(super) fn start_worker(&mut self, worker: WorkerId, incarnation: u32) {
        if self.awaits_plugins(worker, incarnation) {
            return;
        }
        let name = worker.to_string();
        let home = self.environment_of(worker);
        let member = self.add_member(MemberRole::Worker(worker, incarnation), home, &name, incarnation);
        self.members.get_mut(member).leads_group = true;
        if let Some(why) = self.site_gone(self.site_of(member)) {
            let why = format!("its host is gone: {why}");
            return self.give_up(member, why);
        }
        if self.site_of(member) == HERE
            && let Err(error) = self.room_for_worker()
        {
            return self.refused(member, &format!("no descriptors for it: {error}"));
        }
        let [stdout, stderr] = match self.open_streams(member) {
            Ok(paths) => paths,
            Err(error) => return self.refused(member, &format!("no named pipes for its output: {error}")),
        };
        let identity = self.identity(worker, incarnation, stdout.clone(), stderr.clone());
        let alive = |id: Option<MemberId>| id.filter(|id| self.members.get(*id).is_linked());
        let level = self.environment(home).fork;
        let collector = alive(self.environment(home).session).filter(|_| level == ForkLevel::Collected);
        if let (Some(collector), Some(layout)) = (collector, &self.layout) {
            let translation = layout.translation(worker);
            let entry = self.members.get_mut(member);
            entry.shares_collection = true;
            entry.readiness.matched = true;
            entry.translation = translation;
            entry.asked = Some(collector);
            self.forks.push((collector, identity));
            return;
        }
        let request = ForkRequest {
            role: Role::Worker,
            id: name,
            incarnation,
            args: self.arguments_in(home),
            addopts: self.addopts_in(home),
            paths: self.translations(home),
            expect_distribution: true,
            identity: Some(identity),
            rendering: Some(self.rendering.clone()),
            stdout,
            stderr,
            cycle: self.cycle_in(home),
            worker: None,
            host: None,
        };
        match alive(self.environment(home).server).filter(|_| level != ForkLevel::Never) {
            Some(server) => {
                self.members.get_mut(member).asked = Some(server);
                self.members.get(server).tell(ToPython::Fork(Box::new(request)));
            }
            None => self.start_fresh(member, request),
        }
    }

    /// Has collectors fork the workers asked for, all of them at once: they share the cost.
    pub(super) fn request_forks(&mut self) {
        let mut forks = std::mem::take(&mut self.forks);
        while let Some((collector, _)) = forks.first() {
            let collector = *collector;
            let (mine, others): (Vec<_>, Vec<_>) = forks.into_iter().partition(|(asked, _)| *asked == collector);
            forks = others;
            let identities = mine.into_iter().map(|(_, identity)| identity).collect();
            self.members.get(collector).tell(ToPython::ForkWorkers(identities));
        }
    }

    /// Tells the run that a worker is ready, once everything is known that this takes.
    pub(super) fn tell_ready(&mut self, member: MemberId) {
        let Some(worker) = self.worker_of(member) else { return };
        let Some(layout) = self.layout.as_ref().filter(|_| self.run.is_some()) else { return };
        let tests = layout.range(worker);
        let entry = self.members.get_mut(member);
        let readiness = &mut entry.readiness;
        if readiness.willing && readiness.matched && !std::mem::replace(&mut readiness.told, true) {
            let lacks = entry.translation.lacks(tests);
            self.feed(Input::Ready { worker, lacks });
        }
    }

    fn internal_error_in(&mut self, member: MemberId, text: String) {
        self.internal_error = true;
        let worker = self.worker_of(member);
        if self.run.is_some() {
            self.feed(Input::InternalError(worker, text));
        } else {
            self.emit(&RunEvent::InternalError { worker, text });
        }
    }

    fn session_over(&mut self, member: MemberId, ended: Ended) {
        self.members.get_mut(member).ending_since = None;
        self.members.get_mut(member).announced = Some(ended.after & 0xff);
        if self.is_host(member) {
            return self.host_over(ended);
        }
        self.leave_soon(member);
        let worker = self.worker_of(member);
        if !ended.traceback.is_empty() && self.error.is_none() {
            // As under serial pytest the tests count, and the exit status does not hide it. Once is enough of it.
            let place = worker.map_or_else(|| "session".to_owned(), |worker| format!("session of worker {worker}"));
            self.error = Some(format!("error: exception at the end of the {place}:\n{}", ended.traceback));
        }
        if let Some(worker) = worker {
            self.tell_host(HostEvent::WorkerDown(worker.to_string(), ended.output.clone()));
            if !ended.message.is_empty() {
                self.emit(&RunEvent::Notice(format!("worker {worker}: {}", ended.message.trim_end())));
            }
            self.feed(Input::SessionEnded(worker, ended));
        } else {
            self.collector_over(member, ended);
        }
    }
}
