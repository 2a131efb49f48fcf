//! Paths: what is a component of one never leads anywhere else, and order is that of a walk.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use crate::path::{MAX_COMPONENT, MAX_DEPTH, PathError, RESERVED, RelPath, escape};

fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0)
}

/// Whether `path` is what anybody would call a harmless path.
pub(super) fn is_harmless(path: &RelPath) {
    let names: Vec<_> = path.components().collect();
    assert!(names.iter().all(|name| is_name(name) && name.len() <= MAX_COMPONENT), "{path:?}");
    assert!(names.len() <= MAX_DEPTH && names.len() == path.depth());
    assert_ne!(names.first(), Some(&RESERVED));
    assert_eq!(names.join(&b'/'), path.as_bytes());
    // As the operating system reads it.
    assert!(path.as_path().components().all(|part| matches!(part, Component::Normal(_))), "{path:?}");
    assert_eq!(path.as_path().components().count(), names.len());
    assert_eq!(path.name(), names.last().copied().unwrap_or_default());
    let parent = path.parent();
    assert_eq!(parent.components().count(), names.len().saturating_sub(1));
    assert!(path.is_within(&parent) && path.is_within(path) && path.is_within(&RelPath::root()));
    if !path.is_root() {
        assert!(parent < *path && !parent.is_within(path));
        assert_eq!(parent.child(path.name()).as_ref(), Ok(path));
    }
    assert_eq!(RelPath::parse(path.as_path()).as_ref(), Ok(path));
}

fn one_name(name: &[u8]) {
    let directory = RelPath::root().child(b"directory").unwrap_or_default();
    for parent in [RelPath::root(), directory] {
        let child = parent.child(name);
        let expected = match name {
            _ if !is_name(name) => Err(PathError::NotAName),
            _ if name.len() > MAX_COMPONENT => Err(PathError::TooLong),
            RESERVED if parent.is_root() => Err(PathError::Reserved),
            _ => Ok(()),
        };
        assert_eq!(child.as_ref().map(|_| ()).map_err(|error| *error), expected, "{name:?}");
        child.iter().for_each(is_harmless);
    }
}

fn text(bytes: &[u8]) {
    let escaped = escape(bytes);
    assert!(!escaped.contains(char::is_control), "{escaped:?}");
    assert!(!escaped.contains(['\u{202a}', '\u{202b}', '\u{202d}', '\u{202e}', '\u{200f}']), "{escaped:?}");
    assert_eq!(escape(escaped.as_bytes()), escaped);
}

pub(super) fn check(input: &[u8]) {
    one_name(input);
    text(input);
    let (left, right) = input.split_at(input.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let parse = |bytes: &[u8]| RelPath::parse(Path::new(OsStr::from_bytes(bytes)));
    let paths = [left, right.get(1..).unwrap_or_default(), input].map(parse);
    paths.iter().flatten().for_each(is_harmless);
    if let [Ok(left), Ok(right), _] = &paths {
        let of = |path: &RelPath| path.components().map(<[u8]>::to_vec).collect::<Vec<_>>();
        let (these, those) = (of(left), of(right));
        assert_eq!(left.cmp(right), these.cmp(&those), "{left:?} {right:?}");
        assert_eq!(left.is_within(right), these.starts_with(&those), "{left:?} {right:?}");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let deep = "d/".repeat(MAX_DEPTH + 1);
    let texts: [&[u8]; 12] = [
        b"a/b.py\na/b",
        b"a-b/c\na/b/c",
        b"./a//b/\na",
        b"..",
        b"a/../../etc/passwd",
        b"/etc/passwd",
        b".rsync-rs",
        b"a/.rsync-rs/b\n.rsync-rs-1",
        b"nul\0in it\nx",
        "h\u{e4}\u{202e}gnp.py\u{1b}[2J".as_bytes(),
        b"\xff\xfe/not\xe2text",
        deep.as_bytes(),
    ];
    texts.map(<[u8]>::to_vec).to_vec()
}
