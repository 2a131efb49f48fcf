//! The `xdist` command: arguments in, a run watched and shown, an exit code out. It decides nothing about tests.
//!
//! | module | its part |
//! |---|---|
//! | [`args`] | own options and pytest's, told apart |
//! | [`junit`] | junit.xml as pytest writes it |
//! | `looponfail` | runs, one after the other if that is asked for |
//! | `log` | what the program does, if asked |
//! | `terminal` | what the user sees |
//! | `trust` | keeps the token of a socket server |
//! | `watcher` | passes the events of a run to all of them |

pub mod args;
pub mod junit;
mod log;
mod looponfail;
pub mod terminal;
mod trust;
mod watcher;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::thread;

use execnet_rs::guard::{GUARD_ARGUMENT, Guard, guard_main};
use execnet_rs::process::OpenFiles;
use execnet_rs::transport::socket::known::TOKEN;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use xdist_core::engine::{EngineError, Request, Warm};
use xdist_core::exit;
use xdist_core::interpreter::{Disk, Surroundings, search};

use self::args::{Action, Invocation};
use self::looponfail::Loop;

/// Files that no run can do without, beside those that are open when it starts: its runtime ends the program without them.
const BASE_FILES: u64 = 12;

/// Bytes of stack for the program, whatever the limit of the first thread's (`ulimit -s`) is: what is not used costs nothing.
const STACK: usize = 8 << 20;

/// The whole program, on a stack that is large enough.
pub fn main() -> ExitCode {
    match thread::Builder::new().name("xdist".to_owned()).stack_size(STACK).spawn(program) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
        // No thread can be had: it may do without.
        Err(_) => program(),
    }
}

fn program() -> ExitCode {
    let mut typed = std::env::args_os();
    let program = typed.next().unwrap_or_else(|| "xdist".into());
    let arguments: Vec<OsString> = typed.collect();
    if arguments.first().is_some_and(|first| first == GUARD_ARGUMENT) {
        guard_main();
        return ExitCode::SUCCESS;
    }
    if std::env::var_os(TOKEN).is_some() {
        // Tests run as the same user, who could read it in this process's environment.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    let parsed = log::start().and_then(|()| args::parse(arguments.iter().cloned()));
    let code = match parsed {
        Err(error) => complain(&error, exit::USAGE_ERROR),
        Ok(Invocation { action: Action::Help, .. }) => print(&args::help(watcher::columns(), watcher::color("auto"))),
        Ok(Invocation { action: Action::Version, .. }) => print(&args::version()),
        Ok(Invocation { action: Action::Trust { host, port }, .. }) => trust::run(&host, port),
        Ok(invocation) => {
            let mainargv = std::iter::once(&program).chain(&arguments);
            run(invocation, mainargv.map(|word| word.to_string_lossy().into_owned()).collect())
        }
    };
    ExitCode::from(code)
}

fn run(invocation: Invocation, mainargv: Vec<String>) -> u8 {
    let open_files = OpenFiles::raise();
    if let Err(error) = OpenFiles::room_for(BASE_FILES) {
        let limit = OpenFiles::limit().unwrap_or_default();
        let what = format_args!("cannot start: {error}; raise the limit of {limit} (`ulimit -n`)");
        return complain(&what, exit::INTERNAL_ERROR);
    }
    // First of all, while this process has no child.
    let mut guard = match Guard::start() {
        Ok(guard) => guard,
        Err(error) => return complain(&format_args!("cannot start a watchdog process: {error}"), exit::INTERNAL_ERROR),
    };
    let surroundings = match Surroundings::of_this_process(invocation.python.clone(), &invocation.pytest_args) {
        Ok(surroundings) => surroundings,
        Err(error) => {
            return complain(&format_args!("the working directory cannot be used: {error}"), exit::USAGE_ERROR);
        }
    };
    let request = Request {
        search: search(&surroundings, &Disk),
        args: invocation.pytest_args,
        mainargv,
        python: invocation.python,
        fork: invocation.fork,
        plugin_host: invocation.plugin_host,
        no_history: invocation.no_history,
        cycle: None,
        require_all_hosts: invocation.require_all_hosts,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format_args!("cannot start: {error}"), exit::INTERNAL_ERROR),
    };
    let options = invocation.looponfail;
    let outcome = runtime.block_on(async {
        let warm = Warm::new(open_files, &mut guard)?;
        Loop::new(warm, request, options, watcher::color("auto")).drive().await
    });
    let code = match outcome {
        Ok(code) => code,
        Err(error @ EngineError::NoInterpreter(_)) => complain(&error, exit::NO_INTERPRETER),
        Err(EngineError::System { what, source }) if source.kind() == ErrorKind::StorageFull => complain(
            &format_args!("{what}: {source}\nhint: make room, or let TMPDIR name another folder"),
            exit::INTERNAL_ERROR,
        ),
        Err(error) => complain(&error, exit::INTERNAL_ERROR),
    };
    drop(runtime);
    guard.dismiss();
    code
}

/// Prints to stdout; a closed pipe is nobody's fault.
fn print(text: &str) -> u8 {
    let _ = io::stdout().lock().write_all(text.as_bytes());
    exit::OK
}

/// Prints an error to stderr and returns the code.
fn complain(error: &dyn Display, code: u8) -> u8 {
    let _ = writeln!(io::stderr().lock(), "error: {error}");
    code
}
