//! Which Python interpreters come into question, in which order.
//!
//! Pure: reads only what [`Surroundings`] and [`Files`] say, starts nothing. The engine starts the candidates in turn
//! until one has a usable pytest, and makes [`NoInterpreter`] of the reasons if none has.

mod disk;
mod error;

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use execnet_rs::xspec::{Transport, XSpec};

pub use disk::Disk;
pub use error::{NoInterpreter, PassedOver};

/// Where to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `--python`, split into words.
    pub python: Option<Vec<String>>,
    /// Values of `--tx` on the command line.
    pub specs: Vec<String>,
    /// `$VIRTUAL_ENV`.
    pub virtual_env: Option<OsString>,
    /// `$CONDA_PREFIX`.
    pub conda_prefix: Option<OsString>,
    /// `$PATH`.
    pub path: Option<OsString>,
    /// The working directory, absolute.
    pub cwd: PathBuf,
}

/// What the search asks the file system.
pub trait Files {
    /// Whether there is a program that this user may run.
    fn is_program(&self, path: &Path) -> bool;
    /// Whether there is a file.
    fn is_file(&self, path: &Path) -> bool;
    /// The path without symbolic links; `None` if there is nothing.
    fn resolve(&self, path: &Path) -> Option<PathBuf>;
    /// The user id of the owner, links followed; `None` if there is nothing.
    fn owner(&self, path: &Path) -> Option<u32>;
    /// The user id of this process.
    fn user(&self) -> u32;
}

/// An interpreter worth a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Program and arguments. The program is as found, not resolved: an interpreter that is started through the link
    /// in a virtual environment runs in that environment.
    pub argv: Vec<String>,
    /// How it was found: `--python`, `VIRTUAL_ENV`, `CONDA_PREFIX`, `.venv`, `venv`, `PATH` or `--tx`.
    pub source: String,
}

/// The answer: interpreters in order of preference, and places that promised one and had none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// To be tried in this order.
    pub candidates: Vec<Candidate>,
    /// Not to be tried, and why.
    pub passed_over: Vec<PassedOver>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_this_process(python: Option<Vec<String>>, args: &[OsString]) -> std::io::Result<Self> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Ok(Self {
            python,
            specs: specs(args),
            virtual_env: set("VIRTUAL_ENV"),
            conda_prefix: set("CONDA_PREFIX"),
            path: set("PATH"),
            cwd: std::env::current_dir()?,
        })
    }
}

/// All interpreters that come into question, each once.
pub fn search(surroundings: &Surroundings, files: &impl Files) -> Search {
    let mut finder = Finder { files, seen: HashSet::new(), search: Search::default() };
    if let Some(argv) = &surroundings.python {
        finder.search.candidates.push(Candidate { argv: argv.clone(), source: "--python".to_owned() });
        return finder.search;
    }
    let variables = [("VIRTUAL_ENV", &surroundings.virtual_env), ("CONDA_PREFIX", &surroundings.conda_prefix)];
    for (name, prefix) in variables {
        if let Some(prefix) = prefix {
            finder.named_environment(&surroundings.cwd.join(prefix), name);
        }
    }
    finder.environments_upwards(&surroundings.cwd);
    finder.path(surroundings);
    finder.specs(surroundings);
    finder.search
}

/// Values of `--tx` among arguments that pytest has yet to parse: a guess, for want of a pytest.
fn specs(args: &[OsString]) -> Vec<String> {
    let words = args.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str());
    let mut found = Vec::new();
    let mut expected = false;
    for word in words {
        if std::mem::replace(&mut expected, word == "--tx") {
            found.push(word.to_owned());
        } else if let Some(value) = word.strip_prefix("--tx=") {
            found.push(value.to_owned());
        }
    }
    found
}

/// Gathers candidates.
struct Finder<'a, F> {
    files: &'a F,
    seen: HashSet<PathBuf>,
    search: Search,
}

impl<F: Files> Finder<'_, F> {
    /// An environment that a variable names: it is missed if it is not there.
    fn named_environment(&mut self, prefix: &Path, source: &str) {
        match self.python_in(prefix) {
            Some(program) => self.add(&program, source),
            None => self.pass_over(&prefix.join("bin/python"), source, "there is no such program"),
        }
    }

    /// `.venv` and `venv` in the working directory and in those above it.
    fn environments_upwards(&mut self, cwd: &Path) {
        let here = self.files.owner(cwd);
        for folder in cwd.ancestors() {
            for name in [".venv", "venv"] {
                let Some(program) = self.python_in(&folder.join(name)) else { continue };
                // The folders above may be anybody's (`/tmp`): what lies there must not run with this user's rights.
                let owner = self.files.owner(&folder.join(name));
                if folder == cwd || owner == Some(0) || owner == Some(self.files.user()) || owner == here {
                    self.add(&program, name);
                } else {
                    self.pass_over(&program, name, "it belongs to another user");
                }
            }
        }
    }

    /// `python3`, then `python`, as a shell finds them.
    fn path(&mut self, surroundings: &Surroundings) {
        let Some(path) = &surroundings.path else { return };
        for name in ["python3", "python"] {
            let mut programs = std::env::split_paths(path).map(|folder| surroundings.cwd.join(folder).join(name));
            if let Some(program) = programs.find(|program| self.files.is_program(program)) {
                self.add(&program, "PATH");
            }
        }
    }

    /// Interpreters that environments on this machine are asked to have: what comes first is the usual one, but where it
    /// has no pytest, one of these may.
    fn specs(&mut self, surroundings: &Surroundings) {
        let specs = surroundings.specs.iter().filter_map(|text| XSpec::expand(text).ok()).flatten();
        let here = specs.filter(|spec| spec.transport() == Ok(Transport::Popen) && spec.via().is_none());
        for mut argv in here.filter_map(|spec| spec.python()) {
            let Some(program) = argv.first_mut() else { continue };
            if program.contains('/') {
                *program = surroundings.cwd.join(&*program).display().to_string();
            }
            let candidate = Candidate { argv, source: "--tx".to_owned() };
            if !self.search.candidates.iter().any(|known| known.argv == candidate.argv) {
                self.search.candidates.push(candidate);
            }
        }
    }

    fn python_in(&self, prefix: &Path) -> Option<PathBuf> {
        ["bin/python", "bin/python3"].map(|name| prefix.join(name)).into_iter().find(|path| self.files.is_program(path))
    }

    fn add(&mut self, program: &Path, source: &str) {
        if !self.seen.insert(self.identity(program)) {
            return;
        }
        match program.to_str() {
            Some(text) => {
                self.search.candidates.push(Candidate { argv: vec![text.to_owned()], source: source.to_owned() });
            }
            None => self.pass_over(program, source, "its path is not UTF-8"),
        }
    }

    /// What makes two programs the same interpreter. In a virtual environment it is the environment: its `python` is
    /// mostly a link to the one it was made with, but finds other packages.
    fn identity(&self, program: &Path) -> PathBuf {
        let prefix = program.parent().and_then(Path::parent);
        match prefix.filter(|prefix| self.files.is_file(&prefix.join("pyvenv.cfg"))) {
            Some(prefix) => self.files.resolve(prefix),
            None => self.files.resolve(program),
        }
        .unwrap_or_else(|| program.to_owned())
    }

    fn pass_over(&mut self, program: &Path, source: &str, why: &str) {
        let python = program.display().to_string();
        self.search.passed_over.push(PassedOver::missing(python, source, why));
    }
}

#[cfg(test)]
mod tests;
