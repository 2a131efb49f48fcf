//! What a run is told from outside, and what facts make of it. Pure.

use std::collections::HashSet;
use std::ffi::OsString;
use std::time::Duration;

use execnet_rs::xspec::{XSpec, XSpecError};

use super::hosts::Hosts;
use super::launch::Launch;
use super::site::{HERE, SiteId};
use super::{PluginHost, Request};
use crate::facts::{DistOptions, Facts};
use crate::fork::ForkLevel;
use crate::workers::{self, Word};

/// How a run is to be distributed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Distribution {
    /// Workers asked for.
    pub(super) workers: u32,
    /// Where each of them runs.
    pub(super) specs: Vec<XSpec>,
    /// On which host, by worker.
    pub(super) sites: Vec<SiteId>,
    /// The hosts that this takes.
    pub(super) hosts: Hosts,
    /// `--dist`.
    pub(super) mode: String,
    /// Where workers are forked, unless an environment has a reason against it.
    pub(super) fork: ForkLevel,
    /// Why there, in words for the header; empty for the default.
    pub(super) fork_reason: String,
    /// How many workers may be replaced.
    pub(super) restarts: u32,
    /// After how long a running test is named; zero: never.
    pub(super) slow_after: Duration,
}

impl Distribution {
    /// Whether every worker runs all tests that it has.
    pub(super) fn each(&self) -> bool {
        self.mode == "each"
    }
}

/// Modes that schedulers exist for.
const MODES: [&str; 7] = ["auto", "load", "loadscope", "loadfile", "loadgroup", "worksteal", "each"];
/// A test that runs for so long is named, unless the project says otherwise.
const SLOW_AFTER: Duration = Duration::from_mins(1);
/// Processes are few thousand on the largest of machines; more is a typing error.
const MOST_WORKERS: usize = 4096;

/// What the facts ask for, or the text of a usage error.
pub(super) fn distribution(request: &Request, facts: &Facts) -> Result<Distribution, String> {
    let dist = &facts.dist;
    if !MODES.contains(&dist.mode.as_str()) {
        return Err(format!(
            "`--dist={}` is no mode of distribution\nhint: the modes are {} and `no`",
            dist.mode,
            MODES.map(|mode| format!("`{mode}`")).join(", ")
        ));
    }
    if let Some(option) = facts.host_checks.first().filter(|_| request.plugin_host == PluginHost::Never) {
        return Err(format!(
            "`{option}` is checked in the plugin host, and `--plugin-host=never` leaves that out\nhint: give one of the two"
        ));
    }
    let specs = specs(dist)?;
    let proxies = dist.px.iter().map(|text| XSpec::parse(text).map_err(|error| format!("`--px {text}`: {error}")));
    let hosts = Hosts::of(&specs, &proxies.collect::<Result<Vec<_>, _>>()?)?;
    // Hosts stand behind this one.
    let sites = hosts.of_workers.iter().map(|at| at.map_or(HERE, |at| SiteId(at + 1))).collect();
    let workers = u32::try_from(specs.len()).unwrap_or(u32::MAX);
    let (fork, fork_reason) = match (request.fork, dist.fork.as_str()) {
        (Some(level), _) => (level, "asked for: --fork".to_owned()),
        (None, "") => (ForkLevel::Collected, String::new()),
        (None, name) => {
            let level = name.parse().map_err(|error| format!("ini option `xdist_fork`: {error}"))?;
            (level, "asked for: xdist_fork".to_owned())
        }
    };
    let restarts = dist.max_worker_restart.map_or(workers.saturating_mul(4), |limit| u32::try_from(limit).unwrap_or(0));
    let slow_after = slow_after(&dist.slow_after)?;
    Ok(Distribution { workers, specs, sites, hosts, mode: dist.mode.clone(), fork, fork_reason, restarts, slow_after })
}

/// What ini `xdist_slow_after` says.
fn slow_after(text: &str) -> Result<Duration, String> {
    if text.is_empty() {
        return Ok(SLOW_AFTER);
    }
    let seconds = text.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("ini option `xdist_slow_after`: `{text}` is no number of seconds"))
}

