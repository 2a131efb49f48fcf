//! Values come back as they were; any bytes are a value or an error.

use proptest::prelude::*;

use super::*;

/// Any value without channels and without NaN, which equals nothing.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let number = any::<f64>().prop_filter("NaN", |number| !number.is_nan());
    let surrogates = "[a-zé]{0,4}".prop_map(|text| {
        let mut bytes = text.into_bytes();
        bytes.extend([0xED, 0xB2, 0x80]);
        Value::Surrogates(bytes.into())
    });
    let leaf = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-200_i64..70_000).prop_map(Value::Int),
        proptest::collection::vec(any::<u8>(), 9..40).prop_map(|bytes| BigInt::from_be_bytes(&bytes).into()),
        any::<i128>().prop_map(Value::from),
        number.clone().prop_map(Value::Float),
        (number.clone(), number).prop_map(|(real, imaginary)| Value::Complex(real, imaginary)),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::from),
        ".{0,80}".prop_map(Value::Str),
        surrogates,
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        let items = proptest::collection::vec(inner.clone(), 0..20);
        prop_oneof![
            items.clone().prop_map(Value::List),
            items.clone().prop_map(Value::Tuple),
            items.clone().prop_map(Value::Set),
            items.prop_map(Value::FrozenSet),
            proptest::collection::vec((inner.clone(), inner), 0..20).prop_map(Value::Dict),
        ]
    })
}

fn bytes(value: &Value) -> Bytes {
    let mut out = Vec::new();
    encode(value, 7, &mut out).unwrap();
    out.into()
}

fn read(bytes: &[u8]) -> Result<Value, DecodeError> {
    decode(&Bytes::copy_from_slice(bytes), 7, Limits::default())
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(Value::None, |inner, _| Value::Tuple(vec![inner]))
}

#[test]
fn a_channel_belongs_to_its_connection() {
    let channel = Value::Channel(ChannelRef { link: 7, id: 5 });
    assert_eq!(read(&bytes(&channel)), Ok(channel.clone()));
    assert_eq!(encode(&channel, 8, &mut Vec::new()), Err(EncodeError::ForeignChannel));
}

#[test]
fn depth_is_limited_on_both_sides() {
    assert_eq!(read(&bytes(&nested(DEPTH))), Ok(nested(DEPTH)));
    assert_eq!(encode(&nested(DEPTH + 1), 7, &mut Vec::new()), Err(EncodeError::TooDeep));
    let mut deeper = vec![0x91; DEPTH + 1];
    deeper.push(0xC0);
    assert_eq!(read(&deeper), Err(DecodeError::TooDeep));
    assert_eq!(read(&vec![0x91; 1_000_000]), Err(DecodeError::TooDeep));
}

#[test]
fn nothing_is_allocated_on_trust() {
    assert_eq!(read(&[0xDD, 0xFF, 0xFF, 0xFF, 0xFF, 0xC0]), Err(DecodeError::Truncated));
    assert_eq!(read(&[0xDF, 0x7F, 0xFF, 0xFF, 0xFF, 0xC0]), Err(DecodeError::Truncated));
    assert_eq!(read(&[0xC6, 0xFF, 0xFF, 0xFF, 0xFF, 0xC0]), Err(DecodeError::Truncated));
    let limits = Limits { depth: 10, items: 3 };
    assert_eq!(decode(&Bytes::from_static(&[0x93, 1, 2, 3]), 7, limits), Err(DecodeError::TooMany));
    assert!(decode(&Bytes::from_static(&[0x92, 1, 2]), 7, limits).is_ok());
}

#[test]
fn what_is_no_value_is_refused() {
    let table: [(&[u8], DecodeError); 9] = [
        (&[], DecodeError::Truncated),
        (&[0xC1], DecodeError::Unknown(0xC1)),
        (&[1, 2], DecodeError::Trailing(1)),
        (&[0xA1, 0xFF], DecodeError::NotText),
        (&[0xD4, 99, 0], DecodeError::Unknown(99)),
        (&[0xD4, 6, 0], DecodeError::Unknown(6)),
        (&[0xC7, 1, 2, 0xFF], DecodeError::NotText),
        (&[0xC7, 3, 3, 0x91, 1, 2], DecodeError::Trailing(1)),
        (&[0xC7, 2, 3, 0x92, 1, 2], DecodeError::Truncated),
    ];
    for (wire, error) in table {
        assert_eq!(read(wire), Err(error), "{wire:?}");
    }
}

#[test]
fn numbers_and_text_have_one_form() {
    assert_eq!(Value::from(i128::from(i64::MIN)), Value::Int(i64::MIN));
    assert_eq!(read(&[0xCF, 0, 0, 0, 0, 0, 0, 0, 5]), Ok(Value::Int(5)));
    assert_eq!(read(&[0xCF, 255, 255, 255, 255, 255, 255, 255, 255]), Ok(Value::from(u64::MAX)));
    assert_eq!(read(&[0xC7, 1, 2, b'a']), Ok(Value::Str("a".into())));
}

proptest! {
    #[test]
    fn values_come_back(value in any_value()) {
        let wire = bytes(&value);
        prop_assert_eq!(decode(&wire, 7, Limits::default()), Ok(value));
    }

    #[test]
    fn what_is_cut_off_is_an_error(value in any_value(), cut in any::<prop::sample::Index>()) {
        let wire = bytes(&value);
        prop_assert!(read(&wire[..cut.index(wire.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(wire in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = read(&wire) {
            // What was read can be written, and is read as the same again; compared as bytes, for NaN.
            prop_assert_eq!(bytes(&read(&bytes(&value)).unwrap()), bytes(&value));
        }
    }
}
