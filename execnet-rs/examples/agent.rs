//! The agent on standard input and output: what a program at the far end of `command=…` is.
//!
//! `cargo run --example agent` waits for a controller; the other examples start it by themselves.

use execnet_rs::agent::Program;
use execnet_rs::guard::{GUARD_ARGUMENT, Guard, guard_main};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args_os().nth(1).is_some_and(|first| first == GUARD_ARGUMENT) {
        guard_main();
        return Ok(());
    }
    let guard = Guard::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { Program::begin(Some(guard))?.serve_stdio().await })?;
    Ok(())
}
