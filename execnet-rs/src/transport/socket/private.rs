//! Files that only their owner may read. What others could have read, or have put there, is refused.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fchmod, fstat, openat, renameat, statat, unlinkat};
use rustix::process::geteuid;
use thiserror::Error;
use zeroize::Zeroizing;

/// The largest file that is read.
const LARGEST: u64 = 16 * 1024;

/// Why a private file is of no use. Never says what is in it.
#[derive(Debug, Error)]
pub enum PrivateError {
    /// The system's word.
    #[error("`{}`: {error}", path.display())]
    System {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is a link, or has another name elsewhere.
    #[error("`{}` is a link\nhint: put the file itself there", .0.display())]
    Link(PathBuf),
    /// It is no file.
    #[error("`{}` is no file", .0.display())]
    NoFile(PathBuf),
    /// It is no directory.
    #[error("`{}` is no directory", .0.display())]
    NoDirectory(PathBuf),
    /// Others can get at it.
    #[error("others can {verb} `{}` (mode {mode:04o})\nhint: {hint}", path.display())]
    Open {
        /// Which file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What others can do.
        verb: &'static str,
        /// What to do about it.
        hint: String,
    },
    /// Somebody else owns it.
    #[error("`{}` belongs to user {owner}, not to the user of this program", path.display())]
    Owner {
        /// Which file or directory.
        path: PathBuf,
        /// The owner's number.
        owner: u32,
    },
    /// It is too large to be one.
    #[error("`{}` is too large to be what it should be", .0.display())]
    Large(PathBuf),
}

impl PrivateError {
    fn system(path: &Path, error: impl Into<io::Error>) -> Self {
        Self::System { path: path.to_owned(), error: error.into() }
    }

    /// Whether there simply is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::System { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads a private file of this program's own places: no link, no second name, nobody else's, closed to others.
///
/// # Errors
/// A [`PrivateError`].
pub fn read(path: &Path) -> Result<Zeroizing<String>, PrivateError> {
    let file = match open(path, OFlags::RDONLY | OFlags::NOFOLLOW) {
        Err(rustix::io::Errno::LOOP) => return Err(PrivateError::Link(path.to_owned())),
        file => file.map_err(|error| PrivateError::system(path, error))?,
    };
    let stat = fstat(&file).map_err(|error| PrivateError::system(path, error))?;
    if stat.st_nlink > 1 && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
        return Err(PrivateError::Link(path.to_owned()));
    }
    read_checked(path, file, &stat)
}

/// Reads a private file that the user named, which may be a link to it.
///
/// # Errors
/// A [`PrivateError`].
pub fn read_named(path: &Path) -> Result<Zeroizing<String>, PrivateError> {
    let file = open(path, OFlags::RDONLY).map_err(|error| PrivateError::system(path, error))?;
    let stat = fstat(&file).map_err(|error| PrivateError::system(path, error))?;
    read_checked(path, file, &stat)
}

fn open(path: &Path, flags: OFlags) -> rustix::io::Result<File> {
    // A pipe must not be waited for.
    Ok(openat(CWD, path, flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty())?.into())
}

fn read_checked(path: &Path, file: File, stat: &Stat) -> Result<Zeroizing<String>, PrivateError> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(PrivateError::NoFile(path.to_owned()));
    }
    check_owner(path, stat)?;
    if stat.st_mode & 0o077 != 0 {
        let hint = format!("chmod 600 '{}', and make a new one if it was open for long", path.display());
        return Err(PrivateError::Open { path: path.to_owned(), mode: stat.st_mode & 0o7777, verb: "get at", hint });
    }
    let mut text = Zeroizing::new(String::new());
    let count = file.take(LARGEST + 1).read_to_string(&mut text).map_err(|error| PrivateError::system(path, error))?;
    if count as u64 > LARGEST { Err(PrivateError::Large(path.to_owned())) } else { Ok(text) }
}

fn check_owner(path: &Path, stat: &Stat) -> Result<(), PrivateError> {
    if stat.st_uid == geteuid().as_raw() {
        return Ok(());
    }
    Err(PrivateError::Owner { path: path.to_owned(), owner: stat.st_uid })
}

/// Makes a directory and those above it, closed to others; refuses one that is a link, somebody else's, or that others can
/// write to.
///
/// # Errors
/// A [`PrivateError`].
pub fn directory(path: &Path) -> Result<(), PrivateError> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(path);
    // Of a link that leads nowhere only the kind matters.
    let stat = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW);
    let stat = stat.map_err(|error| made.map_or_else(|error| error, |()| error.into()));
    let stat = stat.map_err(|error| PrivateError::system(path, error))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => return Err(PrivateError::Link(path.to_owned())),
        FileType::Directory => {}
        _ => return Err(PrivateError::NoDirectory(path.to_owned())),
    }
    check_owner(path, &stat)?;
    if stat.st_mode & 0o022 != 0 {
        let hint = format!("chmod 700 '{}'", path.display());
        return Err(PrivateError::Open { path: path.to_owned(), mode: stat.st_mode & 0o7777, verb: "write to", hint });
    }
    Ok(())
}

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and writing is an error of kind [`io::ErrorKind::AlreadyExists`].
    Keep,
    /// It is replaced.
    Replace,
}

