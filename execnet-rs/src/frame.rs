//! Frames: a 4-byte big-endian length, a 4-byte big-endian check word, then as many bytes as the length says. Decoded
//! without I/O; nothing is allocated on trust. The check word is the length XOR `CHECK`: whatever else is written into the
//! stream is recognised at the next prefix, before anybody waits for what it seems to promise. The other end writes and
//! reads the same in Python (`xdist_worker/wire.py`).

use thiserror::Error;

/// Bytes of the prefix.
pub const PREFIX: usize = 8;
/// What makes a check word of a length. No byte of it is ASCII, a zero, or the same as another.
const CHECK: u32 = 0x9ed3_c5b7;

/// What can be wrong with a stream of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The prefix is none: something else was written into the stream.
    #[error("{0:#018x} where a frame begins")]
    Disturbed(u64),
    /// The prefix announces more than the decoder accepts.
    #[error("frame of {announced} bytes is larger than the limit of {limit} bytes")]
    TooLarge {
        /// Bytes announced by the prefix.
        announced: usize,
        /// Bytes accepted.
        limit: usize,
    },
}

/// Turns arriving bytes into frames. Holds at most what has arrived and was not taken yet.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    taken: usize,
    limit: usize,
}

impl Decoder {
    /// A decoder that refuses frames of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), taken: 0, limit }
    }

    /// Adds bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete frame's payload; `None` until more bytes arrive.
    ///
    /// # Errors
    /// As soon as a prefix is none or announces too much; the stream is of no use afterwards.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let rest = &self.buffer[self.taken..];
        let Some((prefix, body)) = rest.split_first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let prefix = u64::from_be_bytes(*prefix);
        let Some(length) = length_of(prefix) else { return Err(FrameError::Disturbed(prefix)) };
        if length > self.limit {
            return Err(FrameError::TooLarge { announced: length, limit: self.limit });
        }
        if body.len() < length {
            return Ok(None);
        }
        let start = self.taken + PREFIX;
        self.taken = start + length;
        Ok(Some(&self.buffer[start..self.taken]))
    }

    /// Whether bytes of an unfinished frame are left: at the end of a stream, a fault.
    pub fn is_midway(&self) -> bool {
        self.taken < self.buffer.len()
    }
}

/// The length that a prefix announces, if its check word agrees.
fn length_of(prefix: u64) -> Option<usize> {
    let (length, check) = (prefix >> 32, prefix & u64::from(u32::MAX));
    if length ^ u64::from(CHECK) == check { usize::try_from(length).ok() } else { None }
}

/// Appends `payload` as one frame to `out`.
///
/// # Errors
/// [`FrameError::TooLarge`] if the payload does not fit a 32-bit length.
pub fn encode(payload: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    let length = u32::try_from(payload.len())
        .map_err(|_| FrameError::TooLarge { announced: payload.len(), limit: u32::MAX as usize })?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&(length ^ CHECK).to_be_bytes());
    out.extend_from_slice(payload);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(length: u32) -> [u8; PREFIX] {
        ((u64::from(length) << 32) | u64::from(length ^ CHECK)).to_be_bytes()
    }

    #[test]
    fn refuses_what_is_announced_too_large_before_it_arrives() {
        let mut decoder = Decoder::new(10);
        decoder.push(&prefix(11));
        assert_eq!(decoder.next_frame(), Err(FrameError::TooLarge { announced: 11, limit: 10 }));
    }

    #[test]
    fn a_prefix_without_its_check_word_is_refused_at_once() {
        for rubbish in [&b"\0\0\0\x09\x81\xa6pa"[..], &[0; PREFIX], &[0xff; PREFIX], b"AAAAAAAA"] {
            let mut decoder = Decoder::new(10);
            decoder.push(rubbish);
            assert!(matches!(decoder.next_frame(), Err(FrameError::Disturbed(_))), "{rubbish:?}");
        }
    }

    #[test]
    fn bytes_before_a_frame_are_found_out_by_it() {
        for count in 1..PREFIX {
            let mut decoder = Decoder::new(1000);
            decoder.push(&[0x81; PREFIX][..count]);
            assert_eq!(decoder.next_frame(), Ok(None));
            let mut frame = Vec::new();
            encode(b"passed", &mut frame).unwrap();
            decoder.push(&frame);
            assert!(matches!(decoder.next_frame(), Err(FrameError::Disturbed(_))), "{count}");
        }
    }

    proptest! {
        #[test]
        fn frames_survive_any_cutting_of_the_stream(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20),
            cuts in proptest::collection::vec(1_usize..50, 1..50),
        ) {
            let mut stream = Vec::new();
            for payload in &payloads {
                encode(payload, &mut stream).unwrap();
            }
            let mut decoder = Decoder::new(1000);
            let mut seen = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                decoder.push(now);
                rest = later;
                while let Some(frame) = decoder.next_frame().unwrap() {
                    seen.push(frame.to_vec());
                }
            }
            prop_assert_eq!(seen, payloads);
            prop_assert!(!decoder.is_midway());
        }
    }
}
