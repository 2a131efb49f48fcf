//! Source trees of a run, on their way to where tests run: other hosts, and folders of this one that `chdir=` names.
//!
//! The tree is scanned once, while hosts come up, and sent to all of them at the same time. Interpreters start meanwhile;
//! sessions, which read files of the project, start when their copy stands. Where users see a path of a copy, it is
//! translated to the one it is a copy of.

mod places;
mod plan;
mod push;
mod show;
mod there;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use execnet_rs::channel::Channel;
use rsync_rs::{Destination, Event, Links, Options, Summary};

use self::plan::Plan;
use self::push::{Cut, Socket};
use super::environment::{EnvironmentId, HOME};
use super::happening::Happening;
use super::site::{HERE, Remote, SiteId};
use super::{Engine, Stage, hosts};
use crate::exit;
use crate::protocol::{Argument, Cycle, Selection};

/// Runs that have had trees.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// The trees of a run.
pub(super) struct Trees {
    plan: Arc<Plan>,
    copies: Vec<Copy>,
    began: Instant,
    /// Tells this run's happenings from those of the one before.
    number: u64,
    /// What the header says of copies.
    pub(super) told: Vec<String>,
    /// Users see how far it is.
    progress_shown: bool,
    /// It was said that another run is waited for.
    waiting_told: bool,
}

/// A copy, which all environments use that are on its host and in its folder.
struct Copy {
    site: SiteId,
    /// As the spec has it, seen from where the agent is.
    folder: PathBuf,
    /// For the link, until the host is there.
    socket: Option<Socket>,
    /// Ends the conversation with it.
    cut: Option<Cut>,
    /// Sent in full.
    sent: Option<Summary>,
    /// Where it is, absolute, once it stands; whoever has locked it.
    stands: Option<(String, Lock)>,
    failed: bool,
    /// Bytes that went there.
    bytes: u64,
    /// Files that it needs, and their bytes.
    needs: (u64, u64),
}

