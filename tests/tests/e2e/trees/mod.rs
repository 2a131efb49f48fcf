//! Source trees brought to where tests run: other hosts, which see nothing of the sources, and folders of this one.
//!
//! A host is an agent on this machine (`socketserver --stdio`) with a folder of its own, empty at first.

mod failures;
mod paths;
mod rules;
mod shared;

use std::path::PathBuf;

use tempfile::TempDir;
use xdist_tests::{Env, Invocation, Outcome, Suite, xdist_binary};

/// An empty folder, for copies, and what both ends remember.
struct Far {
    dir: TempDir,
}

impl Far {
    fn new() -> Self {
        Self { dir: tempfile::Builder::new().prefix("far-").tempdir().unwrap() }
    }

    /// Where copies go; it is not there yet.
    fn copy(&self) -> PathBuf {
        self.dir.path().join("copy")
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.copy().join(relative)
    }

    /// `command=…` to an agent, with the usual interpreter and the folder.
    fn spec(&self) -> String {
        let folder = self.copy();
        let agent = xdist_binary().with_file_name("socketserver");
        assert!(agent.exists(), "no `{}`: `cargo build -p socketserver` makes it", agent.display());
        let python = Env::usual().python();
        format!("command={} --stdio//python={}//chdir={}", agent.display(), python.display(), folder.display())
    }

    /// A run of the suite that remembers trees here, and brings along the plugin by which tests put themselves on record.
    fn run(&self, suite: &Suite) -> Invocation {
        let plugin = ["truth_file.py", "truth_log.py"].map(|name| format!("--rsyncdir={}", suite.path(name).display()));
        Invocation::xdist(&Env::usual(), suite)
            .limit(60)
            .var("XDG_CACHE_HOME", self.dir.path().join("cache"))
            .args(plugin)
    }

    /// All files of the copy, in order.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut left = vec![self.copy()];
        while let Some(directory) = left.pop() {
            for entry in std::fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                let relative = path.strip_prefix(self.copy()).unwrap().display().to_string();
                if relative.contains("__pycache__") || relative.starts_with(".pytest_cache") {
                    continue;
                }
                if path.is_dir() {
                    left.push(path);
                } else {
                    found.push(relative);
                }
            }
        }
        found.sort();
        found
    }
}

/// Tests that tell where they run.
const TELLING: &str = "
import os
def test_tells():
    print('running', __file__, 'in', os.getcwd())
def test_fails():
    assert os.path.exists('nothing here')
";

fn passed(outcome: &Outcome) -> u64 {
    outcome.counts().get("passed")
}
