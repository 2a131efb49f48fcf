//! The `xdist` command apart from its `main`: arguments, and what the user sees.

pub mod args;
//! The `xdist` command apart from its entry point: what it shows and what it writes.

pub mod junit;
