//! What the interpreters of an environment are started with, and the one place where they are started.
//!
//! Everything else of the engine asks for a process and hears of its connection and its end; who starts it, and on which
//! host, is this module's affair alone.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use execnet_rs::gateway::ProcessRequest;
use execnet_rs::transport::socket::known::SECRET_VARIABLES;
use execnet_rs::xspec::{Transport, XSpec};
use rustix::process::Pid;

use super::hosts;
use super::site::Remote;

/// The interpreter of an environment on another host that names none.
const PYTHON: &str = "python3";
/// What pytest reads beside its command line; it is part of what the user asked for, wherever tests run.
const ADDOPTS: &str = "PYTEST_ADDOPTS";
/// The first lines that an interpreter runs: `xdist_worker/bootstrap.py` says what they do.
const BOOT: &str = include_str!("../../python/xdist_worker/boot.txt");

/// An interpreter with its surroundings. Equal ones share a fork server and a collector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Launch {
    /// Program and arguments.
    pub(super) python: Vec<String>,
    /// The same, if a spec asks for it by name.
    pub(super) asked: Option<Vec<String>>,
    /// Variables set beside those that are inherited, in the order of their names.
    variables: Vec<(String, String)>,
    /// Where it starts; made if it is missing.
    folder: Option<PathBuf>,
    /// Where in that folder; made likewise.
    below: PathBuf,
    /// Added to the niceness.
    nice: i32,
    no_bytecode: bool,
}

/// What is to be started.
pub(super) struct Program<'a> {
    /// The folder of the worker package.
    pub(super) package: &'a Path,
    /// Where it connects.
    pub(super) socket: &'a Path,
    /// What follows on its command line.
    pub(super) words: &'a [&'a str],
    /// Named pipes for its stdout and stderr; without them it has ours, and our stdin too unless it is in the
    /// background.
    pub(super) streams: Option<&'a [String; 2]>,
    /// In a process group of its own, without stdin.
    pub(super) background: bool,
}

impl Launch {
    /// This interpreter, in our own surroundings.
    pub(super) fn plain(python: Vec<String>) -> Self {
        Self { python, ..Self::default() }
    }

    /// What a spec asks for; `usual` where it names no interpreter, paths as seen from `cwd`.
    pub(super) fn of_spec(spec: &XSpec, usual: &[String], cwd: &Path) -> Self {
        let mut asked = spec.python();
        if let Some(program) = asked.iter_mut().flatten().next().filter(|program| program.contains('/')) {
            *program = cwd.join(&*program).display().to_string();
        }
        // It may be the usual one, by its name.
        let asked = asked.filter(|asked| asked != usual);
        Self {
            python: asked.clone().unwrap_or_else(|| usual.to_vec()),
            asked,
            variables: variables(spec),
            folder: spec.chdir().map(|folder| cwd.join(folder)),
            below: PathBuf::new(),
            nice: spec.nice().unwrap_or(0),
            no_bytecode: spec.dont_write_bytecode(),
        }
    }

    /// What a spec asks for on another host, where paths are seen from where its agent is.
    pub(super) fn of_distant_spec(spec: &XSpec) -> Self {
        let asked = spec.python();
        // As execnet has it: what has no transport of its own starts where its gateway is.
        let own_folder = !matches!(spec.transport(), Ok(Transport::Popen));
        let folder = spec.chdir().or(own_folder.then_some(hosts::FOLDER)).map(PathBuf::from);
        Self {
            python: asked.clone().unwrap_or_else(|| vec![PYTHON.to_owned()]),
            asked,
            variables: variables(spec),
            folder,
            below: PathBuf::new(),
            nice: spec.nice().unwrap_or(0),
            no_bytecode: spec.dont_write_bytecode(),
        }
    }

    /// Where it starts, if that is said.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Has it start in a folder.
    pub(super) fn start_in(&mut self, folder: PathBuf) {
        self.folder = Some(folder);
    }

    /// Has it start in a directory of its folder.
    pub(super) fn go_below(&mut self, directory: PathBuf) {
        self.below = directory;
    }

    /// The request to another host's agent that starts the same as [`Launch::start`] here.
    pub(super) fn request(&self, remote: &Remote, words: &[&str], streams: &[String; 2]) -> ProcessRequest {
        let mut argv = self.python.clone();
        if let Some(program) = argv.first_mut().filter(|program| program.contains('/')) {
            // The system would look for it in the new process's folder.
            *program = Path::new(&remote.cwd).join(&*program).display().to_string();
        }
        if self.no_bytecode {
            argv.push("-B".to_owned());
        }
        argv.extend(["-c".to_owned(), BOOT.to_owned(), remote.package(), remote.socket().to_owned()]);
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        let [stdout, stderr] = streams;
        let mut request = ProcessRequest::new(&argv).stdout_to(stdout.as_str()).stderr_to(stderr.as_str());
        if let Ok(options) = std::env::var(ADDOPTS) {
            request = request.env(ADDOPTS, options);
        }
        for (name, value) in &self.variables {
            request = request.env(name.as_str(), value.as_str());
        }
        if let Some(folder) = &self.folder {
            request = request.cwd(inside(folder, &self.below).display().to_string()).make_cwd();
        }
        if self.nice != 0 {
            request = request.nice(self.nice);
        }
        request
    }

