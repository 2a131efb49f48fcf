//! What a link carries: frames with a number and a checksum, and the bytes before the first one.
//!
//! ```text
//! length u32 | channel u32 | number u16 | kind u8 | 0 u8 | checksum u32 | body      (big-endian)
//! ```
//! `length` counts the body. `number` counts the frames of one direction, so that a lost or repeated one is found. The
//! checksum (CRC-32) covers the first twelve bytes and, unless both ends are on one host, the body. Pure: no I/O, and
//! nothing is allocated on trust.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// Bytes of a frame before its body.
pub const HEADER: usize = 16;

/// The largest body that is accepted.
pub const BODY_LIMIT: usize = 1 << 20;

/// The largest piece of a message that is put into one frame.
pub const FRAGMENT: usize = 1 << 18;

/// What begins the bytes of each side: unlikely in any text, and broken by whatever translates line ends or strips bits.
pub const MAGIC: [u8; 16] = *b"\x93exn\r\n\x1a\n\x00\xfe\xc3\x28\x7fRS\x01";

/// What is in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The first frame of each side: who speaks, in which version, with which limits.
    Hello = 0,
    /// A new channel; the body is the name of the service that it is for, or empty.
    Open = 1,
    /// A message, or the last piece of one.
    Data = 2,
    /// A piece of a message; more follow.
    Part = 3,
    /// More may be sent on a channel: the body is a u32.
    Credit = 4,
    /// The sender sends no more messages on this channel.
    Finish = 5,
    /// The sender neither sends nor receives on this channel any more; the body is empty or an error.
    Close = 6,
    /// Asks for a [`Kind::Pong`] with the same body, a u64.
    Ping = 7,
    /// The answer.
    Pong = 8,
    /// Nothing follows: the link ends as it should.
    Goodbye = 9,
}

impl Kind {
    /// The kind of a frame, by the byte in its header.
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        const KINDS: [Kind; 10] = [
            Kind::Hello,
            Kind::Open,
            Kind::Data,
            Kind::Part,
            Kind::Credit,
            Kind::Finish,
            Kind::Close,
            Kind::Ping,
            Kind::Pong,
            Kind::Goodbye,
        ];
        KINDS.get(usize::from(byte)).copied()
    }
}

/// Whether checksums cover bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Headers and bodies: for links that anything may lie between.
    Full,
    /// Headers alone: for links within one host, which the kernel carries.
    Header,
}

/// What can be wrong with a stream of frames. The stream is of no use afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// A header or a body was changed on its way, or something else wrote into the stream.
    #[error("a frame's checksum is wrong")]
    Checksum,
    /// A frame was lost, repeated or moved.
    #[error("frame number {found} where {expected} was due")]
    Order {
        /// The number that was due.
        expected: u16,
        /// The number that came.
        found: u16,
    },
    /// A body beyond the limit.
    #[error("frame of {0} bytes is larger than the limit of {BODY_LIMIT} bytes")]
    TooLarge(usize),
    /// A kind of frame that this version does not know.
    #[error("unknown kind of frame {0}")]
    UnknownKind(u8),
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// Which channel it is about; 0 for the link itself.
    pub channel: u32,
    /// What it carries.
    pub body: Bytes,
}

/// Turns arriving bytes into frames.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    check: Check,
    number: u16,
    /// The header of the frame that is arriving was found to be in order.
    begun: bool,
}

impl Decoder {
    /// A decoder for one direction of a link.
    pub fn new(check: Check) -> Self {
        Self { buffer: BytesMut::new(), check, number: 0, begun: false }
    }

    /// Where arriving bytes are appended.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The same, with room for what is missing of a frame that has begun, or for any usual one. So what has arrived of a
    /// large frame stays where it is.
    pub fn room(&mut self) -> &mut BytesMut {
        let room = match self.buffer.first_chunk() {
            Some(length) if self.begun => {
                (HEADER + u32::from_be_bytes(*length) as usize).saturating_sub(self.buffer.len())
            }
            _ => 2 * HEADER + FRAGMENT,
        };
        self.buffer.reserve(room.max(1));
        &mut self.buffer
    }

