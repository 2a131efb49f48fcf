//! A server of one's own for each test, and what a test asks of it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use execnet_rs::gateway::{Gateway, GatewayError};
use execnet_rs::group::Group;
use execnet_rs::transport::socket::SocketTransport;
use execnet_rs::transport::socket::token::Token;
use rustix::process::{Pid, Signal, geteuid, kill_process, test_kill_process};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_default;

/// Nothing here takes longer, on a busy machine either.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// The program.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_socketserver"));
    for name in ["XDIST_TOKEN", "XDIST_TOKEN_FILE"] {
        command.env_remove(name);
    }
    command
}

/// A state directory, and what runs in it.
pub(crate) struct Place(pub(crate) tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.path().join("xdist/socketserver")
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = program();
        command.env("XDG_STATE_HOME", self.0.path()).current_dir(self.0.path());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Makes a token.
    pub(crate) fn new_token(&self, arguments: &[&str]) -> Token {
        let output = self.run(["token", "new"].iter().chain(arguments));
        assert!(output.status.success(), "{output:?}");
        Token::find(&String::from_utf8(output.stdout).unwrap()).unwrap()
    }

    /// The token of the first start.
    pub(crate) fn token(&self) -> Token {
        Token::find(&std::fs::read_to_string(self.state().join("tokens/default")).unwrap()).unwrap()
    }
}

/// Has what is started from here heed these signals, also where these tests run in the background of a script, whose shell
/// has some ignored: a signal with a handler is at its default in a new program. Here it does what it did.
fn heed_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            register_conditional_default(signal, Arc::new(AtomicBool::new(true))).unwrap();
        }
    });
}

/// A running server. Killed when it is dropped.
pub(crate) struct Server {
    pub(crate) place: Place,
    pub(crate) address: SocketAddr,
    /// All that it has said on standard output and in its log.
    pub(crate) said: Vec<String>,
    child: Child,
    events: Receiver<String>,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in(Place::new(), arguments)
    }

    pub(crate) fn start_in(place: Place, arguments: &[&str]) -> Self {
        let mut command = place.command();
        command.arg("127.0.0.1:0").args(arguments);
        Self::start_command(place, command)
    }

    /// A server of a user who is not root, also where these tests are root's.
    pub(crate) fn start_as_ordinary_user() -> Self {
        const NOBODY: u32 = 65534;
        let place = Place::new();
        // Where that user can get at it.
        let program = place.0.path().join("socketserver");
        // Not written here: what another test starts meanwhile would have it open for writing for a moment, and a program
        // that is written to cannot be started.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_socketserver")).arg(&program).status();
        assert!(copied.unwrap().success());
        let mut command = Command::new(program);
        command.arg("127.0.0.1:0").env("XDG_STATE_HOME", place.0.path()).env("HOME", place.0.path());
        command.env_remove("XDG_CACHE_HOME").current_dir(place.0.path());
        if geteuid().is_root() {
            chown(place.0.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            command.uid(NOBODY).gid(NOBODY);
        }
        Self::start_command(place, command)
    }

    pub(crate) fn start_command(place: Place, mut command: Command) -> Self {
        heed_signals();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, events) = channel();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let other = tell.clone();
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| other.send(line))
        });
        std::thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|line| tell.send(line))
        });
        let address = "127.0.0.1:1".parse().unwrap();
        let mut server = Self { place, address, said: Vec::new(), child, events };
        let listening = server.event("listening");
        server.address = listening["addresses"][0].as_str().unwrap().parse().unwrap();
        server
    }

    /// Waits for an event of the log.
    pub(crate) fn event(&mut self, name: &str) -> Value {
        self.until(|event| event["event"] == name)
    }

    /// Waits for an event of the log that is wanted.
    pub(crate) fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.events.recv_timeout(left) else { panic!("waited in vain; it said {:#?}", self.said) };
            self.said.push(line.clone());
            if let Ok(event) = serde_json::from_str::<Value>(&line)
                && wanted(&event)
            {
                return event;
            }
        }
    }

    /// Everything that it says until it leaves.
    pub(crate) fn all_said(&mut self) -> String {
        self.said.extend(self.events.iter());
        self.said.join("\n")
    }

    pub(crate) fn token(&self) -> Token {
        self.place.token()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        within(|| self.child.try_wait().unwrap())
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// A gateway to it.
    pub(crate) async fn gateway(&self, group: &Group, token: &Token) -> Result<Gateway, GatewayError> {
        group.register("socket", Arc::new(SocketTransport::new(Arc::new(token.clone()))));
        group.make_gateway(&format!("socket={}", self.address)).await
    }
}

impl Server {
    /// Kills it, and keeps its files.
    pub(crate) fn kill(mut self) -> Place {
        std::mem::replace(&mut self.place, Place::new())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again for something that nobody announces.
pub(crate) fn within<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// Whether a process is gone, or nothing of it is left but its number.
pub(crate) fn is_gone(pid: u32) -> bool {
    let known = test_kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()).is_ok();
    !known || std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

/// The processes that are somewhere below another.
pub(crate) fn below(pid: u32) -> Vec<u32> {
    execnet_rs::process::tree_of(pid).into_iter().filter(|other| *other != pid).collect()
}

/// Runs a test in a runtime of its own.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, test).await.expect("the test took too long") })
}

/// What is in a directory and below it.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for file in std::fs::read_dir(directory).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() { left.push(path) } else { found.push(path) }
        }
    }
    found
}
