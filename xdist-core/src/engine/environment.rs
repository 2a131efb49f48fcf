//! An execution environment: an interpreter in its surroundings, with one fork server and one collector of its own.
//!
//! The first one, [`HOME`], is where pytest parses its arguments, and where the plugin host lives; it has no workers if
//! every `--tx` asks for something else.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use execnet_rs::xspec::XSpec;

use super::happening::MemberId;
use super::launch::Launch;
use super::site::{HERE, SiteId};
use crate::collection::Collection;
use crate::facts::Interpreter;
use crate::fork::ForkLevel;
use crate::ids::WorkerId;
use crate::protocol::Ended;

/// An environment by its place in the list of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct EnvironmentId(pub(super) usize);

/// Where pytest parses its arguments.
pub(super) const HOME: EnvironmentId = EnvironmentId(0);

/// How far an environment is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its fork server, or its session, is being started.
    #[default]
    Starting,
    /// Its session has parsed pytest's arguments and waits.
    Parsed,
    /// Its session configures and collects.
    Collecting,
}

/// One environment.
#[derive(Debug, Default)]
pub(super) struct Environment {
    /// How it was asked for, as text.
    pub(super) spec: String,
    /// `id=NAME` of its first spec.
    pub(super) id: Option<String>,
    pub(super) launch: Launch,
    /// The copy of the sources that it uses, if it has one.
    pub(super) copy: Option<usize>,
    /// On which host it is.
    pub(super) site: SiteId,
    /// Its workers; the first one's identity is the collector's.
    pub(super) workers: Vec<WorkerId>,
    pub(super) interpreter: Interpreter,
    pub(super) server: Option<MemberId>,
    /// The session that parses arguments, and collects if there are workers.
    pub(super) session: Option<MemberId>,
    pub(super) progress: Progress,
    pub(super) fork: ForkLevel,
    /// Why this fork level, in words for the header; empty for the default.
    pub(super) fork_reason: String,
    /// Workers other than the collector were asked for before the collection was known.
    pub(super) early_workers: bool,
    /// Workers that it was to have, if it does not come up and the run goes on without it.
    pub(super) absent: Vec<WorkerId>,
    /// What its collector found.
    pub(super) collection: Option<Arc<Collection>>,
    /// What its session said at its end, if it ran no test.
    pub(super) ended: Option<Ended>,
    /// What tells it from others, for the user; empty until all interpreters are known.
    pub(super) label: String,
}

impl Environment {
    /// Whether tests run here.
    pub(super) fn is_used(&self) -> bool {
        !self.workers.is_empty()
    }
}

/// Sorts workers into environments, `home` first even if it gets none. `sites` has the host of each spec's worker. What
/// has another name is another environment: results are shown by it.
pub(super) fn sorted(specs: &[XSpec], sites: &[SiteId], home: Environment, cwd: &Path) -> Vec<Environment> {
    let usual = home.launch.python.clone();
    let mut all = vec![Environment { spec: "popen".to_owned(), ..home }];
    for ((spec, worker), site) in specs.iter().zip((0..).map(WorkerId)).zip(sites.iter().copied()) {
        let launch = if site == HERE { Launch::of_spec(spec, &usual, cwd) } else { Launch::of_distant_spec(spec) };
        let id = spec.id().map(str::to_owned);
        let same =
            |known: &Environment| known.launch == launch && known.site == site && (known.id == id || !known.is_used());
        let at = all.iter().position(same).unwrap_or_else(|| {
            all.push(Environment { spec: spec.as_str().to_owned(), launch, site, ..Environment::default() });
            all.len() - 1
        });
        let environment = &mut all[at];
        if environment.workers.is_empty() {
            environment.id = id;
        }
        environment.workers.push(worker);
    }
    all
}

/// Gives every environment a label that no other one has: `py311`, `pypy39-pytest84`, `py311@box`, the `id` of its spec.
/// `hosts` has the names of hosts, that of this one being empty.
pub(super) fn label(environments: &mut [Environment], hosts: &[&str]) {
    type Refinement = fn(&Environment) -> String;
    let refinements: [Refinement; 3] = [
        |one| format!("pytest{}", digits(&one.interpreter.pytest)),
        |one| one.launch.peculiarities(),
        |one| one.interpreter.version.clone(),
    ];
    for one in environments.iter_mut() {
        let host = hosts.get(one.site.0).filter(|host| !host.is_empty()).map(|host| format!("@{host}"));
        let usual = || format!("{}{}", python_name(&one.interpreter), host.unwrap_or_default());
        one.label = one.id.clone().unwrap_or_else(usual);
    }
    for refine in refinements {
        for same in alike(environments) {
            let first = refine(&environments[same[0]]);
            if same.iter().all(|at| refine(&environments[*at]) == first) {
                continue;
            }
            for at in same {
                let more = refine(&environments[at]);
                if !more.is_empty() {
                    environments[at].label = format!("{}-{more}", environments[at].label);
                }
            }
        }
    }
    for same in alike(environments) {
        for (number, at) in same.into_iter().enumerate().skip(1) {
            environments[at].label = format!("{}#{}", environments[at].label, number + 1);
        }
    }
}

