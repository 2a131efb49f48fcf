//! execnet-rs
