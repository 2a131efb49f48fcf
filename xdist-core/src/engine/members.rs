//! The Python processes of a run: who they are, how to reach them, what they wrote, how they ended.

use std::sync::Arc;
use std::time::Instant;

use execnet_rs::gateway::Process;
use execnet_rs::process::HowEnded;
use tokio::sync::{mpsc, watch};

use super::environment::EnvironmentId;
use super::happening::MemberId;
use super::output::Output;
use super::remains::Remains;
use super::site::SiteId;
use super::translate::Translation;
use crate::ids::WorkerId;
use crate::protocol::{ForkRequest, ToPython};

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberRole {
    /// Forks sessions and workers.
    Server,
    /// Parses arguments, collects, forks workers; may become worker 0 itself.
    Session,
    /// Plays the controller for plugins.
    Host,
    /// Runs tests.
    Worker(WorkerId, u32),
}

/// How far a worker is on its way to run tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Readiness {
    /// It said `ready`.
    pub(super) willing: bool,
    /// It is known how its collection relates to the run's.
    pub(super) matched: bool,
    /// The run state machine knows.
    pub(super) told: bool,
}

/// One process.
pub(super) struct Member {
    pub(super) role: MemberRole,
    /// Where it lives.
    pub(super) environment: EnvironmentId,
    /// On which host.
    pub(super) site: SiteId,
    /// It was started there, and is killed when this is dropped.
    pub(super) process: Option<Arc<Process>>,
    /// What it left behind on another host when it died.
    pub(super) remains: Option<Box<Remains>>,
    /// The id it says hello with.
    pub(super) name: String,
    pub(super) incarnation: u32,
    pub(super) pid: Option<u32>,
    /// Leads a process group of its own, so that signals go to the group.
    pub(super) leads_group: bool,
    sender: Option<mpsc::UnboundedSender<ToPython>>,
    dead: watch::Sender<bool>,
    linked: bool,
    was_linked: bool,
    streams: u8,
    exited: Option<HowEnded>,
    /// Why there has never been a process, if it was given up.
    pub(super) never_was: String,
    /// What ended it, where its exit code or signal does not tell.
    pub(super) cause: String,
    buried: bool,
    pub(super) output: Output,
    pub(super) output_since: Option<Instant>,
    /// When the running test began.
    pub(super) test_began: Option<Instant>,
    /// Since when it has nothing left to run and should end its session.
    pub(super) ending_since: Option<Instant>,
    /// What a fresh interpreter is asked to become once it says hello.
    pub(super) request: Option<Box<ForkRequest>>,
    /// When it is killed if it has not ended by itself, and what is said then.
    pub(super) leave_by: Option<(Instant, &'static str)>,
    pub(super) translation: Arc<Translation>,
    pub(super) readiness: Readiness,
    /// Digest of the node ids of a worker that collected for itself.
    pub(super) digest: Option<String>,
    /// The exit code that its session announced.
    pub(super) announced: Option<i64>,
    /// Who was asked to fork it.
    pub(super) asked: Option<MemberId>,
    /// Forked after collection: shares the collector's tests and warnings.
    pub(super) shares_collection: bool,
}

impl Member {
    pub(super) fn new(role: MemberRole, environment: EnvironmentId, name: &str, incarnation: u32) -> Self {
        Self {
            role,
            environment,
            site: SiteId::default(),
            process: None,
            remains: None,
            name: name.to_owned(),
            incarnation,
            pid: None,
            leads_group: false,
            sender: None,
            dead: watch::Sender::new(false),
            linked: false,
            was_linked: false,
            streams: 0,
            exited: None,
            never_was: String::new(),
            cause: String::new(),
            buried: false,
            output: Output::default(),
            output_since: None,
            test_began: None,
            ending_since: None,
            request: None,
            leave_by: None,
            translation: Arc::default(),
            readiness: Readiness::default(),
            digest: None,
            announced: None,
            asked: None,
            shares_collection: false,
        }
    }

    /// For tasks that must end once the process is dead and drained.
    pub(super) fn death(&self) -> watch::Receiver<bool> {
        self.dead.subscribe()
    }

    /// A connection is open.
    pub(super) fn link(&mut self, sender: mpsc::UnboundedSender<ToPython>) {
        self.sender = Some(sender);
        self.linked = true;
        self.was_linked = true;
    }

    /// The connection is gone.
    pub(super) fn unlink(&mut self) {
        self.sender = None;
        self.linked = false;
    }

    /// Whether it has ever said who it is.
    pub(super) fn was_linked(&self) -> bool {
        self.was_linked
    }

    /// One more output stream is being read.
    pub(super) fn open_stream(&mut self) {
        self.streams += 1;
    }

    /// One output stream less.
    pub(super) fn close_stream(&mut self) {
        self.streams = self.streams.saturating_sub(1);
    }

