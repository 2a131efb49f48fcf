//! Directories held open, and operations on single names in them: the only way the synchroniser touches a tree.
//!
//! A name never has a slash (see [`crate::path`]), so that an operation on it cannot leave the directory, and directories
//! are entered without following links, so that one that is swapped for a link is an error and not a way out.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, ResolveFlags, SeekFrom, Timespec, Timestamps, seek};
use rustix::io::{Errno, Result};

use crate::path::RelPath;
use crate::stat::{Stat, Time};

/// Bytes of names that are read at once.
const LISTING: usize = 32 << 10;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A directory that is held open.
#[derive(Debug)]
pub(crate) struct Held {
    descriptor: OwnedFd,
    /// `openat2` is there; it also refuses what `O_NOFOLLOW` lets through, such as magic links.
    beneath: bool,
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Held {
    /// Opens the root of a tree. Whoever names this path is trusted; links are followed.
    pub(crate) fn root(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self { descriptor, beneath: cfg!(target_os = "linux") })
    }

    /// Does without `openat2`, as on systems that have none.
    #[cfg(test)]
    fn without_openat2(mut self) -> Self {
        self.beneath = false;
        self
    }

    pub(crate) fn enter(&self, name: &[u8]) -> Result<Self> {
        let descriptor = self.open_name(name, DIRECTORY)?;
        Ok(Self { descriptor, beneath: self.beneath })
    }

    fn open_name(&self, name: &[u8], flags: OFlags) -> Result<OwnedFd> {
        if self.beneath {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match rustix::fs::openat2(&self.descriptor, name, flags, Mode::empty(), resolve) {
                // Old kernels have no such call, and filters of system calls may refuse it.
                Err(Errno::NOSYS | Errno::PERM) => {}
                result => return result,
            }
        }
        rustix::fs::openat(&self.descriptor, name, flags, Mode::empty())
    }

    /// Opens a file for reading. It may be of any kind: look before reading.
    pub(crate) fn open(&self, name: &[u8]) -> Result<File> {
        // A named pipe must not be waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        self.open_name(name, flags).map(File::from)
    }

