//! Files that a controller needs on the agent's host in every session: kept in the user's cache directory under a name made
//! of their contents, so that they are sent once.
//!
//! What is there is compared with what is wanted, by length and checksum: the directory is the user's alone, and what may
//! have happened to it is a crash or a cleaner of old files. Where there is no such directory, a private one serves that
//! ends with the channel.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use super::program::Care;
use super::refused;
use crate::channel::{Channel, RemoteError};
use crate::value::Value;

/// Bits of a mode that would let others in.
const OTHERS: u32 = 0o077;

pub(super) async fn serve(channel: &Channel, care: &Care) -> Result<(), RemoteError> {
    let wanted = channel.receive().await?;
    let text = |key: &str| wanted.get(key).and_then(Value::as_str).filter(|text| is_name(text));
    let (Some(owner), Some(key)) = (text("owner"), text("key")) else {
        return Err(RemoteError::new("ValueError", "`owner` and `key` are names"));
    };
    let (directory, _kept) = place(owner, key, care).map_err(|error| refused("a directory for files", &error))?;
    let listed = wanted.get("files").and_then(Value::items).unwrap_or_default();
    if !listed.iter().all(|file| is_there(&directory, file)) {
        let _ = channel.send(()).await;
        let files = channel.receive().await?;
        for file in files.items().unwrap_or_default() {
            write(&directory, file).map_err(|error| refused("files", &error))?;
        }
    }
    let Some(path) = directory.to_str() else {
        return Err(RemoteError::new("OSError", "the directory for files has a name that cannot be told"));
    };
    let _ = channel.send(path).await;
    let _ = channel.wait_close(None).await;
    Ok(())
}

/// The directory of these files, and what removes it, if it is not to stay.
fn place(owner: &str, key: &str, care: &Care) -> io::Result<(PathBuf, Option<TempDir>)> {
    if let Some(cache) = cache() {
        let ours = cache.join(owner);
        let directory = ours.join(key);
        if make_private(&directory).is_ok() && is_own(&ours, 0o022) && is_own(&directory, OTHERS) {
            return Ok((directory, None));
        }
    }
    let private = tempfile::Builder::new().prefix("execnet-").tempdir()?;
    care.directory(private.path());
    Ok((private.path().to_owned(), Some(private)))
}

/// The user's cache directory.
fn cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))
}

fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Whether a directory is this user's, and has none of these bits in its mode.
fn is_own(directory: &Path, forbidden: u32) -> bool {
    let found = directory.symlink_metadata();
    found.is_ok_and(|found| {
        found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & forbidden == 0
    })
}

/// A name of one component.
fn is_name(text: &str) -> bool {
    !text.is_empty() && relative(text).is_some_and(|path| path.components().count() == 1)
}

/// A path that stays below where it starts.
fn relative(text: &str) -> Option<&Path> {
    let path = Path::new(text);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !text.is_empty() && !text.contains('\0')).then_some(path)
}

/// Whether a file `(path, length, CRC-32)` is there as it should be.
fn is_there(directory: &Path, file: &Value) -> bool {
    let Some([Value::Str(path), length, sum]) = file.items() else { return false };
    let Some(path) = relative(path) else { return false };
    let Ok(contents) = fs::read(directory.join(path)) else { return false };
    length.as_int() == i64::try_from(contents.len()).ok() && sum.as_int() == Some(crc32fast::hash(&contents).into())
}

/// Writes a file `(path, contents)`, whole: who reads it meanwhile sees the old or the new one.
fn write(directory: &Path, file: &Value) -> io::Result<()> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidInput, "no path and contents");
    let Some([Value::Str(path), Value::Bytes(contents)]) = file.items() else { return Err(wrong()) };
    let path = directory.join(relative(path).ok_or_else(wrong)?);
    let folder = path.parent().unwrap_or(directory);
    make_private(folder)?;
    let mut new = NamedTempFile::new_in(folder)?;
    new.write_all(contents)?;
    new.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below() {
        assert!(relative("a/b.py").is_some() && is_name("xdist") && !is_name("a/b"));
        for path in ["", "/a", "../a", "a/../../b", "a\0"] {
            assert!(relative(path).is_none() && !is_name(path), "{path:?}");
        }
    }

    #[test]
    fn files_are_written_whole_and_missed_when_they_differ() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let listed = |contents: &[u8]| {
            Value::Tuple(vec!["p/a.py".into(), contents.len().into(), crc32fast::hash(contents).into()])
        };
        assert!(!is_there(directory.path(), &listed(b"one")));
        let file = Value::Tuple(vec!["p/a.py".into(), b"one".to_vec().into()]);
        write(directory.path(), &file)?;
        assert!(is_there(directory.path(), &listed(b"one")));
        assert!(!is_there(directory.path(), &listed(b"two")));
        assert!(write(directory.path(), &Value::Tuple(vec!["../x".into(), b"".to_vec().into()])).is_err());
        Ok(())
    }
}
