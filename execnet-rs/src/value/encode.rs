//! Values to bytes.

use thiserror::Error;

use super::{DEPTH, Value, ext, is_utf8_with_surrogates};

/// Why a value cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// It nests too deep.
    #[error("value nests deeper than {DEPTH} levels")]
    TooDeep,
    /// One of its parts is larger than any message may be.
    #[error("a {kind} of {length} items or bytes is too large to be sent")]
    TooLong {
        /// What it is.
        kind: &'static str,
        /// How much it holds.
        length: usize,
    },
    /// [`Value::Surrogates`] that are not what the name says.
    #[error("text with surrogates that is not UTF-8 otherwise")]
    NotText,
    /// A channel of another connection.
    #[error("a channel can only be sent through the connection that it belongs to")]
    ForeignChannel,
}

/// Appends `value` to `out`. Channels in it must belong to the connection `link`.
///
/// # Errors
/// An [`EncodeError`]; `out` then holds a part of the value, which the caller cuts off.
pub fn encode(value: &Value, link: u64, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    encode_at(value, link, out, DEPTH)
}

fn encode_at(value: &Value, link: u64, out: &mut Vec<u8>, depth: usize) -> Result<(), EncodeError> {
    match value {
        Value::None => out.push(0xC0),
        Value::Bool(truth) => out.push(if *truth { 0xC3 } else { 0xC2 }),
        Value::Int(number) => int(*number, out),
        Value::BigInt(number) => match number.to_i64() {
            Some(small) => int(small, out),
            None => plain_ext(ext::BIG_INT, number.as_be_bytes(), "int", out)?,
        },
        Value::Float(number) => {
            out.push(0xCB);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Complex(real, imaginary) => {
            out.extend_from_slice(&[0xD8, ext::COMPLEX]);
            out.extend_from_slice(&real.to_be_bytes());
            out.extend_from_slice(&imaginary.to_be_bytes());
        }
        Value::Bytes(bytes) => encode_bytes(bytes, out)?,
        Value::Str(text) => {
            let length = length(text.len(), "str")?;
            match length {
                0..=31 => out.push(0xA0 | length.to_be_bytes()[3]),
                32..=0xFF => out.extend_from_slice(&[0xD9, length.to_be_bytes()[3]]),
                _ => sized(0xDA, 0xDB, length, out),
            }
            out.extend_from_slice(text.as_bytes());
        }
        Value::Surrogates(text) => {
            if !is_utf8_with_surrogates(text) {
                return Err(EncodeError::NotText);
            }
            plain_ext(ext::SURROGATES, text, "str", out)?;
        }
        Value::List(items) => array(items, link, out, depth)?,
        Value::Tuple(items) => wrapped(ext::TUPLE, items, link, out, depth)?,
        Value::Set(items) => wrapped(ext::SET, items, link, out, depth)?,
        Value::FrozenSet(items) => wrapped(ext::FROZEN_SET, items, link, out, depth)?,
        Value::Dict(entries) => {
            let depth = depth.checked_sub(1).ok_or(EncodeError::TooDeep)?;
            let length = length(entries.len(), "dict")?;
            match length {
                0..=15 => out.push(0x80 | length.to_be_bytes()[3]),
                _ => sized(0xDE, 0xDF, length, out),
            }
            for (key, value) in entries {
                encode_at(key, link, out, depth)?;
                encode_at(value, link, out, depth)?;
            }
        }
        Value::Channel(channel) => {
            if channel.link != link {
                return Err(EncodeError::ForeignChannel);
            }
            out.extend_from_slice(&[0xD6, ext::CHANNEL]);
            out.extend_from_slice(&channel.id.to_be_bytes());
        }
    }
    Ok(())
}

/// Appends bytes as [`Value::Bytes`].
pub(crate) fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let length = length(bytes.len(), "bytes")?;
    match length {
        0..=0xFF => out.extend_from_slice(&[0xC4, length.to_be_bytes()[3]]),
        _ => sized(0xC5, 0xC6, length, out),
    }
    out.extend_from_slice(bytes);
    Ok(())
}

fn length(length: usize, kind: &'static str) -> Result<u32, EncodeError> {
    u32::try_from(length).map_err(|_| EncodeError::TooLong { kind, length })
}

/// A marker and a length: the first marker for 16 bits, the second for 32.
fn sized(marker16: u8, marker32: u8, length: u32, out: &mut Vec<u8>) {
    if let Ok(short) = u16::try_from(length) {
        out.push(marker16);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(marker32);
        out.extend_from_slice(&length.to_be_bytes());
    }
}

fn int(number: i64, out: &mut Vec<u8>) {
    if let Ok(tiny) = i8::try_from(number) {
        if tiny < -32 {
            out.push(0xD0);
        }
        out.extend_from_slice(&tiny.to_be_bytes());
    } else if let Ok(small) = i16::try_from(number) {
        out.push(0xD1);
        out.extend_from_slice(&small.to_be_bytes());
    } else if let Ok(middle) = i32::try_from(number) {
        out.push(0xD2);
        out.extend_from_slice(&middle.to_be_bytes());
    } else {
        out.push(0xD3);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn plain_ext(kind: u8, bytes: &[u8], name: &'static str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.push(0xC9);
    out.extend_from_slice(&length(bytes.len(), name)?.to_be_bytes());
    out.push(kind);
    out.extend_from_slice(bytes);
    Ok(())
}

/// An array inside of an extension type, whose length is written when it is known.
fn wrapped(kind: u8, items: &[Value], link: u64, out: &mut Vec<u8>, depth: usize) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[0xC9, 0, 0, 0, 0, kind]);
    array(items, link, out, depth)?;
    let size = length(out.len() - start - 6, "tuple or set")?;
    out[start + 1..start + 5].copy_from_slice(&size.to_be_bytes());
    Ok(())
}

fn array(items: &[Value], link: u64, out: &mut Vec<u8>, depth: usize) -> Result<(), EncodeError> {
    let depth = depth.checked_sub(1).ok_or(EncodeError::TooDeep)?;
    let length = length(items.len(), "list")?;
    match length {
        0..=15 => out.push(0x90 | length.to_be_bytes()[3]),
        _ => sized(0xDC, 0xDD, length, out),
    }
    items.iter().try_for_each(|item| encode_at(item, link, out, depth))
}
