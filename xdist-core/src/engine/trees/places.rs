//! Where local paths are in a copy, and the other way round. Pure.

use std::path::{Component, Path, PathBuf};

/// Directories, and their places in every copy; a path belongs to the first one that it lies in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places(Vec<(PathBuf, PathBuf)>);

impl Places {
    /// `rootdir` becomes the copy itself, a root outside of it a directory in the copy. An error is a usage error's text.
    pub(super) fn new(rootdir: &Path, roots: &[PathBuf]) -> Result<Self, String> {
        let mut places: Vec<(PathBuf, PathBuf)> = Vec::new();
        for root in roots.iter().filter(|root| !root.starts_with(rootdir)) {
            if places.iter().any(|(known, _)| root.starts_with(known)) {
                continue;
            }
            let name = root.file_name().map(PathBuf::from).ok_or("`--rsyncdir /`: a whole file system is too much")?;
            if let Some((other, _)) = places.iter().find(|(_, taken)| *taken == name) {
                return Err(format!(
                    "`{}` and `{}` both lie outside of rootdir, and would both become `{}`\nhint: `--rsyncdir` with the directory \
                     that holds both, or `--rootdir`",
                    other.display(),
                    root.display(),
                    name.display()
                ));
            }
            if rootdir.join(&name).exists() && roots.iter().any(|inner| rootdir.join(&name).starts_with(inner)) {
                return Err(format!(
                    "`{}` lies outside of rootdir, and would become `{}`, which rootdir has already\nhint: `--rsyncdir` with the \
                     directory that holds both, or `--rootdir`",
                    root.display(),
                    name.display()
                ));
            }
            places.push((root.clone(), name));
        }
        if !places.iter().any(|(root, _)| rootdir.starts_with(root)) {
            places.push((rootdir.to_owned(), PathBuf::new()));
        }
        Ok(Self(places))
    }

    /// Where a path is in every copy.
    pub(super) fn of(&self, path: &Path) -> Option<PathBuf> {
        self.0.iter().find_map(|(here, there)| Some(joined(there, path.strip_prefix(here).ok()?)))
    }

    /// Directories in the copy at `copy` and those that they are copies of: what text is to be translated by.
    pub(super) fn translations(&self, copy: &str) -> Vec<(String, String)> {
        let mut all: Vec<_> = self
            .0
            .iter()
            .map(|(here, there)| (joined(Path::new(copy), there).display().to_string(), here.display().to_string()))
            .collect();
        // What lies inside of another one comes first.
        all.sort_by_key(|(there, _)| std::cmp::Reverse(there.len()));
        all
    }
}

/// `base.join(rest)`, without a slash at the end.
pub(super) fn joined(base: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { base.to_owned() } else { base.join(rest) }
}

/// Whether a path is relative and stays below where it starts.
pub(super) fn is_below(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(rootdir: &str, roots: &[&str]) -> Result<Places, String> {
        Places::new(Path::new(rootdir), &roots.iter().map(PathBuf::from).collect::<Vec<_>>())
    }

    #[test]
    fn roots_keep_their_path_relative_to_rootdir() {
        let found = places("/home/me/project", &["/home/me/project/src/pkg", "/opt/shared/data"]).unwrap();
        let of = |path: &str| found.of(Path::new(path)).map(|path| path.display().to_string());
        assert_eq!(of("/home/me/project/src/pkg/a.py").as_deref(), Some("src/pkg/a.py"));
        assert_eq!(of("/home/me/project").as_deref(), Some(""));
        assert_eq!(of("/opt/shared/data/x").as_deref(), Some("data/x"));
        assert_eq!(of("/opt/shared"), None);
        let texts = found.translations("/far/copy");
        let texts: Vec<_> = texts.iter().map(|(there, here)| (there.as_str(), here.as_str())).collect();
        assert_eq!(texts, [("/far/copy/data", "/opt/shared/data"), ("/far/copy", "/home/me/project")]);
    }

    #[test]
    fn a_root_around_rootdir_holds_it() {
        let found = places("/home/me/project", &["/home/me", "/home/me/project"]).unwrap();
        assert_eq!(found.of(Path::new("/home/me/project/a")).unwrap(), Path::new("me/project/a"));
    }

    #[test]
    fn two_outside_roots_of_one_name_are_refused() {
        let error = places("/project", &["/a/data", "/b/data"]).unwrap_err();
        assert!(error.contains("`/a/data` and `/b/data`") && error.contains("`data`"), "{error}");
        assert!(places("/project", &["/"]).unwrap_err().contains("too much"));
    }
}
