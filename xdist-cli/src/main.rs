//! The `xdist` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    xdist_cli::main()
}
