//! The `xdist` command apart from its entry point: what it shows and what it writes.

pub mod junit;