/// Keeps other runs from changing a copy.
#[derive(Debug)]
pub(super) enum Lock {
    Here(#[expect(dead_code, reason = "held")] Box<Destination>),
    There(#[expect(dead_code, reason = "held")] Channel),
}

/// What becomes of trees.
#[derive(Debug)]
pub(super) enum TreeNews {
    /// The source cannot be read; why.
    Unreadable(String),
    /// A copy's conversation has begun.
    Begun(usize, Cut),
    /// A copy waits for another run, which uses it.
    Waiting(usize),
    /// So many files are needed by a copy, and bytes of them.
    Needs(usize, u64, u64),
    /// So many bytes went to a copy.
    Sent(usize, u64),
    /// Everything went to a copy, or not; why.
    Pushed(usize, Result<Summary, String>),
    /// A copy stands, there.
    Stands(usize, Result<(String, Lock), String>),
}

impl Engine<'_> {
    /// Begins to bring trees to where they are needed. An error is a usage error's text.
    pub(super) fn begin_trees(&mut self) -> Result<(), String> {
        let facts = Arc::clone(&self.facts);
        let Some(asked) = &facts.trees else { return Ok(()) };
        let mut copies: Vec<Copy> = Vec::new();
        for id in (0..self.environments.len()).map(EnvironmentId) {
            let one = self.environment_mut(id);
            let site = one.site;
            if id == HOME || !one.is_used() || (site == HERE && one.launch.folder().is_none()) {
                continue;
            }
            let folder = one.launch.folder().map_or_else(|| PathBuf::from(hosts::FOLDER), Path::to_owned);
            let known = copies.iter().position(|copy| copy.site == site && copy.folder == folder);
            one.copy = Some(known.unwrap_or(copies.len()));
            one.launch.start_in(folder.clone());
            if known.is_none() {
                copies.push(Copy::new(site, folder));
            }
        }
        if copies.is_empty() && !asked.dry_run {
            return Ok(());
        }
        let mut plan = Plan::of(&facts, asked, push::state("sources"))?;
        // A copy in the tree is no part of it.
        copies.iter().filter(|copy| copy.site == HERE).for_each(|copy| plan.leave_out(&copy.folder));
        if plan.dry_run {
            return self.show_trees(&plan, &copies);
        }
        for one in self.environments.iter_mut().filter(|one| one.copy.is_some()) {
            one.launch.go_below(plan.folder().to_owned());
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut targets = Vec::new();
        for copy in &mut copies {
            let (target, socket) = push::target();
            copy.socket = Some(socket);
            targets.push(target);
        }
        let source = plan.source.clone();
        let count = targets.len();
        let tell = |happenings: &tokio::sync::mpsc::Sender<Happening>| {
            let happenings = happenings.clone();
            move |news| drop(happenings.blocking_send(Happening::Tree(number, news)))
        };
        let (observed, told) = (tell(&self.happenings), tell(&self.happenings));
        let observe = move |at, event| match event {
            Event::Waiting => observed(TreeNews::Waiting(at)),
            Event::Sent(bytes) => observed(TreeNews::Sent(at, bytes)),
            Event::Sending { files, bytes } => observed(TreeNews::Needs(at, files, bytes)),
        };
        let done = move |results: Result<push::Results, String>| match results {
            Ok((_, results)) => {
                for (at, result) in results.into_iter().enumerate().take(count) {
                    told(TreeNews::Pushed(at, result.map_err(|error| error.to_string())));
                }
            }
            Err(why) => told(TreeNews::Unreadable(why)),
        };
        self.trees = Some(Trees {
            plan: Arc::new(plan),
            copies,
            began: Instant::now(),
            number,
            told: Vec::new(),
            progress_shown: false,
            waiting_told: false,
        });
        push::send(source, targets, |_| (), observe, done).map_err(|error| format!("no thread for trees: {error}"))?;
        self.open_copies(HERE, None);
        Ok(())
    }

    /// A host is there: its copies can be received.
    pub(super) fn open_copies(&mut self, site: SiteId, remote: Option<&Arc<Remote>>) {
        let Some(trees) = &mut self.trees else { return };
        let outward_links = trees.plan.source.links == Links::Keep;
        let number = trees.number;
        for (at, copy) in trees.copies.iter_mut().enumerate().filter(|(_, copy)| copy.site == site) {
            let Some(socket) = copy.socket.take() else { continue };
            let (folder, happenings) = (copy.folder.clone(), self.happenings.clone());
            if let Some(remote) = remote.cloned() {
                tokio::spawn(async move {
                    let mut socket = Some(socket);
                    let begin = there::begin(&remote.gateway, &folder, outward_links, &mut socket).await;
                    let received = match begin {
                        Ok((control, cut)) => {
                            let _ = happenings.send(Happening::Tree(number, TreeNews::Begun(at, cut))).await;
                            there::end(control).await
                        }
                        Err(why) => Err(why),
                    };
                    let _ = happenings.send(Happening::Tree(number, TreeNews::Stands(at, received))).await;
                    drop(socket);
                });
                continue;
            }
            let Some(state) = push::state("trees") else {
                let why = Err("there is no cache directory for what is to be remembered".to_owned());
                tokio::spawn(async move {
                    drop(happenings.send(Happening::Tree(number, TreeNews::Stands(at, why))).await);
                });
                continue;
            };
            let options = Options { outward_links, ..Options::new(folder, state) };
            let (on_error, done) = (happenings.clone(), move |received: Result<Destination, String>| {
                let stands = received.and_then(|destination| {
                    let path = destination.path().to_str().map(str::to_owned);
                    let path = path.ok_or("the folder's path is no UTF-8")?;
                    Ok((path, Lock::Here(Box::new(destination))))
                });
                let _ = happenings.blocking_send(Happening::Tree(number, TreeNews::Stands(at, stands)));
            });
            match push::receive(options, socket, done) {
                Ok(cut) => copy.cut = Some(cut),
                Err(error) => {
                    let why = Err(format!("it cannot be received: {error}"));
                    tokio::spawn(async move {
                        drop(on_error.send(Happening::Tree(number, TreeNews::Stands(at, why))).await);
                    });
                }
            }
        }
    }

    /// A host will not be there.
    pub(super) fn close_copies(&mut self, site: SiteId) {
        let copies = self.trees.iter_mut().flat_map(|trees| &mut trees.copies);
        for copy in copies.filter(|copy| copy.site == site) {
            copy.socket = None;
            copy.failed = true;
        }
    }

    /// Something happened to trees.
    pub(super) fn tree_news(&mut self, number: u64, news: TreeNews) {
        let Some(trees) = self.trees.as_mut().filter(|trees| trees.number == number) else { return };
        let at = match news {
            TreeNews::Unreadable(why) => return self.trees_unreadable(&why),
            TreeNews::Sent(at, bytes) => {
                trees.copies[at].bytes += bytes;
                return;
            }
            TreeNews::Needs(at, files, bytes) => {
                trees.copies[at].needs = (files, bytes);
                return;
            }
            TreeNews::Begun(at, cut) => {
                trees.copies[at].cut = Some(cut);
                return;
            }
            TreeNews::Waiting(at) => {
                if let Some(other) = self.same_place(at) {
                    let spec = &self.environment(other).spec;
                    let why = format!(
                        "`{spec}` has the same folder on the same host\nhint: another `chdir=`, or one way there"
                    );
                    return self.copy_failed(at, &why);
                }
                let Some(trees) = &mut self.trees else { return };
                if !std::mem::replace(&mut trees.waiting_told, true) {
                    let place = self.place_of_copy(at);
                    // It may take long: nobody is to wonder before the header is shown.
                    let text = format!("xdist: another run uses {place}: waiting for its end\n");
                    self.observer.raw(true, text.as_bytes());
                }
                return;
            }
            TreeNews::Pushed(at, Ok(summary)) => {
                trees.copies[at].sent = Some(summary);
                at
            }
            TreeNews::Stands(at, Ok(stands)) => {
                trees.copies[at].stands = Some(stands);
                at
            }
            TreeNews::Pushed(at, Err(why)) | TreeNews::Stands(at, Err(why)) => return self.copy_failed(at, &why),
        };
        let copy = &trees.copies[at];
        if copy.sent.is_some() && copy.stands.is_some() && !copy.failed {
            self.copy_stands(at);
        }
    }

    /// Tests can run in a copy: sessions begin there.
    fn copy_stands(&mut self, at: usize) {
        self.tell_of_copy(at);
        self.tell_plugins_of_copy(at, true);
        for id in self.environments_of_copy(at) {
            let one = self.environment(id);
            let ready = one.server.is_some_and(|server| self.members.get(server).is_linked());
            if ready && one.session.is_none() && self.stage != Stage::Ending {
                self.fork_session(id);
            }
        }
    }

    /// A copy cannot be made: its environments do without, or the run ends.
    fn copy_failed(&mut self, at: usize, why: &str) {
        let first = self.failed.is_empty() && self.exit.is_none();
        let Some(trees) = &mut self.trees else { return };
        if std::mem::replace(&mut trees.copies[at].failed, true) {
            return;
        }
        trees.copies[at].socket = None;
        if let Some(cut) = trees.copies[at].cut.take() {
            cut.cut();
        }
        let place = self.place_of_copy(at);
        for id in self.environments_of_copy(at) {
            self.environment_failed(id, format!("the sources cannot be brought to {place}: {why}"));
        }
        if first && !self.failed.is_empty() {
            self.exit = Some(exit::TREES_NOT_BROUGHT);
        }
    }

    fn trees_unreadable(&mut self, why: &str) {
        self.error = Some(format!("error: the sources cannot be brought to where tests are to run: {why}"));
        self.exit = Some(exit::TREES_NOT_BROUGHT);
        self.wind_up();
    }

    fn environments_of_copy(&self, at: usize) -> Vec<EnvironmentId> {
        let all = (0..self.environments.len()).map(EnvironmentId);
        all.filter(|id| self.environment(*id).copy == Some(at) && self.environment(*id).is_used()).collect()
    }

    /// Whether an environment's copy is still on its way.
    pub(super) fn awaits_copy(&self, id: EnvironmentId) -> bool {
        let (Some(trees), Some(at)) = (&self.trees, self.environment(id).copy) else { return false };
        let copy = &trees.copies[at];
        copy.sent.is_none() || copy.stands.is_none()
    }

    /// pytest's arguments for a process of an environment.
    pub(super) fn arguments_in(&self, id: EnvironmentId) -> Vec<Argument> {
        match self.copy_of(id) {
            Some((plan, path)) => plan.arguments(path),
            None => self.arguments(),
        }
    }

    /// `PYTEST_ADDOPTS` for a process of an environment, if other paths belong in it than here.
    pub(super) fn addopts_in(&self, id: EnvironmentId) -> Option<String> {
        self.copy_of(id).and_then(|(plan, path)| plan.environment(path))
    }

    /// What a run of the loop is narrowed to, as an environment knows it.
    pub(super) fn cycle_in(&self, id: EnvironmentId) -> Option<Cycle> {
        let mut cycle = self.request.cycle.clone()?;
        if let (Some((plan, path)), Selection::Some(_, files)) = (self.copy_of(id), &mut cycle.selection) {
            for file in files {
                *file = plan.in_copy(path, Path::new(&*file)).display().to_string();
            }
        }
        Some(cycle)
    }

    /// Directories that an environment has copies in, and what they are copies of.
    pub(super) fn translations(&self, id: EnvironmentId) -> Vec<(String, String)> {
        self.copy_of(id).map(|(plan, path)| plan.translations(path)).unwrap_or_default()
    }

    fn copy_of(&self, id: EnvironmentId) -> Option<(&Plan, &str)> {
        let (trees, at) = (self.trees.as_ref()?, self.environment(id).copy?);
        Some((&trees.plan, trees.copies[at].stands.as_ref()?.0.as_str()))
    }

    /// An environment of this run whose copy is, by all that is known, the same directory as this one.
    fn same_place(&self, at: usize) -> Option<EnvironmentId> {
        let copies = &self.trees.as_ref()?.copies;
        let place = |copy: &Copy| match self.site(copy.site).remote() {
            Some(remote) => (remote.host.clone(), Path::new(&remote.cwd).join(&copy.folder)),
            None => (rustix::system::uname().nodename().to_string_lossy().into_owned(), copy.folder.clone()),
        };
        let own = place(&copies[at]);
        let other =
            copies.iter().enumerate().position(|(other, copy)| other != at && !copy.failed && place(copy) == own)?;
        self.environments_of_copy(other).first().copied()
    }

    fn place_of_copy(&self, at: usize) -> String {
        let Some(copy) = self.trees.as_ref().map(|trees| &trees.copies[at]) else { return String::new() };
        let path = copy.stands.as_ref().map_or_else(|| copy.folder.display().to_string(), |(path, _)| path.clone());
        match self.site(copy.site).name.as_str() {
            "" => format!("`{path}`"),
            host => format!("`{host}:{path}`"),
        }
    }
}

impl Copy {
    fn new(site: SiteId, folder: PathBuf) -> Self {
        Self { site, folder, socket: None, cut: None, sent: None, stands: None, failed: false, bytes: 0, needs: (0, 0) }
    }
}
