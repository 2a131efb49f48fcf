//! `socketserver`: the agent of a remote host. Over TCP it serves any number of controllers that hold a token, each in a
//! process of its own; over standard input and output (`--stdio`) one, as ssh and other commands carry it.
//!
//! ```text
//! TCP connection -> gate: how many, from where, with what record -> door: handshake within a deadline
//!   -> server: token valid? room? -> session process: the connection and its keys, an agent; ends as a tree
//! ```
//!
//! | module | its part |
//! |---|---|
//! | [`arguments`] | the command line |
//! | [`store`] | the key pair and the tokens, in private files |
//! | `tokens` | `socketserver token …` |
//! | [`listen`] | sockets, and what the user is told of them |
//! | [`gate`] | who may try at all: caps and penalties, without I/O |
//! | `door` | the handshake with somebody unknown |
//! | `server` | everything that happens, in one place |
//! | `sessions` | session processes, seen from the server |
//! | `session` | a session process |
//! | `audit` | what happened, as lines of JSON |
//! | `trees` | source trees that controllers bring here |
//! | `watch` | token files that changed |

pub mod arguments;
mod audit;
mod door;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod gate;
pub mod listen;
mod server;
mod session;
mod sessions;
pub mod store;
mod tokens;
mod trees;
mod watch;

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use execnet_rs::agent::Program;
use execnet_rs::guard::{GUARD_ARGUMENT, Guard, guard_main};
use execnet_rs::mux::LinkEnd;

use self::arguments::{Arguments, Command};

/// What was asked for cannot be done: pytest's code for usage errors, as everywhere in this workspace.
const USAGE_ERROR: u8 = 4;
/// It broke.
const FAILED: u8 = 1;

/// The whole program.
pub fn main() -> ExitCode {
    let typed: Vec<_> = std::env::args_os().collect();
    if typed.get(1).is_some_and(|first| first == sessions::SESSION_ARGUMENT) {
        return session::main();
    }
    if typed.get(1).is_some_and(|first| first == GUARD_ARGUMENT) {
        guard_main();
        return ExitCode::SUCCESS;
    }
    let arguments = match Arguments::read(typed) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE_ERROR } else { 0 });
        }
    };
    match &arguments.command {
        Some(Command::Token { what }) => tokens::run(what),
        None if arguments.stdio => stdio(),
        None => server::run(&arguments),
    }
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
    match runtime.block_on(async { trees::with_trees(Program::begin(Some(guard))?).serve_stdio().await }) {
        Ok(LinkEnd::Goodbye) => ExitCode::SUCCESS,
        Ok(end) => complain(&end, FAILED),
        Err(error) => complain(&error, FAILED),
    }
}

fn complain(error: &dyn Display, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "error: {error}");
    ExitCode::from(code)
}
