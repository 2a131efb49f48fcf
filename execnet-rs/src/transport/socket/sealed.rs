//! What a connection carries after its handshake, without I/O: encrypted frames, one stream each way.
//!
//! ```text
//! length u16 (big-endian) | ciphertext and tag (16)
//! ```
//! These are Noise's transport messages: ChaCha20-Poly1305, each direction with a key and a counter of its own, so that a
//! frame which was changed, lost, repeated or moved opens as nothing. The length is not encrypted; changed, it cuts frames
//! where none were.

use std::io;
use std::ops::Range;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use thiserror::Error;

use super::token::Secret;

/// Bytes before a frame's ciphertext.
const LENGTH: usize = 2;

/// Bytes of a frame that say whether it is genuine.
pub const TAG: usize = 16;

/// The most that one frame carries.
pub const MOST: usize = u16::MAX as usize - TAG;

/// A connection's keys, of one side of it.
#[derive(Clone, Debug)]
pub struct Keys {
    /// For what comes.
    pub receive: Secret,
    /// For what goes.
    pub send: Secret,
}

/// Why a stream of frames is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// A frame is not what the other side sent next.
    #[error("what arrived was changed, repeated or lost on its way")]
    Forged,
    /// A frame that is too short to be one, or longer than the reader wants.
    #[error("a frame of {0} bytes")]
    Size(usize),
    /// More frames than one key may have, which takes centuries.
    #[error("the connection has carried all that its keys are good for")]
    WornOut,
}

impl From<SealError> for io::Error {
    fn from(error: SealError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// One direction's key and the number of the next frame.
struct Cipher {
    key: LessSafeKey,
    number: u64,
}

impl Cipher {
    fn new(key: &Secret, number: u64) -> Result<Self, SealError> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.bytes()).map_err(|_| SealError::Forged)?;
        Ok(Self { key: LessSafeKey::new(key), number })
    }

    /// Noise's nonce of the next frame.
    fn nonce(&mut self) -> Result<Nonce, SealError> {
        let number = self.number;
        // Noise keeps the last one for other uses.
        self.number = number.checked_add(1).ok_or(SealError::WornOut)?;
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number.to_le_bytes());
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

/// Encrypts one direction.
pub struct Sealer(Cipher);

impl Sealer {
    /// Begins at a frame's number; a key has each number once.
    ///
    /// # Errors
    /// None that 32 bytes could cause.
    pub fn new(key: &Secret, number: u64) -> Result<Self, SealError> {
        Cipher::new(key, number).map(Self)
    }

    /// Appends bytes as frames. Each has at most [`MOST`] of them.
    ///
    /// # Errors
    /// [`SealError::WornOut`].
    pub fn seal(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        for piece in bytes.chunks(MOST) {
            let nonce = self.0.nonce()?;
            let length = u16::try_from(piece.len() + TAG).map_err(|_| SealError::Size(piece.len()))?;
            out.extend(length.to_be_bytes());
            let start = out.len();
            out.extend_from_slice(piece);
            let Some(body) = out.get_mut(start..) else { continue };
            let tag =
                self.0.key.seal_in_place_separate_tag(nonce, Aad::empty(), body).map_err(|_| SealError::WornOut)?;
            out.extend_from_slice(tag.as_ref());
        }
        Ok(())
    }
}

/// Decrypts one direction.
pub struct Opener {
    cipher: Cipher,
    /// The largest ciphertext, with its tag, that is taken.
    limit: usize,
}

impl Opener {
    /// Begins at a frame's number.
    ///
    /// # Errors
    /// None that 32 bytes could cause.
    pub fn new(key: &Secret, number: u64) -> Result<Self, SealError> {
        Ok(Self { cipher: Cipher::new(key, number)?, limit: usize::from(u16::MAX) })
    }

    /// Takes no frame that carries more than so many bytes.
    #[must_use]
    pub fn with_limit(mut self, most: usize) -> Self {
        self.limit = most.saturating_add(TAG).min(usize::from(u16::MAX));
        self
    }

    /// How many bytes, the length included, the frame has that begins with these; None if they do not tell.
    ///
    /// # Errors
    /// [`SealError::Size`].
    pub fn whole(&self, bytes: &[u8]) -> Result<Option<usize>, SealError> {
        let Some(length) = bytes.first_chunk::<LENGTH>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes(*length));
        if (TAG..=self.limit).contains(&length) { Ok(Some(LENGTH + length)) } else { Err(SealError::Size(length)) }
    }

    /// Opens, in place, the frame that what has arrived begins with; None if it is not whole yet.
    ///
    /// # Errors
    /// A [`SealError`]; the stream ends with it.
    pub fn open(&mut self, arrived: &mut [u8]) -> Result<Option<Opened>, SealError> {
        let Some(whole) = self.whole(arrived)? else { return Ok(None) };
        let Some(frame) = arrived.get_mut(LENGTH..whole) else { return Ok(None) };
        let nonce = self.cipher.nonce()?;
        let plain = self.cipher.key.open_in_place(nonce, Aad::empty(), frame).map_err(|_| SealError::Forged)?;
        Ok(Some(Opened { whole, plain: LENGTH..LENGTH + plain.len() }))
    }
}

