//! The synchroniser on real directories.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crash;
mod faults;
mod fidelity;
mod links;
mod many;
mod places;
mod random;
mod rsync;
mod support;
mod turns;
