//! `rsync-rs`: a one-way synchroniser of trees.
mod chunk;
mod codec;
mod confined;
mod digest;
mod error;
pub mod link;
mod manifest;
mod message;
mod pack;
mod path;
mod scan;
mod sealed;
mod stat;
pub use scan::*;
pub use manifest::*;
pub use path::*;
