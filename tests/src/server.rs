//! A running `socketserver` that knows nothing of a run, on this host or on another machine.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{Env, Machine, Suite, socketserver_binary, until};

/// A server with a state directory of its own; its working directory is that of a suite, whose records its tests keep. In
/// the environment of what runs there, `ON_THE_HOST` is set. Killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: String,
    state: TempDir,
    _said: BufReader<ChildStdout>,
}

impl Server {
    /// One that listens on the loopback device; tests put themselves on record in `here`, and lie in `far`.
    pub fn start(here: &Suite, far: &Suite) -> Self {
        Self::begin(Command::new(socketserver_binary()), "127.0.0.1:0", here, far)
    }

    /// One on a machine.
    pub fn on(machine: &Machine, here: &Suite, far: &Suite) -> Self {
        let program = socketserver_binary();
        let command = machine.command(program.to_str().expect("a path of text"));
        Self::begin(command, &format!("{}:8888", machine.address()), here, far)
    }

    fn begin(mut command: Command, address: &str, here: &Suite, far: &Suite) -> Self {
        let state = tempfile::tempdir().expect("a state directory");
        command.args([address, "--log"]).arg(state.path().join("log"));
        command.stdout(Stdio::piped()).stdin(Stdio::null()).current_dir(far.root());
        command.env("XDG_STATE_HOME", state.path()).env("E2E_TRUTH", here.truth_path()).env("ON_THE_HOST", "yes");
        command.env("XDG_CACHE_HOME", state.path().join("cache")).env("TMPDIR", state.path());
        let mut child = command.spawn().expect("a server starts");
        let mut said = BufReader::new(child.stdout.take().expect("piped stdout"));
        let mut line = String::new();
        said.read_line(&mut line).expect("a line of the server");
        let address = line.trim().strip_prefix("listening on ").expect("it says where it listens").to_owned();
        Self { child, address, state, _said: said }
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A directory of its own.
    pub fn place(&self) -> &Path {
        self.state.path()
    }

    /// The file of its token.
    pub fn token(&self) -> PathBuf {
        self.state.path().join("xdist/socketserver/tokens/default")
    }

    /// What leads to it in a spec of `--tx`, with interpreter and folder.
    pub fn spec(&self) -> String {
        self.spec_by(&self.address)
    }

    /// The same by way of another address.
    pub fn spec_by(&self, address: &str) -> String {
        format!("socket={address}//python={}//chdir=.", Env::usual().python().display())
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.state.path().join("log")).unwrap_or_default()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, and no other process.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a signal to the server");
    }

    /// Its session processes.
    pub fn sessions(&self) -> Vec<u32> {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid())).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// No session is left, and no process of one, after 20 s at the latest.
    #[track_caller]
    pub fn expect_idle(&self) {
        let idle = until(Duration::from_secs(20), || self.sessions().is_empty());
        assert!(idle, "a session goes on: {:?}\n{}", self.sessions(), self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
