//! Frames of links: the same at every cutting, nothing but what was encoded, and damage is an error, never another value.

use super::input::{Input, pieces};
use crate::wire::{BODY_LIMIT, Check, Decoder, Encoder, Frame, HEADER, Kind, WireError};

/// The frames of a stream, the error that ends it, and whether it ends midway.
type Outcome = (Vec<Frame>, Option<WireError>, bool);

fn read<'a>(check: Check, pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let (mut decoder, mut frames) = (Decoder::new(check), Vec::new());
    for piece in pieces {
        decoder.buffer().extend_from_slice(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error), true),
            }
        }
    }
    (frames, None, decoder.is_midway())
}

fn written(check: Check, frames: &[Frame]) -> Vec<u8> {
    let (mut encoder, mut stream) = (Encoder::new(check), Vec::new());
    for frame in frames {
        encoder.encode(frame.kind, frame.channel, &frame.body, &mut stream);
    }
    stream
}

pub(super) fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let (mode, seed) = (input.byte(), input.byte());
    let check = if mode & 1 == 0 { Check::Full } else { Check::Header };
    if mode & 2 == 0 { arrives(check, seed, input.rest()) } else { travels(check, seed, &mut input) }
}

/// Whatever comes.
fn arrives(check: Check, seed: u8, stream: &[u8]) {
    let outcome = read(check, std::iter::once(stream));
    for seed in [0, seed] {
        assert_eq!(read(check, pieces(stream, seed)), outcome);
    }
    let (frames, error, midway) = outcome;
    assert!(frames.iter().all(|frame| frame.body.len() <= BODY_LIMIT));
    let again = written(check, &frames);
    assert!(stream.starts_with(&again), "something else was read than what was there");
    assert_eq!(midway, again.len() < stream.len());
    assert!(error.is_none() || midway);
}

/// What was sent, undamaged and with one byte changed.
fn travels(check: Check, seed: u8, input: &mut Input<'_>) {
    let (at, change) = (input.number(), input.byte());
    let mut frames = Vec::new();
    while !input.is_empty() {
        let kind = Kind::from_byte(input.byte() % 10).unwrap_or(Kind::Data);
        let channel = u32::from_be_bytes(input.array());
        frames.push(Frame { kind, channel, body: input.some().to_vec().into() });
    }
    let mut stream = written(check, &frames);
    assert_eq!(read(check, pieces(&stream, seed)), (frames.clone(), None, false));
    if stream.is_empty() || change == 0 {
        return;
    }
    let at = at % stream.len();
    stream[at] ^= change;
    let mut start = 0;
    let in_header = frames.iter().any(|frame| {
        let header = start..start + HEADER;
        start = header.end + frame.body.len();
        header.contains(&at)
    });
    let (seen, error, midway) = read(check, pieces(&stream, seed));
    if check == Check::Full || in_header {
        assert!(frames.starts_with(&seen) && seen.len() < frames.len(), "{seen:?} of {frames:?}");
        assert!(error.is_some() || midway);
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let frame = |kind, channel, body: &[u8]| Frame { kind, channel, body: body.to_vec().into() };
    let frames = [
        frame(Kind::Open, 1, b"exec"),
        frame(Kind::Part, 1, &[9; 100]),
        frame(Kind::Data, 1, b"\x2a"),
        frame(Kind::Credit, 1, &[0, 1, 0, 0]),
        frame(Kind::Ping, 0, &[0, 0, 0, 0, 0, 0, 0, 5]),
        frame(Kind::Finish, 1, b""),
        frame(Kind::Close, 1, b""),
        frame(Kind::Goodbye, 0, b""),
    ];
    let mut seeds = Vec::new();
    for (mode, check) in [(0, Check::Full), (1, Check::Header)] {
        seeds.push([&[mode, 0x51], &written(check, &frames)[..]].concat());
    }
    let mut made = Vec::new();
    for frame in &frames {
        made.push(frame.kind as u8);
        made.extend(frame.channel.to_be_bytes());
        made.push(u8::try_from(frame.body.len()).unwrap_or(0));
        made.extend_from_slice(&frame.body);
    }
    for (mode, at, change) in [(2, 0_u16, 0), (2, 40, 4), (3, 21, 128), (3, 0, 1)] {
        seeds.push([&[mode, 0x0a], &at.to_le_bytes()[..], &[change], &made].concat());
    }
    seeds
}
