//! The agent on standard input and output: what a program at the far end of `command=…` is.
//!
//! `cargo run --example agent` waits for a controller; the other examples start it by themselves.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(execnet_rs::agent::serve_stdio())?;
    Ok(())
}
