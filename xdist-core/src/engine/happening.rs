//! What the engine waits for, from all sides, as one sequence.

use std::sync::Arc;

use execnet_rs::gateway::Process;
use execnet_rs::group::Pause;
use execnet_rs::process::HowEnded;

use super::link::Link;
use super::outbox::Pass;
use super::remains::Remains;
use super::site::{Remote, SiteId};
use super::trees::TreeNews;
use crate::protocol::FromPython;

/// A Python process of this run, by its place in the table of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct MemberId(pub(super) usize);

/// Something that happened outside.
pub(super) enum Happening {
    /// A process connected and said who it is.
    Connected(Box<Link>),
    /// The interpreter that runs as this process cannot run tests; why.
    Unusable(SiteId, u32, String),
    /// A connection failed before it was anybody's; why.
    Stranger(String),
    /// Messages, in order.
    Messages(MemberId, Vec<FromPython>),
    /// Tests that passed without a message, in order, before and after messages as the process had it.
    Passes(MemberId, Vec<Pass>),
    /// A connection ended; why, if by a fault.
    LinkClosed(MemberId, Option<String>),
    /// Bytes from a process's stdout or stderr.
    Output(MemberId, bool, Vec<u8>),
    /// Nothing more comes from a process's stdout or stderr.
    OutputClosed(MemberId),
    /// A process ended.
    Exited(MemberId, HowEnded),
    /// There is no descriptor left for a connection; why, and what would help.
    NoRoom(String),
    /// A process of this number was stopped by a signal.
    Stopped(SiteId, u32),
    /// A host serves the run, or cannot; why.
    SiteUp(SiteId, Result<Arc<Remote>, String>),
    /// A host does not let this user in; what is wrong follows.
    SiteRefuses(SiteId),
    /// A host that served the run is gone; why.
    SiteLost(SiteId, String),
    /// A process was started on another host, or cannot be; why.
    Started(MemberId, Result<Box<Process>, String>),
    /// There are no pipes for what a process on another host writes; why.
    NoStreams(MemberId, String),
    /// What a dead worker left behind on another host, and how it ended.
    Remains(MemberId, HowEnded, Box<Remains>),
    /// What becomes of source trees; the number is the run's.
    Tree(u64, TreeNews),
    /// A signal to this program.
    Signal(Signal),
    /// Other hosts know that this process will be stopped for a while.
    Paused(Pause),
}

impl Happening {
    /// Whom it is about, if it is about one of the run's processes.
    pub(super) fn member(&self) -> Option<MemberId> {
        match self {
            Self::Messages(member, _)
            | Self::Passes(member, _)
            | Self::LinkClosed(member, _)
            | Self::Output(member, ..)
            | Self::OutputClosed(member)
            | Self::Exited(member, _)
            | Self::Started(member, _)
            | Self::NoStreams(member, _)
            | Self::Remains(member, ..) => Some(*member),
            Self::Connected(_)
            | Self::Unusable(..)
            | Self::Stranger(_)
            | Self::NoRoom(_)
            | Self::Stopped(..)
            | Self::SiteUp(..)
            | Self::SiteRefuses(_)
            | Self::SiteLost(..)
            | Self::Tree(..)
            | Self::Signal(_)
            | Self::Paused(_) => None,
        }
    }
}

/// Signals that mean something to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// The terminal is gone.
    HangUp,
    /// Ctrl-Z.
    Suspend,
    /// No signal of the system's: what is tested has changed.
    Change,
}

impl Signal {
    /// For messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "Ctrl-C",
            Self::Terminate => "SIGTERM",
            Self::HangUp => "SIGHUP",
            Self::Suspend => "Ctrl-Z",
            Self::Change => "a file changed",
        }
    }

    /// Its number, for a parent that looks at `128 + n`.
    pub(super) fn as_rustix(self) -> rustix::process::Signal {
        match self {
            Self::Interrupt | Self::Change => rustix::process::Signal::INT,
            Self::Terminate => rustix::process::Signal::TERM,
            Self::HangUp => rustix::process::Signal::HUP,
            Self::Suspend => rustix::process::Signal::TSTP,
        }
    }
}
