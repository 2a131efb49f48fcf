//! End-to-end tests: the built `xdist` on fixture suites, area by area.
#![expect(clippy::unwrap_used, reason = "a test reports every surprise by a panic")]

mod boxed;
mod cache;
mod contract;
mod crashes;
mod each;
mod environments;
mod equality;
mod errors;
mod faults;
mod fixtures;
mod fork;
mod history;
mod host;
mod interpreter;
mod junit;
mod limits;
mod looponfail;
mod modes;
mod nasty;
mod output;
mod parallel;
mod plain;
mod plugins;
mod real;
mod remote;
mod rerun;
mod reserved;
mod secrets;
mod signals;
mod sockets;
mod ssh;
mod stopping;
mod terminal;
mod trees;
mod usage;