/// Writes a private file, whole or not at all.
///
/// # Errors
/// A [`PrivateError`].
pub fn write(path: &Path, text: &str, existing: Existing) -> Result<(), PrivateError> {
    let failed = |error: io::Error| PrivateError::system(path, error);
    let parent = path.parent().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let held = openat(CWD, parent, flags, Mode::empty()).map_err(|error| PrivateError::system(parent, error))?;
    let mut staged = std::ffi::OsString::from(format!(".{}-", std::process::id()));
    staged.push(name);
    let written = stage(held.as_fd(), &staged, text).and_then(|()| match existing {
        Existing::Replace => Ok(renameat(&held, &staged, &held, name)?),
        Existing::Keep => {
            let flags = rustix::fs::RenameFlags::NOREPLACE;
            Ok(rustix::fs::renameat_with(&held, &staged, &held, name, flags)?)
        }
    });
    if written.is_err() {
        let _ = unlinkat(&held, &staged, AtFlags::empty());
    }
    written.map_err(failed)
}

fn stage(directory: rustix::fd::BorrowedFd<'_>, name: &std::ffi::OsStr, text: &str) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // What a process of the same number left behind when it was killed.
    let _ = unlinkat(directory, name, AtFlags::empty());
    let file = openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?;
    // Whatever the umask.
    fchmod(&file, Mode::RUSR | Mode::WUSR)?;
    let mut file = File::from(file);
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn place() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_written_is_private_and_read_again() {
        let place = place();
        let path = place.path().join("a");
        write(&path, "one", Existing::Keep).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(read(&path).unwrap().as_str(), "one");
        let again = write(&path, "two", Existing::Keep).unwrap_err();
        assert!(matches!(again, PrivateError::System { error, .. } if error.kind() == io::ErrorKind::AlreadyExists));
        assert_eq!(read(&path).unwrap().as_str(), "one");
        write(&path, "two", Existing::Replace).unwrap();
        assert_eq!(read(&path).unwrap().as_str(), "two");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn every_mode_that_lets_others_in_is_refused() {
        let place = place();
        let path = place.path().join("a");
        write(&path, "one", Existing::Keep).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777] {
            chmod(&path, mode);
            assert!(matches!(read(&path), Err(PrivateError::Open { .. })), "{mode:o}");
            assert!(matches!(read_named(&path), Err(PrivateError::Open { .. })), "{mode:o}");
        }
        for mode in [0o600, 0o400] {
            chmod(&path, mode);
            assert!(read(&path).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn links_are_refused_unless_the_user_named_them() {
        let place = place();
        let (file, link, second) = (place.path().join("a"), place.path().join("b"), place.path().join("c"));
        write(&file, "one", Existing::Keep).unwrap();
        symlink(&file, &link).unwrap();
        assert!(matches!(read(&link), Err(PrivateError::Link(_))));
        assert!(read_named(&link).is_ok());
        std::fs::hard_link(&file, &second).unwrap();
        assert!(matches!(read(&file), Err(PrivateError::Link(_))));
        let inside = place.path().join("d");
        std::fs::create_dir(&inside).unwrap();
        let to_directory = place.path().join("e");
        symlink(&inside, &to_directory).unwrap();
        assert!(matches!(directory(&to_directory), Err(PrivateError::Link(_))));
        assert!(write(&to_directory.join("x"), "", Existing::Keep).is_err());
    }

    #[test]
    fn what_is_no_file_is_refused_without_waiting_for_it() {
        let place = place();
        let pipe = place.path().join("pipe");
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(matches!(read(&pipe), Err(PrivateError::NoFile(_))));
        assert!(matches!(read(place.path()), Err(PrivateError::NoFile(_))));
        assert!(read(&place.path().join("none")).unwrap_err().is_missing());
    }

    #[test]
    fn a_directory_that_others_write_to_is_refused() {
        let place = place();
        let inner = place.path().join("a/b");
        directory(&inner).unwrap();
        assert_eq!(std::fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
        directory(&inner).unwrap();
        chmod(&inner, 0o770);
        assert!(matches!(directory(&inner), Err(PrivateError::Open { .. })));
    }

    #[test]
    fn a_large_file_is_not_read() {
        let place = place();
        let path = place.path().join("a");
        write(&path, &"x".repeat(20_000), Existing::Keep).unwrap();
        assert!(matches!(read(&path), Err(PrivateError::Large(_))));
    }
}
