//! Whether the interpreter and what is installed in it are those that the fork server has imported.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Files that make pytest another one for the same tests.
const SETTINGS: [&str; 8] =
    ["pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", "setup.py"];

/// What an interpreter's files looked like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed(Vec<(PathBuf, Option<Stamp>)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    let size = if found.is_dir() { 0 } else { found.size() };
    Some(Stamp { inode: found.ino(), size, modified: (found.mtime(), found.mtime_nsec()) })
}

impl Installed {
    /// Looks at an interpreter, at the directories in which its packages are with what is right in them, and at files
    /// of packages that are in use.
    pub fn look(interpreter: &Path, directories: &[PathBuf], files: &[PathBuf]) -> Self {
        let mut paths = vec![interpreter.to_owned()];
        paths.extend(interpreter.parent().and_then(Path::parent).map(|prefix| prefix.join("pyvenv.cfg")));
        for directory in directories {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            let mut inside: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| counts(path)).collect();
            inside.sort();
            paths.extend(inside);
        }
        paths.extend(files.iter().cloned());
        Self(paths.into_iter().map(|path| (path.clone(), stamp(&path))).collect())
    }
}

/// What an installer leaves of every package, and what the interpreter reads when it starts.
fn counts(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ["dist-info", "egg-info", "pth", "egg-link"].iter().any(|known| ending == *known))
}

/// Whether a file has a say in which plugins there are and what they do.
pub fn is_setting(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| SETTINGS.contains(&name))
}
