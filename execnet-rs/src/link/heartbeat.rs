//! Whether the other side is still there: who says nothing is asked, and given up after a while.
//!
//! The side that serves gives up before the side that asked for the connection does. So when a controller hears nothing of
//! a host and has its work done elsewhere, that host has ended its own part already, if it was cut off.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use super::Shared;
use crate::mux::{LinkEnd, Side};

/// A silent peer is asked this often.
const EVERY: Duration = Duration::from_secs(2);
/// What serves others ends after so much silence.
const SERVED: Duration = Duration::from_secs(15);
/// Whoever is served gives the other side up after so much. What lies between is for one question on its way, the steps in
/// which time is measured, and killing what runs there.
const SERVING: Duration = Duration::from_secs(20);

/// When a silent peer is asked whether it is there, and when it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// After so much silence a ping is sent.
    pub every: Duration,
    /// After so much silence the link has ended; noticed within half of `every`.
    pub dead: Duration,
}

impl Heartbeat {
    /// The usual one of a side.
    pub fn of(side: Side) -> Self {
        let dead = match side {
            Side::Initiator => SERVING,
            Side::Acceptor => SERVED,
        };
        Self { every: EVERY, dead }
    }
}

/// Times in which the other side said that it would be silent.
#[derive(Debug, Default)]
pub(crate) struct Patience(Mutex<Vec<(u64, Instant)>>);

impl Patience {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Silence is no fault from now on, for at most so long.
    pub(crate) fn begin(&self, limit: Duration) -> u64 {
        let mut pauses = self.lock();
        let number = pauses.last().map_or(0, |(number, _)| number + 1);
        let now = Instant::now();
        pauses.push((number, now.checked_add(limit).unwrap_or(now)));
        number
    }

    /// The other side speaks again.
    pub(crate) fn end(&self, number: u64) {
        self.lock().retain(|(other, _)| *other != number);
    }

    fn holds(&self) -> bool {
        let now = Instant::now();
        self.lock().iter().any(|(_, until)| now < *until)
    }
}

/// Watches a link until the other side has been silent for too long.
pub(super) async fn beat(shared: Arc<Shared>, heartbeat: Heartbeat) {
    let step = heartbeat.every / 2;
    let mut ticks = tokio::time::interval(step);
    // Time in which this process did not run (it was stopped, or its host slept) is not held against the other side.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut heard, mut silent) = (0, 0);
    loop {
        ticks.tick().await;
        let received = shared.received.load(Ordering::Relaxed);
        if received != heard || shared.patience.holds() {
            (heard, silent) = (received, 0);
            continue;
        }
        silent += 1;
        if step * silent >= heartbeat.dead {
            return shared.end(LinkEnd::Silent(heartbeat.dead));
        }
        if silent % 2 == 0 {
            shared.with(|mux| mux.ping(u64::MAX));
        }
    }
}
