//! xdist
fn main(){}