    /// From the next frame on, another part is covered by checksums.
    pub fn set_check(&mut self, check: Check) {
        self.check = check;
    }

    /// The next complete frame; `None` until more bytes arrive.
    ///
    /// # Errors
    /// A [`WireError`] as soon as a header is wrong, before its body has arrived.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, WireError> {
        let Some((header, rest)) = self.buffer.split_first_chunk::<HEADER>() else { return Ok(None) };
        let mut fields = &header[..];
        let (length, channel) = (fields.get_u32() as usize, fields.get_u32());
        let (number, kind, zero) = (fields.get_u16(), fields.get_u8(), fields.get_u8());
        let announced = fields.get_u32();
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&header[..HEADER - 4]);
        if !self.begun {
            // With bodies covered, the header can only be judged when all is there; what it says is bounded until then.
            if self.check == Check::Header && checksum.clone().finalize() != announced {
                return Err(WireError::Checksum);
            }
            if length > BODY_LIMIT {
                return Err(WireError::TooLarge(length));
            }
            if number != self.number {
                return Err(WireError::Order { expected: self.number, found: number });
            }
            self.begun = true;
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        if self.check == Check::Full {
            checksum.update(body);
            if checksum.finalize() != announced {
                return Err(WireError::Checksum);
            }
        }
        let kind = Kind::from_byte(kind).filter(|_| zero == 0).ok_or(WireError::UnknownKind(kind))?;
        self.begun = false;
        self.number = self.number.wrapping_add(1);
        self.buffer.advance(HEADER);
        // A small body does not keep a large buffer alive.
        let body = if length < self.buffer.capacity() / 4 {
            let copied = Bytes::copy_from_slice(&self.buffer[..length]);
            self.buffer.advance(length);
            copied
        } else {
            self.buffer.split_to(length).freeze()
        };
        Ok(Some(Frame { kind, channel, body }))
    }

    /// Whether a part of a frame has arrived: at the end of a stream, a fault.
    pub fn is_midway(&self) -> bool {
        !self.buffer.is_empty()
    }
}

/// Turns frames into bytes.
#[derive(Debug)]
pub struct Encoder {
    check: Check,
    number: u16,
}

impl Encoder {
    /// An encoder for one direction of a link.
    pub fn new(check: Check) -> Self {
        Self { check, number: 0 }
    }

    /// From the next frame on, another part is covered by checksums.
    pub fn set_check(&mut self, check: Check) {
        self.check = check;
    }

    /// Appends one frame to `out`. The body must keep to [`BODY_LIMIT`], or the other side refuses it.
    pub fn encode(&mut self, kind: Kind, channel: u32, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header(kind, channel, body));
        out.extend_from_slice(body);
    }

    /// Adds one frame to `out`, as [`Encoder::encode`] does; a large body is not copied.
    pub fn encode_shared(&mut self, kind: Kind, channel: u32, body: Bytes, out: &mut Outgoing) {
        out.small.extend_from_slice(&self.header(kind, channel, &body));
        if body.len() < LARGE {
            out.small.extend_from_slice(&body);
        } else {
            let before = std::mem::take(&mut out.small);
            out.length += before.len() + body.len();
            out.segments.extend([before.into(), body]);
        }
    }

    /// The next frame, up to its body.
    fn header(&mut self, kind: Kind, channel: u32, body: &[u8]) -> [u8; HEADER] {
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&length.to_be_bytes());
        header[4..8].copy_from_slice(&channel.to_be_bytes());
        header[8..10].copy_from_slice(&self.number.to_be_bytes());
        header[10] = kind as u8;
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&header[..12]);
        if self.check == Check::Full {
            checksum.update(body);
        }
        header[12..].copy_from_slice(&checksum.finalize().to_be_bytes());
        self.number = self.number.wrapping_add(1);
        header
    }
}

/// Bodies of so many bytes are written from where they are.
const LARGE: usize = 16 * 1024;

