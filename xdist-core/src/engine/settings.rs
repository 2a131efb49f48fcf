//! What a run is told from outside, and what facts make of it. Pure.

use std::ffi::OsString;

use super::Request;
use crate::facts::{DistOptions, Facts};
use crate::fork::ForkLevel;
use crate::workers::{self, Word};

/// How a run is to be distributed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Distribution {
    /// Workers asked for.
    pub(super) workers: u32,
    /// `--dist`.
    pub(super) mode: String,
    /// Where workers are forked.
    pub(super) fork: ForkLevel,
    /// Why there, in words for the header; empty for the default.
    pub(super) fork_reason: String,
    /// How many workers may be replaced.
    pub(super) restarts: u32,
}

/// Modes that schedulers exist for.
const MODES: [&str; 6] = ["auto", "load", "loadscope", "loadfile", "loadgroup", "worksteal"];

/// What the facts ask for, or the text of a usage error.
pub(super) fn distribution(request: &Request, facts: &Facts) -> Result<Distribution, String> {
    let dist = &facts.dist;
    if let Some(option) = dist.unsupported.first() {
        return Err(format!(
            "`{option}` is not built yet in this version of xdist\nhint: leave it out; `-n NUM` runs the suite on this machine"
        ));
    }
    if !MODES.contains(&dist.mode.as_str()) {
        return Err(format!(
            "`--dist={}` is not built yet in this version of xdist\nhint: the modes that work are {} and `no`",
            dist.mode,
            MODES.map(|mode| format!("`{mode}`")).join(", ")
        ));
    }
    let workers = worker_count(dist)?;
    let (fork, fork_reason) = match (request.fork, dist.fork.as_str()) {
        (Some(level), _) => (level, "asked for: --fork".to_owned()),
        (None, "") => (ForkLevel::Collected, String::new()),
        (None, name) => {
            let level = name.parse().map_err(|error| format!("ini option `xdist_fork`: {error}"))?;
            (level, "asked for: xdist_fork".to_owned())
        }
    };
    let restarts = dist.max_worker_restart.map_or(workers.saturating_mul(4), |limit| u32::try_from(limit).unwrap_or(0));
    Ok(Distribution { workers, mode: dist.mode.clone(), fork, fork_reason, restarts })
}

fn worker_count(dist: &DistOptions) -> Result<u32, String> {
    let asked = match (dist.numprocesses, dist.auto.as_deref()) {
        (Some(number), _) => number,
        (None, _) if !dist.tx.is_empty() => dist.tx.iter().map(|spec| popen_count(spec)).sum::<Result<i64, _>>()?,
        (None, Some("logical")) => i64::try_from(workers::count(Word::Logical)).unwrap_or(i64::MAX),
        (None, _) => i64::try_from(workers::count(Word::Auto)).unwrap_or(i64::MAX),
    };
    let asked = dist.maxprocesses.map_or(asked, |most| asked.min(most));
    // Processes are few thousand on the largest of machines; more is a typing error.
    match u32::try_from(asked) {
        Ok(workers @ 1..=4096) => Ok(workers),
        _ => Err(format!("cannot run on {asked} workers\nhint: give a number from 1 to 4096")),
    }
}

/// How many local workers `popen` or `3*popen` stands for.
fn popen_count(spec: &str) -> Result<i64, String> {
    let (count, rest) = match spec.split_once('*') {
        Some((count, rest)) => (count.parse().map_err(|_| format!("`--tx {spec}`: `{count}` is no number"))?, rest),
        None => (1, spec),
    };
    if rest == "popen" {
        return Ok(count);
    }
    Err(format!(
        "`--tx {spec}` is not built yet in this version of xdist\nhint: `popen` and `NUM*popen` work, as does `-n NUM`"
    ))
}

/// The command that runs one test of this run alone, short of the test's node id.
pub(super) fn alone(request: &Request, facts: &Facts) -> Vec<String> {
    let program = request.mainargv.first().map_or("xdist", String::as_str);
    let mut words = vec![program.to_owned(), "-n".to_owned(), "0".to_owned()];
    // Found by other means it is found by them again.
    if let Some(python) = &request.python {
        let words_of_python = shlex::try_join(python.iter().map(String::as_str));
        words.extend(["--python".to_owned(), words_of_python.unwrap_or_else(|_| python.join(" "))]);
    }
    words.extend(facts.repeated.iter().cloned());
    words
}

/// Whether the arguments make a distributed run likely, before pytest was asked: workers' environment variables are then
/// set while conftests load.
pub(super) fn looks_distributed(args: &[OsString], addopts: &str) -> bool {
    let asks = |word: &str| {
        word == "-d"
            || (word.starts_with("-n") && !word.starts_with("-n0") && !word.starts_with("-n=0"))
            || ["--numprocesses", "--dist", "--tx"].iter().any(|name| word.starts_with(name))
    };
    let typed = args.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str());
    typed.chain(addopts.split_whitespace()).any(asks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(dist: DistOptions) -> Facts {
        Facts { dist: DistOptions { mode: "load".to_owned(), ..dist }, ..Facts::default() }
    }

    #[test]
    fn counts_and_limits() {
        let request = Request::default();
        let plain =
            distribution(&request, &facts(DistOptions { numprocesses: Some(3), ..DistOptions::default() })).unwrap();
        assert_eq!((plain.workers, plain.restarts, plain.fork), (3, 12, ForkLevel::Collected));
        let tx = DistOptions { tx: vec!["2*popen".to_owned(), "popen".to_owned()], ..DistOptions::default() };
        assert_eq!(distribution(&request, &facts(tx)).unwrap().workers, 3);
        let most = DistOptions { numprocesses: Some(30), maxprocesses: Some(2), ..DistOptions::default() };
        assert_eq!(distribution(&request, &facts(most)).unwrap().workers, 2);
    }

    #[test]
    fn what_is_not_built_is_named() {
        let request = Request::default();
        let ssh = DistOptions { tx: vec!["ssh=somewhere".to_owned()], ..DistOptions::default() };
        assert!(distribution(&request, &facts(ssh)).unwrap_err().contains("ssh=somewhere"));
        let mode = Facts {
            dist: DistOptions { mode: "each".to_owned(), numprocesses: Some(2), ..DistOptions::default() },
            ..Facts::default()
        };
        assert!(distribution(&request, &mode).unwrap_err().contains("--dist=each"));
    }

    #[test]
    fn a_guess_from_the_arguments() {
        let args = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(looks_distributed(&args("tests -n 4"), ""));
        assert!(looks_distributed(&args("tests"), "-q --dist=load"));
        assert!(!looks_distributed(&args("tests -- -n4"), ""));
        assert!(!looks_distributed(&args("-k name --durations 3"), ""));
    }
}
