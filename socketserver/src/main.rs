//! The `socketserver` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    socketserver::main()
}