/// Where a frame lies in what has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its bytes, length and all.
    pub whole: usize,
    /// What it carried.
    pub plain: Range<usize>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair() -> (Sealer, Opener) {
        let key = Secret::new([3; 32]);
        (Sealer::new(&key, 0).unwrap(), Opener::new(&key, 0).unwrap())
    }

    fn sealed(pieces: &[Vec<u8>]) -> Vec<u8> {
        let (mut sealer, mut out) = (pair().0, Vec::new());
        for piece in pieces {
            sealer.seal(piece, &mut out).unwrap();
        }
        out
    }

    /// All that opens of these bytes, and what ended it.
    fn opened(bytes: &[u8]) -> (Vec<u8>, Option<SealError>) {
        let (mut opener, mut arrived, mut out) = (pair().1, bytes.to_vec(), Vec::new());
        loop {
            match opener.open(&mut arrived) {
                Ok(Some(frame)) => {
                    out.extend_from_slice(&arrived[frame.plain]);
                    arrived.drain(..frame.whole);
                }
                Ok(None) => return (out, None),
                Err(error) => return (out, Some(error)),
            }
        }
    }

    #[test]
    fn frames_are_those_of_noise() {
        let parameters: snow::params::NoiseParams = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s".parse().unwrap();
        let build = || snow::Builder::new(parameters.clone()).psk(0, &[1; 32]).unwrap();
        let (mut one, mut other) = (build().build_initiator().unwrap(), build().build_responder().unwrap());
        let mut message = [0; 96];
        let length = one.write_message(&[], &mut message).unwrap();
        other.read_message(&message[..length], &mut [0; 96]).unwrap();
        let length = other.write_message(&[], &mut message).unwrap();
        one.read_message(&message[..length], &mut [0; 96]).unwrap();
        let (to_other, _) = one.dangerously_get_raw_split();
        let mut other = other.into_transport_mode().unwrap();
        let mut sealer = Sealer::new(&Secret::new(to_other), 0).unwrap();
        for text in [b"first".as_slice(), b"second"] {
            let (mut out, mut plain) = (Vec::new(), [0; 96]);
            sealer.seal(text, &mut out).unwrap();
            let length = other.read_message(&out[LENGTH..], &mut plain).unwrap();
            assert_eq!(&plain[..length], text);
        }
    }

    #[test]
    fn a_worn_out_key_is_not_used() {
        let mut sealer = Sealer::new(&Secret::new([3; 32]), u64::MAX).unwrap();
        assert_eq!(sealer.seal(b"x", &mut Vec::new()), Err(SealError::WornOut));
    }

    #[test]
    fn a_frame_beyond_the_limit_is_refused_by_its_length() {
        let bytes = sealed(&[vec![0; 100]]);
        let mut opener = pair().1.with_limit(99);
        assert_eq!(opener.open(&mut bytes[..2].to_vec()), Err(SealError::Size(116)));
        assert_eq!(pair().1.open(&mut [0, 15]), Err(SealError::Size(15)));
    }

    #[test]
    fn a_repeated_or_moved_frame_does_not_open() {
        let (one, two) = (sealed(&[b"one".to_vec()]), sealed(&[b"one".to_vec(), b"two".to_vec()]));
        let second = &two[one.len()..];
        assert_eq!(opened(&[&one[..], &one[..]].concat()), (b"one".to_vec(), Some(SealError::Forged)));
        assert_eq!(opened(second), (Vec::new(), Some(SealError::Forged)));
        assert_eq!(opened(&[second, &one[..]].concat()), (Vec::new(), Some(SealError::Forged)));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_however_it_arrives(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8),
            large in 0_usize..200_000,
            step in 1_usize..70_000,
        ) {
            let mut pieces = pieces;
            pieces.push(vec![7; large]);
            let bytes = sealed(&pieces);
            let (mut opener, mut arrived, mut out) = (pair().1, Vec::new(), Vec::new());
            for chunk in bytes.chunks(step) {
                arrived.extend_from_slice(chunk);
                while let Some(frame) = opener.open(&mut arrived).unwrap() {
                    out.extend_from_slice(&arrived[frame.plain]);
                    arrived.drain(..frame.whole);
                }
            }
            prop_assert_eq!(out, pieces.concat());
            prop_assert!(arrived.is_empty());
        }

        #[test]
        fn a_changed_byte_opens_as_nothing(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 1..5),
            at in any::<prop::sample::Index>(),
            change in 1_u8..,
        ) {
            let mut bytes = sealed(&pieces);
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            let (out, error) = opened(&bytes);
            // Whole frames before it are genuine; of the rest nothing comes.
            prop_assert!(pieces.concat().starts_with(&out) && out.len() < pieces.concat().len());
            // A longer length may have it wait for more.
            prop_assert!(error.is_some() || out.len() < pieces.concat().len());
        }

        #[test]
        fn any_bytes_are_refused_or_waited_for(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(opened(&bytes).0.is_empty());
        }
    }
}
