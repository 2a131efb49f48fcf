//! Environments that cannot be brought up: the run ends before its first test and says why, or does without them.

use execnet_rs::process::HowEnded;
use rustix::process::Signal;

use super::environment::{EnvironmentId, HOME, Progress};
use super::happening::MemberId;
use super::members::MemberRole;
use super::site::{HERE, SiteId};
use super::{Engine, Stage};
use crate::exit;
use crate::protocol::Ended;

impl Engine<'_> {
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
}
