//! How many connections are tried at a time, and when again. sshd turns away whom it cannot serve yet (`MaxStartups`).

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections that are being made at the same time.
const AT_ONCE: usize = 16;

/// Those of them to the same host: sshd begins to turn away at 10.
const AT_ONE_HOST: usize = 4;

/// The first pause; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(150);

/// How often a host that turned us away is asked again: for some 10 s.
const TIMES: u32 = 6;

/// Who may connect now.
#[derive(Debug)]
pub(super) struct Pacing {
    all: Arc<Semaphore>,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ONCE)), hosts: Mutex::default() }
    }
}

/// Lets the next one in when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _host: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

impl Pacing {
    /// Waits until a connection to a host may be tried. Cancel safe.
    pub(super) async fn turn(&self, host: &str) -> Turn {
        let one = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(hosts.entry(host.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONE_HOST))))
        };
        // The host's first: whoever waits for a host takes nobody else's place.
        let host = one.acquire_owned().await.ok();
        Turn { _host: host, _all: Arc::clone(&self.all).acquire_owned().await.ok() }
    }
}

/// How long to wait after an attempt that was turned away; None if it was the last. `chance` is any number.
pub(super) fn pause(attempt: u32, chance: u64) -> Option<Duration> {
    if attempt >= TIMES {
        return None;
    }
    let pause = FIRST_PAUSE * 2_u32.pow(attempt);
    // Between half and one and a half: those who were turned away together do not come back together.
    Some(pause / 2 + pause * u32::try_from(chance % 1000).unwrap_or(0) / 1000)
}

/// Any number.
pub(super) fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_differ_and_end() {
        let longest: Duration = (0..).map_while(|attempt| pause(attempt, 999)).sum();
        let shortest: Duration = (0..).map_while(|attempt| pause(attempt, 0)).sum();
        assert!(shortest > Duration::from_secs(4) && longest < Duration::from_secs(15), "{shortest:?} {longest:?}");
        assert!(pause(2, 0) < pause(2, 500) && pause(2, 500) < pause(3, 500));
        assert_eq!(pause(TIMES, 0), None);
    }

    #[tokio::test]
    async fn one_host_takes_no_more_than_its_share() {
        let pacing = Pacing::default();
        let mut turns = Vec::new();
        for _ in 0..AT_ONE_HOST {
            turns.push(pacing.turn("busy").await);
        }
        let brief = Duration::from_millis(20);
        assert!(tokio::time::timeout(brief, pacing.turn("busy")).await.is_err());
        for number in AT_ONE_HOST..AT_ONCE {
            turns.push(pacing.turn(&format!("other{number}")).await);
        }
        assert!(tokio::time::timeout(brief, pacing.turn("last")).await.is_err());
        turns.pop();
        pacing.turn("last").await;
    }
}
