//! `socketserver`: the agent of a remote host. `--stdio` serves one controller over standard input and output, as ssh and
//! other commands carry it; serving over TCP is not built yet, and the program says so.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use execnet_rs::agent::Program;
use execnet_rs::guard::{GUARD_ARGUMENT, Guard, guard_main};
use execnet_rs::mux::LinkEnd;

/// What was asked for cannot be done: pytest's code for usage errors, as everywhere in this workspace.
const USAGE_ERROR: u8 = 4;
/// The link broke.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(only), None) if only == "--stdio" => stdio(),
        (Some(only), None) if only == "--version" => version(),
        (Some(only), None) if only == GUARD_ARGUMENT => {
            guard_main();
            ExitCode::SUCCESS
        }
        _ => complain(&"serving over TCP is not built yet; `socketserver --stdio` serves one controller", USAGE_ERROR),
    }
}

/// What a controller asks an agent that it has put on a host.
fn version() -> ExitCode {
    let said = writeln!(std::io::stdout().lock(), "socketserver {}", env!("CARGO_PKG_VERSION"));
    if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

fn stdio() -> ExitCode {
    // While this process has one thread and no child.
    let guard = match Guard::start() {
        Ok(guard) => guard,
        Err(error) => return complain(&format_args!("cannot start a watchdog process: {error}"), FAILED),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format_args!("cannot start: {error}"), FAILED),
    };
    match runtime.block_on(async { Program::begin(Some(guard))?.serve_stdio().await }) {
        Ok(LinkEnd::Goodbye) => ExitCode::SUCCESS,
        Ok(end) => complain(&end, FAILED),
        Err(error) => complain(&error, FAILED),
    }
}

fn complain(error: &dyn Display, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "error: {error}");
    ExitCode::from(code)
}
