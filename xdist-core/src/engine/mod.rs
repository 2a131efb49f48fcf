//! The run as it happens: processes, connections, signals and time around the pure parts.
//!
//! One loop owns everything. Tasks at the edges turn connections, pipes, process ends and signals into one sequence of
//! happenings; the loop takes them one by one, asks the run state machine what follows, and does it.
//!
//! | file | its part |
//! |---|---|
//! | `mod` | what a run is given, and the loop |
//! | `start` | find the interpreter, let pytest parse the arguments, go plain or collect |
//! | `environment`, `launch` | interpreters in their surroundings, and how one is started |
//! | `bringup` | from the facts to the last collection, in all environments at a time |
//! | `failing` | environments that do not come up |
//! | `matching` | workers that collected for themselves |
//! | `conduct` | from the collection to the last worker |
//! | `finish` | signals, deadlines, what processes still write |
//! | `burial` | what follows from the end of a process |
//! | `closing` | the end of the run |
//! | `pause` | Ctrl-Z |
//! | `long` | pure: tests that have been running for long |
//! | `host` | the plugin host, if the run has one |
//! | `hosts` | pure but for the ways to hosts: which of them a run has, and who shares one |
//! | `site` | the host on which a process lives, this one or another: processes, streams, signals there |
//! | `distant` | other hosts of a run: they come, fail, and are lost |
//! | `early` | connections to hosts that the command line names, before pytest has parsed it |
//! | `trees` | sources on their way to other hosts and folders |
//! | `splitting` | which tests stay together by a plugin's scheduler |
//! | `members`, `link`, `output`, `page` | processes, their connections, what they write, the page they read |
//! | `outbox` | the file in which a worker leaves word of fast tests |
//! | `place` | where the run's private directory lies |
//! | `starved` | whether the kernel killed somebody for want of memory |
//! | `remains`, `warnings` | what a dead worker leaves behind, what counts once |
//! | `layout`, `translate`, `differences` | pure: tests of several collections, their indices, what to say if they differ |
//! | `settings` | pure: what facts ask for |
//! | `warm` | what outlives a run: the fork server, in a loop |

mod bringup;
mod burial;
mod closing;
mod conduct;
mod differences;
mod distant;
mod early;
mod environment;
mod failing;
mod finish;
mod happening;
mod host;
mod hosts;
mod launch;
mod layout;
mod link;
mod long;
mod matching;
mod members;
mod outbox;
mod output;
mod page;
mod pause;
mod place;
mod remains;
mod settings;
mod site;
mod splitting;
mod start;
mod starved;
mod translate;
mod trees;
mod warm;
mod warnings;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use execnet_rs::group::Group;
use execnet_rs::guard::Guard;
use execnet_rs::local::Listener;
use execnet_rs::process::{Children, HowEnded, OpenFiles};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::early::Early;
use self::environment::{Environment, EnvironmentId, HOME};
use self::happening::{Happening, MemberId, Signal};
use self::host::Host;
pub use self::host::PluginHost;
use self::launch::Launch;
use self::layout::Layout;
use self::link::{Greeting, Link};
use self::long::LongTests;
use self::members::Members;
use self::page::Page;
use self::pause::Suspension;
use self::settings::Distribution;
use self::site::{HERE, Site};
use self::starved::Starved;
use self::trees::Trees;
pub use self::warm::{Idle, Stopper, Warm};
use self::warnings::Warnings;
use crate::event::RunEvent;
use crate::facts::Facts;
use crate::fork::ForkLevel;
use crate::history::History;
use crate::ids::WorkerId;
use crate::interpreter::{Candidate, NoInterpreter, PassedOver, Search};
use crate::protocol::{Cycle, Identity, Rendering};
use crate::report::Warning;
use crate::run::{Input, RunState};

/// How often deadlines are looked at and reporters get the time.
const TICK: Duration = Duration::from_millis(100);
/// At the end of a run, processes that tests left behind are killed; waiting for that has an end too.
const LAST_GRACE: Duration = Duration::from_secs(2);
/// At the end of a run, agents of other hosts have this long to end what is left there.
const AGENT_GRACE: Duration = Duration::from_secs(5);
/// Happenings that may wait for the loop; more make their senders wait.
const WAITING: usize = 256;

/// What a run is given.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Interpreters to try, in order.
    pub search: Search,
    /// pytest's arguments, as typed.
    pub args: Vec<OsString>,
    /// The whole command line, for `workerinput["mainargv"]`.
    pub mainargv: Vec<String>,
    /// `--python`, split into words; `search` has made of it what is to be tried.
    pub python: Option<Vec<String>>,
    /// `--fork`.
    pub fork: Option<ForkLevel>,
    /// `--plugin-host`.
    pub plugin_host: PluginHost,
    /// `--no-history`: durations of earlier runs are neither read nor written.
    pub no_history: bool,
    /// What this run of a loop is narrowed to, if pytest's arguments ask for a loop.
    pub cycle: Option<Cycle>,
    /// `--require-all-hosts`: no run without a host that was asked for.
    pub require_all_hosts: bool,
    /// Version of this program, for the header.
    pub version: String,
}

