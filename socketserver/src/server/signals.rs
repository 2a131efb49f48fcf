//! Signals that end the server, unless they were ignored when it started.

use std::io;

use execnet_rs::process::ignored_signals;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(super) struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
    hang_up: Option<Signal>,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let ignored = ignored_signals();
        let watch = |kind: SignalKind| {
            let is_ignored = ignored & (1 << (kind.as_raw_value() - 1)) != 0;
            if is_ignored { Ok(None) } else { signal(kind).map(Some) }
        };
        Ok(Self {
            terminate: watch(SignalKind::terminate())?,
            interrupt: watch(SignalKind::interrupt())?,
            hang_up: watch(SignalKind::hangup())?,
        })
    }

    /// The next one's name. Cancel safe.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            () = wait(&mut self.terminate) => "SIGTERM",
            () = wait(&mut self.interrupt) => "SIGINT",
            () = wait(&mut self.hang_up) => "SIGHUP",
        }
    }
}

async fn wait(signal: &mut Option<Signal>) {
    let received = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if received.is_none() {
        std::future::pending::<()>().await;
    }
}
