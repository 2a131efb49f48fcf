//! Other hosts of a run: they come up, each when it can; they fail; they are lost.

use std::sync::Arc;
use std::time::Duration;

use execnet_rs::process::HowEnded;
use rustix::process::Signal;

use super::environment::{Environment, EnvironmentId, HOME};
use super::finish::UNLINKED;
use super::settings::Distribution;
use super::site::{HERE, Remote, Site, SiteId, State, connect_all};
use super::{Engine, EngineError, Stage, hosts};
use crate::event::RunEvent;
use crate::ids::WorkerId;
use crate::run::Succession;

impl Engine<'_> {
    /// Lists the hosts that workers are on.
    pub(super) fn name_hosts(&mut self, distribution: &Distribution) {
        self.sites.extend(distribution.hosts.gateways.iter().map(|spec| Site::coming(hosts::name(spec))));
    }

    /// Starts to connect to them, unless that was begun when the command line was read.
    pub(super) fn connect_hosts(&mut self, distribution: &Distribution) {
        if !self.adopt_early(&distribution.hosts) {
            self.connecting = connect_all(&self.gateways, &distribution.hosts, &self.happenings);
        }
    }

    /// A host serves the run: its environments start.
    pub(super) fn site_up(&mut self, site: SiteId, remote: &Arc<Remote>) {
        if self.stage == Stage::Ending {
            return;
        }
        tracing::debug!("{} serves, which calls itself {}", self.site(site).name, remote.host);
        let workers = self.distribution.as_ref().map_or(0, |distribution| distribution.workers);
        remote.make_page(workers);
        self.starved.since(site, remote.oom_kills);
        let entry = &mut self.sites[site.0];
        if entry.name.contains('=') && !remote.host.is_empty() {
            // A spec is no name.
            entry.name.clone_from(&remote.host);
        }
        entry.state = State::Up(Arc::clone(remote));
        self.open_copies(site, Some(remote));
        self.start_environments_of(site);
    }

    /// A host cannot be brought up.
    pub(super) fn site_failed(&mut self, site: SiteId, why: &str) {
        self.sites[site.0].state = State::Gone(why.to_owned());
        self.close_copies(site);
        for id in self.environments_on(site) {
            self.environment_failed(id, why.to_owned());
        }
    }

    /// A host that served the run is gone, with every process there.
    pub(super) fn site_lost(&mut self, site: SiteId, why: &str) -> Result<(), EngineError> {
        let name = self.site(site).name.clone();
        let before = std::mem::replace(&mut self.sites[site.0].state, State::Gone(why.to_owned()));
        self.close_copies(site);
        if let State::Up(remote) = before {
            // It may be there and silent: whatever leads to it ends.
            let gateway = remote.gateway.clone();
            tokio::spawn(async move { gateway.terminate(Duration::ZERO).await });
        }
        if self.run.is_some() && self.stage != Stage::Ending {
            self.emit(&RunEvent::Notice(format!("host {name} is lost: {why}")));
        }
        for id in self.environments_on(site) {
            self.environment_failed(id, format!("its host is lost: {why}"));
            self.move_workers(id);
        }
        for member in self.members.living() {
            let entry = self.members.get_mut(member);
            if entry.site != site || entry.exited().is_some() {
                continue;
            }
            if entry.pid.is_none() {
                self.give_up(member, format!("its host {name} is lost: {why}"));
                continue;
            }
            if entry.cause.is_empty() || entry.cause == UNLINKED {
                entry.cause = format!("the loss of its host {name} ({why})");
            }
            self.exited(member, HowEnded::Unknown)?;
        }
        Ok(())
    }

    /// The workers of a lost environment belong to another one from here on, where they are replaced if need be.
    fn move_workers(&mut self, id: EnvironmentId) {
        let each = self.distribution.as_ref().is_some_and(Distribution::each);
        let there = |one: &Environment| one.is_used() && !matches!(self.site(one.site).state, State::Gone(_));
        let Some(other) = self.environments.iter().position(there).filter(|_| self.run.is_some() && !each) else {
            return;
        };
        let Some(first) = self.environments[other].workers.first().copied() else { return };
        let moved = std::mem::take(&mut self.environment_mut(id).workers);
        for worker in moved {
            if let Some(layout) = &mut self.layout {
                layout.moves(worker, first);
            }
            self.moved.push(worker);
            self.environments[other].workers.push(worker);
        }
    }

    /// Whether another one can take a dead worker's place.
    pub(super) fn succession(&self, worker: WorkerId) -> Succession {
        if self.site_gone(self.environment(self.environment_of(worker)).site).is_some() {
            Succession::Nowhere
        } else if self.moved.contains(&worker) {
            Succession::Elsewhere
        } else {
            Succession::There
        }
    }

    fn environments_on(&self, site: SiteId) -> Vec<EnvironmentId> {
        let all = (0..self.environments.len()).map(EnvironmentId);
        all.filter(|id| *id != HOME && self.environment(*id).site == site && self.environment(*id).is_used()).collect()
    }

    /// Whether the run can do without an environment, and may.
    pub(super) fn goes_on_without(&self, id: EnvironmentId) -> bool {
        let others = self.environments.iter().zip((0..).map(EnvironmentId));
        let others = || others.clone().any(|(one, other)| other != id && one.is_used());
        self.environment(id).site != HERE
            && !self.request.require_all_hosts
            && self.interrupted.is_none()
            && self.failed.is_empty()
            && matches!(self.stage, Stage::Hosting | Stage::Collecting)
            && others()
    }

    /// The run goes on without an environment of another host.
    pub(super) fn leave_out(&mut self, id: EnvironmentId, why: &str) {
        let one = self.environment_mut(id);
        one.absent = std::mem::take(&mut one.workers);
        let members = [one.server, one.session];
        let workers = match one.absent.as_slice() {
            [only] => format!("{only} does"),
            all => format!("{} workers do", all.len()),
        };
        let spec = &one.spec;
        let text = format!("environment `{spec}` cannot run tests, {workers} not take part: {why}");
        let text = self.with_output(id, text);
        for member in self.members.living() {
            let entry = self.members.get(member);
            if entry.environment == id || members.contains(&Some(member)) {
                self.kill(member, Signal::KILL);
            }
        }
        if self.configured {
            self.emit(&RunEvent::Notice(text));
        } else {
            self.notices.push(text);
        }
        self.begin_run_when_collected();
    }
}
