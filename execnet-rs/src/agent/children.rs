//! Processes on the agent's host that others than the agent have forked: how they end, and signals to them.

use std::collections::BTreeMap;

use rustix::process::Signal;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;

use super::process::ended;
use super::program::Care;
use crate::channel::{Channel, RemoteError};
use crate::process::{Children, is_group, signal_group, signal_process, signal_rest_of_group};
use crate::value::Value;

/// Processes that somebody asked about, and whether each leads a group. What is left of them is killed with the channel.
struct Watched {
    care: Care,
    living: BTreeMap<u32, bool>,
}

impl Watched {
    fn watch(&mut self, pid: u32, leads: bool) {
        if leads {
            self.care.group(pid);
        } else {
            self.care.process(pid);
        }
        self.living.insert(pid, leads);
    }

    fn ended(&mut self, pid: u32) {
        // What its group goes on with ends with the link.
        if self.living.remove(&pid) == Some(true) && is_group(pid) {
            self.care.rest(pid);
        } else {
            self.care.forget(pid);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        for (pid, leads) in &self.living {
            if *leads {
                signal_group(*pid, Signal::KILL);
            } else {
                signal_process(*pid, Signal::KILL);
            }
        }
    }
}

pub(super) async fn serve(channel: &Channel, care: &Care) -> Result<(), RemoteError> {
    channel.receive().await?;
    let Some(children) = Children::adopted() else {
        return Err(RemoteError::new("LookupError", "the agent here does not look after processes of others"));
    };
    let mut stops = care.stops();
    let mut watched = Watched { care: care.clone(), living: BTreeMap::new() };
    let mut ends = JoinSet::new();
    let _ = channel.send(()).await;
    loop {
        let said = tokio::select! {
            order = channel.receive() => {
                let Ok(order) = order else { return Ok(()) };
                let number = |key: &str| order.get(key).and_then(Value::as_int);
                if let Some(pid) = number("watch").and_then(|pid| u32::try_from(pid).ok()) {
                    watched.watch(pid, order.get("leads").and_then(Value::as_bool) == Some(true));
                    let children = children.clone();
                    ends.spawn(async move { (pid, children.wait(pid).await) });
                } else if let Some(pid) = number("pid").and_then(|pid| u32::try_from(pid).ok()) {
                    send_signal(&order, pid);
                }
                continue;
            }
            Some(Ok((pid, how))) = ends.join_next(), if !ends.is_empty() => {
                watched.ended(pid);
                let Value::Dict(mut how) = ended(how) else { continue };
                how.push(("pid".into(), pid.into()));
                Value::Dict(how)
            }
            pid = next_stop(&mut stops) => Value::dict([("stopped", pid)]),
        };
        if channel.send(said).await.is_err() {
            return Ok(());
        }
    }
}

fn send_signal(order: &Value, pid: u32) {
    let number = order.get("signal").and_then(Value::as_int).and_then(|number| i32::try_from(number).ok());
    let Some(signal) = number.and_then(Signal::from_named_raw) else { return };
    match order.get("to").and_then(Value::as_str) {
        Some("group") => signal_group(pid, signal),
        Some("rest") => signal_rest_of_group(pid, signal),
        _ => signal_process(pid, signal),
    }
}

/// The next process that a signal stopped; never, where nobody tells.
async fn next_stop(stops: &mut Option<broadcast::Receiver<u32>>) -> u32 {
    if let Some(stops) = stops {
        loop {
            match stops.recv().await {
                Ok(pid) => return pid,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            }
        }
    }
    std::future::pending().await
}
