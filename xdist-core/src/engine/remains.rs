//! What a dead worker's last test wrote and nobody was told: read from the files that it leaves in the run's directory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes shown of each capture file.
const CAPTURED: u64 = 16 << 10;

/// What a worker's running test had written into pytest's capture files, at most their ends, and to pytest's terminal.
pub(super) fn captured(directory: &Path, name: &str, incarnation: u32) -> String {
    let mut text = String::new();
    for stream in ["out", "err"] {
        let path = directory.join(format!("{name}.{incarnation}.captured-{stream}"));
        let Ok(mut file) = File::open(&path) else { continue };
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let mut bytes = Vec::new();
        let start = SeekFrom::Start(length.saturating_sub(CAPTURED));
        if file.seek(start).and_then(|_| file.take(CAPTURED).read_to_end(&mut bytes)).is_ok() {
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
        let _ = std::fs::remove_file(path);
    }
    let path = directory.join(format!("{name}.{incarnation}.captured-terminal"));
    if let Ok(bytes) = std::fs::read(&path) {
        let words = last_words(&bytes);
        if !words.is_empty() && !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(words.trim_start_matches('\n'));
        let _ = std::fs::remove_file(path);
    }
    text
}

/// The text in a file of `xdist_worker/last_words.py`: its length in four bytes, then UTF-8, cut anywhere.
fn last_words(file: &[u8]) -> String {
    let Some((length, text)) = file.split_first_chunk::<4>() else { return String::new() };
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    String::from_utf8_lossy(&text[..length.min(text.len())]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_as_long_as_the_file_says_and_never_longer_than_it() {
        for (file, text) in [
            (&b""[..], ""),
            (b"\x05\0\0", ""),
            (b"\0\0\0\0old text", ""),
            (b"\x03\0\0\0end of older text", "end"),
            (b"\xff\xff\xff\xffall", "all"),
            (b"\x03\0\0\0\xa4ok", "\u{fffd}ok"),
        ] {
            assert_eq!(last_words(file), text, "{file:?}");
        }
    }

    #[test]
    fn what_was_written_to_the_terminal_follows_what_was_captured() -> std::io::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = |kind| directory.path().join(format!("gw0.2.captured-{kind}"));
        std::fs::write(path("out"), "printed")?;
        std::fs::write(path("terminal"), b"\x06\0\0\0\nstack\0\0")?;
        assert_eq!(captured(directory.path(), "gw0", 2), "printed\nstack");
        assert_eq!(captured(directory.path(), "gw0", 2), "", "it is shown once");
        Ok(())
    }
}