    /// The process ended: whoever reads from it comes to an end too.
    pub(super) fn exit(&mut self, how: HowEnded) {
        self.exited.get_or_insert(how);
        self.dead.send_replace(true);
    }

    /// How it ended, if it did.
    pub(super) fn exited(&self) -> Option<HowEnded> {
        self.exited
    }

    /// True once: when the process has ended and everything it sent and wrote was read.
    pub(super) fn bury(&mut self) -> bool {
        let over = self.exited.is_some() && !self.linked && self.streams == 0 && !self.buried;
        self.buried |= over;
        over
    }

    /// Whether it is over and done with.
    pub(super) fn is_buried(&self) -> bool {
        self.buried
    }

    /// Whether messages reach it.
    pub(super) fn is_linked(&self) -> bool {
        self.linked && self.exited.is_none()
    }

    /// Sends a message; a process that is gone gets none.
    pub(super) fn tell(&self, message: ToPython) {
        if let Some(sender) = &self.sender {
            let _ = sender.send(message);
        }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Members {
    all: Vec<Member>,
    /// So many of them are left of earlier runs.
    kept: usize,
    /// So many more there have been since, who are no more: their numbers are not given again, since word of them may
    /// still be on its way.
    past: usize,
}

impl Members {
    pub(super) fn add(&mut self, member: Member) -> MemberId {
        self.all.push(member);
        self.id(self.all.len() - 1)
    }

    fn id(&self, at: usize) -> MemberId {
        MemberId(if at < self.kept { at } else { at + self.past })
    }

    fn at(&self, id: MemberId) -> usize {
        if id.0 < self.kept { id.0 } else { id.0.saturating_sub(self.past) }
    }

    /// Whether somebody has this number, and not somebody of an earlier run.
    pub(super) fn knows(&self, id: MemberId) -> bool {
        let at = self.at(id);
        at < self.all.len() && self.id(at) == id
    }

    /// Forgets everybody younger than this one. Older ones keep their numbers.
    pub(super) fn only(&mut self, last: MemberId) {
        let ever = self.all.len() + self.past;
        self.all.truncate(self.at(last) + 1);
        self.kept = self.all.len();
        self.past = ever - self.kept;
    }

    pub(super) fn get(&self, id: MemberId) -> &Member {
        &self.all[self.at(id)]
    }

    pub(super) fn get_mut(&mut self, id: MemberId) -> &mut Member {
        let at = self.at(id);
        &mut self.all[at]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (MemberId, &Member)> {
        self.all.iter().enumerate().map(|(at, member)| (self.id(at), member))
    }

    /// Those that are not over yet.
    pub(super) fn living(&self) -> Vec<MemberId> {
        self.iter().filter(|(_, member)| !member.is_buried()).map(|(id, _)| id).collect()
    }

    /// The youngest living process with this name and incarnation.
    pub(super) fn find(&self, name: &str, incarnation: u32) -> Option<MemberId> {
        let matches = |member: &Member| member.name == name && member.incarnation == incarnation && !member.buried;
        (0..self.all.len()).rev().find(|at| matches(&self.all[*at])).map(|at| self.id(at))
    }

    /// The living process with this number on a host.
    pub(super) fn with_pid(&self, site: SiteId, pid: u32) -> Option<MemberId> {
        let is = |member: &Member| member.site == site && member.pid == Some(pid) && member.exited.is_none();
        self.iter().find(|(_, member)| is(member)).map(|(id, _)| id)
    }

    /// The living process of a worker.
    pub(super) fn worker(&self, worker: WorkerId) -> Option<MemberId> {
        let is = |role| matches!(role, MemberRole::Worker(id, _) if id == worker);
        (0..self.all.len()).rev().find(|at| is(self.all[*at].role) && !self.all[*at].buried).map(|at| self.id(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::environment::HOME;

    #[test]
    fn nobody_has_the_number_of_somebody_who_is_no_more() {
        let mut members = Members::default();
        let add = |members: &mut Members, name: &str| members.add(Member::new(MemberRole::Session, HOME, name, 0));
        let passed_over = add(&mut members, "passed over");
        let server = add(&mut members, "server");
        let mut gone = Vec::new();
        for run in 0..3 {
            let own: Vec<MemberId> = (0..run + 2).map(|number| add(&mut members, &format!("{run}-{number}"))).collect();
            for (number, id) in own.iter().enumerate() {
                assert_eq!(members.get(*id).name, format!("{run}-{number}"));
                assert_eq!(members.find(&format!("{run}-{number}"), 0), Some(*id));
            }
            assert!(gone.iter().all(|id| !members.knows(*id) && !own.contains(id)));
            assert!([passed_over, server].into_iter().chain(own.clone()).all(|id| members.knows(id)));
            assert_eq!(members.iter().map(|(id, _)| id).skip(2).collect::<Vec<_>>(), own);
            members.only(server);
            assert_eq!(members.living(), [passed_over, server]);
            gone.extend(own);
        }
    }
}
