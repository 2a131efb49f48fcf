//! A watchdog for what a killed process cannot clean up itself.
//!
//! Nothing in a process can act after its own SIGKILL. So the program starts itself once more, as a guard, before
//! anything else: the guard reads a pipe whose other end only the program holds. When the pipe closes without a goodbye,
//! the guard kills the process groups it was told of and removes the directories it was told of.
//!
//! A process that was stopped does not act either. One that says from time to time that it is alive is killed, with all
//! that, once it has not said so for a while.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::Signal;
use rustix::stdio::stdin;

use crate::process::{signal_group, signal_process, signal_rest_of_group};
use crate::transport::socket::known::SECRET_VARIABLES;

/// The argument that makes the program run [`guard_main`] and nothing else.
pub const GUARD_ARGUMENT: &str = "--guard-of-a-run";

/// How often a process that is to be killed if it is stopped says that it is alive.
pub(crate) const ALIVE: Duration = Duration::from_secs(2);

const ALIVE_WORD: &str = "alive";

/// How long it may be silent, in steps. As long as the other side of a link waits at most: see [`crate::link::Heartbeat`].
const SILENCE: u32 = 15;
const STEP: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

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

    /// This process is alive. Once it has said so, it has to go on saying it, every two seconds; otherwise it is killed, as
    /// if it had died.
    pub fn alive(&mut self) {
        self.tell(format_args!("{ALIVE_WORD}"));
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

/// What comes over standard input.
enum Heard {
    Line(String),
    /// Nothing, for one step.
    Nothing,
    /// The other end is closed.
    End,
}

/// The next line, of which a part may have come.
fn hear(bytes: &mut Vec<u8>) -> Heard {
    loop {
        if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = bytes.drain(..=end).take(end).collect();
            return Heard::Line(String::from_utf8_lossy(&line).into_owned());
        }
        match poll(&mut [PollFd::from_borrowed_fd(stdin(), PollFlags::IN)], Some(&STEP)) {
            Ok(0) => return Heard::Nothing,
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return Heard::End,
        }
        let mut piece = [0; 4096];
        match rustix::io::read(stdin(), &mut piece) {
            Ok(0) => return Heard::End,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(Errno::INTR) => {}
            Err(_) => return Heard::End,
        }
    }
}

/// The guard's whole life: read standard input to its end, then act.
pub fn guard_main() {
    let guarded = rustix::process::getppid();
    // A session of its own: no terminal can stop, interrupt or hang it up.
    let _ = rustix::process::setsid();
    let (mut charges, mut bytes) = (Charges::default(), Vec::new());
    // Steps are counted, so that time in which nobody here ran is not held against anybody.
    let (mut watches, mut silent) = (false, 0);
    loop {
        match hear(&mut bytes) {
            Heard::Line(line) if charges.take(&line) => {
                // What could not be removed without descriptors can be from here.
                charges.remove_directories();
                return;
            }
            Heard::Line(line) => {
                watches |= line == ALIVE_WORD;
                silent = 0;
            }
            Heard::Nothing => silent += 1,
            Heard::End => break,
        }
        if watches && silent >= SILENCE {
            if let Some(guarded) = guarded.filter(|parent| rustix::process::getppid() == Some(*parent)) {
                let _ = rustix::process::kill_process(guarded, Signal::KILL);
            }
            break;
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
