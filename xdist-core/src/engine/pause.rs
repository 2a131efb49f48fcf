//! Ctrl-Z: a run that the user stops for a while, here and on other hosts.

use std::time::{Duration, Instant};

use execnet_rs::group::Pause;
use rustix::process::Signal;

use super::Engine;
use super::happening::Happening;
use super::site::{HERE, SiteId};

/// Other hosts wait this long for a run that the user has stopped.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);
/// They have this long to answer that they will.
const PAUSE_PATIENCE: Duration = Duration::from_secs(2);
/// After the run goes on, hosts may still tell that its processes were stopped.
const ECHO: Duration = Duration::from_secs(2);

/// Whether the user stops the run for a while (Ctrl-Z).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Suspension {
    /// No.
    #[default]
    None,
    /// Other hosts are being told that it will be.
    Announced,
    /// It was, and goes on since then.
    Over(Instant),
}

impl Suspension {
    /// Whether a process that is said to be stopped was stopped with the run.
    pub(super) fn explains_a_stop(self) -> bool {
        match self {
            Self::None => false,
            Self::Announced => true,
            Self::Over(since) => since.elapsed() < ECHO,
        }
    }
}

impl Engine<'_> {
    /// Ctrl-Z: everything stops with us and goes on with us. Other hosts are told first: a process that is stopped can tell
    /// them nothing.
    pub(super) fn suspend(&mut self) {
        if self.gateways.is_empty() {
            return self.stand_still(None);
        }
        if self.suspension == Suspension::Announced {
            return;
        }
        self.suspension = Suspension::Announced;
        self.signal_groups(Signal::STOP, |site| site != HERE);
        let (group, happenings) = (self.gateways.clone(), self.happenings.clone());
        tokio::spawn(async move {
            let pause = group.pause(LONGEST_PAUSE, PAUSE_PATIENCE).await;
            let _ = happenings.send(Happening::Paused(pause)).await;
        });
    }

    /// Stops this host's part of the run, and goes on when it is told to.
    pub(super) fn stand_still(&mut self, pause: Option<Pause>) {
        self.signal_groups(Signal::STOP, |site| site == HERE);
        self.observer.suspend();
        let stopped = Instant::now();
        execnet_rs::process::stand_still();
        let slept = stopped.elapsed();
        self.observer.resume();
        drop(pause);
        self.signal_groups(Signal::CONT, |_| true);
        self.suspension = Suspension::Over(Instant::now());
        if let Some(deadline) = &mut self.kill_at {
            *deadline += slept;
        }
        for member in self.members.living() {
            if let Some((deadline, _)) = &mut self.members.get_mut(member).leave_by {
                *deadline += slept;
            }
        }
        self.long.slept(slept);
    }

    fn signal_groups(&self, signal: Signal, on: impl Fn(SiteId) -> bool) {
        for member in self.members.living() {
            let entry = self.members.get(member);
            if entry.leads_group && on(entry.site) {
                self.kill(member, signal);
            }
        }
    }
}
