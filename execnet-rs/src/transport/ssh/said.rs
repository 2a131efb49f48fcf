//! What a connection says beside its stream: kept for an error that may follow; once there is a link, passed on.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes that are kept.
const MOST: usize = 8 * 1024;

/// The end of what was said so far.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    kept: Vec<u8>,
    passing: bool,
}

impl Said {
    /// Takes all that comes, until it ends.
    pub(super) async fn hear<R: AsyncRead + Unpin>(&self, mut from: R) {
        let mut chunk = vec![0; 4096];
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            self.take(&chunk[..count]);
        }
    }

    /// Takes something.
    pub(super) fn take(&self, bytes: &[u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.passing {
            drop(state);
            let _ = io::stderr().lock().write_all(bytes);
            return;
        }
        state.kept.extend_from_slice(bytes);
        let more = state.kept.len().saturating_sub(MOST);
        state.kept.drain(..more);
    }

    /// From now on, what is said goes to this process's standard error.
    pub(super) fn pass_on(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).passing = true;
    }

    /// What was kept, as one line.
    pub(super) fn text(&self) -> String {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&state.kept);
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
    }
}
