//! Channels as files of text: what execnet's `makefile` offers.

use super::{Channel, ReceiveError, SendError};
use crate::value::Value;

/// Reads text that the other side sends in pieces.
#[derive(Debug)]
pub struct TextReader {
    channel: Channel,
    rest: String,
}

impl TextReader {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, rest: String::new() }
    }

    async fn more(&mut self) -> Result<bool, ReceiveError> {
        match self.channel.next().await? {
            Some(Value::Str(text)) => self.rest.push_str(&text),
            Some(Value::Bytes(bytes)) => self.rest.push_str(&String::from_utf8_lossy(&bytes)),
            Some(_) => {}
            None => return Ok(false),
        }
        Ok(true)
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
    pub async fn write(&self, text: &str) -> Result<(), SendError> {
        self.channel.send(text).await
    }

    /// Sends no more.
    pub fn finish(self) {
        self.channel.finish();
    }
}
