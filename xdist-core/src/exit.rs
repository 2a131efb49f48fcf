//! Exit codes. 0 to 5 are pytest's own, with serial pytest's meaning; from 10 up they are this program's.

/// Every test passed, was skipped or failed as expected.
pub const OK: u8 = 0;
/// Some test or collector failed, crashed or got lost.
pub const TESTS_FAILED: u8 = 1;
/// The run was interrupted: Ctrl-C, collection errors, a plugin's `session.shouldstop`.
pub const INTERRUPTED: u8 = 2;
/// An exception in pytest or in a plugin.
pub const INTERNAL_ERROR: u8 = 3;
/// Wrong arguments, or a mode that is not built yet.
pub const USAGE: u8 = 4;
/// Nothing was collected, or everything was deselected.
pub const NO_TESTS: u8 = 5;
/// No interpreter with a usable pytest was found.
pub const NO_INTERPRETER: u8 = 10;
/// No worker could be started.
pub const WORKER_COULD_NOT_START: u8 = 11;