    /// Makes a file that was not there, for writing and reading.
    pub(crate) fn create(&self, name: &[u8]) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.descriptor, name, flags, Mode::from_raw_mode(0o600)).map(File::from)
    }

    pub(crate) fn stat(&self, name: &[u8]) -> Result<Stat> {
        Stat::at(&self.descriptor, name)
    }

    pub(crate) fn read_link(&self, name: &[u8]) -> Result<Vec<u8>> {
        rustix::fs::readlinkat(&self.descriptor, name, Vec::new()).map(std::ffi::CString::into_bytes)
    }

    pub(crate) fn make_directory(&self, name: &[u8], mode: u32) -> Result<()> {
        rustix::fs::mkdirat(&self.descriptor, name, Mode::from_raw_mode(mode))
    }

    pub(crate) fn make_link(&self, target: &[u8], name: &[u8]) -> Result<()> {
        rustix::fs::symlinkat(target, &self.descriptor, name)
    }

    pub(crate) fn remove_file(&self, name: &[u8]) -> Result<()> {
        rustix::fs::unlinkat(&self.descriptor, name, AtFlags::empty())
    }

    pub(crate) fn remove_directory(&self, name: &[u8]) -> Result<()> {
        rustix::fs::unlinkat(&self.descriptor, name, AtFlags::REMOVEDIR)
    }

    /// Renames `from` in this directory to `to` in `directory`, over what stands there.
    pub(crate) fn rename(&self, from: &[u8], directory: &Self, to: &[u8]) -> Result<()> {
        rustix::fs::renameat(&self.descriptor, from, &directory.descriptor, to)
    }

    /// Sets the permission bits of a file or directory, never of what a link points to.
    pub(crate) fn set_mode(&self, name: &[u8], mode: u32) -> Result<()> {
        let bits = Mode::from_raw_mode(mode);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match self.open_name(name, flags) {
            Ok(file) => rustix::fs::fchmod(file, bits),
            // Its owner may set the mode of what nobody may read: by a descriptor that cannot read, which the
            // kernel takes only by this name.
            Err(Errno::ACCESS) => {
                let file = self.open_name(name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)?;
                if Stat::at(&file, b"")?.is_link() {
                    return Err(Errno::LOOP);
                }
                rustix::fs::chmod(format!("/proc/self/fd/{}", file.as_raw_fd()), bits)
            }
            Err(error) => Err(error),
        }
    }

    /// Sets the time of the last change of a file or of a link itself.
    pub(crate) fn set_modified(&self, name: &[u8], modified: Time) -> Result<()> {
        rustix::fs::utimensat(&self.descriptor, name, &timestamps(modified), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// The names in this directory, in no order.
    pub(crate) fn names(&self) -> Result<Vec<Box<[u8]>>> {
        let mut names = Vec::new();
        // Read by this descriptor itself: another one costs three calls a directory.
        seek(&self.descriptor, SeekFrom::Start(0))?;
        let mut buffer = Vec::with_capacity(LISTING);
        let mut entries = RawDir::new(&self.descriptor, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(name.into());
            }
        }
        Ok(names)
    }

    /// Removes everything in this directory. Links are removed, not followed.
    pub(crate) fn clear(&self) -> Result<()> {
        for name in self.names()? {
            match self.remove_file(&name) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::ISDIR | Errno::PERM) => {
                    self.enter(&name)?.clear()?;
                    self.remove_directory(&name)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Times for a file: the last change is `modified`, the last access stays.
pub(crate) fn timestamps(modified: Time) -> Timestamps {
    let omit = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    let change = Timespec { tv_sec: modified.seconds, tv_nsec: i64::from(modified.nanos) };
    Timestamps { last_access: omit, last_modification: change }
}

/// Directories of a tree held open along one path: moving to a neighbour opens what differs, so that a walk in order
/// opens each directory once, and no path is ever too long.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    root: &'a Held,
    held: Vec<(Box<[u8]>, Held)>,
    /// Directories made writable on the way, if that is wanted.
    loosened: Option<Vec<RelPath>>,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(root: &'a Held) -> Self {
        Self { root, held: Vec::new(), loosened: None }
    }

    /// A cursor that gives its owner every right in the directories that it enters.
    pub(crate) fn loosening(root: &'a Held) -> Self {
        Self { loosened: Some(Vec::new()), ..Self::new(root) }
    }

    /// The directories whose mode was changed on the way.
    pub(crate) fn loosened(self) -> Vec<RelPath> {
        self.loosened.unwrap_or_default()
    }

    /// The directory that `path` lies in.
    pub(crate) fn parent(&mut self, path: &RelPath) -> Result<&Held> {
        self.go(path.components(), path.depth().saturating_sub(1))
    }

    /// The directory `path`.
    #[cfg(test)]
    pub(crate) fn directory(&mut self, path: &RelPath) -> Result<&Held> {
        self.go(path.components(), path.depth())
    }

    fn go<'p>(&mut self, names: impl Iterator<Item = &'p [u8]>, depth: usize) -> Result<&Held> {
        let mut names = names.take(depth).peekable();
        let mut common = 0;
        while let (Some((held, _)), Some(name)) = (self.held.get(common), names.peek())
            && **held == **name
        {
            common += 1;
            names.next();
        }
        self.held.truncate(common);
        for name in names {
            let next = self.enter(name)?;
            self.held.push((name.into(), next));
        }
        Ok(self.here())
    }

    fn here(&self) -> &Held {
        self.held.last().map_or(self.root, |(_, directory)| directory)
    }

    fn enter(&mut self, name: &[u8]) -> Result<Held> {
        let here = self.held.last().map_or(self.root, |(_, directory)| directory);
        let Some(loosened) = &mut self.loosened else { return here.enter(name) };
        let stat = here.stat(name)?;
        if stat.is_directory() && stat.mode & 0o700 != 0o700 {
            here.set_mode(name, stat.permissions() | 0o700)?;
            let names = self.held.iter().map(|(name, _)| &**name).chain([name]);
            let path = { names }.try_fold(RelPath::root(), |path, name| path.child(name));
            loosened.extend(path);
        }
        here.enter(name)
    }
}

/// A name as the system's string.
pub(crate) fn os(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(Path::new(text)).unwrap()
    }

    #[test]
    fn links_are_never_entered() {
        let outside = tempfile::tempdir().unwrap();
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir_all(tree.path().join("a/b")).unwrap();
        fs::write(outside.path().join("canary"), "alive").unwrap();
        symlink(outside.path(), tree.path().join("a/out")).unwrap();
        symlink("b", tree.path().join("a/in")).unwrap();
        symlink(outside.path().join("canary"), tree.path().join("a/file")).unwrap();
        let modern = Held::root(tree.path()).unwrap();
        let old = Held::root(tree.path()).unwrap().without_openat2();
        for root in [&modern, &old] {
            let mut cursor = Cursor::new(root);
            for bad in ["a/out", "a/in", "a/out/x"] {
                assert!(cursor.directory(&path(bad)).is_err(), "{bad}");
            }
            let inside = cursor.directory(&path("a")).unwrap();
            assert!(inside.open(b"file").is_err());
            assert!(inside.create(b"file").is_err());
            assert!(inside.set_mode(b"file", 0).is_err());
            inside.set_modified(b"file", Time { seconds: 5, nanos: 0 }).unwrap();
            assert!(cursor.directory(&path("a/b")).is_ok());
        }
        let canary = fs::metadata(outside.path().join("canary")).unwrap();
        assert_ne!(Time { seconds: 5, nanos: 0 }.seconds, std::os::unix::fs::MetadataExt::mtime(&canary));
        modern.enter(b"a").unwrap().clear().unwrap();
        assert_eq!(fs::read_to_string(outside.path().join("canary")).unwrap(), "alive");
    }

    #[test]
    fn directories_are_loosened_on_the_way_and_named() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir_all(tree.path().join("a/b")).unwrap();
        fs::set_permissions(tree.path().join("a/b"), fs::Permissions::from_mode(0o555)).unwrap();
        let root = Held::root(tree.path()).unwrap();
        let mut cursor = Cursor::loosening(&root);
        cursor.parent(&path("a/b/c")).unwrap().make_directory(b"c", 0o700).unwrap();
        assert_eq!(cursor.loosened(), [path("a/b")]);
    }

    #[test]
    fn a_path_may_be_longer_than_the_system_takes() {
        let tree = tempfile::tempdir().unwrap();
        let root = Held::root(tree.path()).unwrap();
        let mut cursor = Cursor::new(&root);
        let name = [b'x'; 200];
        let mut path = RelPath::root();
        for _ in 0..30 {
            cursor.directory(&path).unwrap().make_directory(&name, 0o700).unwrap();
            path = path.child(&name).unwrap();
        }
        assert!(path.as_bytes().len() > 5000);
        cursor.directory(&path).unwrap().create(b"file").unwrap();
        root.clear().unwrap();
        assert!(root.names().unwrap().is_empty());
    }
}
