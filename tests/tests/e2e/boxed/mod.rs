//! `--boxed`: each test in a process of its own, forked from a worker that has what is wider than the test.

mod deaths;
mod equality;
mod isolation;
mod limits;
mod plugins;
mod remote;
mod scopes;
mod sessions;

use xdist_tests::{Env, Invocation, Suite};

/// `xdist --boxed` on a suite, without `-n`.
fn boxed(suite: &Suite) -> Invocation {
    Invocation::xdist(&Env::usual(), suite).arg("--boxed")
}
