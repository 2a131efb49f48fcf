//! What becomes of a symbolic link, decided from its place and target alone. Pure.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::path::RelPath;

/// What to do with symbolic links that lead out of the tree, relative or absolute. Links inside are kept; absolute ones
/// inside become relative, so that they hold at every destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Links {
    /// Fail, and name them.
    #[default]
    Refuse,
    /// Leave them out, with a notice.
    Skip,
    /// Take them as they are: they lead wherever they lead there. Receivers must agree.
    Keep,
    /// Take what they lead to in their place.
    Copy,
}

/// The target that the link at `path` has at the destination, or `None` if it leads out of the tree.
///
/// `mounts` are the directories of the source and their places in the tree.
pub(super) fn inside<'m>(
    path: &RelPath,
    target: &[u8],
    mounts: impl IntoIterator<Item = (&'m Path, &'m RelPath)>,
) -> Option<Vec<u8>> {
    let parent: Vec<&[u8]> = path.parent_bytes().split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
    if target.first() != Some(&b'/') {
        return walk(parent, target).map(|_| target.to_vec());
    }
    let target = Path::new(OsStr::from_bytes(target));
    let (below, at) = mounts.into_iter().find_map(|(from, at)| Some((target.strip_prefix(from).ok()?, at)))?;
    let there = walk(at.components().collect(), below.as_os_str().as_bytes())?;
    let common = parent.iter().zip(&there).take_while(|(left, right)| left == right).count();
    let up = std::iter::repeat_n(&b".."[..], parent.len() - common);
    let relative = up.chain(there[common..].iter().copied()).collect::<Vec<_>>().join(&b'/');
    Some(if relative.is_empty() { b".".to_vec() } else { relative })
}

/// Where `target` leads from `at`; `None` as soon as it is above the root.
fn walk<'a>(mut at: Vec<&'a [u8]>, target: &'a [u8]) -> Option<Vec<&'a [u8]>> {
    for name in target.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => {
                at.pop()?;
            }
            name => at.push(name),
        }
    }
    Some(at)
}

/// Whether a link at `path` with the relative `target` stays in the tree.
pub(crate) fn stays_inside(path: &RelPath, target: &[u8]) -> bool {
    inside(path, target, []).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_inside_and_out() {
        let (root, at, other) = (RelPath::root(), RelPath::parse(Path::new("lib/x")).unwrap(), Path::new("/other"));
        for (path, target, expected) in [
            ("a/l", "b", Some("b")),
            ("a/l", "../b/c", Some("../b/c")),
            ("a/l", "../../b", None),
            ("l", "..", None),
            ("l", "../src/a", None),
            ("a/l", ".", Some(".")),
            ("a/b/l", "/src/a/c", Some("../c")),
            ("a/l", "/src", Some("..")),
            ("l", "/src", Some(".")),
            ("l", "/src/a/../../x", None),
            ("l", "/srcs/a", None),
            ("l", "/etc/passwd", None),
            ("a/l", "/other/y", Some("../lib/x/y")),
        ] {
            let link = RelPath::parse(Path::new(path)).unwrap();
            let found = inside(&link, target.as_bytes(), [(Path::new("/src"), &root), (other, &at)]);
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{path} -> {target}");
        }
    }
}
