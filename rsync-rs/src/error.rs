//! What can go wrong with files, named by action and path.

use std::io;

use rustix::io::Errno;
use thiserror::Error;

/// An operation on a file failed.
#[derive(Debug, Error)]
#[error("cannot {action} `{path}`: {source}")]
pub struct FileError {
    /// What was attempted, as a verb.
    pub action: &'static str,
    /// Where, escaped for a terminal.
    pub path: String,
    /// Why.
    pub source: io::Error,
}

/// Names action and path of an error.
pub(crate) trait Named<T> {
    fn named(self, action: &'static str, path: impl ToString) -> Result<T, FileError>;
}

impl<T, E: Into<io::Error>> Named<T> for Result<T, E> {
    fn named(self, action: &'static str, path: impl ToString) -> Result<T, FileError> {
        self.map_err(|source| FileError { action, path: path.to_string(), source: source.into() })
    }
}

/// Nothing stands at a path, or something that is no directory stands before it.
pub(crate) fn is_absent(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
}

/// A result in which absence is no error.
pub(crate) fn present<T>(result: rustix::io::Result<T>) -> rustix::io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_absent(error) => Ok(None),
        Err(error) => Err(error),
    }
}
