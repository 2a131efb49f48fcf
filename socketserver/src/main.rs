//! The agent of a remote host over TCP. Nothing is built yet: the program says so and exits with code 4.
use std::process::ExitCode;

fn main() -> ExitCode {
    #[expect(clippy::print_stderr, reason = "the only thing this program does so far")]
    {
        eprintln!("error: socketserver cannot serve hosts yet; this version of xdist runs tests on this machine only");
    }
    ExitCode::from(4)
}
