//! Frames: a 4-byte big-endian length, then that many bytes. Decoded without I/O; nothing is allocated on trust.

use thiserror::Error;

/// Bytes of the length prefix.
const PREFIX: usize = 4;

/// What can be wrong with a stream of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
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
    /// [`FrameError::TooLarge`] as soon as a prefix announces too much; the stream is of no use afterwards.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let rest = &self.buffer[self.taken..];
        let Some((prefix, body)) = rest.split_first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*prefix) as usize;
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

    /// The first byte of the unfinished frame's payload, if it has arrived: whoever knows how payloads begin can tell that
    /// a stream is disturbed, before as much has arrived as a wrong prefix announces.
    pub fn begun(&self) -> Option<u8> {
        self.buffer.get(self.taken + PREFIX).copied()
    }

    /// Whether bytes of an unfinished frame are left: at the end of a stream, a fault.
    pub fn is_midway(&self) -> bool {
        self.taken < self.buffer.len()
    }
}

/// Appends `payload` as one frame to `out`.
///
/// # Errors
/// [`FrameError::TooLarge`] if the payload does not fit a 32-bit length.
pub fn encode(payload: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    let length = u32::try_from(payload.len())
        .map_err(|_| FrameError::TooLarge { announced: payload.len(), limit: u32::MAX as usize })?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(payload);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_announced_too_large_before_it_arrives() {
        let mut decoder = Decoder::new(10);
        decoder.push(&11_u32.to_be_bytes());
        assert_eq!(decoder.next_frame(), Err(FrameError::TooLarge { announced: 11, limit: 10 }));
    }

    #[test]
    fn an_unfinished_frame_shows_how_it_begins() {
        let mut decoder = Decoder::new(10);
        decoder.push(&[0, 0, 0, 1, 7, 0, 0, 0, 3]);
        assert_eq!(decoder.next_frame(), Ok(Some(&[7][..])));
        assert_eq!(decoder.begun(), None);
        decoder.push(&[8]);
        assert_eq!(decoder.next_frame(), Ok(None));
        assert_eq!(decoder.begun(), Some(8));
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