/// Groups of environments that are used and have the same label.
fn alike(environments: &[Environment]) -> Vec<Vec<usize>> {
    let mut groups: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, one) in environments.iter().enumerate().filter(|(_, one)| one.is_used()) {
        groups.entry(&one.label).or_default().push(at);
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}

fn python_name(interpreter: &Interpreter) -> String {
    let name = match interpreter.implementation.as_str() {
        "" | "CPython" => "py".to_owned(),
        other => other.to_lowercase(),
    };
    format!("{name}{}", digits(&interpreter.version))
}

/// `311` of `3.11.7`.
fn digits(version: &str) -> String {
    version.split('.').take(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs(texts: &[&str]) -> Vec<XSpec> {
        texts.iter().flat_map(|text| XSpec::expand(text).unwrap()).collect()
    }

    fn of(texts: &[&str]) -> Vec<Environment> {
        let home = Environment { launch: Launch::plain(vec!["python3".to_owned()]), ..Environment::default() };
        let specs = specs(texts);
        sorted(&specs, &vec![HERE; specs.len()], home, Path::new("/here"))
    }

    fn labels(texts: &[&str], interpreters: &[(&str, &str, &str)]) -> Vec<String> {
        let mut all = of(texts);
        for (one, (implementation, version, pytest)) in all.iter_mut().zip(interpreters) {
            one.interpreter = Interpreter {
                implementation: (*implementation).to_owned(),
                version: (*version).to_owned(),
                pytest: (*pytest).to_owned(),
                ..Interpreter::default()
            };
        }
        label(&mut all, &[""]);
        all.into_iter().filter(Environment::is_used).map(|one| one.label).collect()
    }

    #[test]
    fn equal_specs_share_an_environment() {
        let all = of(&["popen", "2*popen//python=a", "popen//id=x", "popen//python=a", "popen//python=python3"]);
        let workers: Vec<Vec<u32>> =
            all.iter().map(|one| one.workers.iter().map(|worker| worker.0).collect()).collect();
        // What was given a name of its own is shown by it.
        assert_eq!(workers, [vec![0, 5], vec![1, 2, 4], vec![3]]);
        let named = of(&["popen//id=a", "popen//id=b", "popen//id=a"]);
        assert_eq!(named.iter().map(|one| one.workers.len()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(labels(&["popen//id=a", "popen//id=b"], &[("CPython", "3.11.7", "9.2.0"); 2]), ["a", "b"]);
        let elsewhere = of(&["2*popen//python=a"]);
        assert!(!elsewhere[HOME.0].is_used());
        assert_eq!(elsewhere[1].workers.len(), 2);
    }

    #[test]
    fn an_environment_is_on_one_host_and_named_after_it() {
        let specs = specs(&["popen", "ssh=a", "2*ssh=b", "ssh=a//id=mine//env:A=1", "ssh=b//chdir=x"]);
        let sites = [0, 1, 2, 2, 1, 2].map(SiteId);
        let home = Environment { launch: Launch::plain(vec!["python3".to_owned()]), ..Environment::default() };
        let mut all = sorted(&specs, &sites, home, Path::new("/here"));
        for one in &mut all {
            one.interpreter.version = "3.11.7".to_owned();
        }
        label(&mut all, &["", "a", "b"]);
        let labels: Vec<_> = all.iter().map(|one| (one.label.as_str(), one.workers.len())).collect();
        let expected = [("py311", 1), ("py311@a", 1), ("py311@b-pyexecnetcache", 2), ("mine", 1), ("py311@b-x", 1)];
        assert_eq!(labels, expected);
    }

    #[test]
    fn labels_say_no_more_than_it_takes() {
        let (c311, c312, pypy) =
            (("CPython", "3.11.7", "9.2.0"), ("CPython", "3.12.1", "9.2.0"), ("PyPy", "3.9.16", "8.4.2"));
        assert_eq!(
            labels(&["popen", "popen//python=a", "popen//python=b"], &[c311, c312, pypy]),
            ["py311", "py312", "pypy39"]
        );
        let old = ("CPython", "3.11.7", "7.4.4");
        assert_eq!(labels(&["popen", "popen//python=a"], &[c311, old]), ["py311-pytest92", "py311-pytest74"]);
        assert_eq!(labels(&["popen", "popen//env:A=1"], &[c311, c311]), ["py311", "py311-A=1"]);
        assert_eq!(labels(&["popen", "popen//python=a"], &[c311, c311]), ["py311", "py311#2"]);
        assert_eq!(labels(&["popen//id=old", "popen//python=a"], &[c311, old]), ["old", "py311"]);
        // Home is not used: it has no say.
        assert_eq!(labels(&["popen//python=a"], &[c311, c311]), ["py311"]);
    }
}
