//! From the collection to the last worker: messages in, the run state machine's effects out.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use execnet_rs::process::HowEnded;
use rustix::process::Signal;

use super::happening::{Happening, MemberId};
use super::members::{Member, MemberRole};
use super::translate::Translation;
use super::{Engine, Stage};
use crate::collection::Collection;
use crate::event::{Collected, RunEvent};
use crate::fork::ForkLevel;
use crate::history::History;
use crate::ids::{TestIndex, WorkerId};
use crate::protocol::{Ended, ForkRequest, FromPython, HostEvent, Role, ToPython};
use crate::run::{Effect, Input, RunState, Settings};
use crate::schedule;

impl Engine<'_> {
    pub(super) fn message(&mut self, member: MemberId, message: FromPython) {
        match message {
            // First messages, and this is not the first.
            FromPython::Hello(_) | FromPython::Unusable(_) => {}
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
            FromPython::Configured(header) => self.configured(header),
            FromPython::Evidence(text) => self.evidence(&text),
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
            FromPython::NodeConfigured(worker, incarnation, input) => {
                self.node_configured(&worker, incarnation, input);
            }
            FromPython::CrashSeen(test, again) => self.feed(Input::CrashSeen(test, again)),
            FromPython::Ended(ended) => self.session_over(member, ended),
            FromPython::Stopping(stopping) => match self.worker_of(member) {
                Some(worker) => self.feed(Input::Stopping(worker, stopping)),
                None if self.is_host(member) => self.host_stops(stopping),
                None => self.wind_up(),
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
    fn about(&mut self, member: MemberId, test: TestIndex, input: impl FnOnce(WorkerId, TestIndex) -> Input) {
        let entry = self.members.get(member);
        let translated = entry.translation.for_run(test);
        if let (MemberRole::Worker(worker, incarnation), Some(test)) = (entry.role, translated)
            && self.run.as_ref().is_some_and(|run| run.hears(worker, incarnation))
        {
            self.feed(input(worker, test));
            self.note_end(worker);
        }
    }

    fn started(&mut self, member: MemberId, test: TestIndex) {
        self.show_output(member);
        self.members.get_mut(member).test_began = Some(Instant::now());
        self.about(member, test, Input::Started);
    }

    /// Feeds the run state machine and does what it says.
    pub(super) fn feed(&mut self, input: Input) {
        let Some(run) = &mut self.run else { return };
        for effect in run.handle(input) {
            self.perform(effect);
        }
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
            Effect::Emit(event) => self.emit(&event),
            Effect::Complete => self.wind_up(),
        }
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

    /// The collector found a reason not to fork after collection: the others start from the fork server at once.
    fn evidence(&mut self, text: &str) {
        // Later it changes nothing any more.
        if self.stage != Stage::Collecting {
            return;
        }
        let Some(distribution) = &mut self.distribution else { return };
        if distribution.fork_reason.is_empty() && distribution.fork == ForkLevel::Collected {
            distribution.fork = ForkLevel::Imported;
            text.clone_into(&mut distribution.fork_reason);
            self.start_early_workers();
        }
    }

    /// Starts all workers but the first, which the collector itself becomes.
    pub(super) fn start_early_workers(&mut self) {
        if std::mem::replace(&mut self.early_workers, true) {
            return;
        }
        let modules = self.facts.plugin_modules.clone();
        if !modules.is_empty() && self.fork_level() == ForkLevel::Imported {
            self.tell_server(ToPython::Preload(modules));
        }
        let workers = self.distribution.as_ref().map_or(0, |distribution| distribution.workers);
        for worker in (1..workers).map(WorkerId) {
            self.start_worker(worker, 0);
        }
    }

    fn fork_level(&self) -> ForkLevel {
        self.distribution.as_ref().map_or(ForkLevel::Collected, |distribution| distribution.fork)
    }

    /// Starts one worker from the best process there is.
    pub(super) fn start_worker(&mut self, worker: WorkerId, incarnation: u32) {
        if self.awaits_plugins(worker, incarnation) {
            return;
        }
        let name = worker.to_string();
        let mut entry = Member::new(MemberRole::Worker(worker, incarnation), &name, incarnation);
        entry.leads_group = true;
        let member = self.members.add(entry);
        let [stdout, stderr] = match self.open_streams(member) {
            Ok(paths) => paths,
            Err(error) => return self.refused(member, &format!("no named pipes for its output: {error}")),
        };
        let identity = self.identity(worker, incarnation, stdout.clone(), stderr.clone());
        let alive = |id: Option<MemberId>| id.filter(|id| self.members.get(*id).is_linked());
        let level = self.fork_level();
        let collector = alive(self.session).filter(|_| level == ForkLevel::Collected && self.collection.is_some());
        if let Some(collector) = collector {
            let entry = self.members.get_mut(member);
            entry.shares_collection = true;
            entry.readiness.matched = true;
            entry.asked = Some(collector);
            self.forks.push((collector, identity));
            return;
        }
        let request = ForkRequest {
            role: Role::Worker,
            id: name,
            incarnation,
            args: self.arguments(),
            expect_distribution: true,
            identity: Some(identity),
            rendering: Some(self.rendering.clone()),
            stdout,
            stderr,
            host: None,
        };
        match alive(self.server).filter(|_| level != ForkLevel::Never) {
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

    /// Node ids have arrived: the run's, or those of a worker that collected otherwise.
    fn collection(&mut self, member: MemberId, collection: Collection) {
        if Some(member) == self.session && self.stage == Stage::Collecting {
            self.reference_collection(member, collection);
        } else if let Some(reference) = self.collection.clone() {
            self.collected_otherwise(member, &reference, &collection);
        }
    }

    fn reference_collection(&mut self, session: MemberId, collection: Collection) {
        let Some(distribution) = self.distribution.clone() else { return };
        let tests = u32::try_from(collection.ids.len()).unwrap_or(u32::MAX);
        let errors = collection.reports.iter().filter(|report| report.outcome == "failed").count();
        let refused = errors > 0 && !self.facts.continue_on_collection_errors;
        let nothing = tests == 0 || refused || collection.stopped.is_some() || self.interrupted.is_some();
        let fitting = distribution.workers.min(collection.unit_count());
        let workers = match (nothing, self.early_workers) {
            (true, _) => 0,
            (false, true) => distribution.workers,
            (false, false) => fitting,
        };
        let collection = Arc::new(collection);
        self.collection = Some(collection.clone());
        let job = if nothing { schedule::Job::default() } else { self.job(&collection, &distribution.mode, workers) };
        self.emit(&RunEvent::Collected(Box::new(Collected {
            collection: collection.clone(),
            workers,
            asked: distribution.workers,
            fork: distribution.fork.to_string(),
            fork_reason: distribution.fork_reason,
            long_first: schedule::long_first(&distribution.mode, &job),
        })));
        if nothing {
            // The collector ends its session as a serial run would and says how.
            return self.wind_up();
        }
        let Some(scheduler) = schedule::for_mode(&distribution.mode, &job) else {
            return self.fail("no scheduler for this mode");
        };
        let settings = Settings {
            tests,
            workers,
            maxfail: self.facts.maxfail,
            restarts: distribution.restarts,
            collect_errors: u32::try_from(errors).unwrap_or(u32::MAX),
            plugins_see_crashes: self.plugins_see_crashes(),
        };
        self.run = Some(RunState::new(settings, scheduler));
        self.stage = Stage::Running;
        if self.early_workers {
            let entry = self.members.get_mut(session);
            entry.role = MemberRole::Worker(WorkerId(0), 0);
            entry.shares_collection = true;
            entry.readiness.matched = true;
            entry.tell(ToPython::Become);
            self.session = None;
            self.match_waiting();
        } else {
            for worker in (0..workers).map(WorkerId) {
                self.start_worker(worker, 0);
            }
        }
    }

    /// What there is to deal out, and what is known of it.
    fn job(&mut self, collection: &Collection, mode: &str, workers: u32) -> schedule::Job {
        let cache = self.facts.cache.as_ref().filter(|_| !self.request.no_history && mode != "each");
        self.history = cache.map(|cache| History::read(PathBuf::from(&cache.dir), &collection.ids));
        // `--stepwise` goes on where it stopped: its tests have an order.
        let known = self.history.as_ref().filter(|_| collection.stepwise.is_none());
        schedule::Job {
            tests: u32::try_from(collection.ids.len()).unwrap_or(u32::MAX),
            first: collection.failed_first,
            workers,
            chunk: self.facts.dist.maxschedchunk,
            units: collection.units.clone(),
            keep_order: self.facts.dist.keep_order,
            seconds: known.map(History::seconds).unwrap_or_default(),
            round_trips: Vec::new(),
            groups: collection.groups.clone(),
            serial: collection.serial.clone(),
            limits: collection.limits(),
        }
    }

    /// A worker collected for itself and tells the digest of what it has.
    fn collected_alike(&mut self, member: MemberId, digest: String) {
        self.members.get_mut(member).digest = Some(digest);
        self.match_waiting();
    }

    /// Compares collections, as far as both sides are known.
    fn match_waiting(&mut self) {
        let Some(reference) = self.collection.clone() else { return };
        for member in self.members.living() {
            let entry = self.members.get_mut(member);
            match entry.digest.take() {
                Some(digest) if digest == reference.digest => {
                    entry.readiness.matched = true;
                    self.tell_ready(member);
                }
                Some(_) => entry.tell(ToPython::SendIds),
                None => {}
            }
        }
        self.bury_early();
    }

    fn collected_otherwise(&mut self, member: MemberId, reference: &Collection, own: &Collection) {
        let translation = Translation::by_node_id(&reference.ids, &own.ids);
        let tests = u32::try_from(reference.ids.len()).unwrap_or(u32::MAX);
        let lacks = translation.lacks(tests).len();
        let entry = self.members.get_mut(member);
        entry.translation = translation;
        entry.readiness.matched = true;
        let name = entry.name.clone();
        let extra = own.ids.len() + lacks - reference.ids.len();
        if lacks + extra > 0 {
            let known: std::collections::HashSet<&str> = reference.ids.iter().map(String::as_str).collect();
            let example = own.ids.iter().find(|id| !known.contains(id.as_str()));
            let example = example.map(|id| format!(", such as {id}")).unwrap_or_default();
            let text = format!(
                "different tests were collected: {name} lacks {lacks} of the tests of gw0, which run elsewhere, and has \
                 {extra} others, which do not run{example}"
            );
            self.emit(&RunEvent::Notice(text));
            // Ids that hold the time or a random value differ everywhere, and as many tests run.
            if extra > lacks {
                self.feed(Input::LeftOut);
            }
        }
        self.tell_ready(member);
    }

    /// Tells the run that a worker is ready, once everything is known that this takes.
    fn tell_ready(&mut self, member: MemberId) {
        let Some(worker) = self.worker_of(member) else { return };
        let Some(reference) = self.collection.as_ref().filter(|_| self.run.is_some()) else { return };
        let tests = u32::try_from(reference.ids.len()).unwrap_or(u32::MAX);
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
        } else if Some(member) == self.session {
            self.session_ended = Some(ended);
            self.wind_up();
        }
    }
}
