//! What processes write to their stdout and stderr past pytest's capturing.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use execnet_rs::value::Value;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, watch};

use super::happening::{Happening, MemberId};
use super::site::{Pending, Remote};

/// Bytes kept of what a worker wrote during its running test, for the report of a crash.
const KEPT: usize = 32 << 10;

/// Passes on what arrives, until the writer is dead and everything it wrote was read.
pub(super) async fn pump(
    pipe: pipe::Receiver,
    member: MemberId,
    stderr: bool,
    happenings: mpsc::Sender<Happening>,
    mut dead: watch::Receiver<bool>,
) {
    let mut chunk = vec![0; 16 << 10];
    // A pipe holds no more than this of the dead; a child that still writes is not waited for.
    let mut left = 64 << 10;
    loop {
        let gone = *dead.borrow();
        if !gone {
            tokio::select! {
                _ = pipe.readable() => {}
                _ = dead.changed() => continue,
            }
        }
        // The dead are asked for by the system itself: what the runtime believes may be older than the last bytes.
        let read =
            if gone { rustix::io::read(&pipe, &mut chunk).map_err(io::Error::from) } else { pipe.try_read(&mut chunk) };
        match read {
            Ok(0) => break,
            Ok(_) if gone && left == 0 => break,
            Ok(count) => {
                if gone {
                    left = usize::saturating_sub(left, count);
                }
                let bytes = chunk[..count].to_vec();
                if happenings.send(Happening::Output(member, stderr, bytes)).await.is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && gone => break,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    let _ = happenings.send(Happening::OutputClosed(member)).await;
}

/// The same on another host, where the pipe is made first; `pending` until it is there.
pub(super) async fn pump_channel(
    remote: Arc<Remote>,
    pending: Pending,
    name: String,
    member: MemberId,
    stderr: bool,
    happenings: mpsc::Sender<Happening>,
    mut dead: watch::Receiver<bool>,
) {
    let made = remote.directory.pipe(&name).await;
    drop(pending);
    match made {
        Ok(pipe) => {
            let mut drained = false;
            loop {
                let piece = tokio::select! {
                    piece = pipe.receive() => piece,
                    Ok(_) = dead.wait_for(|dead| *dead), if !drained => {
                        drained = true;
                        remote.directory.drain(&name);
                        continue;
                    }
                };
                match piece {
                    Ok(Value::Bytes(bytes)) => {
                        if happenings.send(Happening::Output(member, stderr, bytes.to_vec())).await.is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        }
        Err(error) => {
            let _ = happenings.send(Happening::NoStreams(member, error.to_string())).await;
        }
    }
    let _ = happenings.send(Happening::OutputClosed(member)).await;
}

/// Cuts a byte stream into lines; a line of more than 64 KiB is cut there.
#[derive(Debug, Default)]
struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    const LONGEST: usize = 64 << 10;

    fn push(&mut self, bytes: &[u8], mut line: impl FnMut(String)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.unfinished.extend_from_slice(part);
            if part.ends_with(b"\n") || self.unfinished.len() >= Self::LONGEST {
                self.rest(&mut line);
            }
        }
    }

    fn rest(&mut self, line: &mut impl FnMut(String)) {
        if !self.unfinished.is_empty() {
            let text = String::from_utf8_lossy(&self.unfinished);
            line(text.trim_end_matches(['\r', '\n']).to_owned());
            self.unfinished.clear();
        }
    }
}

/// A line written to stderr (true) or stdout.
pub(super) type Line = (bool, String);

/// The output of one worker: lines to be shown, and the tail that explains a crash.
#[derive(Debug, Default)]
pub(super) struct Output {
    streams: [Lines; 2],
    /// Lines not shown yet.
    held: VecDeque<Line>,
    held_bytes: usize,
}

impl Output {
    /// Takes bytes in.
    pub(super) fn push(&mut self, stderr: bool, bytes: &[u8]) {
        let Self { streams, held, held_bytes } = self;
        streams[usize::from(stderr)].push(bytes, |line| {
            *held_bytes += line.len() + 1;
            held.push_back((stderr, line));
        });
    }

    /// Whether lines wait to be shown.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether so much waits that it should be shown now.
    pub(super) fn is_large(&self) -> bool {
        self.held_bytes > KEPT
    }

    /// The lines that wait.
    pub(super) fn take(&mut self) -> Vec<Line> {
        self.held_bytes = 0;
        self.held.drain(..).collect()
    }

    /// Nothing more comes: unfinished lines count as lines.
    pub(super) fn finish(&mut self) {
        let Self { streams, held, .. } = self;
        for (stream, stderr) in streams.iter_mut().zip([false, true]) {
            stream.rest(&mut |line| held.push_back((stderr, line)));
        }
    }

    /// Everything that waits, unfinished lines included, as one text.
    pub(super) fn take_all(&mut self) -> String {
        self.finish();
        let lines: Vec<_> = self.take().into_iter().map(|(_, line)| line).collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_cut_into_lines_apart() {
        let mut output = Output::default();
        output.push(false, b"one\ntw");
        output.push(true, b"error\r\n");
        output.push(false, b"o\nthree");
        let lines = [(false, "one"), (true, "error"), (false, "two")].map(|(stderr, line)| (stderr, line.to_owned()));
        assert_eq!(output.take(), lines);
        assert!(output.is_empty());
        assert_eq!(output.take_all(), "three");
    }
}
