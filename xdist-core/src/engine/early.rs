//! Hosts that the command line names are connected to while pytest still parses it: an interpreter takes longer to start than
//! a connection. What was made is used if the run turns out to want just that, and is given up otherwise.

use std::ffi::OsString;
use std::sync::Arc;

use execnet_rs::xspec::{Transport, XSpec};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc};

use super::happening::Happening;
use super::hosts::{self, Hosts};
use super::site::connect_all;
use super::{AGENT_GRACE, Engine};

/// What hosts can have told before anybody listens.
const HELD: usize = 1 << 10;
/// Options that mean another kind of run, or another choice of workers.
const AGAINST: [&str; 16] = [
    "--help",
    "--version",
    "--collect-only",
    "--collectonly",
    "--co",
    "--markers",
    "--fixtures",
    "--fixtures-per-test",
    "--setup-only",
    "--setup-plan",
    "--pdb",
    "--trace",
    "--rsync-dry-run",
    "--looponfail",
    "--numprocesses",
    "--dist=no",
];
/// The same of one letter.
const LETTERS: [&str; 4] = ["-h", "-V", "-f", "-n"];

/// Connections that nobody has asked for yet.
pub(super) struct Early {
    hosts: Hosts,
    told: mpsc::Receiver<Happening>,
    /// Nobody is asked anything on the terminal before pytest has said its word.
    _no_questions: Option<OwnedMutexGuard<()>>,
}

impl Engine<'_> {
    /// Begins to connect to the hosts that the command line names.
    pub(super) fn connect_early(&mut self) {
        let Some(hosts) = named(&self.request.args) else { return };
        let asking = Arc::new(Mutex::new(()));
        self.gateways = hosts::group(&asking);
        let (tell, told) = mpsc::channel(HELD);
        self.connecting = connect_all(&self.gateways, &hosts, &tell);
        self.early = Some(Early { hosts, told, _no_questions: asking.try_lock_owned().ok() });
    }

    /// The run wants these hosts; false if they are still to be connected to.
    pub(super) fn adopt_early(&mut self, wanted: &Hosts) -> bool {
        let Some(mut early) = self.early.take_if(|early| early.hosts.is_as_good_as(wanted)) else {
            self.give_up_early();
            return false;
        };
        let happenings = self.happenings.clone();
        self.connecting.spawn(async move {
            while let Some(happening) = early.told.recv().await {
                if happenings.send(happening).await.is_err() {
                    return;
                }
            }
        });
        true
    }

    /// The run wants none of it.
    pub(super) fn give_up_early(&mut self) {
        if self.early.take().is_none() {
            return;
        }
        self.connecting = tokio::task::JoinSet::new();
        let given_up = std::mem::replace(&mut self.gateways, hosts::group(&Arc::default()));
        tokio::spawn(async move { given_up.terminate(AGENT_GRACE).await });
    }
}

/// The hosts that `--tx` and `--px` of a command line lead to, if all are reached by `ssh=` or `socket=`: whatever else
/// there is may start something of its own.
fn named(args: &[OsString]) -> Option<Hosts> {
    let words: Vec<&str> =
        args.iter().take_while(|word| *word != "--").map(|word| word.to_str()).collect::<Option<_>>()?;
    let against = |word: &&str| {
        AGAINST.iter().any(|name| word == name || word.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
            || (!word.starts_with("--") && LETTERS.iter().any(|letter| word.starts_with(letter)))
    };
    if words.iter().any(against) {
        return None;
    }
    let mut specs = Vec::new();
    for text in values(&words, "--tx") {
        specs.extend(XSpec::expand(text).ok()?);
    }
    let proxies: Option<Vec<XSpec>> = values(&words, "--px").map(|text| XSpec::parse(text).ok()).collect();
    let hosts = Hosts::of(&specs, &proxies?).ok()?;
    let quiet = |spec: &XSpec| matches!(spec.transport(), Ok(Transport::Ssh { .. } | Transport::Socket { .. }));
    (!hosts.gateways.is_empty() && hosts.gateways.iter().all(quiet)).then_some(hosts)
}

/// The values of an option, as `--name VALUE` or `--name=VALUE`.
fn values<'a>(words: &'a [&str], name: &'a str) -> impl Iterator<Item = &'a str> {
    let following = words.windows(2).filter(move |pair| pair[0] == name).map(|pair| pair[1]);
    let joined = words.iter().filter_map(move |word| word.strip_prefix(name)?.strip_prefix('='));
    following.chain(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_are_named_and_do_no_harm() {
        for (line, gateways) in [
            ("--tx 2*ssh=a//python=p --tx=ssh=a tests", &["ssh=a"][..]),
            ("--tx ssh=a --tx popen --px id=x//ssh=b --tx=socket=c:1", &["id=x//ssh=b", "ssh=a", "socket=c:1"]),
            ("--tx ssh=a --color=no --cov", &["ssh=a"]),
            ("--tx popen tests", &[]),
            ("--tx ssh=a --tx command=x", &[]),
            ("--tx ssh=a -n3", &[]),
            ("--tx ssh=a --numprocesses=3", &[]),
            ("--tx ssh=a --help", &[]),
            ("--tx ssh=a --collect-only", &[]),
            ("-- --tx ssh=a", &[]),
            ("--tx nonsense=a", &[]),
            ("tests --tx", &[]),
        ] {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let found = named(&args).map(|hosts| hosts.gateways).unwrap_or_default();
            let mut found: Vec<_> = found.iter().map(XSpec::as_str).collect();
            let mut gateways = gateways.to_vec();
            found.sort_unstable();
            gateways.sort_unstable();
            assert_eq!(found, gateways, "{line}");
        }
    }
}
