//! The harness of the end-to-end tests: it drives the built `xdist` on fixture suites and compares what came out with
//! a model, with serial pytest, and with what the tests themselves put on record.
//!
//! One test reads: make a [`Suite`], run `xdist` and pytest on it in an [`Env`] with [`Invocation`], look at the
//! [`Outcome`], at the [`Truth`] that the tests wrote, at the [`Junit`] file. Every run has a deadline; when it passes,
//! all processes of the run are killed and the test fails with the output.
#![expect(clippy::missing_panics_doc, reason = "a test harness reports every surprise by a panic that fails the test")]
#![expect(clippy::expect_used, reason = "a test harness reports every surprise by a panic")]

mod compare;
mod counts;
mod env;
mod invocation;
mod junit;
mod machine;
mod model;
mod outcome;
mod procs;
mod relay;
mod running;
mod server;
mod sshd;
mod suite;
mod terminal;
mod truth;
mod wait;

pub use compare::{Face, NO_JUNIT};
pub use counts::Counts;
pub use env::{Env, socketserver_binary, workspace, xdist_binary};
pub use invocation::Invocation;
pub use junit::{Case, Junit};
pub use machine::{Cut, Machine};
pub use model::Model;
pub use outcome::Outcome;
pub use procs::{Proc, marked};
pub use relay::Relay;
pub use running::Running;
pub use rustix::process::Signal;
pub use server::Server;
pub use sshd::Sshd;
pub use suite::Suite;
pub use terminal::{Seen, Terminal};
pub use truth::{Ran, Truth};
pub use wait::{until, until_some};