/// One spec a worker: what `-n` asks for rules over `--tx`.
fn specs(dist: &DistOptions) -> Result<Vec<XSpec>, String> {
    let most = dist.maxprocesses.unwrap_or(i64::MAX);
    if dist.numprocesses.is_none() && !dist.tx.is_empty() {
        let mut specs = Vec::new();
        for text in &dist.tx {
            let some = XSpec::expand(text).map_err(|error| wrong(text, &error))?;
            if let Some(spec) = some.first() {
                spec.transport().map_err(|error| wrong(text, &error))?;
            }
            specs.extend(some);
        }
        let mut ids = HashSet::new();
        if let Some(id) = specs.iter().filter_map(XSpec::id).find(|id| !ids.insert(*id)) {
            return Err(format!("two of `--tx` have `id={id}`\nhint: an id names one worker"));
        }
        let asked = i64::try_from(specs.len()).unwrap_or(i64::MAX).min(most);
        specs.truncate(checked(asked)?);
        return Ok(specs);
    }
    let asked = match (dist.numprocesses, dist.auto.as_deref()) {
        (Some(number), _) => number,
        (None, Some("logical")) => i64::try_from(workers::count(Word::Logical)).unwrap_or(i64::MAX),
        (None, _) => i64::try_from(workers::count(Word::Auto)).unwrap_or(i64::MAX),
    };
    let popen = XSpec::parse("popen").map_err(|error| wrong("popen", &error))?;
    Ok(vec![popen; checked(asked.min(most))?])
}

fn checked(asked: i64) -> Result<usize, String> {
    match usize::try_from(asked) {
        Ok(workers) if (1..=MOST_WORKERS).contains(&workers) => Ok(workers),
        _ => Err(format!("cannot run on {asked} workers\nhint: give a number from 1 to {MOST_WORKERS}")),
    }
}

fn wrong(text: &str, error: &XSpecError) -> String {
    format!("`--tx {text}`: {error}")
}

/// The command that runs one test of this run alone as in an environment, short of the test's node id.
pub(super) fn alone(request: &Request, facts: &Facts, launch: &Launch) -> Vec<String> {
    let program = request.mainargv.first().map_or("xdist", String::as_str);
    let mut words = launch.in_shell();
    words.extend([program.to_owned(), "-n".to_owned(), "0".to_owned()]);
    // Found by other means it is found by them again.
    if let Some(python) = launch.asked.as_ref().or(request.python.as_ref()) {
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
            || ["--numprocesses", "--dist", "--tx", "--boxed", "--forked"].iter().any(|name| word.starts_with(name))
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
    fn long_tests_are_named_after_a_minute_or_what_the_project_says() {
        let after = |text: &str| {
            let dist = DistOptions { numprocesses: Some(1), slow_after: text.to_owned(), ..DistOptions::default() };
            distribution(&Request::default(), &facts(dist)).map(|found| found.slow_after)
        };
        for (text, millis) in [("", 60_000), ("2.5", 2_500), (" 600", 600_000), ("0", 0)] {
            assert_eq!(after(text), Ok(Duration::from_millis(millis)), "{text:?}");
        }
        for text in ["never", "-1", "inf", "nan", "1e300", "1 min"] {
            assert!(after(text).unwrap_err().contains(&format!("`{text}` is no number of seconds")), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_built_is_named() {
        let request = Request::default();
        let mode = Facts {
            dist: DistOptions { mode: "other".to_owned(), numprocesses: Some(2), ..DistOptions::default() },
            ..Facts::default()
        };
        assert!(distribution(&request, &mode).unwrap_err().contains("--dist=other"));
    }

    #[test]
    fn environments_are_read_in_order() {
        let of = |tx: &[&str], numprocesses| {
            let tx = tx.iter().map(|&text| text.to_owned()).collect();
            let dist = DistOptions { numprocesses, tx, ..DistOptions::default() };
            distribution(&Request::default(), &facts(dist))
        };
        let texts = |found: Result<Distribution, String>| -> Vec<String> {
            found.unwrap().specs.iter().map(XSpec::to_string).collect()
        };
        let python = "popen//python=python3.12";
        assert_eq!(texts(of(&["popen", "2*popen//python=python3.12"], None)), ["popen", python, python]);
        assert_eq!(texts(of(&[python], Some(2))), ["popen", "popen"]);
        for (tx, text) in [
            (&["popen//via=x"][..], "popen//via=x"),
            (&["popen//"], "popen//"),
            (&["socket=x"], "socket=x"),
            (&["popen//id=a", "popen//id=a"], "id=a"),
            (&["0*popen"], "0 workers"),
        ] {
            assert!(of(tx, None).unwrap_err().contains(text), "{tx:?}");
        }
    }

    #[test]
    fn a_check_that_nobody_would_make_is_refused() {
        let checked = Facts {
            host_checks: vec!["--cov-fail-under".to_owned()],
            ..facts(DistOptions { numprocesses: Some(2), ..DistOptions::default() })
        };
        assert!(distribution(&Request::default(), &checked).is_ok());
        let never = Request { plugin_host: PluginHost::Never, ..Request::default() };
        let why = distribution(&never, &checked).unwrap_err();
        assert!(why.contains("`--cov-fail-under`") && why.contains("`--plugin-host=never`"), "{why}");
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
