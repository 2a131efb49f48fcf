//! What a dead worker's last test wrote and nobody was told: read from the files that it leaves in the run's directory on
//! its host.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use execnet_rs::process::HowEnded;

use super::page::{Left, Page};
use super::site::{PAGE, Remote};
use super::starved;
use crate::ids::WorkerId;

/// Bytes shown of each capture file.
const CAPTURED: u64 = 16 << 10;
/// No file of last words is larger.
const WORDS: u64 = 1 << 20;

/// What a dead worker leaves behind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Remains {
    /// What stands in its slot of the stop page.
    pub(super) left: Left,
    /// What was captured of its last test.
    pub(super) captured: String,
    /// Of another host: how many processes the kernel has killed there for want of memory, if it may have been that.
    pub(super) oom_kills: Option<u64>,
}

impl Remains {
    /// Of a worker of this host.
    pub(super) fn here(page: Option<&Page>, directory: &Path, worker: WorkerId, incarnation: u32) -> Self {
        Self {
            left: page.map(|page| page.take_left(worker)).unwrap_or_default(),
            captured: captured(directory, &worker.to_string(), incarnation),
            oom_kills: None,
        }
    }

    /// Of a worker of another host; nothing, if that is gone.
    pub(super) async fn fetch(remote: &Remote, worker: WorkerId, incarnation: u32, how: HowEnded) -> Self {
        let directory = &remote.directory;
        let file = |kind: &str| format!("{worker}.{incarnation}.captured-{kind}");
        let (at, length) = Left::place(worker);
        let (out, err, terminal) = (file("out"), file("err"), file("terminal"));
        let oom_kills = async { if starved::is_suspect(&how.to_string()) { remote.oom_kills().await } else { None } };
        let (slot, out, err, words, oom_kills) = tokio::join!(
            directory.read(PAGE, at, length),
            directory.take(&out, CAPTURED),
            directory.take(&err, CAPTURED),
            directory.take(&terminal, WORDS),
            oom_kills,
        );
        // The next one in its place starts in no phase.
        let cleared = directory.write(PAGE, at, vec![0; usize::try_from(length).unwrap_or_default()]);
        let _ = cleared.await;
        let read = |file: Result<Option<Vec<u8>>, _>| file.ok().flatten().unwrap_or_default();
        let mut text = String::from_utf8_lossy(&[read(out), read(err)].concat()).into_owned();
        add_words(&mut text, &read(words));
        Self { left: Left::of(&read(slot)), captured: text, oom_kills }
    }
}

/// What a worker's running test had written into pytest's capture files, at most their ends, and to pytest's terminal.
fn captured(directory: &Path, name: &str, incarnation: u32) -> String {
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
        add_words(&mut text, &bytes);
        let _ = std::fs::remove_file(path);
    }
    text
}

/// Adds what a file of last words holds.
fn add_words(text: &mut String, file: &[u8]) {
    let words = last_words(file);
    if !words.is_empty() && !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(words.trim_start_matches('\n'));
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
