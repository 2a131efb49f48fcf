//! What is read of somebody unknown, and of files: tokens, verdicts, sealed frames. Damage is found, and nothing is made up.

use super::input::{Input, pieces};
use crate::transport::socket::sealed::{Opener, SealError, Sealer};
use crate::transport::socket::token::{Secret, Token, TokenError};
use crate::transport::socket::verdict::{MOST_OF_SERVER, Verdict};

/// Nobody's: an id that counts, and keys of sevens and nines.
const TOKEN: &str = concat!(
    "xdt1_aaaqeayeaudaocajbifqydiob4dqobyha4dqobyha4dqobyha4dqobyha4dqobyha",
    "4dqobyha4dqocijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijbeeqscijijax76q",
);

const KEY: [u8; 32] = *b"a key that both of the two know.";

pub(super) fn check(input: &[u8]) {
    token(input);
    verdict(input);
    sealed(&mut Input::new(input));
}

fn token(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match Token::find(&text) {
        Ok(token) => {
            let again = token.to_text();
            assert!(text.to_ascii_lowercase().contains(again.as_str()), "a token that is not there");
            assert!(Token::find(&again).is_ok_and(|found| found.to_text() == again));
            assert!(!format!("{token:?}").contains(token.secret().to_text().as_str()));
            let twice = format!("{text} {}", *again);
            assert_eq!(Token::find(&twice).err(), Some(TokenError::Several));
        }
        Err(TokenError::Missing | TokenError::Several | TokenError::Damaged) => {}
    }
    if let Some(secret) = Secret::from_text(&text) {
        assert_eq!(secret.to_text().as_str(), text.to_ascii_lowercase());
    }
}

fn verdict(input: &[u8]) {
    if let Some(read) = Verdict::read(input) {
        let bytes = read.to_bytes();
        assert!(bytes.len() <= MOST_OF_SERVER);
        match (&read, Verdict::read(&bytes)) {
            (Verdict::Refused(why), Some(Verdict::Refused(again))) => assert!(why.starts_with(&again)),
            (read, again) => assert_eq!(again.as_ref(), Some(read)),
        }
    }
}

fn opened<'a>(pieces: impl Iterator<Item = &'a [u8]>, limit: usize) -> (Vec<Vec<u8>>, Option<SealError>) {
    let (mut arrived, mut frames) = (Vec::new(), Vec::new());
    let mut opener = match Opener::new(&Secret::new(KEY), 0) {
        Ok(opener) => opener.with_limit(limit),
        Err(error) => return (frames, Some(error)),
    };
    for piece in pieces {
        arrived.extend_from_slice(piece);
        loop {
            match opener.open(&mut arrived) {
                Ok(Some(frame)) => {
                    frames.push(arrived[frame.plain].to_vec());
                    arrived.drain(..frame.whole);
                }
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// Frames as they were sealed, one byte changed, and whatever comes.
fn sealed(input: &mut Input<'_>) {
    let (seed, at, change) = (input.byte(), input.number(), input.byte());
    let wild = input.rest();
    let outcome = opened(std::iter::once(wild), 200);
    assert!(outcome.0.is_empty(), "nobody sealed that");
    assert_eq!(opened(pieces(wild, seed), 200), outcome);
    let (mut stream, mut payloads) = (Vec::new(), Vec::new());
    if let Ok(mut sealer) = Sealer::new(&Secret::new(KEY), 0) {
        while !input.is_empty() && payloads.len() < 20 {
            let payload = [&[1], input.some()].concat();
            assert_eq!(sealer.seal(&payload, &mut stream), Ok(()));
            payloads.push(payload);
        }
    }
    assert_eq!(opened(pieces(&stream, seed), 1000), (payloads.clone(), None));
    if change != 0 && !stream.is_empty() {
        let at = at % stream.len();
        stream[at] ^= change;
        let (seen, _) = opened(pieces(&stream, seed), 1000);
        assert!(payloads.starts_with(&seen) && seen.len() < payloads.len());
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        TOKEN.as_bytes().to_vec(),
        format!("# of the build machine\ntoken = {}\n", TOKEN.to_uppercase()).into(),
        Verdict::Welcome.to_bytes(),
        Verdict::Refused("all 64 sessions of the server are in use".to_owned()).to_bytes(),
        vec![0x12, 20, 0, 1, 5, b'h', b'e', b'l', b'l', b'o', 0, 3, 1, 2, 3],
    ];
    seeds.push(Secret::new(KEY).to_text().as_bytes().to_vec());
    seeds
}
