//! Processes on this host: how any descendant ended, and signals to whole process groups.
//!
//! # Theory of operation
//! The calling process becomes a *child subreaper*: a grandchild whose parent has left becomes its child, so that a
//! worker forked twice, or forked by a process that died since, still has its end read here. On every SIGCHLD all ended
//! children are reaped. How they ended goes to whoever waits, or is remembered for a while, because a process may end
//! before the message that announces it has been read.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getpid, getrlimit, kill_process, kill_process_group,
    prlimit, set_child_subreaper, setrlimit, test_kill_process, test_kill_process_group, wait,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HowEnded {
    /// It exited with this code.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// It is gone, and nobody here could learn how.
    Unknown,
}

impl HowEnded {
    /// Reads what [`std::process`] says.
    pub fn from_exit_status(status: std::process::ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Signaled(signal),
            (None, None) => Self::Unknown,
        }
    }

    fn from_status(status: WaitStatus) -> Self {
        if let Some(code) = status.exit_status() {
            Self::Exited(code)
        } else if let Some(signal) = status.terminating_signal() {
            Self::Signaled(signal)
        } else {
            Self::Unknown
        }
    }
}

impl fmt::Display for HowEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signaled(number) => match signal_name(*number) {
                Some(name) => write!(f, "signal {number} ({name})"),
                None => write!(f, "signal {number}"),
            },
            Self::Unknown => f.write_str("an unknown end"),
        }
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    let names = [
        (Signal::ABORT, "SIGABRT"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::HUP, "SIGHUP"),
        (Signal::ILL, "SIGILL"),
        (Signal::INT, "SIGINT"),
        (Signal::KILL, "SIGKILL"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::SYS, "SIGSYS"),
        (Signal::TERM, "SIGTERM"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::USR2, "SIGUSR2"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
    ];
    names.iter().find(|(signal, _)| signal.as_raw() == number).map(|(_, name)| *name)
}

/// How many ends of processes are remembered, for those who ask later.
const REMEMBERED: usize = 1024;

#[derive(Debug, Default)]
struct Ends {
    waiting: HashMap<u32, Vec<oneshot::Sender<HowEnded>>>,
    known: HashMap<u32, HowEnded>,
    order: VecDeque<u32>,
}

/// Who reaps this process's children, if somebody does.
static ADOPTED: Mutex<Option<Children>> = Mutex::new(None);

/// The descendants of this process.
#[derive(Clone, Debug)]
pub struct Children {
    ends: Arc<Mutex<Ends>>,
    stops: mpsc::UnboundedSender<u32>,
}

impl Children {
    /// Makes this process a child subreaper and starts to reap what ends. Call inside a tokio runtime, once: from now on
    /// nobody else in this process may wait for a child.
    /// The second part tells of children that a signal has stopped.
    ///
    /// # Errors
    /// If the system does not have it, or the runtime cannot wait for signals.
    pub fn adopt() -> io::Result<(Self, mpsc::UnboundedReceiver<u32>)> {
        set_child_subreaper(Some(getpid()))?;
        let (stops, told) = mpsc::unbounded_channel();
        let children = Self { ends: Arc::default(), stops };
        let mut ended = signal(SignalKind::child())?;
        let reaper = children.clone();
        tokio::spawn(async move {
            while ended.recv().await.is_some() {
                reaper.reap();
            }
        });
        *ADOPTED.lock().unwrap_or_else(PoisonError::into_inner) = Some(children.clone());
        Ok((children, told))
    }