/// Who watches a run and shows it.
pub trait Observer {
    /// How workers are to render reports, given what pytest said of the arguments. With a plugin host, which shows and
    /// writes everything, the observer keeps silent unless the host dies.
    fn rendering(&mut self, facts: &Facts, hosted: bool) -> Rendering;
    /// What a plugin host is to show of an event, as lines of text.
    fn lines(&mut self, event: &RunEvent) -> Vec<String>;
    /// What a plugin host is to show at the end of results by environment, as lines of text.
    fn results(&mut self) -> Vec<String>;
    /// Something happened.
    fn event(&mut self, event: &RunEvent);
    /// All verdicts are known: time to write what the next run starts from. What comes back counts as warnings.
    fn closing(&mut self) -> Vec<Warning>;
    /// Bytes that belong on the terminal as they are: what conftests print before the run is known to be distributed.
    fn raw(&mut self, stderr: bool, bytes: &[u8]);
    /// Time passes; about ten times a second.
    fn tick(&mut self);
    /// The program is about to be stopped (Ctrl-Z); what returns is called when it goes on.
    fn suspend(&mut self) {}
    /// The program goes on.
    fn resume(&mut self) {}
}

/// Why a run could not take place at all.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No interpreter can run tests.
    #[error(transparent)]
    NoInterpreter(#[from] NoInterpreter),
    /// The operating system refused something that no run can do without.
    #[error("{what}: {source}{}", advice(source))]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// What would help against what the system says.
fn advice(error: &io::Error) -> String {
    if execnet_rs::process::out_of_descriptors(error) {
        let limit = OpenFiles::limit().map(|limit| format!(" of {limit}")).unwrap_or_default();
        return format!("; raise the limit{limit} (`ulimit -n`), or use fewer workers (-n)");
    }
    String::new()
}

/// Names what was tried when the system refuses it.
fn system(what: &'static str) -> impl FnOnce(io::Error) -> EngineError {
    move |source| EngineError::System { what, source }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A fork server was started and has not said hello.
    Interpreter,
    /// pytest parses its arguments.
    Facts,
    /// pytest runs in the foreground.
    Plain,
    /// The plugin host is configured and has plugins configure the workers.
    Hosting,
    /// pytest collects.
    Collecting,
    /// Workers run tests.
    Running,
    /// Nothing is left to run; processes are ending.
    Ending,
}

/// A run in progress.
struct Engine<'a> {
    request: Request,
    observer: &'a mut dyn Observer,
    guard: &'a mut Guard,
    children: Children,
    open_files: OpenFiles,
    happenings: mpsc::Sender<Happening>,
    inbox: &'a mut mpsc::Receiver<Happening>,
    listener_path: PathBuf,
    package: PathBuf,
    directory: TempDir,
    stage: Stage,
    members: Members,
    /// At least [`HOME`].
    environments: Vec<Environment>,
    /// This host, then one for each gateway.
    sites: Vec<Site>,
    gateways: Group,
    /// Sources on their way to other places.
    trees: Option<Trees>,
    /// Hosts that are being connected to.
    connecting: JoinSet<()>,
    /// The same, before it is known that they are wanted.
    early: Option<Early>,
    /// Workers whose host was lost, and who belong to another environment since.
    moved: Vec<WorkerId>,
    /// What is to be said once the header was shown.
    notices: Vec<String>,
    /// Environments that could not be brought up, and why.
    failed: Vec<(EnvironmentId, String)>,
    host: Option<Host>,
    sessions_forked: u32,
    expect_distribution: bool,
    candidates: VecDeque<Candidate>,
    candidate: Candidate,
    passed_over: Vec<PassedOver>,
    facts: Arc<Facts>,
    distribution: Option<Distribution>,
    rendering: Rendering,
    page: Option<Page>,
    /// The run's tests, once all environments have collected.
    layout: Option<Layout>,
    /// Whether users know in detail how collections differ.
    differences_told: bool,
    /// Whom the kernel kills for want of memory.
    starved: Starved,
    /// What the run has not been told yet, as something is being done that follows from what it was told before.
    inputs: VecDeque<Input>,
    feeding: bool,
    /// Workers to be forked, and by whom.
    forks: Vec<(MemberId, Identity)>,
    configured: bool,
    run: Option<RunState>,
    history: Option<History>,
    long: LongTests,
    suite_properties: Vec<(String, String)>,
    warnings: Warnings,
    internal_error: bool,
    refusal_told: bool,
    interrupted: Option<Signal>,
    suspension: Suspension,
    kill_at: Option<Instant>,
    /// Nothing outlives this run: the user wants everything killed.
    ends_all: bool,
    /// The user typed Ctrl-C while pytest had the terminal.
    typed_in_plain: bool,
    error: Option<String>,
    exit: Option<u8>,
    began: Instant,
    began_at: f64,
}

