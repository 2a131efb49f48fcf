//! Bytes to values. Total: any bytes are a value or an error, within caps on depth and number of items.

use bytes::Bytes;
use thiserror::Error;

use super::{BigInt, ChannelRef, DEPTH, Value, ext, is_utf8_with_surrogates};

/// What a decoder accepts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How deep values may nest.
    pub depth: usize,
    /// How many values one message may hold: each takes some 40 bytes of memory, but may take only one on the wire.
    pub items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: DEPTH, items: 1 << 24 }
    }
}

/// Bytes that are no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("value is cut off")]
    Truncated,
    /// Something follows the value.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
    /// It nests too deep.
    #[error("value nests deeper than allowed")]
    TooDeep,
    /// It holds too many values.
    #[error("value holds more items than allowed")]
    TooMany,
    /// A marker or extension type that does not exist, or has the wrong size.
    #[error("unknown kind of value {0:#04x}")]
    Unknown(u8),
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    NotText,
}

/// Bytes smaller than this are copied, larger ones share the message's memory.
const SHARED: usize = 4096;

/// Reads one value that takes all of `message`. Channels in it belong to the connection `link`.
///
/// # Errors
/// A [`DecodeError`] for anything that is not exactly one value within the limits.
pub fn decode(message: &Bytes, link: u64, limits: Limits) -> Result<Value, DecodeError> {
    let mut reader = Reader { message, at: 0, end: message.len(), owed: 0, items: limits.items, link };
    let value = reader.value(limits.depth)?;
    match reader.end - reader.at {
        0 => Ok(value),
        rest => Err(DecodeError::Trailing(rest)),
    }
}

