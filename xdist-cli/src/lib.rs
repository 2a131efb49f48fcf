//! The `xdist` command apart from its `main`: arguments, and what the user sees.

pub mod args;
