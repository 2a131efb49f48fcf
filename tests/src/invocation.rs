//! A command line to run on a suite: `xdist` or plain pytest, in an environment of their own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_default;

use crate::env::xdist_binary;
use crate::procs::MARK;
use crate::terminal::DRIVER;
use crate::{Env, Outcome, Running, Suite, Terminal};

/// Variables of the caller that would change what a run does.
const DROPPED: [&str; 14] = [
    "BUILD_NUMBER",
    "CI",
    "COLUMNS",
    "CONDA_PREFIX",
    "FORCE_COLOR",
    "NO_COLOR",
    "PYTEST_ADDOPTS",
    "PYTEST_XDIST_AUTO_NUM_WORKERS",
    "PYTHONPATH",
    "PYTHONUNBUFFERED",
    "PYTHONWARNINGS",
    "PY_COLORS",
    "VIRTUAL_ENV",
    "XDIST_LOG",
];

/// A run that is being put together.
#[derive(Clone, Debug)]
pub struct Invocation {
    program: PathBuf,
    args: Vec<OsString>,
    vars: BTreeMap<String, OsString>,
    cwd: PathBuf,
    junit: PathBuf,
    limit: Duration,
    mark: String,
}

impl Invocation {
    /// `xdist --python <interpreter of env>` on the suite.
    pub fn xdist(env: &Env, suite: &Suite) -> Self {
        Self::bare_xdist(suite).arg("--python").arg(env.python())
    }

    /// `xdist` without an interpreter named.
    pub fn bare_xdist(suite: &Suite) -> Self {
        Self::new(xdist_binary(), suite)
    }

    /// The environment's `pytest` command, serially.
    pub fn pytest(env: &Env, suite: &Suite) -> Self {
        Self::new(env.pytest(), suite)
    }

    /// A shell that runs these commands, as if pasted.
    pub fn shell(suite: &Suite, commands: &str) -> Self {
        Self::new(PathBuf::from("sh"), suite).args(["-c", commands])
    }

    fn new(program: PathBuf, suite: &Suite) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let new = Self {
            program,
            args: Vec::new(),
            vars: BTreeMap::new(),
            cwd: suite.root(),
            junit: suite.junit_path(),
            limit: Duration::from_mins(1),
            mark: mark.clone(),
        };
        new.var(MARK, mark).var("E2E_TRUTH", suite.truth_path()).var("TMPDIR", suite.temp())
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// `-n workers`.
    #[must_use]
    pub fn n(self, workers: u32) -> Self {
        self.arg("-n").arg(workers.to_string())
    }

    /// Writes junit to [`Suite::junit_path`].
    #[must_use]
    pub fn junit(self) -> Self {
        let arg = format!("--junitxml={}", self.junit.display());
        self.arg(arg)
    }

    /// Started by a shell that runs this first, such as `ulimit -n 64` or `trap "" HUP`.
    #[must_use]
    pub fn after(mut self, script: &str) -> Self {
        let program = std::mem::replace(&mut self.program, "sh".into());
        let before = ["-c".into(), format!("{script}; exec \"$@\"").into(), "sh".into(), program.into_os_string()];
        self.args.splice(0..0, before);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.vars.insert(name.to_owned(), value.into());
        self
    }

    /// Runs in this directory of the suite.
    #[must_use]
    pub fn within(mut self, relative: &str) -> Self {
        self.cwd.push(relative);
        self
    }

    /// The deadline, instead of a minute.
    #[must_use]
    pub fn limit(mut self, seconds: u64) -> Self {
        self.limit = Duration::from_secs(seconds);
        self
    }

    /// Starts it on a terminal with a window of this size, of which it and what it starts are the session.
    pub fn on_terminal(self, columns: u16, rows: u16) -> Terminal {
        let mut command = Command::new("python3");
        command.args(["-c", DRIVER]).args([columns.to_string(), rows.to_string()]).arg(&self.program);
        command.args(&self.args).current_dir(&self.cwd).stdin(Stdio::piped());
        let (mut child, shown) = self.spawn(command);
        let keyboard = child.stdin.take().expect("piped stdin");
        Terminal::new(Running::new(child, shown, self.mark, self.limit), keyboard, columns, rows)
    }

    /// Starts it in a process group of its own.
    pub fn start(self) -> Running {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(&self.cwd).process_group(0).stdin(Stdio::null());
        let (child, shown) = self.spawn(command);
        Running::new(child, shown, self.mark, self.limit)
    }

    fn spawn(&self, mut command: Command) -> (Child, String) {
        heed_signals();
        for name in DROPPED {
            command.env_remove(name);
        }
        command.envs(&self.vars).stdout(Stdio::piped()).stderr(Stdio::piped());
        let shown = format!("{command:?}").replace(DRIVER, "on_terminal.py");
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        (child, shown)
    }

    /// Runs it to its end.
    pub fn run(self) -> Outcome {
        self.start().finish()
    }
}

/// Has what is started from here heed the user's signals, also where these tests run in the background of a script, whose
/// shell has SIGINT ignored: a signal with a handler is at its default in a new program. Here it does what it did.
fn heed_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            register_conditional_default(signal, Arc::new(AtomicBool::new(true))).expect("a handler for a signal");
        }
    });
}
