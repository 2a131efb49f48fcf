//! The plugin host: started if plugins ask for one, told everything that is decided, waited for at both ends of the run.
//!
//! It draws and writes instead of our own reporters. Unless something on its side must come first, it is configured while
//! tests are collected. The run never waits for it in between, except to have plugins configure a replacement, or look at
//! a test that took its worker down.

mod mirror;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use execnet_rs::process::HowEnded;
use rustix::process::Signal;
use serde_bytes::ByteBuf;

use self::mirror::{LATENESS, crash_event};
use super::environment::HOME;
use super::happening::MemberId;
use super::members::MemberRole;
use super::settings::Distribution;
use super::splitting::Splitting;
use super::{Engine, Stage};
use crate::event::{Crashed, RunEvent};
use crate::exit;
use crate::facts::Facts;
use crate::ids::{TestIndex, WorkerId};
use crate::protocol::{Ended, Followed, ForkRequest, HostReady, HostSetup, Role, RunOver, Stopping, ToPython};
use crate::run::Input;

/// How often it is asked which hook it is in; one that it is in twice takes long.
const PATIENCE: Duration = Duration::from_mins(1);
/// The question: does nothing to a process that does not answer.
const ASKING: Signal = Signal::URG;
/// How a host ended in which a plugin raised.
const RAISED: &str = "an exception in a plugin";

/// Whether a run has a plugin host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PluginHost {
    /// If plugins or conftests ask for one.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never: what plugins do on the controller's side does not happen.
    Never,
}

