//! How tests are called on the terminal: node ids as the user would type them where they stand.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use xdist_core::collection::Collection;
use xdist_core::ids::TestIndex;

/// Turns test indices and node ids into what is printed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// pytest's root directory, which node ids start from.
    pub(crate) rootdir: PathBuf,
    /// Where the user stands.
    pub(crate) invoked: PathBuf,
    /// The run's collection.
    pub(crate) collection: Arc<Collection>,
}

impl Names {
    /// The node id of a test.
    pub(crate) fn nodeid(&self, test: TestIndex) -> &str {
        self.collection.ids.get(test.at()).map_or("?", String::as_str)
    }

    /// The node id with its path relative to where the user stands.
    pub(crate) fn relative<'a>(&self, nodeid: &'a str) -> Cow<'a, str> {
        if nodeid.is_empty() || self.invoked == self.rootdir || self.invoked.as_os_str().is_empty() {
            return Cow::Borrowed(nodeid);
        }
        let (path, rest) = split(nodeid);
        let path = best_relative(&self.invoked, &self.rootdir.join(path));
        Cow::Owned(match rest {
            Some(rest) => format!("{path}::{rest}"),
            None => path,
        })
    }

    /// What `-v` prints for a test.
    pub(crate) fn display(&self, test: TestIndex) -> Cow<'_, str> {
        match self.collection.display.get(test.at()) {
            Some(text) if !text.is_empty() => Cow::Borrowed(text.trim_end()),
            _ => self.relative(self.nodeid(test)),
        }
    }

    /// A file's path relative to where the user stands, as pytest shows the place of a skip or a warning.
    pub(crate) fn path(&self, path: &str) -> String {
        let path = Path::new(path);
        if self.invoked.as_os_str().is_empty() {
            return path.display().to_string();
        }
        best_relative(&self.invoked, &self.invoked.join(path))
    }
}

/// Path and rest of a node id.
pub(crate) fn split(nodeid: &str) -> (&str, Option<&str>) {
    match nodeid.split_once("::") {
        Some((path, rest)) => (path, Some(rest)),
        None => (nodeid, None),
    }
}

/// pytest's title for a test's section: `TestX.test_y[a::b]` for `a.py::TestX::test_y[a::b]`.
pub(crate) fn domain(nodeid: &str) -> String {
    let Some(rest) = split(nodeid).1 else {
        return nodeid.to_owned();
    };
    match rest.split_once('[') {
        Some((name, parameters)) => format!("{}[{parameters}", name.replace("::", ".")),
        None => rest.replace("::", "."),
    }
}

/// `path` as seen from `from`, with `..` where needed.
pub(super) fn best_relative(from: &Path, path: &Path) -> String {
    relative_path(from, path).display().to_string()
}

/// The same, whatever bytes it is made of.
pub(super) fn relative_path(from: &Path, path: &Path) -> PathBuf {
    let from: Vec<Component<'_>> = normal(from);
    let path: Vec<Component<'_>> = normal(path);
    if from == path {
        return PathBuf::from(".");
    }
    let shared = from.iter().zip(&path).take_while(|(a, b)| a == b).count();
    let mut out = PathBuf::new();
    out.extend(std::iter::repeat_n(Component::ParentDir, from.len() - shared));
    out.extend(&path[shared..]);
    out
}

/// The components without `.` and with `..` taken back, by text alone.
pub(super) fn normal(path: &Path) -> Vec<Component<'_>> {
    let mut out = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.last(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