/// Frames to be written, in order: small ones one behind the other, large bodies as they are.
#[derive(Debug, Default)]
pub struct Outgoing {
    segments: Vec<Bytes>,
    /// Bytes of the segments.
    length: usize,
    /// What comes behind the segments.
    small: Vec<u8>,
}

impl Outgoing {
    /// Where small frames are appended.
    pub fn small(&mut self) -> &mut Vec<u8> {
        &mut self.small
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.length + self.small.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.segments.clear();
        self.length = 0;
        self.small.clear();
    }

    /// The bytes, piece by piece.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.segments.iter().map(|segment| &segment[..]).chain([&self.small[..]]).filter(|piece| !piece.is_empty())
    }

    /// The bytes, in one piece.
    pub fn concat(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        self.pieces().for_each(|piece| bytes.extend_from_slice(piece));
        bytes
    }
}

/// How many bytes may come before [`MAGIC`].
pub const NOISE_LIMIT: usize = 64 * 1024;

/// No [`MAGIC`] among the first [`NOISE_LIMIT`] bytes, or the stream ended before it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no gateway answers there; what came instead begins with {:?}", String::from_utf8_lossy(.0))]
pub struct NoGreeting(pub Vec<u8>);

/// Looks for [`MAGIC`] behind whatever a login shell or a module system says first.
#[derive(Debug, Default)]
pub struct Scanner {
    seen: BytesMut,
    searched: usize,
}

/// What a [`Scanner`] found.
#[derive(Debug, PartialEq, Eq)]
pub struct Greeting {
    /// What came before it: for the log.
    pub noise: Bytes,
    /// What came after it: the first frames.
    pub rest: BytesMut,
}

