//! Up to the decision: which interpreter, what pytest makes of the arguments, plain or distributed.

use execnet_rs::gateway::Signalled;
use rustix::process::Signal;

use super::environment::{EnvironmentId, HOME, Progress};
use super::happening::MemberId;
use super::launch::{Launch, Program};
use super::link::Link;
use super::members::MemberRole;
use super::site::{HERE, PAGE, SiteId};
use super::{Engine, EngineError, Stage, settings};
use crate::event::{Configured, RunEvent};
use crate::exit;
use crate::facts::Facts;
use crate::ids::WorkerId;
use crate::interpreter::{NoInterpreter, PassedOver};
use crate::protocol::{Argument, ForkRequest, Hello, Identity, Role, ToPython};

impl Engine<'_> {
    pub(super) fn start(&mut self) -> Result<(), EngineError> {
        let addopts = std::env::var("PYTEST_ADDOPTS").unwrap_or_default();
        self.expect_distribution = settings::looks_distributed(&self.request.args, &addopts);
        self.start_server()?;
        self.connect_early();
        Ok(())
    }

    /// Starts the next candidate as a fork server; an interpreter that cannot even be started is passed over.
    fn start_server(&mut self) -> Result<(), EngineError> {
        loop {
            tracing::debug!("trying {:?} ({})", self.candidate.argv, self.candidate.source);
            self.environment_mut(HOME).launch = Launch::plain(self.candidate.argv.clone());
            match self.start_interpreter(HOME, &[], None, false) {
                Ok(pid) => {
                    let server = self.add_member(MemberRole::Server, HOME, "server", 0);
                    self.environment_mut(HOME).server = Some(server);
                    self.watch(server, pid);
                    return Ok(());
                }
                Err(error) => self.pass_over(PassedOver::not_started(&self.candidate, error.to_string()))?,
            }
        }
    }

    /// Starts an environment's interpreter; returns the number of its process.
    pub(super) fn start_interpreter(
        &self,
        environment: EnvironmentId,
        words: &[&str],
        streams: Option<&[String; 2]>,
        background: bool,
    ) -> std::io::Result<u32> {
        let program = Program { package: &self.package, socket: &self.listener_path, words, streams, background };
        let pid = self.environment(environment).launch.start(&program)?;
        self.open_files.restore_for(pid);
        Ok(pid)
    }

    fn pass_over(&mut self, why: PassedOver) -> Result<(), EngineError> {
        self.passed_over.push(why);
        match self.candidates.pop_front() {
            Some(next) => {
                self.candidate = next;
                Ok(())
            }
            None => Err(NoInterpreter { passed_over: std::mem::take(&mut self.passed_over) }.into()),
        }
    }

    /// The interpreter says that it cannot run tests.
    pub(super) fn unusable(&mut self, site: SiteId, pid: u32, why: &str) -> Result<(), EngineError> {
        if self.stage != Stage::Interpreter {
            self.environment_unusable(site, pid, why);
            return Ok(());
        }
        let known = self.home().server.map(|server| self.members.get(server)).and_then(|server| server.pid);
        if self.stage != Stage::Interpreter || known.is_some_and(|known| pid != 0 && pid != known) {
            return Ok(());
        }
        self.pass_over(PassedOver::unusable(&self.candidate, why))?;
        self.start_server()
    }

    /// The fork server ended before it said anything of use.
    pub(super) fn server_failed(&mut self, how: &str) -> Result<(), EngineError> {
        let cause = self.home().server.map(|server| std::mem::take(&mut self.members.get_mut(server).cause));
        let why = cause.filter(|cause| !cause.is_empty()).unwrap_or_else(|| format!("it ended with {how}"));
        self.pass_over(PassedOver::not_started(&self.candidate, why))?;
        self.start_server()
    }

    /// A connection has said who it is.
    pub(super) fn connected(&mut self, link: Link) {
        let Hello { id, incarnation, pid, interpreter, .. } = link.hello.clone();
        let site = link.site;
        let known = || self.members.find(&id, incarnation).filter(|member| self.site_of(*member) == site);
        let Some(member) = self.members.with_pid(site, pid).or_else(known) else {
            // Forked by somebody who died before telling, and given up since.
            return self.signal_on(site, pid, Signal::KILL, Signalled::Group);
        };
        let death = self.members.get(member).death();
        let sender = link.serve(member, self.happenings.clone(), death);
        self.members.get_mut(member).link(sender);
        self.watch(member, pid);
        if self.stage == Stage::Ending && self.run.is_none() {
            // It comes too late to be of use.
            return self.members.get(member).tell(ToPython::Finish);
        }
        if let Some(request) = self.members.get_mut(member).request.take() {
            self.members.get(member).tell(ToPython::Fork(request));
        }
        let home = self.members.get(member).environment;
        let serves =
            Some(member) == self.environment(home).server && (home != HOME || self.stage == Stage::Interpreter);
        if let Some(interpreter) = interpreter.filter(|_| serves) {
            self.environment_mut(home).interpreter = interpreter;
            if home == HOME {
                self.stage = Stage::Facts;
            }
            if !self.awaits_copy(home) {
                self.fork_session(home);
            }
        }
    }

    /// Has the fork server fork a session, which parses pytest's arguments.
    pub(super) fn fork_session(&mut self, home: EnvironmentId) {
        let server = self.environment(home).server;
        if !server.is_some_and(|server| self.members.get(server).is_linked()) {
            return self.fail("the fork server is gone, and another process for pytest is needed: run xdist again");
        }
        let name = format!("session-{}", self.sessions_forked);
        self.sessions_forked += 1;
        let session = self.add_member(MemberRole::Session, home, &name, 0);
        self.environment_mut(home).session = Some(session);
        let [stdout, stderr] = match self.open_streams(session) {
            Ok(paths) => paths,
            Err(error) => return self.refused(session, &format!("no named pipes for its output: {error}")),
        };
        let request = ForkRequest {
            role: Role::Session,
            id: name,
            args: self.arguments_in(home),
            addopts: self.addopts_in(home),
            paths: self.translations(home),
            expect_distribution: home != HOME || self.expect_distribution,
            worker: self.environment(home).workers.first().filter(|_| home != HOME).map(WorkerId::to_string),
            cycle: self.cycle_in(home),
            stdout,
            stderr,
            ..ForkRequest::default()
        };
        self.members.get_mut(session).asked = server;
        self.tell_server(home, ToPython::Fork(Box::new(request)));
    }

    /// pytest's arguments for a process of this run.
    pub(super) fn arguments(&self) -> Vec<Argument> {
        self.request.args.iter().cloned().map(Argument::from).collect()
    }

    pub(super) fn tell_server(&mut self, home: EnvironmentId, message: ToPython) {
        if let Some(server) = self.environment(home).server {
            self.members.get(server).tell(message);
        }
    }

    /// pytest has parsed its arguments: decide.
    pub(super) fn facts(&mut self, session: MemberId, facts: Facts) {
        let home = self.members.get(session).environment;
        if home != HOME {
            return self.environment_parsed(home);
        }
        if Some(session) != self.home().session || self.stage != Stage::Facts {
            return;
        }
        let distributed = facts.plain.is_none();
        tracing::debug!("pytest has parsed its arguments: {}", facts.plain.as_deref().unwrap_or("distributed"));
        // Once: a project that contradicts itself gets the world that it asked for last.
        if distributed != self.expect_distribution && facts.identity_read.is_some() && self.sessions_forked < 2 {
            // A conftest saw the wrong world: let another session see the right one.
            self.expect_distribution = distributed;
            self.members.get(session).tell(ToPython::Finish);
            self.fork_session(HOME);
            return;
        }
        self.facts = facts.into();
        if !distributed {
            self.stage = Stage::Plain;
            self.give_up_early();
            self.members.get(session).tell(ToPython::Plain);
            return;
        }
        match settings::distribution(&self.request, &self.facts) {
            Ok(distribution) => {
                let hosted = self.wants_host(&self.facts);
                self.rendering = self.observer.rendering(&self.facts, hosted);
                self.make_environments(&distribution);
                self.environment_mut(HOME).progress = Progress::Parsed;
                self.distribution = Some(distribution.clone());
                self.name_hosts(&distribution);
                if let Err(text) = self.begin_trees() {
                    return self.usage_error(&text);
                }
                if self.stage == Stage::Ending {
                    return;
                }
                self.connect_hosts(&distribution);
                self.start_environments();
                if self.stage == Stage::Ending {
                    // One of them cannot even be started.
                } else if hosted {
                    self.start_host(session, &distribution);
                    self.tell_trees_begin();
                }
                if !hosted || !self.host_goes_first() {
                    self.begin_collecting();
                }
            }
            Err(text) => self.usage_error(&text),
        }
    }

    /// The run will not take place because of how it was asked for.
    fn usage_error(&mut self, text: &str) {
        self.error = Some(format!("error: {text}"));
        self.exit = Some(exit::USAGE_ERROR);
        self.wind_up();
    }

    /// The run will not take place because something failed here.
    pub(super) fn fail(&mut self, text: &str) {
        self.error = Some(format!("error: {text}"));
        self.exit = Some(exit::INTERNAL_ERROR);
        self.wind_up();
    }

    /// What a worker is told about itself.
    pub(super) fn identity(&self, worker: WorkerId, incarnation: u32, stdout: String, stderr: String) -> Identity {
        let (input, differing) = self.input_of(worker, incarnation);
        let environment = self.environment_of(worker);
        let site = self.environment(environment).site;
        let page = match self.site(site).remote() {
            Some(remote) => remote.path_of(PAGE),
            None => self.page.as_ref().map(|page| page.path().display().to_string()).unwrap_or_default(),
        };
        Identity {
            id: worker.to_string(),
            incarnation,
            count: self.distribution.as_ref().map_or(0, |distribution| distribution.workers),
            testrunuid: self.facts.dist.testrunuid.clone(),
            stdout,
            stderr,
            slot: worker.0,
            page,
            mode: self.distribution.as_ref().map(|distribution| distribution.mode.clone()).unwrap_or_default(),
            writes_cache: environment == self.reference(),
            basetemp: match self.facts.basetemp.as_str() {
                // On another host it is below that of the collector there.
                _ if site != HERE => String::new(),
                "" => String::new(),
                base => format!("{base}/popen-{worker}"),
            },
            mainargv: self.request.mainargv.clone(),
            input,
            differing,
        }
    }

    /// pytest is configured: the header can be shown.
    pub(super) fn configured(&mut self, member: MemberId, header: Vec<String>) {
        // The others say the same of themselves.
        if self.members.get(member).environment != self.reference() {
            return;
        }
        if std::mem::replace(&mut self.configured, true) {
            return;
        }
        let brought = self.trees.as_mut().map(|trees| std::mem::take(&mut trees.told)).unwrap_or_default();
        let configured = self.configuration(header.into_iter().chain(brought).collect());
        self.emit(&RunEvent::Configured(Box::new(configured)));
        self.early_warnings();
        for text in std::mem::take(&mut self.notices) {
            self.emit(&RunEvent::Notice(text));
        }
    }

    /// Facts for the header.
    pub(super) fn configuration(&self, header: Vec<String>) -> Configured {
        // The plugin host may start before the others are known.
        let known = !self.environment(self.reference()).interpreter.executable.is_empty();
        let shown = if known { self.reference() } else { HOME };
        let reference = self.environment(shown);
        let source = match self.site(reference.site).name.as_str() {
            _ if shown == HOME => self.candidate.source.clone(),
            "" => "--tx".to_owned(),
            host => format!("--tx, on {host}"),
        };
        Configured {
            interpreter: reference.interpreter.clone(),
            interpreter_source: source,
            passed_over: self.passed_over.iter().map(|over| (over.python.clone(), over.why.clone())).collect(),
            facts: self.facts.clone(),
            header,
            version: self.request.version.clone(),
            color: self.rendering.color,
            hosted: self.host.is_some(),
            alone: self.alone(shown),
        }
    }

    /// The command that runs a test of an environment alone, on this host.
    pub(super) fn alone(&self, id: EnvironmentId) -> Vec<String> {
        let near = if self.environment(id).site == HERE { id } else { HOME };
        settings::alone(&self.request, &self.facts, &self.environment(near).launch)
    }

    /// Starts a fresh interpreter that will become what the request says.
    pub(super) fn start_fresh(&mut self, member: MemberId, request: ForkRequest) {
        let name = request.id.clone();
        let incarnation = request.incarnation.to_string();
        let home = self.members.get(member).environment;
        let streams = [request.stdout.clone(), request.stderr.clone()];
        self.members.get_mut(member).request = Some(Box::new(request));
        if self.site_of(member) != HERE {
            return self.start_there(member, &["worker", &name, &incarnation], &streams);
        }
        match self.start_interpreter(home, &["worker", &name, &incarnation], None, true) {
            Ok(pid) => self.watch(member, pid),
            Err(error) => self.refused(member, &error.to_string()),
        }
    }
}
