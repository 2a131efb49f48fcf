//! The loop (`--looponfail`): run, wait for a change, run again what failed.
//!
//! | module | its part |
//! |---|---|
//! | [`state`] | pure: what follows from a run's end, a change, a key |
//! | [`results`] | pure: what a run's events say of its tests |
//! | [`rules`] | pure: which paths never count |
//! | [`snapshot`] | which files have other contents than before |
//! | [`own_writes`] | which of these changes are the run's own |
//! | [`watch`] | a thread: events of the file system in, changes out |
//! | [`installed`] | whether the interpreter and its packages are those of before |
//!
//! The engine performs the runs, one by one; whoever shows the loop drives it.

pub mod installed;
pub mod own_writes;
pub mod results;
pub mod rules;
pub mod snapshot;
pub mod state;
pub mod watch;

#[cfg(test)]
mod tests;
