//! `rsync-rs`: a one-way synchroniser of trees.
mod chunk;
mod codec;
mod digest;
mod manifest;
mod path;
mod stat;