/// Runs pytest with these arguments, distributed or plain, and returns the exit code.
///
/// # Errors
/// Only what kept the run from taking place; everything else is told to the observer and is in the exit code.
pub async fn run(request: Request, warm: &mut Warm<'_>, observer: &mut dyn Observer) -> Result<u8, EngineError> {
    warm.catch_up();
    warm.settle().await;
    let (kept, known) = (warm.kept.take(), warm.facts.take());
    let mut engine = Engine::new(request, warm, observer)?;
    match kept {
        Some(kept) => engine.resume(kept, known.as_deref()),
        None => engine.start()?,
    }
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !engine.is_over() {
        let happening = tokio::select! {
            biased;
            _ = tick.tick() => None,
            happening = engine.inbox.recv() => happening,
        };
        match happening {
            Some(happening) => engine.take(happening)?,
            None => engine.tick(),
        }
        engine.request_forks();
        engine.release_host();
    }
    let stays = engine.home().server.filter(|server| engine.outlives(*server));
    engine.connecting.shutdown().await;
    engine.gateways.terminate(AGENT_GRACE).await;
    if engine.distribution.is_some() {
        let spared = stays.and_then(|server| engine.members.get(server).pid);
        engine.children.end_all(LAST_GRACE, spared).await;
    }
    let code = engine.close();
    let facts = engine.facts.clone();
    let interrupted = engine.was_interrupted(code);
    let kept = engine.keep();
    warm.facts = Some(facts);
    warm.interrupted = interrupted;
    warm.kept = kept;
    Ok(code)
}