    /// What would help an interpreter that says this; empty if nothing is known.
    pub(super) fn hint(&self, why: &str) -> String {
        if !why.contains("No module named 'pytest'") {
            return String::new();
        }
        let python = self.python.first().map_or(PYTHON, String::as_str);
        format!("\nhint: `{python} -m pip install pytest` there, or name another interpreter by `python=`")
    }

    /// What tells this environment from others with the same interpreter, short; empty if nothing does.
    pub(super) fn peculiarities(&self) -> String {
        let folder = self.folder.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={value}"));
        let nice = (self.nice != 0).then(|| format!("nice{}", self.nice));
        let bytecode = self.no_bytecode.then(|| "B".to_owned());
        folder.into_iter().chain(variables).chain(nice).chain(bytecode).collect::<Vec<_>>().join(",")
    }

    /// Words of a shell command that make its surroundings, as far as a single word can.
    pub(super) fn in_shell(&self) -> Vec<String> {
        if self.variables.is_empty() {
            return Vec::new();
        }
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={value}"));
        std::iter::once("env".to_owned()).chain(variables).collect()
    }

    /// Starts `python … -c BOOT <package> <socket> <words>`; returns the number of the process.
    pub(super) fn start(&self, program: &Program<'_>) -> io::Result<u32> {
        let (python, arguments) = self.python.split_first().map_or(("python3", &[][..]), |(p, a)| (p.as_str(), a));
        let mut command = Command::new(python);
        command.args(arguments);
        if self.no_bytecode {
            command.arg("-B");
        }
        command.arg("-c").arg(BOOT).arg(program.package).arg(program.socket).args(program.words);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        for name in SECRET_VARIABLES {
            command.env_remove(name);
        }
        if let Some(folder) = &self.folder {
            enter(&mut command, folder, &self.below)?;
        }
        if let Some([stdout, stderr]) = program.streams {
            command.stdout(writer(stdout)?).stderr(writer(stderr)?);
        }
        if program.background {
            command.stdin(Stdio::null()).process_group(0);
        }
        let pid = command.spawn()?.id();
        if self.nice != 0 {
            renice(pid, self.nice)?;
        }
        Ok(pid)
    }
}

/// What a spec sets, in the order of names.
fn variables(spec: &XSpec) -> Vec<(String, String)> {
    let mut variables: Vec<_> = spec.env().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    variables.sort_unstable();
    variables
}

/// Has a program start in a directory of a folder, which is made if only itself is missing.
fn enter(command: &mut Command, folder: &Path, below: &Path) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("chdir={}: {error}", folder.display()));
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(named(error)),
        _ => {}
    }
    if !std::fs::metadata(folder).map_err(named)?.is_dir() {
        return Err(named(io::ErrorKind::NotADirectory.into()));
    }
    let folder = &inside(folder, below);
    std::fs::create_dir_all(folder).map_err(named)?;
    command.current_dir(folder).env("PWD", folder);
    Ok(())
}

/// A directory of a folder, or the folder itself.
fn inside(folder: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { folder.to_owned() } else { folder.join(below) }
}

fn writer(pipe: &str) -> io::Result<File> {
    File::options().write(true).open(pipe)
}

/// Adds to the niceness of a process that has forked nothing yet.
fn renice(pid: u32, by: i32) -> io::Result<()> {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let before = rustix::process::getpriority_process(process)?;
    rustix::process::setpriority_process(process, before + by).map_err(|error| {
        let error = io::Error::from(error);
        execnet_rs::process::signal_process(pid, rustix::process::Signal::KILL);
        io::Error::new(error.kind(), format!("nice={by}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(spec: &str) -> Launch {
        Launch::of_spec(&XSpec::parse(spec).unwrap(), &["python3".to_owned()], Path::new("/here"))
    }

    #[test]
    fn paths_are_seen_from_where_xdist_was_started() {
        assert_eq!(launch("popen//python=venv/bin/python -X dev").python, ["/here/venv/bin/python", "-X", "dev"]);
        assert_eq!(launch("popen//python=/opt/python").python, ["/opt/python"]);
        assert_eq!(launch("popen//python=python3.12").python, ["python3.12"]);
        assert_eq!(launch("popen//chdir=sub").folder.as_deref(), Some(Path::new("/here/sub")));
    }

    #[test]
    fn the_order_of_variables_makes_no_other_environment() {
        assert_eq!(launch("popen//env:B=2//env:A=1"), launch("popen//env:A=1//env:B=2//id=x"));
        assert_ne!(launch("popen//env:A=1"), launch("popen//env:A=2"));
        assert_eq!(launch("popen//chdir=sub//env:A=1//nice=3").peculiarities(), "sub,A=1,nice3");
        assert_eq!(launch("popen").peculiarities(), "");
    }
}
