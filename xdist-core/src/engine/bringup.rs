//! From pytest's facts to the first test: environments come up at the same time, each collects, and the run begins when
//! it is known what there is to run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use execnet_rs::process::HowEnded;
use rustix::process::Signal;

use super::differences::{self, Side};
use super::environment::{self, EnvironmentId, HOME, Progress};
use super::happening::MemberId;
use super::layout::{Found, Layout};
use super::long::LongTests;
use super::members::MemberRole;
use super::page::Page;
use super::settings::Distribution;
use super::site::{HERE, SiteId};
use super::translate::Translation;
use super::{Engine, Stage};
use crate::collection::Collection;
use crate::event::{Collected, Environment, RunEvent};
use crate::exit;
use crate::fork::ForkLevel;
use crate::history::History;
use crate::ids::WorkerId;
use crate::protocol::{Ended, ToPython};
use crate::run::{Input, RunState, Settings};
use crate::schedule::{self, Job};

impl Engine<'_> {
    /// Environments by what each worker asks for.
    pub(super) fn make_environments(&mut self, distribution: &Distribution) {
        let home = std::mem::take(self.environment_mut(HOME));
        let cwd = Path::new(&self.facts.invocation_dir);
        self.environments = environment::sorted(&distribution.specs, &distribution.sites, home, cwd);
        for one in &mut self.environments {
            one.fork = distribution.fork;
            one.fork_reason.clone_from(&distribution.fork_reason);
        }
    }

    /// Starts the fork servers of all environments of this host but the first, which has one.
    pub(super) fn start_environments(&mut self) {
        self.start_environments_of(HERE);
    }

    /// Starts the fork servers of a host's environments.
    pub(super) fn start_environments_of(&mut self, site: SiteId) {
        for id in (1..self.environments.len()).map(EnvironmentId) {
            if self.environment(id).site != site {
                continue;
            }
            let name = format!("server-{}", id.0);
            let server = self.add_member(MemberRole::Server, id, &name, 0);
            self.members.get_mut(server).leads_group = true;
            self.environment_mut(id).server = Some(server);
            let streams = self.open_streams(server);
            if let (Ok(streams), true) = (&streams, site != HERE) {
                self.start_there(server, &["server", &name], streams);
                continue;
            }
            let started =
                streams.and_then(|streams| self.start_interpreter(id, &["server", &name], Some(&streams), true));
            match started {
                Ok(pid) => self.watch(server, pid),
                Err(error) => {
                    let python = self.environment(id).launch.python.first().cloned().unwrap_or_default();
                    self.give_up(server, String::new());
                    self.environment_failed(id, format!("`{python}` cannot be started: {error}"));
                }
            }
        }
    }

    /// The environment whose header, order of tests and state of the cache are the run's.
    pub(super) fn reference(&self) -> EnvironmentId {
        EnvironmentId(self.environments.iter().position(environment::Environment::is_used).unwrap_or(HOME.0))
    }

    // What keeps environments from coming up.

    /// Whatever runs as this process says that it cannot run tests.
    pub(super) fn environment_unusable(&mut self, site: SiteId, pid: u32, why: &str) {
        // One that runs behind another program is known by nothing but its silence so far.
        let silent = || {
            let servers = (1..self.environments.len()).map(EnvironmentId);
            let servers = servers.filter(|id| self.environment(*id).site == site);
            let mut servers = servers.filter_map(|id| Some((id, self.environment(id).server?)));
            servers.find(|(_, server)| !self.members.get(*server).was_linked()).map(|(id, _)| id)
        };
        let known = self.members.with_pid(site, pid).map(|member| self.members.get(member).environment);
        if let Some(id) = known.filter(|id| *id != HOME).or_else(silent) {
            let hint = self.environment(id).launch.hint(why);
            self.environment_failed(id, format!("{}{hint}", why.trim_end()));
        }
    }

    /// A fork server other than the first one's is gone.
    pub(super) fn environment_server_gone(&mut self, member: MemberId, how: HowEnded) {
        let id = self.members.get(member).environment;
        if Some(member) == self.environment(id).server && !self.session_made(id) {
            let cause = std::mem::take(&mut self.members.get_mut(member).cause);
            let how = if cause.is_empty() { how.to_string() } else { cause };
            self.environment_failed(id, format!("its interpreter ended with {how}"));
        }
    }

    /// The session of an environment other than the first one is gone before it has told what there is to run.
    pub(super) fn environment_session_gone(&mut self, member: MemberId, how: HowEnded) {
        let entry = self.members.get_mut(member);
        let (id, never_was, cause) =
            (entry.environment, std::mem::take(&mut entry.never_was), std::mem::take(&mut entry.cause));
        let why = match (never_was.is_empty(), cause.is_empty()) {
            (false, _) => format!("the system refuses to make a process for pytest: {never_was}"),
            (true, false) => format!("pytest ended before its first test, with {cause}"),
            (true, true) => format!("pytest ended before its first test, with {how}"),
        };
        self.environment_failed(id, why);
    }

    /// A session that ran no test is over.
    pub(super) fn collector_over(&mut self, member: MemberId, ended: Ended) {
        let id = self.members.get(member).environment;
        if Some(member) != self.environment(id).session {
            return;
        }
        let (code, message) = (ended.after, ended.message.trim_end().to_owned());
        let early = self.environment(id).collection.is_none();
        let progress = self.environment(id).progress;
        self.environment_mut(id).ended = Some(ended);
        let bringing_up = matches!(self.stage, Stage::Hosting | Stage::Collecting) && self.interrupted.is_none();
        if id == HOME || !bringing_up || !early {
            // The first one's, while it has nothing more to do, is of no importance.
            if id != HOME || self.stage == Stage::Facts || self.home().is_used() {
                self.wind_up();
            }
            return;
        }
        if progress == Progress::Collecting && code == i64::from(exit::USAGE_ERROR) && !self.goes_on_without(id) {
            // What a serial run there would say, with its exit code.
            self.exit.get_or_insert(exit::USAGE_ERROR);
        }
        let why = if message.is_empty() {
            format!("pytest ended before its first test, with exit code {code}")
        } else {
            message
        };
        self.environment_failed(id, why);
    }

    /// Whether somebody collects while others are not that far.
    pub(super) fn awaits_environments(&self) -> bool {
        let late = |one: &environment::Environment| one.is_used() && one.progress != Progress::Collecting;
        self.stage == Stage::Collecting && self.environments.iter().any(late)
    }

    /// Ends interpreters that nobody has heard of: they would not listen.
    pub(super) fn end_unborn(&self) {
        for server in self.environments.iter().skip(1).filter_map(|one| one.server) {
            if !self.members.get(server).was_linked() {
                self.kill(server, Signal::KILL);
            }
        }
    }

    /// An environment cannot be brought up: the run ends before its first test, and says so. One of another host may be
    /// missing, if there are others.
    pub(super) fn environment_failed(&mut self, id: EnvironmentId, why: String) {
        let over = self.stage == Stage::Ending && self.failed.is_empty();
        let left_out = id != HOME && !self.environment(id).is_used();
        if over || left_out || self.run.is_some() || self.failed.iter().any(|(known, _)| *known == id) {
            return;
        }
        if self.goes_on_without(id) {
            return self.leave_out(id, &why);
        }
        self.failed.push((id, why));
        let site = self.environment(id).site;
        self.exit.get_or_insert(match site {
            HERE => exit::WORKER_NOT_STARTED,
            _ if self.site(site).refuses => exit::AUTHENTICATION_REFUSED,
            _ => exit::HOSTS_NOT_REACHABLE,
        });
        for member in self.members.living() {
            let entry = self.members.get(member);
            // What others collect is of no use any more.
            let one = self.environment(entry.environment);
            let collects = one.progress == Progress::Collecting && one.collection.is_none() && one.ended.is_none();
            if entry.role == MemberRole::Session && collects && self.failed.len() == 1 {
                self.kill(member, Signal::INT);
                self.leave_soon(member);
            }
        }
        self.wind_up();
    }

    /// The run's error, made of what kept environments from coming up and of what they wrote meanwhile.
    pub(super) fn tell_failed_environments(&mut self) {
        // Those that were left out before nobody has heard of, unless the run had begun to show itself.
        let (left_out, none_failed) = (std::mem::take(&mut self.notices), self.failed.is_empty());
        let mut texts: Vec<_> = left_out.into_iter().map(|text| format!("error: {text}")).collect();
        for (id, why) in std::mem::take(&mut self.failed) {
            let spec = &self.environment(id).spec;
            let text = format!("error: environment `{spec}` cannot run tests: {why}");
            texts.push(self.with_output(id, text));
        }
        if !texts.is_empty() {
            let other = self.error.take().filter(|_| none_failed);
            self.error = Some(other.into_iter().chain(texts).collect::<Vec<_>>().join("\n"));
        }
    }

    /// A text, and below it what the processes of an environment wrote, unless it has that.
    pub(super) fn with_output(&mut self, id: EnvironmentId, text: String) -> String {
        let mut wrote = String::new();
        for member in [self.environment(id).server, self.environment(id).session].into_iter().flatten() {
            wrote.push_str(&self.members.get_mut(member).output.take_all());
        }
        let wrote = wrote.trim();
        let text = if wrote.is_empty() || text.contains(wrote) { text } else { format!("{text}\n{wrote}") };
        let hint = self.hint_of_copy(id, &text);
        format!("{text}{hint}")
    }

    // Collecting.

    /// Everybody may configure and collect, as soon as they have parsed their arguments.
    pub(super) fn begin_collecting(&mut self) {
        if self.stage == Stage::Ending {
            return;
        }
        let workers = self.distribution.as_ref().map_or(0, |distribution| distribution.workers);
        let path = self.directory.path().join("page");
        match Page::create(&path, workers) {
            Ok(page) => self.page = Some(page),
            Err(error) => {
                let path = path.display();
                return self.fail(&format!("cannot write `{path}`: {error}\nhint: TMPDIR may name another folder"));
            }
        }
        self.stage = Stage::Collecting;
        for id in (0..self.environments.len()).map(EnvironmentId) {
            self.collect_in(id);
        }
    }

    /// The session of an environment other than the first one has parsed pytest's arguments.
    pub(super) fn environment_parsed(&mut self, id: EnvironmentId) {
        self.environment_mut(id).progress = Progress::Parsed;
        self.collect_in(id);
    }

    /// An environment's session becomes its collector.
    fn collect_in(&mut self, id: EnvironmentId) {
        let one = self.environment(id);
        let (Some(first), Some(session)) = (one.workers.first().copied(), one.session) else { return };
        if self.stage != Stage::Collecting || one.progress != Progress::Parsed {
            return;
        }
        self.environment_mut(id).progress = Progress::Collecting;
        self.lead_group(session);
        let identity = self.identity(first, 0, String::new(), String::new());
        self.members.get(session).tell(ToPython::Collect(Box::new(identity), self.rendering.clone()));
        if self.environment(id).fork != ForkLevel::Collected {
            self.start_early_workers(id);
        }
    }

    /// The collector found a reason not to fork after collection: the others start from the fork server at once.
    pub(super) fn evidence(&mut self, member: MemberId, text: &str) {
        let id = self.members.get(member).environment;
        let one = self.environment_mut(id);
        // Later it changes nothing any more.
        if Some(member) != one.session || one.collection.is_some() {
            return;
        }
        if one.fork_reason.is_empty() && one.fork == ForkLevel::Collected {
            one.fork = ForkLevel::Imported;
            text.clone_into(&mut one.fork_reason);
            self.start_early_workers(id);
        }
    }

    /// Starts all workers of an environment but the first, which the collector itself becomes.
    fn start_early_workers(&mut self, id: EnvironmentId) {
        let one = self.environment_mut(id);
        if std::mem::replace(&mut one.early_workers, true) {
            return;
        }
        let (level, workers) = (one.fork, one.workers.clone());
        // Known of the first environment alone; elsewhere workers import for themselves.
        let modules = self.facts.plugin_modules.clone();
        if !modules.is_empty() && level == ForkLevel::Imported && id == HOME {
            self.tell_server(id, ToPython::Preload(modules));
        }
        for worker in workers.into_iter().skip(1) {
            self.start_worker(worker, 0);
        }
    }

    /// Node ids have arrived: an environment's, or those of a worker that collected otherwise.
    pub(super) fn collection(&mut self, member: MemberId, collection: Collection) {
        let id = self.members.get(member).environment;
        if Some(member) == self.environment(id).session && self.stage == Stage::Collecting {
            self.environment_mut(id).collection.get_or_insert(Arc::new(collection));
            self.begin_run_when_collected();
        } else if self.layout.is_some() {
            self.collected_otherwise(member, &collection);
        }
    }

    /// Begins the run if all environments have collected and the plugin host, if there is one, is ready.
    pub(super) fn begin_run_when_collected(&mut self) {
        let collected = self.environments.iter().all(|one| !one.is_used() || one.collection.is_some());
        if collected && self.stage == Stage::Collecting && !self.awaits_host() {
            self.begin_run();
        }
    }

    /// All collections are known: the run begins, unless there is nothing to run.
    fn begin_run(&mut self) {
        let Some(distribution) = self.distribution.clone() else { return };
        let names: Vec<&str> = self.sites.iter().map(|site| site.name.as_str()).collect();
        environment::label(&mut self.environments, &names);
        let found = self.environments.iter().filter_map(|one| {
            let collection = one.collection.clone()?;
            Some(Found { label: one.label.clone(), workers: one.workers.clone(), collection })
        });
        let mut layout = Layout::new(found.collect(), distribution.each());
        if !self.split_by_host(&mut layout.collection) {
            return;
        }
        let collection = layout.collection.clone();
        let errors = collection.reports.iter().filter(|report| report.outcome == "failed").count();
        let refused = errors > 0 && !self.facts.continue_on_collection_errors;
        let nothing = layout.tests() == 0 || refused || collection.stopped.is_some() || self.interrupted.is_some();
        let several = self.environments.iter().filter(|one| one.is_used()).count() > 1;
        let early = self.environments.iter().any(|one| one.early_workers);
        let absent: Vec<WorkerId> = self.environments.iter().flat_map(|one| one.absent.iter().copied()).collect();
        let workers = if nothing {
            0
        } else if several || early || distribution.each() || !absent.is_empty() {
            distribution.workers
        } else {
            distribution.workers.min(collection.unit_count())
        };
        let verdicts = layout.tests();
        let parts = layout.parts.clone();
        let job = if nothing { Job::default() } else { self.job(&distribution, &layout, workers) };
        self.layout = Some(layout);
        let missing = absent.iter().filter(|worker| worker.0 < workers).count();
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        self.tell_collected(&distribution, workers, missing, schedule::moved(&distribution.mode, &job));
        if nothing {
            // Collectors end their sessions as serial runs would and say how.
            return self.wind_up();
        }
        if self.environments_differ(distribution.each()) {
            return self.wind_up();
        }
        let Some(scheduler) = schedule::for_mode(&distribution.mode, &job) else {
            return self.fail("no scheduler for this mode");
        };
        let settings = Settings {
            tests: verdicts,
            workers,
            maxfail: self.facts.maxfail,
            restarts: distribution.restarts,
            collect_errors: u32::try_from(errors).unwrap_or(u32::MAX),
            plugins_see_crashes: self.plugins_see_crashes(),
            parts,
        };
        let mut run = RunState::new(settings, scheduler);
        for worker in absent {
            run.absent(worker);
        }
        self.run = Some(run);
        self.long = LongTests::after(distribution.slow_after);
        self.stage = Stage::Running;
        for id in (0..self.environments.len()).map(EnvironmentId) {
            self.begin_run_in(id, workers);
        }
        self.match_waiting();
    }

    /// What there is to deal out, and what is known of it.
    fn job(&mut self, distribution: &Distribution, layout: &Layout, workers: u32) -> Job {
        let collection = &layout.collection;
        // Under `each` a test runs in many places: what is known or said of tests does not fit.
        let each = distribution.each();
        let cache = self.facts.cache.as_ref().filter(|_| !self.request.no_history && !each);
        self.history = cache.map(|cache| History::read(PathBuf::from(&cache.dir), &collection.ids));
        // `--stepwise` goes on where it stopped: its tests have an order.
        let known = self.history.as_ref().filter(|_| collection.stepwise.is_none());
        Job {
            tests: layout.tests(),
            first: collection.failed_first,
            workers,
            chunk: self.facts.dist.maxschedchunk,
            units: collection.units.clone(),
            parts: layout.parts.clone(),
            keep_order: self.facts.dist.keep_order,
            seconds: known.map(History::seconds).unwrap_or_default(),
            files: known.map(|known| known.files().to_vec()).unwrap_or_default(),
            set_ups: known.map(History::set_ups).unwrap_or_default(),
            groups: collection.groups.clone(),
            serial: if each { Vec::new() } else { collection.serial.clone() },
            limits: if each { Vec::new() } else { collection.limits() },
            ..Job::default()
        }
    }

    /// Says how the collections of environments differ; true if the run is not to take place because of it.
    fn environments_differ(&mut self, each: bool) -> bool {
        let strict = self.facts.dist.strict_collection;
        // Under `each` that is what users want to see, and what the results show.
        if each && !strict {
            return false;
        }
        let used = self.environments.iter().filter_map(|one| Some((one, one.collection.as_ref()?)));
        let sides: Vec<Side<'_>> = used.map(|(one, own)| Side::of(&one.label, own, &one.interpreter)).collect();
        let consequence = if strict { "--strict-collection forbids it" } else { "each runs where it is" };
        let Some(text) = differences::between(&sides, consequence) else { return false };
        if strict {
            self.error = Some(format!("error: {text}"));
            self.exit = Some(exit::COLLECTIONS_DIFFER);
            return true;
        }
        self.emit(&RunEvent::Notice(text));
        false
    }

    /// An environment's workers are started, unless they were before.
    fn begin_run_in(&mut self, id: EnvironmentId, workers: u32) {
        let one = self.environment(id);
        let (session, ids) = (one.session, one.workers.clone());
        if !one.early_workers {
            for worker in ids.into_iter().filter(|worker| worker.0 < workers) {
                self.start_worker(worker, 0);
            }
            return;
        }
        let (Some(session), Some(first)) = (session, ids.first().copied()) else { return };
        let translation = self.layout.as_ref().map(|layout| layout.translation(first)).unwrap_or_default();
        let entry = self.members.get_mut(session);
        entry.role = MemberRole::Worker(first, 0);
        entry.shares_collection = true;
        entry.readiness.matched = true;
        entry.translation = translation;
        entry.tell(ToPython::Become);
        self.environment_mut(id).session = None;
    }

    fn tell_collected(&mut self, distribution: &Distribution, workers: u32, missing: u32, moved: schedule::Moved) {
        let Some(layout) = &self.layout else { return };
        let collection = layout.collection.clone();
        let used = self.environments.iter().zip((0..).map(EnvironmentId)).filter(|(one, _)| one.is_used());
        let environments: Vec<Environment> = used
            .map(|(one, id)| Environment {
                label: one.label.clone(),
                spec: one.spec.clone(),
                interpreter: one.interpreter.clone(),
                workers: one.workers.iter().copied().filter(|worker| worker.0 < workers).collect(),
                tests: one.workers.first().map(|worker| layout.tests_of(*worker)).unwrap_or_default(),
                alone: self.alone(id),
                fork: one.fork.to_string(),
                fork_reason: one.fork_reason.clone(),
            })
            .collect();
        let first = environments.first().cloned().unwrap_or_default();
        self.emit(&RunEvent::Collected(Box::new(Collected {
            collection,
            workers: workers - missing,
            asked: distribution.workers,
            fork: first.fork,
            fork_reason: first.fork_reason,
            moved,
            environments,
            each: distribution.each(),
        })));
    }

    // Workers that collected for themselves.

    /// A worker collected for itself and tells the digest of what it has.
    pub(super) fn collected_alike(&mut self, member: MemberId, digest: String) {
        self.members.get_mut(member).digest = Some(digest);
        self.match_waiting();
    }

    /// Compares collections, as far as both sides are known.
    fn match_waiting(&mut self) {
        if self.layout.is_none() {
            return;
        }
        for member in self.members.living() {
            let (Some(worker), Some(layout)) = (self.worker_of(member), &self.layout) else { continue };
            let own = layout.own(worker).map(|own| own.digest.clone()).unwrap_or_default();
            let translation = layout.translation(worker);
            let entry = self.members.get_mut(member);
            match entry.digest.take() {
                Some(digest) if digest == own => {
                    entry.readiness.matched = true;
                    entry.translation = translation;
                    self.tell_ready(member);
                }
                Some(_) => entry.tell(ToPython::SendIds),
                None => {}
            }
        }
        self.bury_early();
    }

    fn collected_otherwise(&mut self, member: MemberId, own: &Collection) {
        let (Some(worker), Some(layout)) = (self.worker_of(member), &self.layout) else { return };
        let reference = layout.own(worker).cloned().unwrap_or_default();
        let translation = layout.translation_of(worker, &own.ids);
        let one = self.environment(self.members.get(member).environment);
        let first = one.workers.first().copied().unwrap_or_default().to_string();
        let interpreter = one.interpreter.clone();
        let tests = u32::try_from(reference.ids.len()).unwrap_or(u32::MAX);
        let lacks = Translation::by_node_id(&reference.ids, &own.ids, 0).lacks(0..tests).len();
        let extra = own.ids.len() + lacks - reference.ids.len();
        let entry = self.members.get_mut(member);
        entry.translation = Arc::new(translation);
        entry.readiness.matched = true;
        let name = entry.name.clone();
        if lacks + extra > 0 {
            let elsewhere = if self.layout.as_ref().is_some_and(|layout| layout.parts.is_empty()) {
                "run elsewhere"
            } else {
                "do not run there"
            };
            let mut text = format!(
                "different tests were collected: {name} lacks {lacks} of the tests of {first}, which {elsewhere}, and has \
                 {extra} others, which do not run"
            );
            // Once is enough of it: mostly, all workers have the same reason.
            if !std::mem::replace(&mut self.differences_told, true)
                && let Some((_, details)) = differences::between(
                    &[Side::of(&first, &reference, &interpreter), Side::of(&name, own, &interpreter)],
                    "",
                )
                .as_deref()
                .and_then(|text| text.split_once('\n'))
            {
                text = format!("{text}\n{details}");
            }
            self.emit(&RunEvent::Notice(text));
            if self.facts.dist.strict_collection {
                self.feed(Input::CollectionsDiffer);
            } else if extra > lacks {
                // Ids that hold the time or a random value differ everywhere, and as many tests run.
                self.feed(Input::LeftOut);
            }
        }
        self.tell_ready(member);
    }
}
