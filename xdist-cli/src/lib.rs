//! The `xdist` command apart from its entry point: arguments, what it shows and what it writes.

pub mod args;
pub mod junit;
