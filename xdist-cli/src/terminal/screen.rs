//! The one way to the stream: text in order, line starts known, a progress bar kept below it, a closed pipe survived.

use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

use super::bar::Bar;

/// Text is gathered up to this size before it is written, unless a tick comes first.
const GATHER: usize = 16 * 1024;

/// How long the end of a run waits for a stream that takes nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Writes to the stream.
#[derive(Debug)]
pub(crate) struct Screen<W: Write> {
    out: W,
    /// Not yet written, or not yet above the bar.
    text: String,
    /// Bytes on their way out.
    bytes: Vec<u8>,
    /// Columns written since the last line end.
    column: usize,
    /// The stream is closed: nothing more is written.
    closed: bool,
    bar: Option<Bar>,
}

impl<W: Write> Screen<W> {
    /// Nothing is written yet.
    pub(crate) fn new(out: W) -> Self {
        Self { out, text: String::new(), bytes: Vec::new(), column: 0, closed: false, bar: None }
    }

    /// Shows a bar below the text from now on.
    pub(crate) fn show(&mut self, bar: Bar) {
        self.newline();
        // What came before is no business of the bar: it would draw itself first.
        self.bytes.extend_from_slice(self.text.as_bytes());
        self.text.clear();
        self.bar = Some(bar);
    }

    /// The bar, if there is one.
    pub(crate) fn bar(&self) -> Option<&Bar> {
        self.bar.as_ref()
    }

    /// Takes the bar away.
    pub(crate) fn hide(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.above(&self.text);
            self.text.clear();
            bar.clear();
            self.bytes.extend(bar.drain().into_bytes());
        }
    }

    /// Columns written since the last line end.
    pub(crate) fn column(&self) -> usize {
        self.column
    }

    /// Writes a part of a line that is so many columns wide.
    pub(crate) fn write(&mut self, text: &str, columns: usize) {
        self.text.push_str(text);
        self.column += columns;
    }

    /// Writes whole lines, from the start of one.
    pub(crate) fn lines(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.newline();
        self.text.push_str(text);
        if !text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// Wipes what stands in the line; for terminals.
    pub(crate) fn erase_line(&mut self) {
        if self.column > 0 {
            self.text.push_str("\r\x1b[2K");
            self.column = 0;
        }
    }

    /// Ends the line if something stands in it.
    pub(crate) fn newline(&mut self) {
        if self.column > 0 {
            self.text.push('\n');
            self.column = 0;
        }
    }

    /// Writes what was gathered, if it is much.
    pub(crate) fn flush_if_full(&mut self) -> io::Result<()> {
        if self.text.len() < GATHER {
            return Ok(());
        }
        self.flush()
    }

    /// Writes what was gathered, with the bar as it stands below it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match &self.bar {
            Some(bar) => {
                bar.above(&self.text);
                self.bytes.extend(bar.drain().into_bytes());
            }
            None => self.bytes.extend_from_slice(self.text.as_bytes()),
        }
        self.text.clear();
        self.send()
    }

    /// As [`Screen::flush`], and waits a while for a stream that takes nothing now.
    pub(crate) fn flush_all(&mut self) -> io::Result<()> {
        self.flush()?;
        let deadline = Instant::now() + PATIENCE;
        while !self.bytes.is_empty() && Instant::now() < deadline {
            std::thread::yield_now();
            self.send()?;
        }
        Ok(())
    }

    /// What the stream does not take now (a terminal that a test made non-blocking) stays for the next time.
    fn send(&mut self) -> io::Result<()> {
        if self.closed {
            self.bytes.clear();
            return Ok(());
        }
        let mut sent = 0;
        let mut result = Ok(());
        while sent < self.bytes.len() {
            match self.out.write(&self.bytes[sent..]) {
                Ok(0) => result = Err(ErrorKind::WriteZero.into()),
                Ok(number) => sent += number,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => result = Err(error),
            }
            if result.is_err() {
                break;
            }
        }
        self.bytes.drain(..sent);
        let result = result.and_then(|()| self.out.flush());
        self.settle(result)
    }

    fn settle(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => {
                self.closed = true;
                self.bytes.clear();
                if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
            }
            Ok(()) => Ok(()),
        }
    }
}
