//! Files that a run leaves behind: written whole or not at all, and errors that name the path.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::Builder;

/// Replaces the file at `path` by what `fill` writes; whoever reads it meanwhile sees the old file or the new one.
///
/// Missing parent directories are made. A symbolic link keeps pointing where it points. What is not a regular file
/// (`/dev/stdout`, a named pipe) is written to directly, and so is a file whose directory takes no new entry.
///
/// # Errors
/// The first failure, with the path it is about.
pub fn replace(path: &Path, fill: impl Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let existing = fs::metadata(&target).ok();
    if existing.as_ref().is_some_and(|found| !found.is_file()) {
        return write_directly(&target, &fill);
    }
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&parent).map_err(|error| naming(&parent, "could not create directory", &error))?;
    let mode = existing.as_ref().map_or(0o666, |found| found.permissions().mode());
    let fresh = Builder::new().prefix(".xdist-").permissions(fs::Permissions::from_mode(mode)).tempfile_in(&parent);
    let fresh = match fresh {
        Ok(fresh) => fresh,
        Err(_) if existing.is_some() => return write_directly(&target, &fill),
        Err(error) => return Err(naming(path, "could not write", &error)),
    };
    if let Some(found) = existing {
        // The umask took bits away that the file being replaced has.
        fresh
            .as_file()
            .set_permissions(found.permissions())
            .map_err(|error| naming(path, "could not write", &error))?;
    }
    pour(fresh.as_file(), &fill).map_err(|error| naming(path, "could not write", &error))?;
    fresh.persist(&target).map(drop).map_err(|error| naming(path, "could not write", &error.error))
}

fn write_directly(path: &Path, fill: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)
        .and_then(|file| pour(&file, fill))
        .map_err(|error| naming(path, "could not write", &error))
}

fn pour(file: &File, fill: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffered = BufWriter::new(file);
    fill(&mut buffered)?;
    buffered.flush()
}

fn naming(path: &Path, what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what} `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, text: &str) -> io::Result<()> {
        replace(path, |out| out.write_all(text.as_bytes()))
    }

    #[test]
    fn makes_directories_and_leaves_no_other_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/report.xml");
        put(&path, "one").unwrap();
        put(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(dir.path().join("a/b")).unwrap().count(), 1);
    }

    #[test]
    fn keeps_links_and_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        let link = dir.path().join("link");
        put(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o666)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        put(&link, "new").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o666);
    }

    #[test]
    fn writes_to_devices_instead_of_replacing_them() {
        put(Path::new("/dev/null"), "gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_failed_write_keeps_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.xml");
        put(&path, "old").unwrap();
        let error = replace(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("disk on fire"))
        })
        .unwrap_err();
        assert!(error.to_string().contains("report.xml"), "{error}");
        assert!(error.to_string().contains("disk on fire"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn errors_name_the_path() {
        let error = put(Path::new("/dev/null/below/report.xml"), "x").unwrap_err();
        assert!(error.to_string().contains("/dev/null/below"), "{error}");
    }
}
