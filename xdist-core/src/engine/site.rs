//! The host on which a process of the run lives: this one, or one behind a gateway.
//!
//! Here, processes are children, their output comes through named pipes, their connections over a unix socket. There, an
//! agent has all that, and channels of one link carry it. What the engine does to a process it does through this module;
//! what a process tells arrives as the same happenings from everywhere.

mod arrivals;
mod remote;

use std::path::PathBuf;
use std::sync::Arc;

use execnet_rs::gateway::{Process, Signalled};
use execnet_rs::local::named_pipe;
use execnet_rs::process::{self, HowEnded};
use rustix::process::Signal;

pub(super) use self::arrivals::connect_all;
pub(super) use self::remote::{PAGE, Pending, Remote};
use super::Engine;
use super::environment::EnvironmentId;
use super::happening::{Happening, MemberId};
use super::members::{Member, MemberRole};
use super::output::{pump, pump_channel};
use super::remains::Remains;

/// A host by its place in the list of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct SiteId(pub(super) usize);

/// This host.
pub(super) const HERE: SiteId = SiteId(0);

/// A host of the run.
#[derive(Debug)]
pub(super) struct Site {
    /// What users know it as.
    pub(super) name: String,
    pub(super) state: State,
    /// It is there, and does not let this user in.
    pub(super) refuses: bool,
}

/// How a host is.
#[derive(Debug)]
pub(super) enum State {
    /// This one.
    Here,
    /// It is being connected to.
    Coming,
    /// Its agent serves.
    Up(Arc<Remote>),
    /// It cannot be reached, or was lost; why.
    Gone(String),
}

impl Site {
    pub(super) fn here() -> Self {
        Self { name: String::new(), state: State::Here, refuses: false }
    }

    pub(super) fn coming(name: String) -> Self {
        Self { name, state: State::Coming, refuses: false }
    }

    /// What serves there, while it does.
    pub(super) fn remote(&self) -> Option<&Arc<Remote>> {
        match &self.state {
            State::Up(remote) => Some(remote),
            State::Here | State::Coming | State::Gone(_) => None,
        }
    }
}