    /// Those of this process, if it looks after them.
    pub(crate) fn adopted() -> Option<Self> {
        ADOPTED.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the end of a descendant, as any number may. It must be this process's child by the time it ends.
    /// Cancel safe.
    pub async fn wait(&self, pid: u32) -> HowEnded {
        let waiting = {
            let mut ends = self.lock();
            // Unless the number is in use again, by the one that is meant.
            if let Some(how) = ends.known.get(&pid).copied().filter(|_| !is_running(pid)) {
                return how;
            }
            let (tell, told) = oneshot::channel();
            ends.waiting.entry(pid).or_default().push(tell);
            told
        };
        waiting.await.unwrap_or(HowEnded::Unknown)
    }

    /// Kills what is left of this process's descendants, until nothing is left or `limit` has passed. A process that
    /// made a session of its own (a daemon) stays, with what it started; whatever else lost its parent is a child here. So
    /// does the one that is `spared`.
    ///
    /// # Cancellation
    /// What is left goes on.
    pub async fn end_all(&self, limit: Duration, spared: Option<u32>) {
        let all = async {
            let Ok(mut ended) = signal(SignalKind::child()) else { return };
            loop {
                self.reap();
                let mut left = descendants();
                left.retain(|pid| Some(*pid) != spared);
                if left.is_empty() {
                    return;
                }
                for pid in left {
                    signal_process(pid, Signal::KILL);
                }
                // When one of them ends, its children become ours.
                ended.recv().await;
            }
        };
        let _ = tokio::time::timeout(limit, all).await;
    }

    fn reap(&self) {
        let mut ends = self.lock();
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            let Ok(pid) = u32::try_from(pid.as_raw_nonzero().get()) else { continue };
            if status.stopped() {
                let _ = self.stops.send(pid);
            } else {
                ends.settle(pid, HowEnded::from_status(status));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ends {
    fn settle(&mut self, pid: u32, how: HowEnded) {
        for waiting in self.waiting.remove(&pid).unwrap_or_default() {
            let _ = waiting.send(how);
        }
        if self.known.insert(pid, how).is_some() {
            self.order.retain(|known| *known != pid);
        }
        self.order.push_back(pid);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// A process and all its descendants, as the kernel lists them.
pub fn tree_of(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next) {
        let children = children_of(*parent);
        found.extend(children);
        next += 1;
    }
    found
}

/// Kills a process, its group, and whatever it has started that is still its descendant. A guard among them (see
/// [`crate::guard`]) stays, and does what it is there for.
pub fn kill_tree(pid: u32) {
    let mut tree = tree_of(pid);
    tree.retain(|pid| !crate::guard::is_guard(*pid));
    signal_group(pid, Signal::KILL);
    for pid in tree {
        signal_process(pid, Signal::KILL);
    }
}

/// All descendants in this process's own session, as the kernel lists them.
fn descendants() -> Vec<u32> {
    let own = session_of(std::process::id());
    let mut found = Vec::new();
    let mut asked = vec![std::process::id()];
    while let Some(parent) = asked.pop() {
        for child in children_of(parent) {
            if session_of(child) == own {
                found.push(child);
                asked.push(child);
            }
        }
    }
    found
}

/// The session a process is in; 0 for one whose leader lives outside of this PID namespace, as in many containers (for
/// which `getsid` of rustix, whose answer is never 0, cannot be asked). None for a process that is gone.
fn session_of(pid: u32) -> Option<u32> {
    session_in(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads the session out of a line of `/proc/PID/stat` (proc(5): its sixth field). The name before it, in brackets, may
/// hold anything.
fn session_in(stat: &str) -> Option<u32> {
    field_in(stat, 6)?.parse().ok()
}

/// Stops this process, and returns when it is told to go on. Whatever thread asks stands still before this returns, which
/// is not so for a signal to the process: that may be another thread's to take, at any later time.
pub fn stand_still() {
    let _ = signal_hook::low_level::raise(Signal::STOP.as_raw());
}

/// Whether this process is in the group that its controlling terminal listens to. False without a terminal. The same
/// source: the leader of a group may live outside of this PID namespace, too.
pub fn is_in_foreground() -> bool {
    std::fs::read_to_string("/proc/self/stat").is_ok_and(|stat| is_foreground_in(&stat))
}

/// Compares the fifth and the eighth field, the group and that of the terminal, which is -1 where there is none.
fn is_foreground_in(stat: &str) -> bool {
    field_in(stat, 8).is_some_and(|foreground| field_in(stat, 5) == Some(foreground))
}

/// A field behind the name, counted from one as in proc(5).
fn field_in(stat: &str, number: usize) -> Option<&str> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(number.checked_sub(3)?)
}

/// The children of a process, as the kernel lists them.
pub fn children_of(parent: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

fn is_running(pid: u32) -> bool {
    to_pid(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Sends a signal to the process group that `leader` leads, or to `leader` alone if it leads none.
/// A process that is gone is no error.
pub fn signal_group(leader: u32, signal: Signal) {
    let Some(pid) = to_pid(leader) else { return };
    if kill_process_group(pid, signal).is_err() {
        let _ = kill_process(pid, signal);
    }
}

/// Sends a signal to what is left of the process group whose leader has ended. An empty group is no error.
pub fn signal_rest_of_group(leader: u32, signal: Signal) {
    if let Some(pid) = to_pid(leader) {
        let _ = kill_process_group(pid, signal);
    }
}

/// Whether an error means that this process, or the system, has no descriptor left.
pub fn out_of_descriptors(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error).contains(&code))
}

/// This process's limit on open files: raised for itself as far as it goes, and as the user set it for others.
#[derive(Clone, Debug)]
pub struct OpenFiles(Rlimit);

impl OpenFiles {
    /// Raises the soft limit to the hard one.
    pub fn raise() -> Self {
        let before = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: before.maximum, maximum: before.maximum };
        // Where even this is refused, what there is must do.
        let _ = setrlimit(Resource::Nofile, raised);
        Self(before)
    }

    /// Gives a child, which inherited the raised limit, what the user had set.
    pub fn restore_for(&self, child: u32) {
        if let Some(pid) = to_pid(child) {
            let _ = prlimit(Some(pid), Resource::Nofile, self.0);
        }
    }

    /// The limit in force.
    pub fn limit() -> Option<u64> {
        getrlimit(Resource::Nofile).current
    }

    /// Whether this process could open so many more files now.
    ///
    /// # Errors
    /// What the system would say, if it could not.
    pub fn room_for(count: u64) -> io::Result<()> {
        let Some(limit) = Self::limit() else { return Ok(()) };
        // Without `/proc` nobody knows, and whoever opens a file will see. The look at it takes one itself.
        let open = std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64).saturating_sub(1);
        if open + count > limit { Err(Errno::MFILE.into()) } else { Ok(()) }
    }
}

/// The signals that this process ignores, bit n-1 for signal n: what `nohup` or a shell wished. None where the system does
/// not tell.
pub fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Whether somebody is in the process group that `leader` leads or has led.
pub fn is_group(leader: u32) -> bool {
    to_pid(leader).is_some_and(|pid| test_kill_process_group(pid).is_ok())
}

/// Sends a signal to one process. A process that is gone is no error.
pub fn signal_process(pid: u32, signal: Signal) {
    if let Some(pid) = to_pid(pid) {
        let _ = kill_process(pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_behind_any_name() {
        assert_eq!(session_in("42 (python3) S 41 42 40 34816 42 4194560"), Some(40));
        assert_eq!(session_in("42 (a) S 1 2 3 (b) c) S 41 42 40 34816 42 4194560"), Some(40));
        assert_eq!(session_in("3 (sh) S 0 0 0 0 -1 4194560"), Some(0), "the leader is outside of the namespace");
        assert_eq!(session_in(""), None);
    }

    #[test]
    fn the_foreground_is_where_the_terminals_group_is() {
        assert!(is_foreground_in("42 (xdist) S 41 42 40 34816 42 4194560"));
        assert!(!is_foreground_in("42 (xdist) S 41 42 40 34816 17 4194560"), "in the background");
        assert!(!is_foreground_in("42 (xdist) S 41 42 40 0 -1 4194560"), "without a terminal");
        assert!(
            !is_foreground_in("42 (xdist) S 0 0 0 0 -1 4194560"),
            "without one, the leader outside of the namespace"
        );
        assert!(is_foreground_in("42 (xdist) S 0 0 0 34816 0 4194560"), "with one there");
        assert!(!is_foreground_in(""));
    }

    #[test]
    fn a_process_and_its_child_share_a_session() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let (own, childs) = (session_of(std::process::id()), session_of(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(own.is_some());
        assert_eq!(own, childs);
        assert_eq!(session_of(child.id()), None, "it is gone");
    }
}
