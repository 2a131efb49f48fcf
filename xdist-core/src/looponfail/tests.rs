//! The loop's rules, without a run.
