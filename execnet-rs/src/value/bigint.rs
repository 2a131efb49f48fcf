//! Integers of any size, as far as channels need them: carried, compared, shown, read. No arithmetic.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use thiserror::Error;

/// An integer of any size: two's complement, big-endian, in as few bytes as possible (0 in none).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BigInt(Vec<u8>);

/// A text that is no decimal integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a decimal integer")]
pub struct NotAnInteger;

impl BigInt {
    /// Takes two's complement, big-endian bytes.
    pub fn from_be_bytes(bytes: &[u8]) -> Self {
        let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
        let filler = if negative { 0xFF } else { 0 };
        let mut start = 0;
        while start < bytes.len() && bytes[start] == filler {
            let next_negative = bytes.get(start + 1).is_some_and(|next| next & 0x80 != 0);
            if next_negative != negative {
                break;
            }
            start += 1;
        }
        Self(bytes[start..].to_vec())
    }

    /// Two's complement, big-endian, in as few bytes as possible.
    pub fn as_be_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is less than 0.
    pub fn is_negative(&self) -> bool {
        self.0.first().is_some_and(|first| first & 0x80 != 0)
    }

    /// The number, if it fits.
    pub fn to_i64(&self) -> Option<i64> {
        self.to_i128().and_then(|number| i64::try_from(number).ok())
    }

    /// The number, if it fits.
    pub fn to_i128(&self) -> Option<i128> {
        let room = size_of::<i128>().checked_sub(self.0.len())?;
        let mut bytes = [if self.is_negative() { 0xFF } else { 0 }; size_of::<i128>()];
        bytes[room..].copy_from_slice(&self.0);
        Some(i128::from_be_bytes(bytes))
    }

    /// The absolute value, big-endian, without a sign.
    fn magnitude(&self) -> Vec<u8> {
        let mut bytes = self.0.clone();
        if self.is_negative() {
            negate(&mut bytes);
        }
        bytes
    }
}

/// Two's complement negation in place. Of the least number, it is the absolute value read without a sign.
fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
        (*byte, carry) = (sum, over);
    }
}

impl From<i128> for BigInt {
    fn from(number: i128) -> Self {
        Self::from_be_bytes(&number.to_be_bytes())
    }
}

impl FromStr for BigInt {
    type Err = NotAnInteger;

    fn from_str(text: &str) -> Result<Self, NotAnInteger> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAnInteger);
        }
        // Little-endian while it grows; the last byte is for the sign.
        let mut bytes = vec![0_u8];
        for digit in digits.bytes() {
            let mut carry = u32::from(digit - b'0');
            for byte in &mut bytes {
                let product = u32::from(*byte) * 10 + carry;
                *byte = product.to_le_bytes()[0];
                carry = product >> 8;
            }
            if let Ok(rest @ 1..) = u8::try_from(carry) {
                bytes.push(rest);
            }
        }
        bytes.push(0);
        bytes.reverse();
        if negative {
            negate(&mut bytes);
        }
        Ok(Self::from_be_bytes(&bytes))
    }
}

impl fmt::Display for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHUNK: u64 = 1_000_000_000;
        let mut rest = self.magnitude();
        let mut chunks = Vec::new();
        while rest.iter().any(|byte| *byte != 0) {
            let mut remainder = 0_u64;
            for byte in &mut rest {
                let dividend = (remainder << 8) | u64::from(*byte);
                *byte = (dividend / CHUNK).to_le_bytes()[0];
                remainder = dividend % CHUNK;
            }
            chunks.push(remainder);
        }
        let mut digits = chunks.pop().unwrap_or_default().to_string();
        for chunk in chunks.iter().rev() {
            let _ = write!(digits, "{chunk:09}");
        }
        f.pad_integral(!self.is_negative(), "", &digits)
    }
}

impl fmt::Debug for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn large_numbers_are_read_and_shown() {
        for text in ["0", "-1", "18446744073709551616", "-340282366920938463463374607431768211456"] {
            assert_eq!(text.parse::<BigInt>().unwrap().to_string(), text);
        }
        let googol = format!("1{}", "0".repeat(100));
        assert_eq!(googol.parse::<BigInt>().unwrap().to_string(), googol);
        for text in ["", "-", "+1", "1 ", "0x1"] {
            assert_eq!(text.parse::<BigInt>(), Err(NotAnInteger), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_built_in_integers(number: i128, padding in 0_usize..4) {
            let big = BigInt::from(number);
            prop_assert_eq!(big.to_i128(), Some(number));
            prop_assert_eq!(big.to_i64(), i64::try_from(number).ok());
            prop_assert_eq!(big.to_string(), number.to_string());
            prop_assert_eq!(number.to_string().parse(), Ok(big.clone()));
            let mut padded = vec![if number < 0 { 0xFF } else { 0 }; padding];
            padded.extend(number.to_be_bytes());
            prop_assert_eq!(BigInt::from_be_bytes(&padded), big);
        }

        #[test]
        fn any_bytes_are_a_number_that_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let number = BigInt::from_be_bytes(&bytes);
            prop_assert_eq!(number.to_string().parse(), Ok(number));
        }
    }
}
