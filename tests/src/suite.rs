//! A fixture suite in a temporary directory of its own, with its own `TMPDIR`, so that runs do not meet.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Junit, Model, Truth};

/// A copy of a fixture suite, or one written by the test. Removed when dropped.
#[derive(Debug)]
pub struct Suite {
    dir: TempDir,
    source: Option<PathBuf>,
}

impl Suite {
    /// A copy of `suites/<name>`.
    pub fn named(name: &str) -> Self {
        let source = suites().join(name);
        let suite = Self::empty(Some(source.clone()));
        copy_tree(&source, &suite.root());
        suite.add_support();
        suite
    }

    /// A suite of these files, path and content each.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let suite = Self::empty(None);
        for (path, content) in files {
            suite.write(path, content);
        }
        suite.add_support();
        suite
    }

    /// A copy of a source tree that nobody here wrote, as it is: no conftest, no truth.
    pub fn foreign(tree: &Path) -> Self {
        let suite = Self::empty(None);
        copy_tree(tree, &suite.root());
        suite
    }

    /// A suite of one module `test_it.py`.
    pub fn one(content: &str) -> Self {
        Self::of(&[("test_it.py", content)])
    }

    fn empty(source: Option<PathBuf>) -> Self {
        let dir = tempfile::Builder::new().prefix("e2e-").tempdir().expect("temporary directory");
        let suite = Self { dir, source };
        fs::create_dir(suite.root()).expect("suite directory");
        fs::create_dir(suite.temp()).expect("TMPDIR of the suite");
        suite
    }

    fn add_support(&self) {
        copy_tree(&suites().join("support"), &self.root());
        let default = self.path("default_conftest.py");
        if self.path("conftest.py").exists() {
            fs::remove_file(default).expect("unused conftest");
        } else {
            fs::rename(default, self.path("conftest.py")).expect("default conftest");
        }
        if !self.path("pytest.ini").exists() {
            self.write("pytest.ini", "[pytest]\n");
        }
    }

    /// Its root directory: the working directory of runs.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("suite")
    }

    /// A path in it.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root().join(relative)
    }

    /// The private `TMPDIR` of its runs.
    pub fn temp(&self) -> PathBuf {
        self.dir.path().join("t")
    }

    /// Writes a file, with its directories.
    pub fn write(&self, relative: &str, content: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("a file in the suite")).expect("directory in the suite");
        fs::write(path, content).expect("file in the suite");
    }

    /// Where tests put themselves on record.
    pub fn truth_path(&self) -> PathBuf {
        self.dir.path().join("truth.jsonl")
    }

    /// What the tests put on record so far.
    pub fn truth(&self) -> Truth {
        Truth::read(&self.truth_path())
    }

    /// Forgets what is on record, for a second run on the same suite.
    pub fn forget(&self) {
        fs::remove_file(self.truth_path()).ok();
    }

    /// Where runs with [`crate::Invocation::junit`] write their file.
    pub fn junit_path(&self) -> PathBuf {
        self.dir.path().join("junit.xml")
    }

    /// The junit file of the last run.
    pub fn junit(&self) -> Junit {
        Junit::read(&self.junit_path())
    }

    /// The model beside the fixture suite: what each test must do.
    pub fn model(&self) -> Model {
        let source = self.source.as_ref().expect("only suites of the repository have a model");
        Model::read(&source.join("model.json"))
    }

    /// Files left in the suite's `TMPDIR`, but for pytest's own `pytest-of-…`.
    pub fn left_behind(&self) -> Vec<String> {
        let entries = fs::read_dir(self.temp()).expect("TMPDIR of the suite");
        let names = entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.starts_with("pytest-of-")).collect()
    }
}

fn suites() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("suites")
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("directory of the copy");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("entry of the suite");
        let name = entry.file_name();
        if name == "__pycache__" || name == ".pytest_cache" || name == "model.json" {
            continue;
        }
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &to.join(&name));
        } else {
            fs::copy(entry.path(), to.join(&name)).expect("copy of a suite's file");
        }
    }
}
