//! The private directory of a run: socket, named pipes, stop page.
//!
//! It lies in `TMPDIR` if that can hold it. Where it cannot (missing, read-only, full, too long for a socket's path, not
//! UTF-8), the places serve that Python's `tempfile` would take, so that a run works where serial pytest does.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Bytes of a path at which the system can listen (`sun_path`), its end included.
const LONGEST_SOCKET_PATH: usize = 108;
/// Bytes of `/xdist-`, six letters, `/s` and the end.
const OWN_PART: usize = 16;

/// Makes the directory; the error is that of the first place.
pub(super) fn make() -> io::Result<TempDir> {
    let mut first = None;
    for place in places() {
        let made = fits(&place).and_then(|()| tempfile::Builder::new().prefix("xdist-").tempdir_in(&place));
        match made {
            Ok(directory) => return Ok(directory),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    Err(first.unwrap_or_else(|| io::Error::other("there is no place for it")))
}

fn places() -> Vec<PathBuf> {
    let mut places = vec![std::env::temp_dir()];
    places.extend(["/tmp", "/var/tmp", "/usr/tmp"].map(PathBuf::from));
    places.extend(std::env::current_dir());
    places
}

fn fits(place: &Path) -> io::Result<()> {
    let Some(text) = place.to_str().filter(|text| !text.contains('\n')) else {
        return Err(io::Error::other(format!("`{}` has bytes that are no text", place.display())));
    };
    if text.len() + OWN_PART > LONGEST_SOCKET_PATH {
        return Err(io::Error::other(format!("`{text}` is too long for a socket's path")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn what_a_socket_cannot_be_named_in_does_not_fit() {
        assert!(fits(Path::new("/tmp/with space/é")).is_ok());
        assert!(fits(Path::new(&"x".repeat(LONGEST_SOCKET_PATH - OWN_PART))).is_ok());
        assert!(fits(Path::new(&"x".repeat(LONGEST_SOCKET_PATH - OWN_PART + 1))).is_err());
        assert!(fits(Path::new(OsStr::from_bytes(b"/tmp/\xff"))).is_err());
        assert!(fits(Path::new("/tmp/a\nb")).is_err());
    }
}
