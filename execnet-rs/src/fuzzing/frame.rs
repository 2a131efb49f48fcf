//! Frames of a run's own processes: the same at every cutting, and nothing but what was encoded.

use super::input::{Input, pieces};
use crate::frame::{Decoder, FrameError, encode};

const LIMIT: usize = 1000;

/// The frames of a stream, the error that ends it, and whether it ends midway.
type Outcome = (Vec<Vec<u8>>, Option<FrameError>, bool);

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let (mut decoder, mut frames) = (Decoder::new(LIMIT), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.next_frame().err(), Some(error), "an error stays");
                    return (frames, Some(error), true);
                }
            }
        }
    }
    (frames, None, decoder.is_midway())
}

pub(super) fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let seed = input.byte();
    let stream = input.rest();
    let (frames, error, midway) = read(std::iter::once(stream));
    for seed in [0, seed] {
        assert_eq!(read(pieces(stream, seed)), (frames.clone(), error, midway));
    }
    let mut again = Vec::new();
    for frame in &frames {
        assert!(frame.len() <= LIMIT);
        assert!(encode(frame, &mut again).is_ok());
    }
    assert!(stream.starts_with(&again), "something else was read than what was there");
    assert_eq!(midway, again.len() < stream.len());

    let mut stream = Vec::new();
    let mut payloads = Vec::new();
    while !input.is_empty() {
        payloads.push(input.some().to_vec());
        assert!(payloads.last().is_some_and(|payload| encode(payload, &mut stream).is_ok()));
    }
    assert_eq!(read(pieces(&stream, seed)), (payloads, None, false));
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let of = |payloads: &[&[u8]]| {
        let mut seed = vec![0x2b];
        for payload in payloads {
            let _ = encode(payload, &mut seed);
        }
        seed
    };
    let mut disturbed = of(&[b"before"]);
    disturbed.extend(b"Traceback (most recent call last):");
    vec![of(&[b""]), of(&[b"\x81\xa6passed\x05", &[7; 300], b"x"]), of(&[&[0; LIMIT], &[0; LIMIT + 1]]), disturbed]
}
