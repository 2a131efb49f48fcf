//! A machine of its own as far as the network can tell: a network namespace with one cable to this host, on which packets
//! can be lost, refused and slowed down, and whose plug can be pulled.
//!
//! Names and addresses are taken by making the cable, which only one process can do with one name; what a killed test has
//! left is removed by the next one that comes across it.

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::wait::until;

/// Networks of four addresses in 198.18.0.0/15, which is there for tests of networks.
const NETWORKS: u32 = 32 * 1024;

/// How long killed processes may take to be gone.
const GONE: Duration = Duration::from_secs(10);

/// Which packets do not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// None of either direction.
    Both,
    /// None to the machine.
    ToMachine,
    /// None from the machine.
    FromMachine,
}

/// A machine. Dropping it kills what runs there and takes it away.
#[derive(Debug)]
pub struct Machine {
    name: String,
    cable: String,
    here: Ipv4Addr,
    there: Ipv4Addr,
}

impl Machine {
    /// A new one.
    pub fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        check_prerequisites();
        remove_forsaken();
        let own = std::process::id();
        let name = format!("xdist-{own}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        run(&["ip", "netns", "add", &name]);
        let first = own.wrapping_mul(31) % NETWORKS;
        let slot = (first..first + 1000).map(|slot| slot % NETWORKS).find(|slot| {
            let cable = format!("xd{slot}");
            try_run(&["ip", "link", "add", &cable, "type", "veth", "peer", "name", "uplink", "netns", &name]).is_ok()
        });
        let slot = slot.expect("a free name for a cable");
        let base = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + slot * 4;
        let machine = Self { name, cable: format!("xd{slot}"), here: (base + 1).into(), there: (base + 2).into() };
        let (cable, name) = (machine.cable.as_str(), machine.name.as_str());
        run(&["ip", "addr", "add", &format!("{}/30", machine.here), "dev", cable]);
        run(&["ip", "link", "set", cable, "up"]);
        run(&["ip", "-n", name, "addr", "add", &format!("{}/30", machine.there), "dev", "uplink"]);
        run(&["ip", "-n", name, "link", "set", "uplink", "up"]);
        run(&["ip", "-n", name, "link", "set", "lo", "up"]);
        machine
    }

    /// Its address.
    pub fn address(&self) -> Ipv4Addr {
        self.there
    }

    /// The address under which it knows this host.
    pub fn own_address(&self) -> Ipv4Addr {
        self.here
    }

    /// A program to be started there.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name)).arg(program);
        command
    }

    /// The processes that run there.
    pub fn processes(&self) -> Vec<u32> {
        let Ok(own) = fs::metadata(format!("/run/netns/{}", self.name)) else { return Vec::new() };
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        // What has ended and was not reaped yet has no namespaces any more.
        pids.filter(|pid| fs::metadata(format!("/proc/{pid}/ns/net")).is_ok_and(|its| its.ino() == own.ino())).collect()
    }

    /// Has packets vanish without a trace.
    pub fn cut(&self, cut: Cut) {
        self.refuse(cut, "drop");
    }

    fn refuse(&self, cut: Cut, how: &str) {
        let (input, output) = (format!("iifname uplink {how}"), format!("oifname uplink {how}"));
        self.filter(
            if cut == Cut::FromMachine { "" } else { &input },
            if cut == Cut::ToMachine { "" } else { &output },
        );
    }

    /// Has so many of a hundred packets vanish, in each direction.
    pub fn lose(&self, percent: u32) {
        let lost = format!("numgen random mod 100 < {percent} drop");
        self.filter(&format!("iifname uplink {lost}"), &format!("oifname uplink {lost}"));
    }

    /// Has whoever sends something in these directions told that there is no such connection.
    pub fn reset(&self, cut: Cut) {
        // What tells so must pass.
        self.refuse(cut, "tcp flags & rst == 0 reject with tcp reset");
    }

    /// Has all packets pass again.
    pub fn heal(&self) {
        self.nft("add table inet faults\ndelete table inet faults\n");
    }

    fn filter(&self, input: &str, output: &str) {
        self.nft(&format!(
            "add table inet faults\ndelete table inet faults\ntable inet faults {{\n\
             chain input {{ type filter hook input priority 0; {input}\n }}\n\
             chain output {{ type filter hook output priority 0; {output}\n }}\n}}\n"
        ));
    }

    fn nft(&self, rules: &str) {
        let mut command = self.command("nft");
        let mut nft = command.args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft starts");
        nft.stdin.take().expect("piped stdin").write_all(rules.as_bytes()).expect("rules are read");
        assert!(nft.wait().expect("nft ends").success(), "nft refuses {rules}");
    }

    /// Makes the cable a narrow one: so many bits in a second, in each direction.
    pub fn narrow(&self, rate: &str) {
        let queue = ["root", "tbf", "rate", rate, "burst", "16kb", "latency", "400ms"];
        run(&[&["tc", "qdisc", "add", "dev", self.cable.as_str()][..], &queue].concat());
        run(&[&["tc", "-n", self.name.as_str(), "qdisc", "add", "dev", "uplink"][..], &queue].concat());
    }

    /// The machine loses its power: nobody there says a last word.
    pub fn power_off(&self) {
        run(&["ip", "-n", &self.name, "link", "set", "uplink", "down"]);
        self.kill_all();
    }

    fn kill_all(&self) {
        let gone = until(GONE, || {
            let pids = self.processes();
            let known = pids.iter().filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?));
            known.for_each(|pid| {
                let _ = kill_process(pid, Signal::KILL);
            });
            pids.is_empty()
        });
        assert!(gone || std::thread::panicking(), "processes stay on {}: {:?}", self.name, self.processes());
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill_all();
        let _ = try_run(&["ip", "link", "del", &self.cable]);
        let _ = try_run(&["ip", "netns", "del", &self.name]);
    }
}

/// Takes away machines of tests that were killed.
fn remove_forsaken() {
    let Ok(entries) = fs::read_dir("/run/netns") else { return };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let owner = name.strip_prefix("xdist-").and_then(|rest| rest.split_once('-')).map(|(owner, _)| owner);
        let Some(owner) = owner.and_then(|owner| Pid::from_raw(owner.parse().ok()?)) else { continue };
        if test_kill_process(owner).is_err() {
            // The cable goes with it.
            let forsaken =
                Machine { name, cable: String::new(), here: Ipv4Addr::UNSPECIFIED, there: Ipv4Addr::UNSPECIFIED };
            drop(forsaken);
        }
    }
}

fn check_prerequisites() {
    let found = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|directory| directory.join(program).exists())
    };
    let missing: Vec<_> = ["ip", "tc", "nft", "nsenter"].into_iter().filter(|program| !found(program)).collect();
    assert!(
        missing.is_empty() && rustix::process::geteuid().is_root(),
        "these tests make network namespaces: run them as root, with {missing:?} installed (`apt-get install iproute2 \
         nftables util-linux`, as `make test-envs` does for root)"
    );
}

fn run(argv: &[&str]) {
    if let Err(why) = try_run(argv) {
        panic!("`{}`: {why}", argv.join(" "));
    }
}

fn try_run(argv: &[&str]) -> Result<(), String> {
    let output = Command::new(argv[0]).args(&argv[1..]).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
