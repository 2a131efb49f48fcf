//! Which paths never count: what tools and editors leave, what version control is told to ignore, what the run is asked
//! to write. Pure but for reading `.gitignore` when a directory is first met.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Directories that hold no source, by their names.
const DIRECTORIES: [&str; 19] = [
    "__pycache__",
    ".git",
    ".hg",
    ".svn",
    ".jj",
    ".bzr",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    ".testmondata",
    ".tox",
    ".nox",
    ".eggs",
    ".idea",
    ".vscode",
    ".cache",
    "node_modules",
    ".ipynb_checkpoints",
];
/// What marks a directory as an interpreter's environment.
const ENVIRONMENT: [&str; 2] = ["pyvenv.cfg", "conda-meta"];
/// Files in which patterns stand.
const PATTERNS: [&str; 2] = [".gitignore", ".ignore"];
/// Endings of files that are made from others, or that are on their way to become others.
const ENDINGS: [&str; 12] =
    [".pyc", ".pyo", "~", ".swp", ".swo", ".swx", ".swpx", ".tmp", "___jb_tmp___", "___jb_old___", ".bak", ".orig"];
/// Beginnings of such names.
const BEGINNINGS: [&str; 5] = [".#", ".goutputstream-", ".coverage.", ".fuse_hidden", ".nfs"];
/// Such names.
const NAMES: [&str; 6] = [".coverage", ".coverage-journal", ".DS_Store", "Thumbs.db", "4913", ".testmondata"];

/// Whether a name alone says that a file, or a directory, does not count.
pub fn is_ignored_name(name: &OsStr, is_dir: bool) -> bool {
    let Some(name) = name.to_str() else { return false };
    if is_dir {
        return DIRECTORIES.contains(&name);
    }
    NAMES.contains(&name)
        || PATTERNS.contains(&name)
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
        || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || (name.len() > 2 && name.starts_with('#') && name.ends_with('#'))
}

/// Whether a directory is an interpreter's environment, whatever it is called.
pub fn is_environment(directory: &Path) -> bool {
    ENVIRONMENT.iter().any(|mark| directory.join(mark).exists())
}

/// The rules of one tree or several.
#[derive(Debug)]
pub struct Rules {
    /// What is watched because somebody said so: no pattern speaks against it.
    roots: Vec<PathBuf>,
    outputs: Vec<PathBuf>,
    /// The patterns of directories, as far as they were met.
    patterns: HashMap<PathBuf, Option<Gitignore>>,
    /// The user's own patterns, for all trees.
    global: Gitignore,
}

impl Rules {
    /// For these directories, in which a run writes these files and directories; patterns that hold everywhere are
    /// `global`.
    pub fn new(roots: Vec<PathBuf>, outputs: Vec<PathBuf>, global: Gitignore) -> Self {
        Self { roots, outputs, patterns: HashMap::new(), global }
    }

    /// One more directory to be watched.
    pub fn add_root(&mut self, root: PathBuf) {
        self.roots.push(root);
    }

    /// Forgets the patterns of a directory, whose file of patterns has changed.
    pub fn forget(&mut self, directory: &Path) {
        self.patterns.remove(directory);
    }

    /// Whether a path never counts; no directory above it does not.
    pub fn ignores(&mut self, path: &Path, is_dir: bool) -> bool {
        if self.roots.iter().any(|root| root == path) {
            return false;
        }
        if path.file_name().is_some_and(|name| is_ignored_name(name, is_dir)) {
            return true;
        }
        if self.outputs.iter().any(|output| path.starts_with(output)) {
            return true;
        }
        self.patterns_say(path, is_dir)
    }

    /// As [`Rules::ignores`], for a path of which directories above may be ignored too.
    pub fn ignores_anywhere(&mut self, path: &Path, is_dir: bool) -> bool {
        let root = self.roots.iter().filter(|root| path.starts_with(root)).min_by_key(|root| root.as_os_str().len());
        let Some(root) = root.cloned() else { return true };
        let above: Vec<&Path> = path.ancestors().skip(1).take_while(|above| above.starts_with(&root)).collect();
        above.into_iter().rev().any(|above| self.ignores(above, true)) || self.ignores(path, is_dir)
    }

    /// The closest pattern counts, as git has it.
    fn patterns_say(&mut self, path: &Path, is_dir: bool) -> bool {
        for directory in path.ancestors().skip(1) {
            if !self.patterns.contains_key(directory) {
                let read = read_patterns(directory);
                self.patterns.insert(directory.to_owned(), read);
            }
            if let Some(Some(patterns)) = self.patterns.get(directory) {
                match patterns.matched(path, is_dir) {
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => return false,
                    Match::None => {}
                }
            }
            // A work tree ends here: what is above has other rules.
            if directory.join(".git").exists() {
                break;
            }
        }
        self.global.matched(path, is_dir).is_ignore()
    }
}

/// The patterns that stand in a directory, if any do.
fn read_patterns(directory: &Path) -> Option<Gitignore> {
    let mut builder = GitignoreBuilder::new(directory);
    let mut found = false;
    let exclude = directory.join(".git/info/exclude");
    let files = PATTERNS.map(|name| directory.join(name)).into_iter().chain([exclude]);
    for file in files.filter(|file| file.is_file()) {
        found = true;
        // A pattern that cannot be understood is left out, as git leaves it out.
        let _ = builder.add(&file);
    }
    if !found {
        return None;
    }
    builder.build().ok()
}

/// The user's own patterns, from git's configuration.
pub fn global_patterns() -> Gitignore {
    Gitignore::global().0
}
