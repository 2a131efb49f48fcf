//! The loop's rules, without a run.

mod files;
mod states;
