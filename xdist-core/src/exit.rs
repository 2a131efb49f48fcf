//! Exit codes of the program: pytest's, with serial pytest's meaning, and from 10 up its own.

/// Every test passed, was skipped or failed as expected.
pub const OK: u8 = 0;
/// Some tests failed.
pub const TESTS_FAILED: u8 = 1;
/// Stopped by the user, or by errors during collection.
pub const INTERRUPTED: u8 = 2;
/// An exception in pytest, a plugin or this program.
pub const INTERNAL_ERROR: u8 = 3;
/// The arguments, an ini file or a conftest ask for something that cannot be done.
pub const USAGE_ERROR: u8 = 4;
/// There was no test to run.
pub const NO_TESTS_COLLECTED: u8 = 5;
/// More warnings than `--max-warnings` (pytest 9.1 and newer).
pub const MAX_WARNINGS_ERROR: u8 = 6;

/// No interpreter with a usable pytest was found.
pub const NO_INTERPRETER: u8 = 10;
/// A worker, or the process that workers are forked from, could not be started; so could an environment of `--tx`.
pub const WORKER_NOT_STARTED: u8 = 11;
/// None of the other hosts that `--tx` names could be brought up, or one could not, and `--require-all-hosts` was given.
pub const HOSTS_NOT_REACHABLE: u8 = 12;
/// As 12, and the host is there and does not let this user in.
pub const AUTHENTICATION_REFUSED: u8 = 13;
/// Source trees could not be brought to where tests were to run.
pub const TREES_NOT_BROUGHT: u8 = 14;
/// `--strict-collection`, and different tests were collected.
pub const COLLECTIONS_DIFFER: u8 = 15;
