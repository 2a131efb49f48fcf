//! Small files of state: written beside and renamed, read only if whole.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::digest::Digest;

/// Writes `bytes`, with what kind of file it is, so that readers see the old state or the new one.
pub(crate) fn write(path: &Path, kind: [u8; 8], bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&kind)?;
    file.write_all(Digest::of(bytes).as_bytes())?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

/// What was written; `None` if there is nothing, or if it is damaged or of another kind.
pub(crate) fn read(path: &Path, kind: [u8; 8]) -> Option<Vec<u8>> {
    let mut bytes = fs::read(path).ok()?;
    let (head, rest) = bytes.split_at_checked(40)?;
    if head[..8] != kind || head[8..] != *Digest::of(rest).as_bytes() {
        return None;
    }
    bytes.drain(..40);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        write(&path, *b"kind0001", b"contents").unwrap();
        assert_eq!(read(&path, *b"kind0001").as_deref(), Some(&b"contents"[..]));
        assert_eq!(read(&path, *b"kind0002"), None);
        fs::write(&path, &fs::read(&path).unwrap()[..47]).unwrap();
        assert_eq!(read(&path, *b"kind0001"), None);
        assert_eq!(read(&directory.path().join("none"), *b"kind0001"), None);
    }
}
