//! Who is who on a connection, without I/O: the opening bytes, and the Noise handshake.
//!
//! ```text
//! client: XDS1 | token id (16) | Noise message 1 (48)
//! server: Noise message 2 (48)
//! client: a frame: who it is            (proves that message 1 is no repetition)
//! server: a frame: welcome, or why not
//! ```
//! The pattern is `NKpsk0`: the client knows the server's key, both know the token's secret. What is in clear is bound
//! as the prologue. Frames are as in [`super::sealed`]. All sizes are known beforehand, so that a server reads no byte too
//! many of somebody it does not know.

use snow::params::DHChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::{Builder, HandshakeState};
use thiserror::Error;
use zeroize::Zeroizing;

use super::sealed::Keys;
use super::token::{NoRandomness, Secret, Token, TokenId};

/// The pattern and its primitives.
const PATTERN: &str = "Noise_NKpsk0_25519_ChaChaPoly_BLAKE2s";

/// What the first bytes of a client are; the last one is the version.
const MAGIC: [u8; 4] = *b"XDS1";

/// What the prologue begins with.
const CONTEXT: &[u8] = b"xdist socketserver";

/// Bytes of a Noise message of this handshake: a key and a tag.
const MESSAGE: usize = 48;

/// Bytes of a client's opening.
pub const OPENING: usize = MAGIC.len() + 16 + MESSAGE;

/// Bytes of a server's answer.
pub const ANSWER: usize = MESSAGE;

/// What is wrong with a handshake. Says nothing that the other side could learn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// The first bytes are not a client's.
    #[error("no client of this version")]
    NotOurs,
    /// Keys or secrets are not the same on both sides, or bytes were changed.
    #[error("the keys are not the same on both sides")]
    Refused,
    /// The system gave no randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

fn refused(_: snow::Error) -> HandshakeError {
    HandshakeError::Refused
}

/// The key pair of a server.
#[derive(Clone, Debug)]
pub struct ServerKey {
    private: Secret,
    public: [u8; 32],
}

impl ServerKey {
    /// A new pair.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn generate() -> Result<Self, HandshakeError> {
        Self::of(Secret::random()?)
    }

    /// The pair of a private key.
    ///
    /// # Errors
    /// If the curve is not there, which would be a fault of the build.
    pub fn of(private: Secret) -> Result<Self, HandshakeError> {
        let mut pair = DefaultResolver.resolve_dh(&DHChoice::Curve25519).ok_or(HandshakeError::Refused)?;
        pair.set(private.bytes());
        let public = pair.pubkey().try_into().map_err(|_| HandshakeError::Refused)?;
        Ok(Self { private, public })
    }

    /// What clients know of it.
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// What only the server knows.
    pub fn private(&self) -> &Secret {
        &self.private
    }
}

/// A client's first bytes, taken apart. Nothing of them is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The token that the client says it has.
    pub id: TokenId,
    message: [u8; MESSAGE],
}

impl Opening {
    /// Whether an opening may begin so.
    pub fn may_begin(bytes: &[u8]) -> bool {
        let count = bytes.len().min(MAGIC.len());
        bytes[..count] == MAGIC[..count]
    }

    /// Takes the bytes apart.
    ///
    /// # Errors
    /// [`HandshakeError::NotOurs`].
    pub fn read(bytes: &[u8; OPENING]) -> Result<Self, HandshakeError> {
        let not_ours = |_| HandshakeError::NotOurs;
        let rest = bytes.strip_prefix(&MAGIC).ok_or(HandshakeError::NotOurs)?;
        let (id, message) = rest.split_at(16);
        Ok(Self { id: TokenId(id.try_into().map_err(not_ours)?), message: message.try_into().map_err(not_ours)? })
    }

    /// Checks that the client has the secret, and answers. Of a client that nobody knows `secret` is any other one, so that
    /// it takes as long.
    ///
    /// # Errors
    /// [`HandshakeError::Refused`].
    pub fn answer(&self, key: &ServerKey, secret: &Secret) -> Result<([u8; ANSWER], Keys), HandshakeError> {
        let prologue = prologue(self.id);
        let builder = builder(&prologue, secret)?.local_private_key(key.private.bytes()).map_err(refused)?;
        let mut state = builder.build_responder().map_err(refused)?;
        state.read_message(&self.message, &mut [0; MESSAGE]).map_err(refused)?;
        let mut answer = [0; ANSWER];
        if state.write_message(&[], &mut answer).map_err(refused)? != ANSWER {
            return Err(HandshakeError::Refused);
        }
        let (from_client, to_client) = split(&mut state);
        Ok((answer, Keys { receive: from_client, send: to_client }))
    }
}

/// The client's side of a handshake.
#[derive(Debug)]
pub struct Initiator(HandshakeState);

