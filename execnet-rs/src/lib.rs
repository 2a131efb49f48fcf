//! Links to processes on this host: frames, child processes, and the promise that none of them is left behind.
//!
//! This crate knows nothing of pytest or of files. What stands here so far is what a run on one machine needs; gateways
//! and channels to other hosts build on the same frames and process services.
//!
//! | module | what it is for |
//! |---|---|
//! | [`frame`] | length-prefixed messages, decoded without I/O |
//! | [`value`] | what travels through channels, and its encoding |
//! | [`mux`] | the channels of a link: messages, credit, ends |
//! | [`wire`] | frames with numbers and checksums, decoded without I/O |
//! | [`xspec`] | execution environments as text |
//! | [`process`] | start a program, learn how any descendant ended |
//! | [`guard`] | a small watchdog process that ends what this process could not |
//! | [`local`] | unix-socket connections and named pipes from processes on this host |

pub mod agent;
pub mod blocking;
pub mod channel;
mod child;
mod embedded;
pub mod frame;
pub mod gateway;
pub mod group;
pub mod guard;
pub mod link;
pub mod local;
pub mod mux;
pub mod process;
pub mod source;
pub mod transport;
pub mod value;
pub mod wire;
pub mod xspec;
