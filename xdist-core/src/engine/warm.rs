//! What outlives a run, so that the next one begins where this one's imports are paid already: the socket, the signals,
//! the watchdog, and, between the runs of a loop, the fork server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use execnet_rs::guard::Guard;
use execnet_rs::local::Listener;
use execnet_rs::process::{Children, OpenFiles};
use rustix::process::Signal as Kill;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::environment::HOME;
use super::happening::{Happening, MemberId, Signal};
use super::launch::Launch;
use super::members::{Member, Members};
use super::{EngineError, WAITING, accept_all, listen_to_signals, place, system, tell_stops};
use crate::facts::{Facts, Interpreter};
use crate::interpreter::{Candidate, PassedOver};
use crate::protocol::ToPython;

/// A fork server that is told to leave has this long.
const LEAVE: Duration = Duration::from_secs(2);

/// What runs of this program share.
pub struct Warm<'g> {
    pub(super) guard: &'g mut Guard,
    pub(super) open_files: OpenFiles,
    pub(super) happenings: mpsc::Sender<Happening>,
    pub(super) inbox: mpsc::Receiver<Happening>,
    pub(super) children: Children,
    pub(super) listener_path: PathBuf,
    pub(super) package: PathBuf,
    pub(super) directory: TempDir,
    pub(super) kept: Option<Kept>,
    pub(super) facts: Option<Arc<Facts>>,
    pub(super) interrupted: bool,
}

/// A fork server between two runs, with what the first one learned when it started it.
pub(super) struct Kept {
    /// No entry of it but the server's is alive.
    pub(super) members: Members,
    pub(super) server: MemberId,
    pub(super) launch: Launch,
    pub(super) interpreter: Interpreter,
    pub(super) candidate: Candidate,
    pub(super) passed_over: Vec<PassedOver>,
}

impl Kept {
    fn member(&mut self) -> &mut Member {
        self.members.get_mut(self.server)
    }
}

/// A signal that came while no run was on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// The user or the system wants the program to end.
    Leave,
    /// Ctrl-Z.
    Suspend,
}

/// Stops a run from outside.
#[derive(Clone, Debug)]
pub struct Stopper(mpsc::Sender<Happening>);

impl Stopper {
    /// The run that is on is to end, since it is out of date.
    pub fn out_of_date(&self) {
        // A run with so much to do that there is no room ends all the same: whoever asks asks again.
        let _ = self.0.try_send(Happening::Signal(Signal::Change));
    }

    /// As if the user had typed Ctrl-C.
    pub fn interrupt(&self) {
        let _ = self.0.try_send(Happening::Signal(Signal::Interrupt));
    }
}

impl<'g> Warm<'g> {
    /// Prepares for runs; call once, inside of a tokio runtime.
    ///
    /// # Errors
    /// What no run can do without.
    pub fn new(open_files: OpenFiles, guard: &'g mut Guard) -> Result<Self, EngineError> {
        let directory = place::make().map_err(system("cannot make a directory for temporary files"))?;
        guard.directory(directory.path());
        let (happenings, inbox) = mpsc::channel(WAITING);
        let listener =
            Listener::bind(&directory.path().join("s")).map_err(system("cannot listen on a local socket"))?;
        let listener_path = listener.path().to_owned();
        tokio::spawn(accept_all(listener, happenings.clone()));
        listen_to_signals(&happenings).map_err(system("cannot listen to signals"))?;
        let package = crate::python::package_dir(directory.path()).map_err(system("cannot extract the Python side"))?;
        let (children, stops) = Children::adopt().map_err(system("cannot look after child processes"))?;
        tokio::spawn(tell_stops(stops, happenings.clone()));
        Ok(Self {
            guard,
            open_files,
            happenings,
            inbox,
            children,
            listener_path,
            package,
            directory,
            kept: None,
            facts: None,
            interrupted: false,
        })
    }

    /// What pytest said of the last run's arguments.
    pub fn facts(&self) -> Option<Arc<Facts>> {
        self.facts.clone()
    }

    /// Whether the user, or the system, ended the last run.
    pub fn was_interrupted(&self) -> bool {
        self.interrupted
    }

