//! Waiting for a condition with a deadline: the only way in which tests wait.

use std::thread;
use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(5);

/// Polls `condition` until it holds; false when `limit` passed first.
pub fn until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    until_some(limit, || condition().then_some(())).is_some()
}

/// Polls `probe` until it has something; `None` when `limit` passed first. The probe runs at least once.
pub fn until_some<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(STEP);
    }
}
