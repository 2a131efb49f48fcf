//! Values: what is read is within its limits and is written as the same again; what is written is read as the same.

use bytes::Bytes;

use super::input::{Input, hello};
use crate::value::{BigInt, ChannelRef, DEPTH, DecodeError, Limits, Value, decode, encode};

const LINK: u64 = 7;

fn written(value: &Value) -> Bytes {
    let mut bytes = Vec::new();
    let encoded = encode(value, LINK, &mut bytes);
    assert_eq!(encoded, Ok(()), "{value:?}");
    bytes.into()
}

/// How many values it holds, itself included, and how deep they nest.
fn extent(value: &Value) -> (usize, usize) {
    let inner = |inner: &mut dyn Iterator<Item = &Value>| {
        inner.map(extent).fold((1, 1), |(count, depth), (more, deeper)| (count + more, depth.max(deeper + 1)))
    };
    match value {
        Value::Dict(entries) => inner(&mut entries.iter().flat_map(|(key, value)| [key, value])),
        value => inner(&mut value.items().unwrap_or_default().iter()),
    }
}

pub(super) fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let mode = input.byte();
    let limits = match mode & 3 {
        0 => Limits::default(),
        _ => Limits { depth: input.below(20), items: input.number() },
    };
    let bytes = Bytes::copy_from_slice(input.rest());
    if let Ok(value) = decode(&bytes, LINK, limits) {
        let (count, depth) = extent(&value);
        assert!(count <= limits.items && depth <= limits.depth + 1, "{count} values, {depth} deep");
        // Compared as bytes: no NaN equals another.
        let again = written(&value);
        let read = decode(&again, LINK, limits);
        assert!(read.is_ok_and(|value| written(&value) == again), "{value:?}");
        let shorter = again.slice(..again.len() - 1);
        assert!(decode(&shorter, LINK, Limits::default()).is_err(), "{value:?}");
        let longer: Bytes = [&again[..], &[0xC0]].concat().into();
        assert_eq!(decode(&longer, LINK, Limits::default()).err(), Some(DecodeError::Trailing(1)));
        assert!(encode(&value, LINK + 1, &mut Vec::new()).is_ok() || holds_channel(&value));
    }
    let value = made(&mut input, 0);
    let read = decode(&written(&value), LINK, Limits::default());
    assert!(read.is_ok_and(|read| written(&read) == written(&value) && read.kind() == value.kind()), "{value:?}");
}

fn holds_channel(value: &Value) -> bool {
    match value {
        Value::Channel(_) => true,
        Value::Dict(entries) => entries.iter().any(|(key, value)| holds_channel(key) || holds_channel(value)),
        value => value.items().is_some_and(|items| items.iter().any(holds_channel)),
    }
}

/// A value that is made from decisions.
fn made(input: &mut Input<'_>, depth: usize) -> Value {
    let kind = input.below(if depth < DEPTH { 16 } else { 11 });
    match kind {
        0 => Value::None,
        1 => Value::Bool(input.byte() & 1 == 1),
        2 => Value::Int(i8::from_be_bytes(input.array()).into()),
        3 => Value::Int(i64::from_be_bytes(input.array())),
        4 => BigInt::from_be_bytes(input.some()).into(),
        5 => Value::Float(f64::from_be_bytes(input.array())),
        6 => Value::Complex(f64::from_be_bytes(input.array()), f64::from_be_bytes(input.array())),
        7 => Value::from(input.some()),
        8 => String::from_utf8_lossy(input.some()).into_owned().into(),
        9 => {
            let mut text = String::from_utf8_lossy(input.some()).into_owned().into_bytes();
            text.extend([0xED, 0xA0 | (input.byte() & 0x1F), 0x80]);
            Value::Surrogates(text.into())
        }
        10 => Value::Channel(ChannelRef { link: LINK, id: u32::from_be_bytes(input.array()) }),
        11 => Value::Dict(
            (0..input.below(20)).map(|_| (made(input, depth + 1), made(input, depth + 1))).collect::<Vec<_>>(),
        ),
        kind => {
            let items = (0..input.below(40)).map(|_| made(input, depth + 1)).collect();
            match kind {
                12 => Value::List(items),
                13 => Value::Tuple(items),
                14 => Value::Set(items),
                _ => Value::FrozenSet(items),
            }
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let nested = (0..30).fold(Value::None, |inner, level| match level % 4 {
        0 => Value::List(vec![inner]),
        1 => Value::Tuple(vec![inner, Value::Bool(true)]),
        2 => Value::dict([("k", inner)]),
        _ => Value::FrozenSet(vec![inner]),
    });
    let numbers = [0, -1, 127, 128, -33, 40_000, -40_000, 3_000_000_000, i64::MIN].map(Value::Int);
    let mixed = Value::List(vec![
        Value::Float(-0.5),
        Value::Complex(1.0, f64::INFINITY),
        Value::from(i128::MAX),
        Value::from(&b"\0bytes"[..]),
        Value::from("text, and much more of it than fits into the shortest form"),
        Value::Surrogates(Bytes::from_static(b"a\xed\xb2\x80")),
        Value::Set(vec![Value::Int(1), Value::Int(2)]),
        Value::Channel(ChannelRef { link: LINK, id: 5 }),
    ]);
    let large = Value::from(vec![7; 300]);
    let values = [nested, Value::Tuple(numbers.to_vec()), mixed, large, hello(1, 65536, "full")];
    let mut seeds: Vec<_> = values.iter().map(|value| [&[0], &written(value)[..]].concat()).collect();
    seeds.push([&[1, 9, 200, 0], &written(&values[2])[..]].concat());
    // Much is announced, level by level.
    seeds.push([&[0][..], &[0xDC, 0, 60].repeat(40)].concat());
    seeds
}
