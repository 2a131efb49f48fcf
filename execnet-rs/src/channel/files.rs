//! Channels as files of text: what execnet's `makefile` offers.

use super::{Channel, ReceiveError, SendError};
use crate::value::Value;

/// Reads text that the other side sends in pieces.
#[derive(Debug)]
pub struct TextReader {
    channel: Channel,
    rest: String,
    /// The beginning of a character whose other bytes have not come yet.
    cut: Vec<u8>,
}

impl TextReader {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, rest: String::new(), cut: Vec::new() }
    }

    async fn more(&mut self) -> Result<bool, ReceiveError> {
        match self.channel.next().await? {
            Some(Value::Str(text)) => {
                self.take_bytes(0);
                self.rest.push_str(&text);
            }
            Some(Value::Bytes(bytes)) => {
                self.cut.extend_from_slice(&bytes);
                let begins = |count: &usize| {
                    let last = self.cut.len().checked_sub(*count).and_then(|at| self.cut.get(at..)).unwrap_or_default();
                    std::str::from_utf8(last)
                        .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
                };
                let keep = (1..=3).find(begins).unwrap_or(0);
                self.take_bytes(keep);
            }
            Some(_) => {}
            None => {
                self.take_bytes(0);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes the bytes that have come as text, but for the last ones.
    fn take_bytes(&mut self, keep: usize) {
        let taken: Vec<u8> = self.cut.drain(..self.cut.len() - keep).collect();
        self.rest.push_str(&String::from_utf8_lossy(&taken));
    }

    /// The next line with its end; the rest without one at the end; empty after that. Cancel safe.
    ///
    /// # Errors
    /// As [`Channel::receive`], but for the end.
    pub async fn read_line(&mut self) -> Result<String, ReceiveError> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.rest[searched..].find('\n') {
                let after = self.rest.split_off(searched + end + 1);
                return Ok(std::mem::replace(&mut self.rest, after));
            }
            searched = self.rest.len();
            if !self.more().await? {
                return Ok(std::mem::take(&mut self.rest));
            }
        }
    }

    /// Up to so many characters; fewer at the end. Cancel safe.
    ///
    /// # Errors
    /// As [`Channel::receive`], but for the end.
    pub async fn read(&mut self, characters: usize) -> Result<String, ReceiveError> {
        loop {
            if let Some((end, _)) = self.rest.char_indices().nth(characters) {
                let after = self.rest.split_off(end);
                return Ok(std::mem::replace(&mut self.rest, after));
            }
            if !self.more().await? {
                return Ok(std::mem::take(&mut self.rest));
            }
        }
    }
}

/// Sends text, a value a piece.
#[derive(Debug)]
pub struct TextWriter {
    channel: Channel,
}

impl TextWriter {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel }
    }

    /// Sends a piece.
    ///
    /// # Errors
    /// As [`Channel::send`].
    ///
    /// # Cancellation
    /// As [`Channel::send`].
    pub async fn write(&self, text: &str) -> Result<(), SendError> {
        self.channel.send(text).await
    }

    /// Sends no more.
    pub fn finish(self) {
        self.channel.finish();
    }
}