impl Scanner {
    /// Takes arriving bytes; the greeting as soon as it is complete.
    ///
    /// # Errors
    /// [`NoGreeting`] when too much came before it.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Greeting>, NoGreeting> {
        self.seen.extend_from_slice(bytes);
        let found = self.seen[self.searched..].windows(MAGIC.len()).position(|window| window == MAGIC);
        match found.map(|at| at + self.searched) {
            Some(at) if at <= NOISE_LIMIT => {
                let mut rest = std::mem::take(&mut self.seen);
                let noise = rest.split_to(at).freeze();
                rest.advance(MAGIC.len());
                Ok(Some(Greeting { noise, rest }))
            }
            None if self.seen.len() < NOISE_LIMIT + MAGIC.len() => {
                self.searched = (self.seen.len() + 1).saturating_sub(MAGIC.len());
                Ok(None)
            }
            _ => Err(self.give_up()),
        }
    }

    /// The error for a stream that has ended, or a wait that was too long.
    pub fn give_up(&self) -> NoGreeting {
        NoGreeting(self.seen[..self.seen.len().min(200)].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream(bodies: &[Vec<u8>], check: Check) -> Vec<u8> {
        let (mut encoder, mut out) = (Encoder::new(check), Vec::new());
        for body in bodies {
            encoder.encode(Kind::Data, 3, body, &mut out);
        }
        out
    }

    /// All bodies that come out, and the error that ends it.
    fn read(bytes: &[u8], check: Check, cuts: &[usize]) -> (Vec<Vec<u8>>, Option<WireError>) {
        let (mut decoder, mut seen, mut rest) = (Decoder::new(check), Vec::new(), bytes);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            decoder.buffer().extend_from_slice(now);
            rest = later;
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => seen.push(frame.body.to_vec()),
                    Ok(None) => break,
                    Err(error) => return (seen, Some(error)),
                }
            }
        }
        (seen, None)
    }

    fn bodies() -> impl Strategy<Value = Vec<Vec<u8>>> {
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 1..12)
    }

    #[test]
    fn too_much_is_refused_before_it_arrives() {
        let mut bytes = stream(&[vec![0; 40]], Check::Full);
        bytes[..4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(read(&bytes[..HEADER], Check::Full, &[1]).1, Some(WireError::TooLarge(u32::MAX as usize)));
    }

    #[test]
    fn the_greeting_is_found_behind_the_most_noise_and_no_further() {
        for (noise, found) in [(0, true), (NOISE_LIMIT, true), (NOISE_LIMIT + 1, false)] {
            let mut bytes = vec![0x93; noise];
            bytes.extend(MAGIC);
            assert_eq!(Scanner::default().push(&bytes).is_ok(), found, "{noise}");
        }
        let mut endless = Scanner::default();
        let error = (0..100).find_map(|_| endless.push(&[b'x'; 1000]).err());
        assert_eq!(error, Some(NoGreeting(vec![b'x'; 200])));
    }

    proptest! {
        #[test]
        fn frames_survive_any_cutting(
            bodies in bodies(), cuts in proptest::collection::vec(1_usize..60, 1..20), full: bool,
        ) {
            let check = if full { Check::Full } else { Check::Header };
            prop_assert_eq!(read(&stream(&bodies, check), check, &cuts), (bodies, None));
        }

        #[test]
        fn bodies_that_are_not_copied_are_written_alike(sizes in proptest::collection::vec(0..2 * LARGE, 0..10), full: bool) {
            let check = if full { Check::Full } else { Check::Header };
            let bodies: Vec<Vec<u8>> = (1..).zip(sizes).map(|(tag, size)| vec![tag; size]).collect();
            let (mut encoder, mut out) = (Encoder::new(check), Outgoing::default());
            for body in &bodies {
                encoder.encode_shared(Kind::Data, 3, body.clone().into(), &mut out);
            }
            prop_assert_eq!(out.len(), out.pieces().map(<[u8]>::len).sum::<usize>());
            prop_assert_eq!(out.concat(), stream(&bodies, check));
            out.clear();
            prop_assert!(out.is_empty() && out.concat().is_empty());
        }

        #[test]
        fn a_changed_bit_is_never_a_wrong_value(bodies in bodies(), at in any::<prop::sample::Index>(), bit in 0_u32..8) {
            let mut bytes = stream(&bodies, Check::Full);
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            let (seen, error) = read(&bytes, Check::Full, &[7]);
            prop_assert!(bodies.starts_with(&seen) && seen.len() < bodies.len());
            // Only a length that grew can still wait for more.
            prop_assert!(error.is_some() || seen.len() < bodies.len());
        }

        #[test]
        fn a_lost_or_repeated_frame_is_an_error(bodies in bodies(), which in any::<prop::sample::Index>(), lost: bool) {
            let which = which.index(bodies.len());
            let (mut encoder, mut bytes) = (Encoder::new(Check::Full), Vec::new());
            for (index, body) in bodies.iter().enumerate() {
                let start = bytes.len();
                encoder.encode(Kind::Data, 3, body, &mut bytes);
                if index == which {
                    let frame = bytes.split_off(start);
                    let times = if lost { 0 } else { 2 };
                    bytes.extend(frame.repeat(times));
                }
            }
            encoder.encode(Kind::Ping, 0, &[], &mut bytes);
            let (seen, error) = read(&bytes, Check::Full, &[1000]);
            prop_assert!(matches!(error, Some(WireError::Order { .. })), "{:?}", error);
            prop_assert!(bodies.starts_with(&seen));
        }

        #[test]
        fn any_bytes_are_frames_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), full: bool) {
            let check = if full { Check::Full } else { Check::Header };
            let _ = read(&bytes, check, &[3]);
        }

        #[test]
        fn the_greeting_is_found_at_any_cutting(
            noise in proptest::collection::vec(prop_oneof![Just(0x93_u8), Just(b'e'), any::<u8>()], 0..100),
            rest in proptest::collection::vec(any::<u8>(), 0..20),
            cut in 1_usize..40,
        ) {
            let bytes = [&noise[..], &MAGIC, &rest].concat();
            let mut scanner = Scanner::default();
            let mut pieces = bytes.chunks(cut);
            let greeting = pieces.find_map(|piece| scanner.push(piece).unwrap()).unwrap();
            prop_assert_eq!(&greeting.noise[..], &noise[..]);
            let after: Vec<u8> = greeting.rest.iter().copied().chain(pieces.flatten().copied()).collect();
            prop_assert_eq!(after, rest);
        }
    }
}
