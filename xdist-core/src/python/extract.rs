//! Writes the package's files, safely beside other processes that do the same.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::Files;

const GROUP_OR_WORLD_CAN_WRITE: u32 = 0o022;
const WORLD_CAN_WRITE: u32 = 0o002;
const ANY_BUT_OWNER: u32 = 0o077;
const STICKY: u32 = 0o1000;

/// Extracts to `<cache>/xdist/<hash of the files>`, or checks and repairs what is there.
pub(super) fn into_cache(cache: &Path, files: Files<'_>) -> io::Result<PathBuf> {
    let ours = cache.join("xdist");
    make_private(&ours)?;
    // Whoever can write to the parent can put another folder in our place.
    let parent = metadata(cache)?;
    if parent.mode() & WORLD_CAN_WRITE != 0 && parent.mode() & STICKY == 0 {
        return Err(denied(cache, "is open to every user"));
    }
    check(&ours, GROUP_OR_WORLD_CAN_WRITE)?;
    let dir = ours.join(digest(files));
    if dir.symlink_metadata().is_err() {
        let private = Permissions::from_mode(0o700);
        let new = tempfile::Builder::new().prefix(".new-").permissions(private).tempdir_in(&ours);
        let new = new.map_err(|error| at(&ours, &error))?;
        complete(new.path(), files)?;
        // Fails if another process was faster; then its folder is checked like any other.
        if fs::rename(new.path(), &dir).is_ok() {
            let _ = new.keep();
            return Ok(dir);
        }
    }
    check(&dir, ANY_BUT_OWNER)?;
    complete(&dir, files)?;
    Ok(dir)
}

/// Extracts to a folder below one that is private to this run.
pub(super) fn into_private(parent: &Path, files: Files<'_>) -> io::Result<PathBuf> {
    let dir = parent.join("python");
    make_private(&dir)?;
    complete(&dir, files)?;
    Ok(dir)
}

/// Makes every file be there with its contents. One that differs (a crash, a cleaner of old files) is replaced whole,
/// so that a process which reads it meanwhile sees the old or the new one.
fn complete(dir: &Path, files: Files<'_>) -> io::Result<()> {
    for (name, contents) in files {
        let path = dir.join(name);
        if fs::read(&path).is_ok_and(|found| found == *contents) {
            continue;
        }
        let folder = path.parent().unwrap_or(dir);
        make_private(folder)?;
        let written = NamedTempFile::new_in(folder).and_then(|mut file| {
            file.write_all(contents)?;
            file.persist(&path).map_err(|error| error.error)
        });
        written.map_err(|error| at(&path, &error))?;
    }
    Ok(())
}

/// Makes a folder and those above it; what is new is the user's alone.
fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| at(dir, &error))
}

/// Refuses a folder that is not the user's own, or whose mode has one of these bits.
fn check(dir: &Path, forbidden: u32) -> io::Result<()> {
    let found = metadata(dir)?;
    if !found.is_dir() {
        Err(denied(dir, "is not a folder"))
    } else if found.uid() != rustix::process::geteuid().as_raw() {
        Err(denied(dir, "belongs to another user"))
    } else if found.mode() & forbidden != 0 {
        Err(denied(dir, "is open to other users"))
    } else {
        Ok(())
    }
}

/// A name for exactly these files.
pub(super) fn digest(files: Files<'_>) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, contents) in files {
        for part in [name.as_bytes(), contents] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

fn metadata(path: &Path) -> io::Result<fs::Metadata> {
    path.symlink_metadata().map_err(|error| at(path, &error))
}

fn denied(path: &Path, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("`{}` {why}", path.display()))
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}
