//! Numbers and bytes on the wire and on disk. Decoding is total: whatever arrives becomes a value or an error, and
//! nothing is allocated for a length that has not arrived.

use thiserror::Error;

use crate::digest::Digest;

/// Bytes that do not say what they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("malformed data: {0}")]
pub struct Malformed(pub &'static str);

/// What can be appended to a buffer.
pub(crate) trait Put {
    /// An unsigned number, 7 bits a byte, least significant first.
    fn put_number(&mut self, value: u64);
    /// A signed number, small ones of either sign in few bytes.
    fn put_signed(&mut self, value: i64);
    /// A length and that many bytes.
    fn put_bytes(&mut self, value: &[u8]);
    /// A hash, 32 bytes.
    fn put_digest(&mut self, value: &Digest);
}

impl Put for Vec<u8> {
    fn put_number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.push(value.to_le_bytes()[0]);
    }

    fn put_signed(&mut self, value: i64) {
        self.put_number(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    fn put_bytes(&mut self, value: &[u8]) {
        self.put_number(value.len() as u64);
        self.extend_from_slice(value);
    }

    fn put_digest(&mut self, value: &Digest) {
        self.extend_from_slice(value.as_bytes());
    }
}

/// Reads what [`Put`] wrote.
#[derive(Clone, Debug)]
pub(crate) struct Take<'a> {
    rest: &'a [u8],
}

impl<'a> Take<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// An error unless everything was read.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed("bytes after the end")) }
    }

    pub(crate) fn raw(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(Malformed("it ends too early"))?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        self.raw(1).map(|bytes| bytes[0])
    }

    pub(crate) fn number(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("a number of more than 64 bits"))
    }

    /// A number of at most 32 bits.
    pub(crate) fn small(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.number()?).map_err(|_| Malformed("a number of more than 32 bits"))
    }

    /// A number of things each of which takes a byte or more: never more than bytes have arrived.
    pub(crate) fn count(&mut self) -> Result<usize, Malformed> {
        let count = usize::try_from(self.number()?).map_err(|_| Malformed("a count out of range"))?;
        if count > self.rest.len() { Err(Malformed("a count larger than the data")) } else { Ok(count) }
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Malformed> {
        let value = self.number()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.count()?;
        self.raw(length)
    }

    pub(crate) fn digest(&mut self) -> Result<Digest, Malformed> {
        let bytes = self.raw(32)?;
        bytes.try_into().map(Digest::from_bytes).map_err(|_| Malformed("a short hash"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_put_is_taken(unsigned: u64, signed: i64, bytes: Vec<u8>) {
            let mut buffer = Vec::new();
            buffer.put_number(unsigned);
            buffer.put_signed(signed);
            buffer.put_bytes(&bytes);
            let mut take = Take::new(&buffer);
            prop_assert_eq!(take.number(), Ok(unsigned));
            prop_assert_eq!(take.signed(), Ok(signed));
            prop_assert_eq!(take.bytes(), Ok(&bytes[..]));
            prop_assert_eq!(take.end(), Ok(()));
        }
    }

    #[test]
    fn a_number_has_64_bits() {
        assert!(Take::new(&[0xff; 12]).number().is_err());
        assert!(Take::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).number().is_err());
        assert!(Take::new(&[0x80]).number().is_err());
        assert!(Take::new(&[200, 1, 0]).bytes().is_err(), "200 bytes announced, one there");
    }
}
