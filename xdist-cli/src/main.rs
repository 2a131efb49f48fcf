//! xdist
fn main() {}
