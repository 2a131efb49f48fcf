//! Processes of a run, found by a mark in the environment they started with: it is inherited by every child, whatever
//! its group, session or parent, and a process cannot lose it.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Name of the variable that carries a run's mark.
pub(crate) const MARK: &str = "E2E_RUN_MARK";

/// A living process of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proc {
    /// Its id.
    pub pid: i32,
    /// Its command line, for messages.
    pub command: String,
}

/// All living processes (no zombies) that carry this mark.
pub fn marked(mark: &str) -> Vec<Proc> {
    let wanted = format!("{MARK}={mark}");
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let found = environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes());
        if !found || is_zombie(pid) {
            return None;
        }
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some(Proc { pid, command: String::from_utf8_lossy(&command).replace('\0', " ") })
    })
    .collect()
}

fn is_zombie(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with(['Z', 'X']))
}

/// Kills every process that carries the mark.
pub(crate) fn kill_marked(mark: &str) {
    for process in marked(mark) {
        if let Some(pid) = Pid::from_raw(process.pid) {
            kill_process(pid, Signal::KILL).ok();
        }
    }
}
