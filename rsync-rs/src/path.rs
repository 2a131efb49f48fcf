//! Paths of a tree as data: relative, validated where they come in, never a file system's idea of a path.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use thiserror::Error;

/// Longest component, in bytes.
pub const MAX_COMPONENT: usize = 255;
/// Most components of a path.
pub const MAX_DEPTH: usize = 255;
/// The name that a receiver keeps for itself at the top of a destination.
pub const RESERVED: &[u8] = b".rsync-rs";

/// Why bytes are not a component of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// Empty, `.`, `..`, or with a slash or NUL.
    #[error("not a name: empty, `.`, `..`, or with a slash or NUL byte")]
    NotAName,
    /// More than [`MAX_COMPONENT`] bytes.
    #[error("a name longer than {MAX_COMPONENT} bytes")]
    TooLong,
    /// More than [`MAX_DEPTH`] components.
    #[error("deeper than {MAX_DEPTH} directories")]
    TooDeep,
    /// The receiver's own name.
    #[error("a name reserved for the synchroniser")]
    Reserved,
}

/// A relative path of zero or more valid components. The empty path is the root of the tree.
///
/// Paths are ordered as a walk meets them: a directory, then everything below it, then its next sibling by bytes.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct RelPath(Box<[u8]>);

impl RelPath {
    /// The root of the tree.
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of `name` in the directory `self`.
    pub fn child(&self, name: &[u8]) -> Result<Self, PathError> {
        if name.is_empty() || name == b"." || name == b".." || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
            return Err(PathError::NotAName);
        }
        if name.len() > MAX_COMPONENT {
            return Err(PathError::TooLong);
        }
        if self.is_root() && name == RESERVED {
            return Err(PathError::Reserved);
        }
        if self.depth() >= MAX_DEPTH {
            return Err(PathError::TooDeep);
        }
        Ok(Self(if self.is_root() { name.into() } else { [&self.0, &b"/"[..], name].concat().into() }))
    }

    /// Reads a relative path; `.` components and doubled slashes are dropped.
    pub fn parse(path: &Path) -> Result<Self, PathError> {
        let bytes = path.as_os_str().as_bytes();
        if bytes.first() == Some(&b'/') {
            return Err(PathError::NotAName);
        }
        bytes
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty() && *name != b".")
            .try_fold(Self::root(), |path, name| path.child(name))
    }

    /// Whether this is the root of the tree.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of components.
    pub fn depth(&self) -> usize {
        // A loop without branches: this is asked for every entry of every tree.
        let slashes: usize = self.0.iter().map(|byte| usize::from(*byte == b'/')).sum();
        if self.is_root() { 0 } else { slashes + 1 }
    }

    /// The components, from the root down.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
    }

    /// The directory that this path lies in; the root's is the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(self.parent_bytes().into())
    }

    /// The bytes of the parent's path; empty for what lies at the root.
    pub fn parent_bytes(&self) -> &[u8] {
        self.0.iter().rposition(|byte| *byte == b'/').map_or(&[], |at| &self.0[..at])
    }

    /// The last component; empty for the root.
    pub fn name(&self) -> &[u8] {
        self.0.iter().rposition(|byte| *byte == b'/').map_or(&self.0, |at| &self.0[at + 1..])
    }

    /// The components joined by slashes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as the operating system writes it.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// Whether `self` is `ancestor` or lies below it.
    pub fn is_within(&self, ancestor: &Self) -> bool {
        ancestor.is_root()
            || self.0.strip_prefix(&*ancestor.0).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
    }
}

impl Ord for RelPath {
    fn cmp(&self, other: &Self) -> Ordering {
        let common = self.0.iter().zip(&other.0).position(|(left, right)| left != right);
        match common {
            None => self.0.len().cmp(&other.0.len()),
            // A slash ends a name and so comes before every byte of a longer one.
            Some(at) => match (self.0[at], other.0[at]) {
                (b'/', _) => Ordering::Less,
                (_, b'/') => Ordering::Greater,
                (left, right) => left.cmp(&right),
            },
        }
    }
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&escape(if self.is_root() { b"." } else { &self.0 }))
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{self}\"")
    }
}

/// Bytes of a name or a peer's text as one harmless line: control characters and bytes that are not UTF-8 are escaped.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || matches!(character, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}') {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            text.extend(std::ascii::escape_default(*byte).map(char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(Path::new(text)).unwrap()
    }

    #[test]
    fn only_names_become_components() {
        for bad in [&b""[..], b".", b"..", b"a/b", b"/", b"a\0"] {
            assert_eq!(RelPath::root().child(bad), Err(PathError::NotAName), "{bad:?}");
        }
        assert_eq!(RelPath::root().child(&[b'x'; 256]), Err(PathError::TooLong));
        assert_eq!(RelPath::root().child(RESERVED), Err(PathError::Reserved));
        assert_eq!(path("a").child(RESERVED).unwrap().as_bytes(), b"a/.rsync-rs");
        assert!(RelPath::parse(Path::new("a/../b")).is_err());
        assert!(RelPath::parse(Path::new("/a")).is_err());
        let deep = (0..MAX_DEPTH).fold(RelPath::root(), |path, _| path.child(b"d").unwrap());
        assert_eq!(deep.child(b"d"), Err(PathError::TooDeep));
    }

    #[test]
    fn order_is_that_of_a_walk() {
        let mut paths = ["a.b", "a/c", "a", "a-b", "a/b/z", "ab", "a/b"].map(path);
        paths.sort();
        assert_eq!(paths.map(|path| path.to_string()), ["a", "a/b", "a/b/z", "a/c", "a-b", "a.b", "ab"]);
    }

    #[test]
    fn parts_of_a_path() {
        let deep = path("a//./b/c");
        assert_eq!((deep.parent_bytes(), deep.name(), deep.depth()), (&b"a/b"[..], &b"c"[..], 3));
        assert!(deep.is_within(&path("a/b")) && deep.is_within(&RelPath::root()) && !deep.is_within(&path("a/bc")));
        assert_eq!(RelPath::root().depth(), 0);
    }

    #[test]
    fn text_of_strangers_is_harmless() {
        assert_eq!(escape(b"a\x1b[31m\nb\xff\xe2\x80\xae\xc3\xa4"), "a\\u{1b}[31m\\nb\\xff\\u{202e}\u{e4}");
    }
}
