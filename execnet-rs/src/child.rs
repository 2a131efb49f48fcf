//! A child process that leaves nothing behind: its own process group, its end told to whoever asks, killed as a tree.

use std::io;
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Command;
use tokio::sync::watch;

use crate::process::{Children, HowEnded, kill_tree, signal_group, signal_rest_of_group};
use crate::transport::socket::known::SECRET_VARIABLES;

/// A child process. When this is dropped, the child and what it started are killed.
#[derive(Debug)]
pub(crate) struct Child {
    pid: u32,
    ended: watch::Receiver<Option<HowEnded>>,
}

/// The ends of a child's standard streams that are pipes.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    pub(crate) stdin: Option<tokio::process::ChildStdin>,
    pub(crate) stdout: Option<tokio::process::ChildStdout>,
    pub(crate) stderr: Option<tokio::process::ChildStderr>,
}

impl Child {
    /// Starts a command at the head of a process group of its own.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<(Self, Pipes)> {
        for name in SECRET_VARIABLES {
            command.env_remove(name);
        }
        if let Some(children) = Children::adopted() {
            return Self::spawn_adopted(command, children);
        }
        let mut child = command.process_group(0).spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other("the process has ended before it was seen"))?;
        let pipes = Pipes { stdin: child.stdin.take(), stdout: child.stdout.take(), stderr: child.stderr.take() };
        let (tell, ended) = watch::channel(None);
        tokio::spawn(async move {
            // Where somebody else reaps this process's children, nobody here can learn how it ended.
            let how = child.wait().await.map_or(HowEnded::Unknown, HowEnded::from_exit_status);
            let _ = tell.send(Some(how));
        });
        Ok((Self { pid, ended }, pipes))
    }

    /// The same where this process's children are reaped by one who tells of all of them: two would take ends from each
    /// other.
    fn spawn_adopted(command: &mut Command, children: Children) -> io::Result<(Self, Pipes)> {
        use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
        let mut child = command.process_group(0).as_std_mut().spawn()?;
        let pid = child.id();
        let (tell, ended) = watch::channel(None);
        tokio::spawn(async move { tell.send(Some(children.wait(pid).await)) });
        // From here on it is killed if something fails.
        let spawned = Self { pid, ended };
        let pipes = Pipes {
            stdin: child.stdin.take().map(ChildStdin::from_std).transpose()?,
            stdout: child.stdout.take().map(ChildStdout::from_std).transpose()?,
            stderr: child.stderr.take().map(ChildStderr::from_std).transpose()?,
        };
        Ok((spawned, pipes))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the end. Cancel safe.
    pub(crate) async fn wait(&self) -> HowEnded {
        let mut ended = self.ended.clone();
        let how = ended.wait_for(Option::is_some).await.ok().and_then(|how| *how);
        how.unwrap_or(HowEnded::Unknown)
    }

    /// Waits for the end, if it comes in time.
    pub(crate) async fn wait_within(&self, limit: Duration) -> Option<HowEnded> {
        tokio::time::timeout(limit, self.wait()).await.ok()
    }

    /// Sends a signal to the whole group.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.ended.borrow().is_none() {
            signal_group(self.pid, signal);
        }
    }

    /// Kills it and everything that it started.
    pub(crate) fn kill(&self) {
        if self.ended.borrow().is_some() {
            signal_rest_of_group(self.pid, Signal::KILL);
        } else {
            kill_tree(self.pid);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}