impl Initiator {
    /// Begins: what to send, and what waits for the answer.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn new(token: &Token) -> Result<([u8; OPENING], Self), HandshakeError> {
        let prologue = prologue(token.id());
        let builder = builder(&prologue, token.secret())?.remote_public_key(token.server()).map_err(refused)?;
        let mut state = builder.build_initiator().map_err(refused)?;
        let mut opening = [0; OPENING];
        let (head, message) = opening.split_at_mut(OPENING - MESSAGE);
        let (magic, id) = head.split_at_mut(MAGIC.len());
        magic.copy_from_slice(&MAGIC);
        id.copy_from_slice(&token.id().0);
        if state.write_message(&[], message).map_err(refused)? != MESSAGE {
            return Err(HandshakeError::Refused);
        }
        Ok((opening, Self(state)))
    }

    /// Checks the answer.
    ///
    /// # Errors
    /// [`HandshakeError::Refused`] if it is not from the token's server.
    pub fn finish(mut self, answer: &[u8; ANSWER]) -> Result<Keys, HandshakeError> {
        self.0.read_message(answer, &mut [0; ANSWER]).map_err(refused)?;
        let (to_server, from_server) = split(&mut self.0);
        Ok(Keys { receive: from_server, send: to_server })
    }
}

/// What both sides say without encryption, and must therefore have heard alike.
fn prologue(id: TokenId) -> Vec<u8> {
    [CONTEXT, &MAGIC, &id.0].concat()
}

fn builder<'a>(prologue: &'a [u8], secret: &'a Secret) -> Result<Builder<'a>, HandshakeError> {
    let parameters = PATTERN.parse().map_err(refused)?;
    Builder::new(parameters).psk(0, secret.bytes()).and_then(|builder| builder.prologue(prologue)).map_err(refused)
}

/// The keys of a finished handshake: client to server, server to client.
fn split(state: &mut HandshakeState) -> (Secret, Secret) {
    let (first, second) = state.dangerously_get_raw_split();
    let (first, second) = (Zeroizing::new(first), Zeroizing::new(second));
    (Secret::new(*first), Secret::new(*second))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn server() -> (ServerKey, Token) {
        let key = ServerKey::generate().unwrap();
        let token = Token::generate(*key.public()).unwrap();
        (key, token)
    }

    #[test]
    fn both_sides_come_to_the_same_keys() {
        let (key, token) = server();
        let (opening, initiator) = Initiator::new(&token).unwrap();
        let opening = Opening::read(&opening).unwrap();
        assert_eq!(opening.id, token.id());
        let (answer, theirs) = opening.answer(&key, token.secret()).unwrap();
        let ours = initiator.finish(&answer).unwrap();
        assert_eq!(ours.send.bytes(), theirs.receive.bytes());
        assert_eq!(ours.receive.bytes(), theirs.send.bytes());
        assert_ne!(ours.send.bytes(), ours.receive.bytes());
    }

    #[test]
    fn every_bit_of_an_opening_counts() {
        let (key, token) = server();
        let (opening, _) = Initiator::new(&token).unwrap();
        for bit in 0..OPENING * 8 {
            let mut changed = opening;
            changed[bit / 8] ^= 1 << (bit % 8);
            // Also a changed id, if a server should find the same secret under it.
            let answer = Opening::read(&changed).and_then(|opening| opening.answer(&key, token.secret()));
            // The curve ignores the highest bit of a key, the handshake does not.
            assert!(answer.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_bit_of_an_answer_counts() {
        let (key, token) = server();
        for bit in 0..ANSWER * 8 {
            let (opening, initiator) = Initiator::new(&token).unwrap();
            let (mut answer, _) = Opening::read(&opening).unwrap().answer(&key, token.secret()).unwrap();
            answer[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(initiator.finish(&answer).unwrap_err(), HandshakeError::Refused, "bit {bit}");
        }
    }

    #[test]
    fn another_secret_or_another_server_is_refused() {
        let (key, token) = server();
        let (opening, initiator) = Initiator::new(&token).unwrap();
        let opening = Opening::read(&opening).unwrap();
        assert!(opening.answer(&key, &Secret::random().unwrap()).is_err());
        assert!(opening.answer(&ServerKey::generate().unwrap(), token.secret()).is_err());
        assert!(initiator.finish(&[0; ANSWER]).is_err());
    }

    #[test]
    fn a_repeated_opening_leads_to_other_keys() {
        let (key, token) = server();
        let (opening, initiator) = Initiator::new(&token).unwrap();
        let opening = Opening::read(&opening).unwrap();
        let (answer, first) = opening.answer(&key, token.secret()).unwrap();
        let (_, second) = opening.answer(&key, token.secret()).unwrap();
        assert_ne!(first.receive.bytes(), second.receive.bytes());
        assert_eq!(initiator.finish(&answer).unwrap().send.bytes(), first.receive.bytes());
    }

    #[test]
    fn a_key_is_the_same_when_it_is_read_again() {
        let key = ServerKey::generate().unwrap();
        assert_eq!(ServerKey::of(key.private().clone()).unwrap().public(), key.public());
    }

    proptest! {
        #[test]
        fn arbitrary_openings_are_refused(bytes in prop::collection::vec(any::<u8>(), OPENING), ours in any::<bool>()) {
            let (key, token) = server();
            let mut bytes: [u8; OPENING] = bytes.try_into().unwrap();
            if ours {
                bytes[..4].copy_from_slice(&MAGIC);
            }
            let answer = Opening::read(&bytes).and_then(|opening| opening.answer(&key, token.secret()));
            prop_assert!(answer.is_err());
        }
    }
}