struct Reader<'a> {
    message: &'a Bytes,
    at: usize,
    end: usize,
    /// Values that were announced and have not come yet, of all lists around this place.
    owed: usize,
    items: usize,
    link: u64,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let stop = self.at.checked_add(count).filter(|stop| *stop <= self.end).ok_or(DecodeError::Truncated)?;
        let taken = &self.message[self.at..stop];
        self.at = stop;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::Truncated)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    /// An unsigned length of `width` bytes.
    fn length(&mut self, width: usize) -> Result<usize, DecodeError> {
        Ok(self.take(width)?.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)))
    }

    fn bytes(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        let start = self.at;
        let taken = self.take(count)?;
        Ok(if count < SHARED { Bytes::copy_from_slice(taken) } else { self.message.slice(start..self.at) })
    }

    fn text(&mut self, count: usize) -> Result<Value, DecodeError> {
        let text = std::str::from_utf8(self.take(count)?).map_err(|_| DecodeError::NotText)?;
        Ok(Value::Str(text.to_owned()))
    }

    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        self.items = self.items.checked_sub(1).ok_or(DecodeError::TooMany)?;
        let marker = self.byte()?;
        Ok(match marker {
            0x00..=0x7F => Value::Int(marker.into()),
            0x80..=0x8F => self.dict(usize::from(marker & 0x0F), depth)?,
            0x90..=0x9F => Value::List(self.list(usize::from(marker & 0x0F), depth)?),
            0xA0..=0xBF => self.text(usize::from(marker & 0x1F))?,
            0xC0 => Value::None,
            0xC2 => Value::Bool(false),
            0xC3 => Value::Bool(true),
            0xC4 => self.length(1).and_then(|length| self.bytes(length)).map(Value::Bytes)?,
            0xC5 => self.length(2).and_then(|length| self.bytes(length)).map(Value::Bytes)?,
            0xC6 => self.length(4).and_then(|length| self.bytes(length)).map(Value::Bytes)?,
            0xC7 => self.length(1).and_then(|length| self.ext(length, depth))?,
            0xC8 => self.length(2).and_then(|length| self.ext(length, depth))?,
            0xC9 => self.length(4).and_then(|length| self.ext(length, depth))?,
            0xCA => Value::Float(f32::from_be_bytes(self.array()?).into()),
            0xCB => Value::Float(f64::from_be_bytes(self.array()?)),
            0xCC => Value::Int(u8::from_be_bytes(self.array()?).into()),
            0xCD => Value::Int(u16::from_be_bytes(self.array()?).into()),
            0xCE => Value::Int(u32::from_be_bytes(self.array()?).into()),
            0xCF => u64::from_be_bytes(self.array()?).into(),
            0xD0 => Value::Int(i8::from_be_bytes(self.array()?).into()),
            0xD1 => Value::Int(i16::from_be_bytes(self.array()?).into()),
            0xD2 => Value::Int(i32::from_be_bytes(self.array()?).into()),
            0xD3 => Value::Int(i64::from_be_bytes(self.array()?)),
            0xD4..=0xD8 => self.ext(1 << (marker - 0xD4), depth)?,
            0xD9 => self.length(1).and_then(|length| self.text(length))?,
            0xDA => self.length(2).and_then(|length| self.text(length))?,
            0xDB => self.length(4).and_then(|length| self.text(length))?,
            0xDC => self.length(2).and_then(|length| self.list(length, depth)).map(Value::List)?,
            0xDD => self.length(4).and_then(|length| self.list(length, depth)).map(Value::List)?,
            0xDE => self.length(2).and_then(|length| self.dict(length, depth))?,
            0xDF => self.length(4).and_then(|length| self.dict(length, depth))?,
            0xE0..=0xFF => Value::Int(i8::from_be_bytes([marker]).into()),
            0xC1 => return Err(DecodeError::Unknown(marker)),
        })
    }

    /// Believes that so many values come. Each takes a byte at least, also those that the lists around this one still wait
    /// for: what cannot be is found before memory is taken.
    fn announced(&mut self, count: usize) -> Result<(), DecodeError> {
        let coming = (self.message.len() - self.at).saturating_sub(self.owed);
        if count > coming.min(self.end - self.at) {
            return Err(DecodeError::Truncated);
        }
        if self.owed + count > self.items {
            return Err(DecodeError::TooMany);
        }
        self.owed += count;
        Ok(())
    }

    fn item(&mut self, depth: usize) -> Result<Value, DecodeError> {
        self.owed -= 1;
        self.value(depth)
    }

    fn list(&mut self, count: usize, depth: usize) -> Result<Vec<Value>, DecodeError> {
        let depth = depth.checked_sub(1).ok_or(DecodeError::TooDeep)?;
        self.announced(count)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.item(depth)?);
        }
        Ok(items)
    }

    fn dict(&mut self, count: usize, depth: usize) -> Result<Value, DecodeError> {
        let depth = depth.checked_sub(1).ok_or(DecodeError::TooDeep)?;
        self.announced(count.saturating_mul(2))?;
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            let key = self.item(depth)?;
            entries.push((key, self.item(depth)?));
        }
        Ok(Value::Dict(entries))
    }

    fn ext(&mut self, length: usize, depth: usize) -> Result<Value, DecodeError> {
        let kind = self.byte()?;
        match (kind, length) {
            (ext::BIG_INT, _) => Ok(BigInt::from_be_bytes(self.take(length)?).into()),
            (ext::SURROGATES, _) => {
                let bytes = self.bytes(length)?;
                match std::str::from_utf8(&bytes) {
                    Ok(text) => Ok(Value::Str(text.to_owned())),
                    Err(_) if is_utf8_with_surrogates(&bytes) => Ok(Value::Surrogates(bytes)),
                    Err(_) => Err(DecodeError::NotText),
                }
            }
            (ext::TUPLE, _) => self.wrapped(length, depth).map(Value::Tuple),
            (ext::SET, _) => self.wrapped(length, depth).map(Value::Set),
            (ext::FROZEN_SET, _) => self.wrapped(length, depth).map(Value::FrozenSet),
            (ext::COMPLEX, 16) => {
                let real = f64::from_be_bytes(self.array()?);
                Ok(Value::Complex(real, f64::from_be_bytes(self.array()?)))
            }
            (ext::CHANNEL, 4) => {
                Ok(Value::Channel(ChannelRef { link: self.link, id: u32::from_be_bytes(self.array()?) }))
            }
            _ => Err(DecodeError::Unknown(kind)),
        }
    }

    /// The array inside of an extension type, which must fill it.
    fn wrapped(&mut self, length: usize, depth: usize) -> Result<Vec<Value>, DecodeError> {
        let stop = self.at.checked_add(length).filter(|stop| *stop <= self.end).ok_or(DecodeError::Truncated)?;
        let outer = std::mem::replace(&mut self.end, stop);
        let marker = self.byte()?;
        let count = match marker {
            0x90..=0x9F => usize::from(marker & 0x0F),
            0xDC => self.length(2)?,
            0xDD => self.length(4)?,
            _ => return Err(DecodeError::Unknown(marker)),
        };
        let items = self.list(count, depth)?;
        if self.at != stop {
            return Err(DecodeError::Trailing(stop - self.at));
        }
        self.end = outer;
        Ok(items)
    }
}
