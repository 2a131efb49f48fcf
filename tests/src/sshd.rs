//! A real sshd on this machine: keys, port, home and known hosts of its own, run as the current user. What runs in its
//! sessions carries a mark, so that it can be found.

use std::fmt::Write;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::procs::{MARK, kill_marked};
use crate::{Machine, Proc, marked, until};

/// How long sshd may take to listen.
const START: Duration = Duration::from_secs(10);

/// The name of the host in the configuration of its clients.
const HOST: &str = "box";

/// A running sshd. Dropping it ends it and all its sessions.
#[derive(Debug)]
pub struct Sshd {
    directory: TempDir,
    address: SocketAddr,
    server: Child,
    mark: String,
}

impl Sshd {
    /// One that lets the key in that its clients' configuration names.
    pub fn start() -> Self {
        Self::with("", "")
    }

    /// One on a machine.
    pub fn on(machine: &Machine) -> Self {
        Self::begin("", |serve| {
            let mut command = machine.command("sh");
            command.args(["-c", serve]);
            (command, machine.address().into())
        })
    }

    /// One with settings before the usual ones (the first of a kind counts), started after some commands of a shell in a
    /// mount namespace of its own, if there are any; `$HOME` is there the home of its sessions.
    pub fn with(settings: &str, before: &str) -> Self {
        Self::begin(settings, |serve| {
            let mut command = Command::new(if before.is_empty() { "sh" } else { "unshare" });
            if before.is_empty() {
                command.args(["-c", serve]);
            } else {
                command.args(["--mount", "sh", "-ec", &format!("{before}\n{serve}")]);
            }
            (command, Ipv4Addr::LOCALHOST.into())
        })
    }

    /// The shell's command that becomes sshd is started by what `how` makes of it, and listens on its address.
    fn begin(settings: &str, how: impl Fn(&str) -> (Command, IpAddr)) -> Self {
        let directory = tempfile::Builder::new().prefix("sshd-").tempdir_in(place()).expect("a directory for sshd");
        let mark = directory.path().display().to_string();
        let mut sshd = Self { address: SocketAddr::from(([0; 4], 0)), server: idle(), mark, directory };
        sshd.make_key("host_key", "ed25519");
        sshd.make_key("id", "ed25519");
        fs::copy(sshd.path("id.pub"), sshd.path("authorized_keys")).expect("authorized keys");
        fs::create_dir(sshd.home()).expect("a home");
        // Another program may take a free port before sshd does.
        let listens = (0..5).any(|_| sshd.serve(settings, &how));
        assert!(listens, "sshd does not start:\n{}", sshd.log());
        sshd.know_host_key();
        sshd.configure("");
        sshd
    }

    fn serve(&mut self, settings: &str, how: impl Fn(&str) -> (Command, IpAddr)) -> bool {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = free.local_addr().expect("a port").port();
        drop(free);
        let serve = format!("exec {} -D -e -f {}", program().display(), self.path("sshd_config").display());
        let (mut command, ip) = how(&serve);
        self.address = SocketAddr::new(ip, port);
        let (home, mark) = (self.home(), &self.mark);
        let path = |name: &str| self.path(name).display().to_string();
        let text = format!(
            "{settings}\nPort {port}\nListenAddress {ip}\nHostKey {}\nPidFile none\nAuthorizedKeysFile {}\n\
             UsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPrintMotd no\n\
             PermitRootLogin prohibit-password\nAcceptEnv LC_*\nSetEnv HOME={} {MARK}={mark}\n",
            path("host_key"),
            path("authorized_keys"),
            home.display(),
        );
        fs::write(self.path("sshd_config"), text).expect("sshd's configuration");
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").expect("the directory that sshd wants");
        }
        let log = fs::File::create(self.path("log")).expect("a log");
        command.env("HOME", &home).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.server = command.spawn().expect("sshd starts");
        let mut gone = false;
        until(START, || {
            gone = matches!(self.server.try_wait(), Ok(Some(_)));
            gone || TcpStream::connect(self.address).is_ok()
        }) && !gone
    }

    /// A file of this server's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The home of its sessions.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Where agents are kept.
    pub fn cache(&self) -> PathBuf {
        self.home().join(".cache/xdist/agents")
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// What leads to it in a spec of `--tx`.
    pub fn spec(&self) -> String {
        format!("ssh={HOST}//ssh_config={}", self.path("ssh_config").display())
    }

    /// Writes the configuration of its clients, with settings that count before the usual ones.
    pub fn configure(&self, settings: &str) {
        let mut text = format!("Host {HOST}\n{settings}\n");
        let path = |name: &str| self.path(name).display().to_string();
        let _ = write!(
            text,
            "HostName {}\nPort {}\nIdentityFile {}\nIdentitiesOnly yes\nIdentityAgent none\n\
             UserKnownHostsFile {}\nGlobalKnownHostsFile /dev/null\n",
            self.address.ip(),
            self.address.port(),
            path("id"),
            path("known_hosts"),
        );
        fs::write(self.path("ssh_config"), text).expect("a configuration for ssh");
    }

    /// Writes its true host key to its clients' known hosts, and nothing else.
    pub fn know_host_key(&self) {
        self.know("host_key");
    }

    /// Writes another key as its host key to its clients' known hosts.
    pub fn know(&self, key: &str) {
        let key = fs::read_to_string(self.path(&format!("{key}.pub"))).expect("a key");
        let words: Vec<&str> = key.split_whitespace().take(2).collect();
        let line = format!("[{}]:{} {}\n", self.address.ip(), self.address.port(), words.join(" "));
        fs::write(self.path("known_hosts"), line).expect("known hosts");
    }

    /// Makes a pair of keys without a passphrase.
    pub fn make_key(&self, name: &str, kind: &str) {
        self.make_locked_key(name, kind, "");
    }

    /// Makes a pair of keys with a passphrase.
    pub fn make_locked_key(&self, name: &str, kind: &str, passphrase: &str) {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", kind, "-N", passphrase, "-f"])
            .arg(self.path(name))
            .status()
            .expect("ssh-keygen runs");
        assert!(made.success(), "ssh-keygen made no {kind} key");
    }

    /// Living processes of its sessions.
    pub fn processes(&self) -> Vec<Proc> {
        marked(&self.mark)
    }

    /// The processes that serve connections, by number.
    pub fn servers(&self) -> Vec<i32> {
        let own = self.server.id();
        let list = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// Kills the processes that serve connections.
    pub fn kill_servers(&self) {
        for pid in self.servers() {
            kill(pid);
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill_servers();
        self.server.kill().ok();
        self.server.wait().ok();
        kill_marked(&self.mark);
    }
}

fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        kill_process(pid, Signal::KILL).ok();
    }
}

/// A process that ends at once, in the place of one that is yet to be started.
fn idle() -> Child {
    Command::new("true").spawn().expect("a process")
}

/// Not in `/tmp`, which a test may hide from sshd.
fn place() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own program");
    let place = test.ancestors().nth(2).expect("the test lies in a target directory").join("sshd");
    fs::create_dir_all(&place).expect("a directory for sshd");
    place
}

fn program() -> &'static Path {
    let program = Path::new("/usr/sbin/sshd");
    assert!(
        program.exists(),
        "these tests need sshd: `apt-get install openssh-server`, as `make test-envs` does for root"
    );
    program
}
