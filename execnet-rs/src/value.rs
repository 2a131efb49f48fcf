//! Values that travel through channels: what Python and Rust can both hold, with types that survive the journey.
//!
//! On the wire a value is msgpack. What msgpack has no type for is an extension type: integers beyond 64 bits, text with
//! lone surrogates, tuples, sets, frozen sets, complex numbers and channels. Pure: no I/O, nothing allocated on trust.
//!
//! | Python | Rust | on the wire |
//! |---|---|---|
//! | `None` | [`Value::None`] | nil |
//! | `bool` | [`Value::Bool`] | true, false |
//! | `int` | [`Value::Int`], [`Value::BigInt`] | int; ext 1, two's complement, big-endian |
//! | `float` | [`Value::Float`] | float 64 |
//! | `complex` | [`Value::Complex`] | ext 6, two float 64 |
//! | `bytes` | [`Value::Bytes`] | bin |
//! | `str` | [`Value::Str`], [`Value::Surrogates`] | str; ext 2, UTF-8 that holds surrogates |
//! | `list` | [`Value::List`] | array |
//! | `tuple`, `set`, `frozenset` | [`Value::Tuple`], [`Value::Set`], [`Value::FrozenSet`] | ext 3, 4, 5 around an array |
//! | `dict` | [`Value::Dict`] | map |
//! | a channel | [`Value::Channel`] | ext 7, its id |
//!
//! Subclasses of these travel as what they are subclasses of.

mod bigint;
mod decode;
mod encode;
#[cfg(test)]
pub(crate) mod tests;

use bytes::Bytes;

pub use bigint::{BigInt, NotAnInteger};
pub use decode::{DecodeError, Limits, decode};
pub(crate) use encode::encode_bytes;
pub use encode::{EncodeError, encode};

/// Extension types. Part of the wire format, known to the Python side by the same numbers.
mod ext {
    pub(super) const BIG_INT: u8 = 1;
    pub(super) const SURROGATES: u8 = 2;
    pub(super) const TUPLE: u8 = 3;
    pub(super) const SET: u8 = 4;
    pub(super) const FROZEN_SET: u8 = 5;
    pub(super) const COMPLEX: u8 = 6;
    pub(super) const CHANNEL: u8 = 7;
}

/// How deep values may nest.
pub const DEPTH: usize = 200;

/// A channel inside a value: which connection it belongs to, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelRef {
    /// The connection, numbered within this process.
    pub(crate) link: u64,
    /// The channel's number, the same on both sides of the connection.
    pub(crate) id: u32,
}

/// A value that can be sent and received.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Python's `None`.
    None,
    /// A `bool`.
    Bool(bool),
    /// An `int` of up to 64 bits.
    Int(i64),
    /// A larger `int`. One that fits [`Value::Int`] comes back as that.
    BigInt(BigInt),
    /// A `float`.
    Float(f64),
    /// A `complex`: real and imaginary part.
    Complex(f64, f64),
    /// `bytes`.
    Bytes(Bytes),
    /// A `str`.
    Str(String),
    /// A `str` with lone surrogates, which no Rust string can hold: UTF-8 as Python's `surrogatepass` writes it. What is
    /// plain UTF-8 comes back as [`Value::Str`].
    Surrogates(Bytes),
    /// A `list`.
    List(Vec<Value>),
    /// A `tuple`.
    Tuple(Vec<Value>),
    /// A `set`, in no order. Nothing checks here that its members differ; Python does.
    Set(Vec<Value>),
    /// A `frozenset`.
    FrozenSet(Vec<Value>),
    /// A `dict`, in its order. Where a key is there twice, Python keeps the last one.
    Dict(Vec<(Value, Value)>),
    /// A channel of the connection that the value travels through.
    Channel(ChannelRef),
}

impl Value {
    /// A `dict` with text keys.
    pub fn dict<K: Into<String>, V: Into<Value>>(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Dict(entries.into_iter().map(|(key, value)| (Self::Str(key.into()), value.into())).collect())
    }

    /// The value of a text key, if this is a `dict` that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Dict(entries) = self else { return None };
        entries.iter().rev().find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// The text, if this is a `str` without lone surrogates.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is an `int` that fits.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The bytes, if this is `bytes`.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The truth, if this is a `bool`.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The members, if this is a `list`, `tuple`, `set` or `frozenset`.
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) | Self::Tuple(items) | Self::Set(items) | Self::FrozenSet(items) => Some(items),
            _ => None,
        }
    }

    /// What kind of value this is, by Python's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::BigInt(_) => "int",
            Self::Float(_) => "float",
            Self::Complex(..) => "complex",
            Self::Bytes(_) => "bytes",
            Self::Str(_) | Self::Surrogates(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Set(_) => "set",
            Self::FrozenSet(_) => "frozenset",
            Self::Dict(_) => "dict",
            Self::Channel(_) => "channel",
        }
    }
}

macro_rules! from {
    ($($from:ty => |$name:ident| $make:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($name: $from) -> Self {
                $make
            }
        })*
    };
}

from! {
    () => |_nothing| Self::None;
    bool => |truth| Self::Bool(truth);
    i64 => |number| Self::Int(number);
    i32 => |number| Self::Int(number.into());
    u32 => |number| Self::Int(number.into());
    u16 => |number| Self::Int(number.into());
    u64 => |number| BigInt::from(i128::from(number)).into();
    usize => |number| (number as u64).into();
    i128 => |number| BigInt::from(number).into();
    f64 => |number| Self::Float(number);
    &str => |text| Self::Str(text.to_owned());
    String => |text| Self::Str(text);
    Bytes => |bytes| Self::Bytes(bytes);
    Vec<u8> => |bytes| Self::Bytes(bytes.into());
    &[u8] => |bytes| Self::Bytes(Bytes::copy_from_slice(bytes));
    Vec<Value> => |items| Self::List(items);
    ChannelRef => |channel| Self::Channel(channel);
}

impl From<BigInt> for Value {
    fn from(number: BigInt) -> Self {
        match number.to_i64() {
            Some(small) => Self::Int(small),
            None => Self::BigInt(number),
        }
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

/// Whether bytes are UTF-8 but for surrogates, as Python's `surrogatepass` writes them.
fn is_utf8_with_surrogates(mut bytes: &[u8]) -> bool {
    loop {
        let Err(error) = std::str::from_utf8(bytes) else { return true };
        match bytes.get(error.valid_up_to()..) {
            Some([0xED, 0xA0..=0xBF, 0x80..=0xBF, rest @ ..]) => bytes = rest,
            _ => return false,
        }
    }
}