impl PluginHost {
    /// The choices with their names on the command line.
    pub const ALL: [(&'static str, Self); 3] = [("auto", Self::Auto), ("always", Self::Always), ("never", Self::Never)];
}

/// The host of this run.
pub(super) struct Host {
    member: MemberId,
    ready: bool,
    /// What plugins added to `workerinput`, by worker and incarnation.
    inputs: HashMap<(WorkerId, u32), ByteBuf>,
    differing: Vec<String>,
    handles_crashes: bool,
    pub(super) splitting: Splitting,
    /// Workers that wait for plugins to configure them: replacements, or all that are not forked after collection.
    waiting: Vec<(WorkerId, u32)>,
    /// Crashes that plugins look at: the test as they know it, and the run's.
    asked: Vec<(TestIndex, TestIndex)>,
    /// When it is asked next.
    ask_at: Instant,
    /// What it is told once it is ready.
    early: Vec<ToPython>,
    /// Not told yet, since then.
    followed: Followed,
    followed_since: Option<Instant>,
    over_told: Option<u8>,
    ended: Option<Ended>,
    dead: bool,
}

impl Engine<'_> {
    /// Whether plugins ask for a host, and may have it.
    pub(super) fn wants_host(&self, facts: &Facts) -> bool {
        match self.request.plugin_host {
            PluginHost::Auto => !facts.host_reasons.is_empty(),
            PluginHost::Always => true,
            PluginHost::Never => false,
        }
    }

    /// Has the session fork the host, or the fork server where conftests have seen the world of a worker.
    pub(super) fn start_host(&mut self, session: MemberId, distribution: &Distribution) {
        self.stage = Stage::Hosting;
        let member = self.add_member(MemberRole::Host, HOME, "host", 0);
        self.host = Some(Host {
            member,
            ready: false,
            inputs: HashMap::new(),
            differing: Vec::new(),
            handles_crashes: false,
            splitting: Splitting::default(),
            waiting: Vec::new(),
            asked: Vec::new(),
            ask_at: Instant::now() + PATIENCE,
            early: Vec::new(),
            followed: Followed::default(),
            followed_since: None,
            over_told: None,
            ended: None,
            dead: false,
        });
        let setup = HostSetup {
            mode: distribution.mode.clone(),
            specs: distribution.specs.iter().map(ToString::to_string).collect(),
            testrunuid: self.facts.dist.testrunuid.clone(),
            basetemp: self.facts.basetemp.clone(),
            mainargv: self.request.mainargv.clone(),
            header: self.observer.lines(&RunEvent::Configured(Box::new(self.configuration(Vec::new())))),
        };
        if self.facts.identity_read.is_none() {
            self.members.get_mut(member).asked = Some(session);
            self.members.get(session).tell(ToPython::ForkHost(Box::new(setup)));
            return;
        }
        let request = ForkRequest {
            role: Role::Host,
            id: "host".to_owned(),
            args: self.arguments(),
            host: Some(setup),
            ..ForkRequest::default()
        };
        self.members.get_mut(member).asked = self.home().server;
        self.tell_server(HOME, ToPython::Fork(Box::new(request)));
    }

    /// Whether nothing is collected before the host is ready.
    pub(super) fn host_goes_first(&self) -> bool {
        // A host that is forked from elsewhere loads conftests once more.
        let elsewhere = self.facts.identity_read.is_some();
        self.facts.host_first || elsewhere || self.request.plugin_host == PluginHost::Always
    }

    /// Whether there is a host that is still being configured.
    pub(super) fn awaits_host(&self) -> bool {
        self.host.as_ref().is_some_and(|host| !host.ready && !host.dead && host.ended.is_none())
    }

    /// Whether this member is the host.
    pub(super) fn is_host(&self, member: MemberId) -> bool {
        self.members.get(member).role == MemberRole::Host
    }

    /// The host, while events reach it.
    fn live_host(&mut self) -> Option<&mut Host> {
        self.host.as_mut().filter(|host| !host.dead && host.ended.is_none())
    }

    /// Plugins have configured all workers: collecting may begin, or tests may be run.
    pub(super) fn host_ready(&mut self, ready: HostReady) {
        let Some(host) = self.host.as_mut().filter(|host| !host.ready) else { return };
        host.ready = true;
        host.inputs = (0..).map(|number| (WorkerId(number), 0)).zip(ready.inputs).collect();
        host.differing = ready.differing;
        host.handles_crashes = ready.handles_crashes;
        host.splitting = Splitting::wanted(ready.splits);
        if let Some(distribution) = &mut self.distribution {
            distribution.mode = ready.mode;
        }
        let (early, waiting) = (std::mem::take(&mut host.early), std::mem::take(&mut host.waiting));
        for message in early {
            self.send_host(message);
        }
        if self.stage == Stage::Hosting {
            self.begin_collecting();
        }
        if self.stage != Stage::Collecting {
            return;
        }
        for (worker, incarnation) in waiting {
            self.start_worker(worker, incarnation);
        }
        self.begin_run_when_collected();
    }

    /// What plugins added to a worker's input, and which of it differs from worker to worker.
    pub(super) fn input_of(&self, worker: WorkerId, incarnation: u32) -> (Vec<u8>, Vec<String>) {
        let Some(host) = &self.host else { return Default::default() };
        let input = host.inputs.get(&(worker, incarnation)).map(|input| input.to_vec()).unwrap_or_default();
        (input, host.differing.clone())
    }

    /// Whether plugins must configure this incarnation first; they are asked to.
    pub(super) fn awaits_plugins(&mut self, worker: WorkerId, incarnation: u32) -> bool {
        let Some(host) = self.live_host() else { return false };
        if host.inputs.contains_key(&(worker, incarnation)) {
            return false;
        }
        host.waiting.push((worker, incarnation));
        if host.ready {
            self.send_host(ToPython::ConfigureNode(worker.to_string(), incarnation));
        }
        true
    }

    /// Asks the host which hook it is in, when it is time.
    pub(super) fn ask_host(&mut self, now: Instant) {
        if let Some(host) = self.live_host().filter(|host| host.ask_at <= now) {
            host.ask_at = now + PATIENCE;
            let member = host.member;
            self.kill(member, ASKING);
        }
    }

    /// The user should know whom to wait for: the host itself shows nothing now.
    pub(super) fn slow_hook(&mut self, hook: &str) {
        let minutes = PATIENCE.as_secs() / 60;
        let text = format!(
            "\nxdist: a hook of a plugin has been running in the plugin host for {minutes} min: {hook}; Ctrl-C ends the run\n"
        );
        self.observer.raw(true, text.as_bytes());
    }

    /// Plugins have configured a replacement.
    pub(super) fn node_configured(&mut self, name: &str, incarnation: u32, input: ByteBuf) {
        let Some(host) = &mut self.host else { return };
        let named = |known: &(WorkerId, u32)| known.1 == incarnation && known.0.to_string() == name;
        let Some(at) = host.waiting.iter().position(named) else { return };
        let (worker, incarnation) = host.waiting.swap_remove(at);
        host.inputs.insert((worker, incarnation), input);
        self.start_worker(worker, incarnation);
    }

    /// A plugin on the controller's side wants the run to stop.
    pub(super) fn host_stops(&mut self, stopping: Stopping) {
        self.feed(Input::PluginStops(stopping));
    }

    /// Whether plugins want to be asked about tests that took their worker down.
    pub(super) fn plugins_see_crashes(&self) -> bool {
        self.host.as_ref().is_some_and(|host| host.handles_crashes)
    }

    /// Shows plugins a test that took its worker down.
    pub(super) fn ask_plugins(&mut self, test: TestIndex, worker: WorkerId, crashed: &Crashed) {
        let shown = self.layout.as_ref().map_or(test, |layout| layout.shown(test));
        if let Some(host) = self.live_host() {
            host.asked.push((shown, test));
            self.tell_host(crash_event(shown, worker, crashed));
        } else {
            self.feed(Input::PluginsGone);
        }
    }

    /// Plugins have looked at a crash: the one that they were asked about first, if it is the same test elsewhere.
    pub(super) fn crash_seen(&mut self, shown: TestIndex, again: bool) {
        let Some(host) = &mut self.host else { return };
        if let Some(at) = host.asked.iter().position(|(known, _)| *known == shown) {
            let (_, test) = host.asked.remove(at);
            self.feed(Input::CrashSeen(test, again));
        }
    }

    /// What the host is to know by now; once everybody else has left, it may end its session.
    pub(super) fn release_host(&mut self) {
        if self.live_host().and_then(|host| host.followed_since).is_some_and(|since| since.elapsed() >= LATENESS) {
            self.tell_followed();
        }
        if self.stage != Stage::Ending
            || self.host.as_ref().is_none_or(|host| host.over_told.is_some())
            || self.live_host().is_none()
        {
            return;
        }
        if self.members.living().into_iter().any(|member| !self.is_host(member) && !self.outlives(member)) {
            return;
        }
        let code = self.run_exit_code();
        let not_run = self.run.as_ref().map_or(0, |run| run.not_run().len());
        let over = RunOver {
            code,
            reason: self.reason(),
            detail: self.detail(),
            error: self.session_message(),
            not_run,
            results: self.observer.results(),
        };
        if let Some(host) = &mut self.host {
            host.over_told = Some(code);
        }
        self.send_host(ToPython::RunOver(over));
    }

    /// The host's session is over.
    pub(super) fn host_over(&mut self, ended: Ended) {
        let Some(host) = &mut self.host else { return };
        let (ready, told) = (host.ready, host.over_told.is_some());
        let code = u8::try_from(ended.after & 0xff).unwrap_or(exit::INTERNAL_ERROR);
        let broken = ended.message.clone();
        // It had not come to the end of the run when a plugin raised.
        let failed_late =
            ended.before == i64::from(exit::INTERNAL_ERROR) && host.over_told != Some(exit::INTERNAL_ERROR);
        host.ended = Some(ended);
        let member = host.member;
        self.leave_soon(member);
        if !ready {
            // pytest has said what is wrong.
            self.exit = Some(code);
            self.wind_up();
        } else if told && (failed_late || !broken.is_empty()) {
            self.internal_error = true;
            let how = if broken.is_empty() { RAISED.to_owned() } else { broken };
            self.emit(&RunEvent::HostDied { how });
        } else if !told && code == exit::INTERNAL_ERROR {
            self.emit(&RunEvent::HostDied { how: RAISED.to_owned() });
            self.host_failed("a plugin failed on the controller's side");
        } else if !told {
            self.host_left(code);
        }
        self.unanswered();
    }

    /// A plugin on the controller's side ended its session before the run was over, by `pytest.exit` for example.
    fn host_left(&mut self, code: u8) {
        if self.run.is_some() {
            let reason = "a plugin ended the session on the controller's side".to_owned();
            self.host_stops(Stopping {
                kind: "exit".to_owned(),
                reason,
                code: Some(code.into()),
                ..Stopping::default()
            });
        } else {
            self.exit = Some(code);
            self.wind_up();
        }
    }

    /// The host's process is gone.
    pub(super) fn host_gone(&mut self, how: HowEnded) {
        let Some(host) = &mut self.host else { return };
        host.dead = true;
        if host.ended.is_none() {
            let ready = host.ready;
            self.emit(&RunEvent::HostDied { how: how.to_string() });
            if ready {
                self.host_failed(&format!("the plugin host ended with {how}"));
            } else {
                self.fail(&format!("the plugin host ended with {how} before its session had started"));
            }
        }
        self.unanswered();
    }

    fn host_failed(&mut self, text: &str) {
        self.internal_error = true;
        if self.run.is_some() {
            self.feed(Input::InternalError(None, text.to_owned()));
        } else {
            self.wind_up();
        }
    }

    /// Nobody configures replacements any more, they start as they are; nobody looks at crashes any more.
    fn unanswered(&mut self) {
        self.feed(Input::PluginsGone);
        let waiting = self.host.as_mut().map(|host| std::mem::take(&mut host.waiting)).unwrap_or_default();
        if self.run.is_none() && self.stage == Stage::Ending {
            return;
        }
        for (worker, incarnation) in waiting {
            self.start_worker(worker, incarnation);
        }
    }

    /// Whether the host's session came to its end after the run.
    pub(super) fn host_finished(&self) -> bool {
        self.host.as_ref().is_some_and(|host| host.over_told.is_some() && host.ended.is_some())
    }

    /// What plugins made of the run's exit code at the end of the host's session.
    pub(super) fn after_host(&self, code: u8) -> u8 {
        let finished = self.host.as_ref().filter(|_| self.host_finished());
        finished.and_then(|host| host.ended.as_ref()).map_or(code, |ended| exit_code_after(code, ended))
    }
}

/// The exit code of a run that ended with `code`, after the host's session ended so. A plugin may excuse what it was
/// shown; where the host's session was shown something else, it can make things only worse.
fn exit_code_after(code: u8, ended: &Ended) -> u8 {
    let after = u8::try_from(ended.after & 0xff).unwrap_or(exit::INTERNAL_ERROR);
    let knew = ended.before == i64::from(code);
    if knew || (after != exit::OK && code == exit::OK) { after } else { code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_plugins_make_of_an_exit_code() {
        for (code, before, after, expected) in [
            (0, 0, 0, 0),
            (1, 1, 1, 1),
            // Changed, from what the run has.
            (0, 0, 1, 1),
            (1, 1, 0, 0),
            (0, 0, 77, 77),
            (5, 5, 0, 0),
            // The host's session has found something that the run does not know: an exception in a plugin.
            (0, 3, 3, 3),
            (0, 1, 1, 1),
            // The run knows of something that the host's session was not shown.
            (1, 0, 0, 1),
            (3, 0, 0, 3),
            (2, 1, 1, 2),
            (1, 0, 5, 1),
            // As the operating system has it.
            (0, 0, 256, 0),
            (0, 0, -1, 255),
        ] {
            let ended = Ended { before, after, ..Ended::default() };
            assert_eq!(exit_code_after(code, &ended), expected, "{code}, then {before} -> {after}");
        }
    }
}