impl<'a> Engine<'a> {
    fn new(request: Request, warm: &'a mut Warm<'_>, observer: &'a mut dyn Observer) -> Result<Self, EngineError> {
        let directory = tempfile::Builder::new().prefix("run-").tempdir_in(warm.directory.path());
        let directory = directory.map_err(system("cannot make a directory for temporary files"))?;
        let mut candidates = VecDeque::from(request.search.candidates.clone());
        let passed_over = request.search.passed_over.clone();
        let Some(candidate) = candidates.pop_front() else {
            return Err(NoInterpreter { passed_over }.into());
        };
        Ok(Self {
            children: warm.children.clone(),
            open_files: warm.open_files.clone(),
            request,
            observer,
            guard: &mut *warm.guard,
            happenings: warm.happenings.clone(),
            inbox: &mut warm.inbox,
            listener_path: warm.listener_path.clone(),
            package: warm.package.clone(),
            directory,
            stage: Stage::Interpreter,
            members: Members::default(),
            environments: vec![Environment { launch: Launch::plain(candidate.argv.clone()), ..Environment::default() }],
            sites: vec![Site::here()],
            gateways: hosts::group(&Arc::default()),
            trees: None,
            connecting: JoinSet::new(),
            early: None,
            moved: Vec::new(),
            notices: Vec::new(),
            failed: Vec::new(),
            host: None,
            sessions_forked: 0,
            expect_distribution: false,
            candidates,
            candidate,
            passed_over,
            facts: Arc::default(),
            distribution: None,
            rendering: Rendering::default(),
            page: None,
            layout: None,
            differences_told: false,
            starved: Starved::default(),
            inputs: VecDeque::new(),
            feeding: false,
            forks: Vec::new(),
            configured: false,
            run: None,
            history: None,
            long: LongTests::default(),
            suite_properties: Vec::new(),
            warnings: Warnings::default(),
            internal_error: false,
            refusal_told: false,
            interrupted: None,
            suspension: Suspension::default(),
            kill_at: None,
            ends_all: false,
            typed_in_plain: false,
            error: None,
            exit: None,
            began: Instant::now(),
            began_at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()),
        })
    }

    fn take(&mut self, happening: Happening) -> Result<(), EngineError> {
        if happening.member().is_some_and(|member| !self.members.knows(member)) {
            // Of the run before.
            return Ok(());
        }
        match happening {
            Happening::Connected(link) => self.connected(*link),
            Happening::Unusable(site, pid, why) => self.unusable(site, pid, &why)?,
            Happening::Stranger(why) => tracing::debug!("a connection failed: {why}"),
            Happening::Messages(member, messages) => {
                for message in messages {
                    self.message(member, message);
                }
            }
            Happening::Passes(member, passes) => self.passes(member, passes),
            Happening::LinkClosed(member, fault) => {
                self.link_closed(member, fault);
                self.bury(member)?;
            }
            Happening::Output(member, stderr, bytes) => self.output(member, stderr, &bytes),
            Happening::OutputClosed(member) => {
                self.members.get_mut(member).close_stream();
                self.bury(member)?;
            }
            Happening::Exited(member, how) => {
                tracing::debug!("{} ended with {how}", self.members.get(member).name);
                if self.members.get(member).exited().is_none() && !self.fetch_remains(member, how) {
                    self.exited(member, how)?;
                }
            }
            Happening::Remains(member, how, remains) => {
                if self.members.get(member).exited().is_none() {
                    self.members.get_mut(member).remains = Some(remains);
                    self.exited(member, how)?;
                }
            }
            Happening::NoRoom(why) => self.no_room(&why),
            Happening::Stopped(site, pid) => self.stopped(site, pid),
            Happening::SiteUp(site, Ok(remote)) => self.site_up(site, &remote),
            Happening::SiteUp(site, Err(why)) => self.site_failed(site, &why),
            Happening::SiteRefuses(site) => self.sites[site.0].refuses = true,
            Happening::SiteLost(site, why) => self.site_lost(site, &why)?,
            Happening::Started(member, started) => self.started_there(member, started),
            Happening::NoStreams(member, why) => {
                self.refused(member, &format!("no named pipes for its output: {why}"));
            }
            Happening::Tree(number, news) => self.tree_news(number, news),
            Happening::Signal(signal) => self.signal(signal),
            Happening::Paused(pause) => self.stand_still(Some(pause)),
        }
        Ok(())
    }

    /// A process has ended, and what it left on its host is known.
    fn exited(&mut self, member: MemberId, how: HowEnded) -> Result<(), EngineError> {
        if self.site_of(member) == HERE {
            self.end_group(member, how);
        }
        self.members.get_mut(member).exit(how);
        self.bury(member)
    }

    fn environment(&self, id: EnvironmentId) -> &Environment {
        &self.environments[id.0]
    }

    fn environment_mut(&mut self, id: EnvironmentId) -> &mut Environment {
        &mut self.environments[id.0]
    }

    fn home(&self) -> &Environment {
        self.environment(HOME)
    }

    /// The environment of a worker.
    fn environment_of(&self, worker: WorkerId) -> EnvironmentId {
        let has = |environment: &Environment| environment.workers.contains(&worker);
        EnvironmentId(self.environments.iter().position(has).unwrap_or_default())
    }

    fn emit(&mut self, event: &RunEvent) {
        if let Some(history) = &mut self.history {
            history.handle(event);
        }
        self.long.follow(event, Instant::now());
        self.mirror(event);
        self.observer.event(event);
    }
}

async fn accept_all(listener: Listener, happenings: mpsc::Sender<Happening>) {
    loop {
        let accepted = listener.accept().await;
        if let Err(error) = &accepted
            && execnet_rs::process::out_of_descriptors(error)
            && happenings.send(Happening::NoRoom(format!("no connection: {error}{}", advice(error)))).await.is_err()
        {
            return;
        }
        let Ok((stream, peer)) = accepted else {
            // A connection gone before it was taken: others will come.
            tokio::time::sleep(TICK).await;
            continue;
        };
        let happenings = happenings.clone();
        tokio::spawn(async move {
            let happening = match Link::greet(stream, peer).await {
                Ok(Greeting::Hello(link)) => Happening::Connected(link),
                Ok(Greeting::Unusable(why)) => Happening::Unusable(HERE, peer, why),
                Err(why) => Happening::Stranger(why),
            };
            let _ = happenings.send(happening).await;
        });
    }
}

async fn tell_stops(mut stops: mpsc::UnboundedReceiver<u32>, happenings: mpsc::Sender<Happening>) {
    while let Some(pid) = stops.recv().await {
        if happenings.send(Happening::Stopped(HERE, pid)).await.is_err() {
            return;
        }
    }
}

fn listen_to_signals(happenings: &mpsc::Sender<Happening>) -> io::Result<()> {
    let ignored = execnet_rs::process::ignored_signals();
    for meaning in [Signal::Interrupt, Signal::Terminate, Signal::HangUp, Signal::Suspend] {
        let number = meaning.as_rustix().as_raw();
        // `nohup` and a shell's background jobs mean it.
        if ignored & (1 << (number - 1)) != 0 {
            continue;
        }
        let mut stream = signal(SignalKind::from_raw(number))?;
        let happenings = happenings.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if happenings.send(Happening::Signal(meaning)).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(())
}
