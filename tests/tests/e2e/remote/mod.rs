//! Runs on hosts behind a gateway: the agent is `socketserver --stdio` on this machine, in a folder of its own.

mod hosts;
mod losses;
mod same;

use std::path::PathBuf;

use xdist_tests::{Env, Invocation, Outcome, Suite, xdist_binary};

/// The agent's program, beside the one under test.
fn agent() -> PathBuf {
    let path = xdist_binary().with_file_name("socketserver");
    assert!(path.exists(), "no `{}`: `cargo build -p socketserver` makes it", path.display());
    path
}

/// `command=…` to an agent, with the usual interpreter and a folder.
pub(crate) fn spec(folder: &Suite) -> String {
    spec_with(folder, &Env::usual())
}

fn spec_with(folder: &Suite, env: &Env) -> String {
    let (agent, python, folder) = (agent(), env.python(), folder.root());
    format!("command={} --stdio//python={}//chdir={}", agent.display(), python.display(), folder.display())
}

/// A run in `suite`, whose records the tests keep wherever they run.
fn xdist(suite: &Suite) -> Invocation {
    Invocation::xdist(&Env::usual(), suite).limit(60)
}

/// No process and no temporary file is left.
#[track_caller]
fn expect_clean(suite: &Suite, outcome: &Outcome) {
    outcome.expect_no_survivors();
    assert_eq!(suite.left_behind(), Vec::<String>::new(), "{}", outcome.describe());
}
