//! From pytest's facts to the first test: environments come up at the same time, each collects, and the run begins when
//! it is known what there is to run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::differences::{self, Side};
use super::environment::{self, EnvironmentId, HOME, Progress};
use super::happening::MemberId;
use super::layout::{Found, Layout};
use super::long::LongTests;
use super::members::MemberRole;
use super::page::Page;
use super::settings::Distribution;
use super::site::{HERE, SiteId};
use super::{Engine, Stage};
use crate::collection::Collection;
use crate::event::{Collected, Environment, RunEvent};
use crate::exit;
use crate::fork::ForkLevel;
use crate::history::History;
use crate::ids::WorkerId;
use crate::protocol::ToPython;
use crate::run::{RunState, Settings};
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

    /// Whether somebody collects while others are not that far.
    pub(super) fn awaits_environments(&self) -> bool {
        let late = |one: &environment::Environment| one.is_used() && one.progress != Progress::Collecting;
        self.stage == Stage::Collecting && self.environments.iter().any(late)
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
        self.starved.begin();
        self.stage = Stage::Running;
        for id in (0..self.environments.len()).map(EnvironmentId) {
            self.begin_run_in(id, workers);
        }
        self.match_waiting();
    }

    /// What there is to deal out, and what is known of it.
    fn job(&mut self, distribution: &Distribution, layout: &Layout, workers: u32) -> Job {
        let collection = &layout.collection;
        // Under `each` a test runs in many places: what is known of it does not fit.
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
            units: if each { Vec::new() } else { collection.units.clone() },
            parts: layout.parts.clone(),
            keep_order: self.facts.dist.keep_order,
            seconds: known.map(History::seconds).unwrap_or_default(),
            files: known.map(|known| known.files().to_vec()).unwrap_or_default(),
            set_ups: known.map(History::set_ups).unwrap_or_default(),
            groups: if each { Vec::new() } else { collection.groups.clone() },
            serial: layout.all_of(&collection.serial),
            limits: layout.limits(),
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
}
