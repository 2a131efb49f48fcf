//! A watchdog for what a killed process cannot clean up itself.
//!
//! Nothing in a process can act after its own SIGKILL. So the program starts itself once more, as a guard, before
//! anything else: the guard reads a pipe whose other end only the program holds. When the pipe closes without a goodbye,
//! the guard kills the process groups it was told of and removes the directories it was told of.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::Signal;

use crate::process::{signal_group, signal_process, signal_rest_of_group};
use crate::transport::socket::known::SECRET_VARIABLES;

/// The argument that makes the program run [`guard_main`] and nothing else.
pub const GUARD_ARGUMENT: &str = "--guard-of-a-run";

/// The program's end of the pipe to its guard.
#[derive(Debug)]
pub struct Guard {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts the current executable as a guard.
    ///
    /// # Errors
    /// If no process can be started.
    pub fn start() -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        for name in SECRET_VARIABLES {
            command.env_remove(name);
        }
        let mut child =
            command.arg(GUARD_ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Have the process group led by `leader` killed if this process dies.
    pub fn group(&mut self, leader: u32) {
        self.tell(format_args!("group {leader}"));
    }

    /// Have one process killed if this process dies.
    pub fn process(&mut self, pid: u32) {
        self.tell(format_args!("process {pid}"));
    }

    /// The leader of a group has ended; have those killed that it left behind, if this process dies.
    pub fn rest(&mut self, leader: u32) {
        self.tell(format_args!("rest {leader}"));
    }

    /// The process or group has ended: forget it, its number may be used again.
    pub fn forget(&mut self, pid: u32) {
        self.tell(format_args!("forget {pid}"));
    }

    /// Have a directory tree removed if this process dies. The path must be valid UTF-8 without line ends.
    pub fn directory(&mut self, path: &Path) {
        self.tell(format_args!("directory {}", path.display()));
    }

    /// Everything is cleaned up: let the guard leave without doing anything, and wait for it.
    pub fn dismiss(mut self) {
        self.tell(format_args!("goodbye"));
        self.pipe = None;
        let _ = self.child.wait();
    }

    // A guard that has died can guard nothing, but must not stop the run either.
    fn tell(&mut self, line: std::fmt::Arguments<'_>) {
        if let Some(pipe) = &mut self.pipe
            && pipe.write_all(format!("{line}\n").as_bytes()).is_err()
        {
            self.pipe = None;
        }
    }
}

/// What the guard has to kill and remove.
#[derive(Debug, Default, PartialEq, Eq)]
struct Charges {
    groups: BTreeSet<u32>,
    rests: BTreeSet<u32>,
    processes: BTreeSet<u32>,
    directories: BTreeSet<PathBuf>,
}

impl Charges {
    /// Takes one line in; true for a goodbye.
    fn take(&mut self, line: &str) -> bool {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, rest.parse::<u32>()) {
            ("goodbye", _) => return true,
            ("group", Ok(pid)) => drop(self.groups.insert(pid)),
            ("rest", Ok(pid)) => {
                self.groups.remove(&pid);
                self.rests.insert(pid);
            }
            ("process", Ok(pid)) => drop(self.processes.insert(pid)),
            ("forget", Ok(pid)) => {
                self.groups.remove(&pid);
                self.rests.remove(&pid);
                self.processes.remove(&pid);
            }
            ("directory", _) => drop(self.directories.insert(PathBuf::from(rest))),
            _ => {}
        }
        false
    }

    fn discharge(&self) {
        self.groups.iter().for_each(|leader| signal_group(*leader, Signal::KILL));
        self.rests.iter().for_each(|leader| signal_rest_of_group(*leader, Signal::KILL));
        self.processes.iter().for_each(|pid| signal_process(*pid, Signal::KILL));
        self.remove_directories();
    }

    fn remove_directories(&self) {
        for directory in &self.directories {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// Whether a process is a guard.
pub(crate) fn is_guard(pid: u32) -> bool {
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    arguments.split(|byte| *byte == 0).nth(1) == Some(GUARD_ARGUMENT.as_bytes())
}

/// The guard's whole life: read standard input to its end, then act.
pub fn guard_main() {
    // A session of its own: no terminal can stop, interrupt or hang it up.
    let _ = rustix::process::setsid();
    let mut charges = Charges::default();
    for line in io::stdin().lock().lines() {
        match line {
            Ok(line) if charges.take(&line) => {
                // What could not be removed without descriptors can be from here.
                charges.remove_directories();
                return;
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    charges.discharge();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forgotten_process_is_not_killed() {
        let mut charges = Charges::default();
        assert!(!charges.take("group 10"));
        assert!(!charges.take("process 11"));
        assert!(!charges.take("forget 10"));
        assert!(!charges.take("group 12"));
        assert!(!charges.take("rest 12"));
        assert!(!charges.take("directory /tmp/a b"));
        let left = Charges {
            rests: BTreeSet::from([12]),
            processes: BTreeSet::from([11]),
            directories: BTreeSet::from([PathBuf::from("/tmp/a b")]),
            ..Charges::default()
        };
        assert_eq!(charges, left);
        assert!(charges.take("goodbye"));
    }
}