    /// A directory that goes when this does.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Stops runs.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.happenings.clone())
    }

    /// Whether a fork server waits for the next run.
    pub fn is_warm(&self) -> bool {
        self.kept.is_some()
    }

    /// Has the fork server import modules: those with rewritten assertions first, then the others.
    pub fn preload(&mut self, rewritten: Vec<String>, others: Vec<String>) {
        let Some(kept) = &mut self.kept else { return };
        if !rewritten.is_empty() {
            kept.member().tell(ToPython::Preload(rewritten));
        }
        if !others.is_empty() {
            kept.member().tell(ToPython::PreloadPlain(others));
        }
    }

    /// Waits for a signal while no run is on; takes note of what happens to the fork server.
    pub async fn idle(&mut self) -> Idle {
        loop {
            // The sender is here: the channel does not end.
            let Some(happening) = self.inbox.recv().await else { return Idle::Leave };
            match happening {
                Happening::Signal(Signal::Suspend) => return Idle::Suspend,
                // Meant for a run that ended meanwhile.
                Happening::Signal(Signal::Change) => {}
                Happening::Signal(_) => return Idle::Leave,
                other => self.note(&other),
            }
        }
    }

    /// Ends the fork server: the next run starts another one.
    pub async fn cool(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        kept.member().tell(ToPython::Finish);
        let deadline = Instant::now() + LEAVE;
        while self.kept.is_some() {
            match timeout_at(deadline, self.inbox.recv()).await {
                Ok(Some(happening)) => self.note(&happening),
                Ok(None) => return,
                Err(_) => break,
            }
        }
        if let Some(pid) = self.kept.as_mut().and_then(|kept| kept.member().pid) {
            execnet_rs::process::signal_process(pid, Kill::KILL);
        }
        while self.kept.is_some() {
            let Some(happening) = self.inbox.recv().await else { return };
            self.note(&happening);
        }
    }

    /// Takes note of what was said of the run before, so that it is not taken for this one's.
    pub(super) fn catch_up(&mut self) {
        let mut early = Vec::new();
        while let Ok(happening) = self.inbox.try_recv() {
            match happening {
                Happening::Signal(Signal::Change) => {}
                Happening::Signal(signal) => early.push(signal),
                other => self.note(&other),
            }
        }
        for signal in early {
            // There is as much room as was taken.
            let _ = self.happenings.try_send(Happening::Signal(signal));
        }
    }

    /// Waits until a fork server that lost its connection is gone: what is said of it must not be taken for the next one's.
    pub(super) async fn settle(&mut self) {
        if self.kept.as_mut().is_some_and(|kept| !kept.member().is_linked()) {
            self.cool().await;
        }
    }

    fn note(&mut self, happening: &Happening) {
        let Some(kept) = &mut self.kept else { return };
        let server = kept.server;
        match happening {
            Happening::LinkClosed(member, _) if *member == server => kept.member().unlink(),
            Happening::Exited(member, how) if *member == server => {
                tracing::debug!("the fork server ended with {how} between two runs");
                if let Some(pid) = kept.member().pid {
                    self.guard.forget(pid);
                }
                kept.member().exit(*how);
            }
            _ => {}
        }
        if kept.member().bury() {
            self.kept = None;
        }
    }
}

impl super::Engine<'_> {
    /// Whether the fork server stays for another run.
    pub(super) fn keeps_server(&self) -> bool {
        let leaving = self.interrupted.is_some_and(|signal| signal != Signal::Change);
        self.facts.looponfail.is_some() && !leaving && !self.ends_all
    }

    /// Whether a process is no matter of this run's end.
    pub(super) fn outlives(&self, member: MemberId) -> bool {
        self.keeps_server() && self.home().server == Some(member) && self.members.get(member).is_linked()
    }

    /// Whether somebody outside of the run ended it.
    pub(super) fn was_interrupted(&self, code: u8) -> bool {
        let here = self.interrupted.is_some_and(|signal| signal != Signal::Change);
        here || (self.typed_in_plain && code == crate::exit::INTERRUPTED)
    }

    /// Takes over the fork server of the run before.
    pub(super) fn resume(&mut self, kept: Kept, facts: Option<&Facts>) {
        self.members = kept.members;
        self.candidate = kept.candidate;
        self.passed_over = kept.passed_over;
        self.candidates.clear();
        let home = self.environment_mut(HOME);
        home.launch = kept.launch;
        home.interpreter = kept.interpreter;
        home.server = Some(kept.server);
        self.expect_distribution = facts.is_some_and(|facts| facts.plain.is_none());
        self.stage = super::Stage::Facts;
        self.fork_session(HOME);
    }

    /// Gives the fork server back, if it stays.
    pub(super) fn keep(mut self) -> Option<Kept> {
        let server = self.home().server.filter(|server| self.outlives(*server))?;
        let mut members = std::mem::take(&mut self.members);
        members.only(server);
        let home = std::mem::take(self.environment_mut(HOME));
        Some(Kept {
            members,
            server,
            launch: home.launch,
            interpreter: home.interpreter,
            candidate: self.candidate,
            passed_over: self.passed_over,
        })
    }
}