impl Engine<'_> {
    pub(super) fn site(&self, id: SiteId) -> &Site {
        &self.sites[id.0]
    }

    /// Where a member lives.
    pub(super) fn site_of(&self, member: MemberId) -> SiteId {
        self.members.get(member).site
    }

    /// What serves where a member lives, if that is another host and it is there.
    pub(super) fn remote_of(&self, member: MemberId) -> Option<&Arc<Remote>> {
        self.site(self.site_of(member)).remote()
    }

    /// A process that is to be, in the table.
    pub(super) fn add_member(
        &mut self,
        role: MemberRole,
        environment: EnvironmentId,
        name: &str,
        incarnation: u32,
    ) -> MemberId {
        let mut entry = Member::new(role, environment, name, incarnation);
        entry.site = self.environment(environment).site;
        self.members.add(entry)
    }

    /// Why nothing can be started on a host any more, if nothing can.
    pub(super) fn site_gone(&self, site: SiteId) -> Option<&str> {
        match &self.site(site).state {
            State::Gone(why) => Some(why),
            State::Here | State::Coming | State::Up(_) => None,
        }
    }

    /// Makes the named pipes for a member's stdout and stderr and starts to read them.
    pub(super) fn open_streams(&mut self, member: MemberId) -> std::io::Result<[String; 2]> {
        let name = |stderr| format!("{}.{}", member.0, if stderr { "err" } else { "out" });
        let remote = self.remote_of(member).cloned();
        if remote.is_none() && self.site_of(member) != HERE {
            return Err(std::io::Error::other("its host is gone"));
        }
        let mut paths = [String::new(), String::new()];
        for (stderr, path) in [false, true].into_iter().zip(&mut paths) {
            let name = name(stderr);
            let happenings = self.happenings.clone();
            match &remote {
                None => {
                    let file: PathBuf = self.directory.path().join(name);
                    let pipe = named_pipe(&file)?;
                    let entry = self.members.get_mut(member);
                    entry.open_stream();
                    tokio::spawn(pump(pipe, member, stderr, happenings, entry.death()));
                    *path = file.display().to_string();
                }
                Some(remote) => {
                    *path = remote.path_of(&name);
                    let entry = self.members.get_mut(member);
                    entry.open_stream();
                    let pending = remote.pending();
                    tokio::spawn(pump_channel(
                        Arc::clone(remote),
                        pending,
                        name,
                        member,
                        stderr,
                        happenings,
                        entry.death(),
                    ));
                }
            }
        }
        Ok(paths)
    }

    /// Starts to wait for the end of a member's process.
    pub(super) fn watch(&mut self, member: MemberId, pid: u32) {
        let remote = self.remote_of(member).cloned();
        let entry = self.members.get_mut(member);
        match entry.pid.replace(pid) {
            Some(known) if known == pid => return,
            // The program that was started has started another one, and that is who speaks.
            Some(other) if remote.is_none() => self.guard.forget(other),
            Some(_) | None => {}
        }
        let happenings = self.happenings.clone();
        if let Some(remote) = remote {
            // Nothing comes of a link that ends: that is told for all.
            let ended = remote.descendants.watch(pid, entry.leads_group);
            tokio::spawn(async move {
                if let Some(how) = ended.await {
                    let _ = happenings.send(Happening::Exited(member, how)).await;
                }
            });
            return;
        }
        if entry.leads_group {
            self.guard.group(pid);
        } else {
            self.guard.process(pid);
        }
        let children = self.children.clone();
        tokio::spawn(async move {
            let how = children.wait(pid).await;
            let _ = happenings.send(Happening::Exited(member, how)).await;
        });
    }

    /// From here on a member leads a process group of its own.
    pub(super) fn lead_group(&mut self, member: MemberId) {
        self.members.get_mut(member).leads_group = true;
        let Some(pid) = self.members.get(member).pid else { return };
        if self.remote_of(member).is_some() {
            self.members.get_mut(member).pid = None;
            self.watch(member, pid);
        } else {
            self.guard.group(pid);
        }
    }

    /// Has a member's process started on another host.
    pub(super) fn start_there(&mut self, member: MemberId, words: &[&str], streams: &[String; 2]) {
        let Some(remote) = self.remote_of(member).cloned() else { return };
        let launch = &self.environment(self.members.get(member).environment).launch;
        let request = launch.request(&remote, words, streams);
        let happenings = self.happenings.clone();
        tokio::spawn(async move {
            let started = remote.start(request).await;
            let _ = happenings.send(Happening::Started(member, started.map(Box::new))).await;
        });
    }

    /// A member's process was started on another host, or cannot be.
    pub(super) fn started_there(&mut self, member: MemberId, started: Result<Box<Process>, String>) {
        match started {
            Ok(process) => {
                let entry = self.members.get_mut(member);
                entry.pid.get_or_insert(process.pid());
                let process = Arc::new(*process);
                entry.process = Some(Arc::clone(&process));
                let happenings = self.happenings.clone();
                tokio::spawn(async move {
                    if let Ok(how) = process.wait().await {
                        let _ = happenings.send(Happening::Exited(member, how)).await;
                    }
                });
            }
            Err(why) => self.not_started(member, &why),
        }
    }

    /// Sends a signal to a member's process, and to its group if it leads one.
    pub(super) fn kill(&self, member: MemberId, signal: Signal) {
        let entry = self.members.get(member);
        let Some(pid) = entry.pid.filter(|_| entry.exited().is_none()) else { return };
        let whom = if entry.leads_group { Signalled::Group } else { Signalled::Process };
        self.signal_on(entry.site, pid, signal, whom);
    }

    /// Sends a signal to processes on a host.
    pub(super) fn signal_on(&self, site: SiteId, pid: u32, signal: Signal, whom: Signalled) {
        match (&self.site(site).state, whom) {
            (State::Up(remote), _) => remote.descendants.signal(pid, signal, whom),
            (State::Here, Signalled::Process) => process::signal_process(pid, signal),
            (State::Here, Signalled::Group) => process::signal_group(pid, signal),
            (State::Here, Signalled::Rest) => process::signal_rest_of_group(pid, signal),
            (State::Coming | State::Gone(_), _) => {}
        }
    }

    /// What a dead process leaves behind in its own group nobody else will end. A worker that is done may leave what
    /// others still use, such as a server that a fixture started for all: that ends with the run.
    pub(super) fn end_group(&mut self, member: MemberId, how: HowEnded) {
        let entry = self.members.get(member);
        let Some(pid) = entry.pid else { return };
        let (leads, site) = (entry.leads_group, entry.site);
        let done = how == HowEnded::Exited(i32::try_from(entry.announced.unwrap_or(-1)).unwrap_or(-1));
        if site == HERE && leads && done && process::is_group(pid) {
            return self.guard.rest(pid);
        }
        if leads && !(site != HERE && done) {
            self.signal_on(site, pid, Signal::KILL, Signalled::Rest);
        }
        if site == HERE {
            self.guard.forget(pid);
        }
    }

    /// No worker starts a further test.
    pub(super) fn set_stop_page(&mut self) {
        if let Some(Err(error)) = self.page.as_ref().map(super::page::Page::stop) {
            tracing::debug!("the stop page cannot be written: {error}");
        }
        for remote in self.sites.iter().filter_map(Site::remote) {
            remote.stop();
        }
    }

    /// What a dead worker left behind on its host is asked for, if it did not end as it said; false if there is nothing to
    /// wait for.
    pub(super) fn fetch_remains(&mut self, member: MemberId, how: HowEnded) -> bool {
        let entry = self.members.get(member);
        let MemberRole::Worker(worker, incarnation) = entry.role else { return false };
        let clean = entry.announced.is_some_and(|code| how == HowEnded::Exited(i32::try_from(code).unwrap_or(-1)));
        let Some(remote) = self.remote_of(member).cloned().filter(|_| !clean) else { return false };
        let happenings = self.happenings.clone();
        tokio::spawn(async move {
            let remains = Remains::fetch(&remote, worker, incarnation, how).await;
            let _ = happenings.send(Happening::Remains(member, how, Box::new(remains))).await;
        });
        true
    }
}
