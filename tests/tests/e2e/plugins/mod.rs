//! Plugins at work, each beside pytest-xdist or serial pytest: files, numbers, exit code.
//!
//! `docs/plugins.md` has the table of what is tried here. No plugin is loaded unless the test names it.

mod bdd;
mod coverage;
mod databases;
mod order;
mod properties;
mod report_files;
mod reruns;
mod results;
mod terminal;
mod testing;
mod timeouts;
mod together;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use xdist_tests::{Counts, Env, Invocation, Outcome, Suite, workspace, xdist_binary};

/// Who runs the suite.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    /// `xdist -n 2`, in an environment without pytest-xdist.
    Ours,
    /// `xdist` with two workers on another host and one in another folder, which have copies of the suite.
    OursInCopies,
    /// `xdist -n 2`, where pytest-xdist is installed and loaded.
    OursBesidePeer,
    /// `pytest -n 2` of pytest-xdist.
    Peer,
    /// `pytest`.
    Serial,
}

/// A suite, the plugins that are loaded, and arguments.
#[derive(Clone, Debug)]
struct Plugged {
    suite: &'static str,
    plugins: Vec<&'static str>,
    args: Vec<String>,
    files: Vec<(&'static str, &'static str)>,
    vars: Vec<(&'static str, &'static str)>,
}

/// A run that is over, and its suite as it left it.
#[derive(Debug)]
struct Ran {
    suite: Suite,
    outcome: Outcome,
}

impl Plugged {
    /// `suites/plugins/<suite>` with these plugins, by the names of their entry points.
    fn new(suite: &'static str, plugins: &[&'static str]) -> Self {
        Self { suite, plugins: plugins.to_vec(), args: Vec::new(), files: Vec::new(), vars: Vec::new() }
    }

    fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    fn file(mut self, path: &'static str, content: &'static str) -> Self {
        self.files.push((path, content));
        self
    }

    fn var(mut self, name: &'static str, value: &'static str) -> Self {
        self.vars.push((name, value));
        self
    }

    fn copy(&self) -> Suite {
        let suite = Suite::foreign(&workspace().join("tests/suites/plugins").join(self.suite));
        if !suite.path("pytest.ini").exists() {
            suite.write("pytest.ini", "[pytest]\n");
        }
        for (path, content) in &self.files {
            suite.write(path, content);
        }
        suite
    }

    /// On a copy of its own.
    fn run(&self, by: By) -> Ran {
        let suite = self.copy();
        let outcome = self.on(by, &suite, &[]);
        Ran { suite, outcome }
    }

    /// Once more, on this copy and with more arguments.
    fn on(&self, by: By, suite: &Suite, more: &[&str]) -> Outcome {
        let bare = Env::named("py311-many");
        let with_peer = Env::named("py311-many-xdist");
        let run = match by {
            By::Ours => Invocation::xdist(&bare, suite).n(2),
            By::OursInCopies => in_copies(&bare, suite),
            By::OursBesidePeer => Invocation::xdist(&with_peer, suite).n(2).args(["-p", "xdist"]),
            By::Peer => Invocation::pytest(&with_peer, suite).n(2).args(["-p", "xdist"]),
            By::Serial => Invocation::pytest(&bare, suite),
        };
        let run = self.plugins.iter().fold(run, |run, plugin| run.args(["-p", plugin]));
        let run = run.args(&self.args).args(more).var("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1");
        let outcome = self.vars.iter().fold(run, |run, (name, value)| run.var(name, value)).limit(120).run();
        if !matches!(by, By::Peer | By::Serial) {
            outcome.expect_no_survivors();
        }
        outcome
    }
}

/// Hidden files of the suite, and so the copies themselves, do not go along.
fn in_copies(env: &Env, suite: &Suite) -> Invocation {
    let agent = xdist_binary().with_file_name("socketserver");
    let [far, near] = [".far", ".near"].map(|name| suite.path(name).display().to_string());
    let host = format!("2*command={} --stdio//python={}//chdir={far}", agent.display(), env.python().display());
    let run = Invocation::xdist(env, suite).var("XDG_CACHE_HOME", suite.path(".cache"));
    run.args(["--rsyncdir=.", "--tx", &host, "--tx", &format!("popen//chdir={near}")])
}

impl Ran {
    fn text(&self, file: &str) -> String {
        let path = self.suite.path(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}\n{}", self.outcome.describe()))
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_str(&self.text(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Paths of the files in a folder of the suite, sorted.
    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.suite.path(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// The counts of the closing line, but for those that pytest-xdist has otherwise than serial pytest.
    fn counts(&self) -> Counts {
        let Counts(mut counts) = self.outcome.counts();
        counts.retain(|name, _| name != "warning" && name != "deselected");
        Counts(counts)
    }

    /// Fails the test unless exit code and counts are the other's.
    #[track_caller]
    fn expect_like(&self, other: &Self) -> &Self {
        let seen = format!("{}\n=== but\n{}", self.outcome.describe(), other.outcome.describe());
        assert_eq!(self.outcome.code(), other.outcome.code(), "exit code\n{seen}");
        assert_eq!(self.counts(), other.counts(), "counts\n{seen}");
        self
    }

    /// Fails the test unless the header says that plugins asked for a host, in these words, and names the fork level.
    #[track_caller]
    fn expect_host(&self, why: &str, level: &str) -> &Self {
        self.outcome.expect_text(&format!("plugin host: {why}\n")).expect_text(&format!("fork: {level}"));
        self
    }

    #[track_caller]
    fn expect_no_host(&self, level: &str) -> &Self {
        self.outcome.expect_no_text("plugin host:").expect_text(&format!("fork: {level}"));
        self
    }

    /// The lines of stdout from the first that starts with `from` to the next that starts with `to`.
    #[track_caller]
    fn lines(&self, from: &str, to: &str) -> Vec<&str> {
        let lines = self.outcome.stdout.lines().skip_while(|line| !line.starts_with(from));
        let mut found: Vec<_> = lines.collect();
        let end = found.iter().skip(1).position(|line| line.starts_with(to));
        let end = end.unwrap_or_else(|| panic!("no {from:?} to {to:?} in {}", self.outcome.describe()));
        found.truncate(end + 2);
        found
    }
}

/// Each test's entry by its id, from a list of objects.
fn by_id(tests: &Value, id: &str) -> BTreeMap<String, Value> {
    let entries = tests.as_array().unwrap().iter();
    entries.map(|test| (test[id].as_str().unwrap().to_owned(), test.clone())).collect()
}
