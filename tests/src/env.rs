//! Interpreter environments, and where the binary under test is.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// A virtual environment made by `make test-envs`.
#[derive(Clone, Debug)]
pub struct Env {
    name: String,
    root: PathBuf,
}

impl Env {
    /// The environment of most tests: current pytest, no pytest-xdist.
    pub fn usual() -> Self {
        Self::named("py311-pytest92")
    }

    /// The environment of this name.
    pub fn named(name: &str) -> Self {
        let root = env_root().join(name);
        assert!(
            root.join("bin/python").exists(),
            "no test environment `{}`: `make test-envs` makes it (XDIST_TEST_ENVS names the folder)",
            root.display()
        );
        Self { name: name.to_owned(), root }
    }

    /// Its name, such as `py311-pytest84`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder, as `VIRTUAL_ENV` names it.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        self.root.join("bin/python")
    }

    /// Its `pytest` command.
    pub fn pytest(&self) -> PathBuf {
        self.root.join("bin/pytest")
    }
}

fn env_root() -> PathBuf {
    env::var_os("XDIST_TEST_ENVS").map_or_else(|| workspace().join(".cache/envs"), PathBuf::from)
}

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

/// The binary under test: `XDIST_BIN`, else the newest of `target/debug/xdist` and `target/release/xdist`.
pub fn xdist_binary() -> PathBuf {
    if let Some(path) = env::var_os("XDIST_BIN") {
        return PathBuf::from(path);
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    ["debug", "release"]
        .map(|profile| target.join(profile).join("xdist"))
        .into_iter()
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .max()
        .expect("no xdist binary: `cargo build -p xdist-cli` first, or set XDIST_BIN")
        .1
}

/// The agent under test, beside [`xdist_binary`].
pub fn socketserver_binary() -> PathBuf {
    let path = xdist_binary().with_file_name("socketserver");
    assert!(path.exists(), "no `{}`: `cargo build -p socketserver` first", path.display());
    path
}
