//! What can go wrong with a channel.

use std::time::Duration;

use thiserror::Error;

use crate::mux::{ERROR_LIMIT, LinkEnd, PushError};
use crate::value::{DecodeError, EncodeError, Value};

/// What is sent of each text of an error that is too large to be sent as a whole.
const TEXT_LIMIT: usize = ERROR_LIMIT / 4 - 256;

/// An error that the other side closed a channel with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{kind}: {message}")]
pub struct RemoteError {
    /// Its type, by the other side's name: `ValueError`.
    pub kind: String,
    /// Its text.
    pub message: String,
    /// The other side's traceback, which ends with type and text; empty if there is none.
    pub traceback: String,
    /// The file that it comes from, as the source was named.
    pub file: Option<String>,
    /// The line in that file, counted from 1.
    pub line: Option<u32>,
}

impl RemoteError {
    /// An error without a place.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), traceback: String::new(), file: None, line: None }
    }

    pub(crate) fn to_value(&self) -> Value {
        Value::dict([
            ("type", self.kind.as_str().into()),
            ("message", self.message.as_str().into()),
            ("traceback", self.traceback.as_str().into()),
            ("file", Value::from(self.file.clone())),
            ("line", Value::from(self.line)),
        ])
    }

    /// The same error, with texts that can be sent.
    pub(crate) fn shortened(&self) -> Self {
        Self {
            kind: shortened(&self.kind),
            message: shortened(&self.message),
            traceback: shortened(&self.traceback),
            file: self.file.as_deref().map(shortened),
            line: self.line,
        }
    }

    /// Whatever the value is, it becomes an error: fields that are missing are empty.
    pub(crate) fn from_value(value: &Value) -> Self {
        let text = |key: &str| match value.get(key) {
            Some(Value::Str(text)) => Some(text.clone()),
            Some(Value::Surrogates(text)) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        };
        Self {
            kind: text("type").unwrap_or_else(|| "error".to_owned()),
            message: text("message").unwrap_or_default(),
            traceback: text("traceback").unwrap_or_default(),
            file: text("file"),
            line: value.get("line").and_then(Value::as_int).and_then(|line| u32::try_from(line).ok()),
        }
    }
}

/// Beginning and end of a text that is too long.
fn shortened(text: &str) -> String {
    if text.len() <= TEXT_LIMIT {
        return text.to_owned();
    }
    let half = TEXT_LIMIT / 2 - 64;
    let (head, tail) = (text.floor_char_boundary(half), text.ceil_char_boundary(text.len() - half));
    format!("{}\n… {} bytes are left out …\n{}", &text[..head], tail - head, &text[tail..])
}

/// Why a value was not sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// It is not one that can be sent.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The channel or the link does not take it.
    #[error(transparent)]
    Push(#[from] PushError),
    /// It would have to wait.
    #[error("the other side does not take what was sent before")]
    Full,
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReceiveError {
    /// The last one has been received.
    #[error("the channel has ended")]
    Ended,
    /// The other side failed.
    #[error("{0}")]
    Remote(Box<RemoteError>),
    /// The link has ended.
    #[error(transparent)]
    Link(#[from] LinkEnd),
    /// What came is no value.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Nothing came in time.
    #[error("nothing came within {0:?}")]
    TimedOut(Duration),
}
