//! What a client must hold: a server's public key, and a secret that both know.
//!
//! ```text
//! xdt1_ | base 32 of: id (16) | public key (32) | secret (32) | check (4)
//! ```
//! The id is public and says which secret is meant. The check finds slips of whoever copies the text, nothing more.

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::base32;

/// What the text of a token begins with.
const PREFIX: &str = "xdt1_";

/// Bytes of a token before its check.
const BODY: usize = 16 + 32 + 32;

/// Names a token; public.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenId(pub [u8; 16]);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Bytes that are never shown, and wiped when they are dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Takes what is a secret from now on.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A new one, from the system.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut secret = Self([0; 32]);
        SystemRandom::new().fill(&mut secret.0).map_err(|_| NoRandomness)?;
        Ok(secret)
    }

    /// The bytes, for the one who needs them.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The secret as text, for a private file.
    pub fn to_text(&self) -> Zeroizing<String> {
        base32::encode(&self.0)
    }

    /// Reads what [`Secret::to_text`] wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        Some(Self(base32::decode(text)?.as_slice().try_into().ok()?))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// The system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

/// What lets a client in, and lets it know the server. Not shown by `Debug`; see [`Token::to_text`].
#[derive(Clone, Debug)]
pub struct Token {
    id: TokenId,
    server: [u8; 32],
    secret: Secret,
}

/// Why a text is no token. Never says what the text was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// No word of it looks like one.
    #[error("there is no token in it: a token is one word that begins with `{PREFIX}`")]
    Missing,
    /// Two words look like one.
    #[error("there is more than one token in it")]
    Several,
    /// Letters are missing, or wrong.
    #[error("the token is damaged: letters are missing or wrong")]
    Damaged,
}

impl Token {
    /// A new token for a server.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn generate(server: [u8; 32]) -> Result<Self, NoRandomness> {
        let mut id = [0; 16];
        SystemRandom::new().fill(&mut id).map_err(|_| NoRandomness)?;
        Ok(Self { id: TokenId(id), server, secret: Secret::random()? })
    }

    /// Finds the token in a text that may say more, such as a token file.
    ///
    /// # Errors
    /// A [`TokenError`].
    pub fn find(text: &str) -> Result<Self, TokenError> {
        let mut words = text.split_whitespace().filter(|word| word.get(..PREFIX.len()).is_some_and(is_prefix));
        match (words.next(), words.next()) {
            (Some(word), None) => Self::from_text(word),
            (None, _) => Err(TokenError::Missing),
            (Some(_), Some(_)) => Err(TokenError::Several),
        }
    }

    fn from_text(word: &str) -> Result<Self, TokenError> {
        let bytes = word.get(PREFIX.len()..).and_then(base32::decode).ok_or(TokenError::Damaged)?;
        let (body, check) = bytes.split_at_checked(BODY).ok_or(TokenError::Damaged)?;
        if check != checksum(body) {
            return Err(TokenError::Damaged);
        }
        let part = |range: std::ops::Range<usize>| body.get(range).ok_or(TokenError::Damaged);
        let damaged = |_| TokenError::Damaged;
        Ok(Self {
            id: TokenId(part(0..16)?.try_into().map_err(damaged)?),
            server: part(16..48)?.try_into().map_err(damaged)?,
            secret: Secret(part(48..80)?.try_into().map_err(damaged)?),
        })
    }

    /// The text to give to a client. Whoever has it may run anything on the server.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(BODY + 4));
        bytes.extend(self.id.0);
        bytes.extend(self.server);
        bytes.extend(self.secret.bytes());
        let check = checksum(&bytes);
        bytes.extend(check);
        Zeroizing::new(format!("{PREFIX}{}", *base32::encode(&bytes)))
    }

    /// Which token it is.
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// The public key of the server that it is for.
    pub fn server(&self) -> &[u8; 32] {
        &self.server
    }

    /// What proves it.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

fn is_prefix(start: &str) -> bool {
    start.eq_ignore_ascii_case(PREFIX)
}

fn checksum(body: &[u8]) -> [u8; 4] {
    let mut check = [0; 4];
    check.copy_from_slice(&ring::digest::digest(&ring::digest::SHA256, body).as_ref()[..4]);
    check
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(one: &Token, other: &Token) -> bool {
        one.id == other.id && one.server == other.server && one.secret.bytes() == other.secret.bytes()
    }

    #[test]
    fn a_token_is_found_in_what_surrounds_it() {
        let token = Token::generate([7; 32]).unwrap();
        let text = token.to_text();
        for around in [text.to_string(), format!("# ci\n name = x\ntoken = {}\n", *text), text.to_uppercase()] {
            assert!(same(&token, &Token::find(&around).unwrap()), "{around}");
        }
        assert_eq!(Token::find("nothing here").unwrap_err(), TokenError::Missing);
        assert_eq!(Token::find(&format!("{} {}", *text, *text)).unwrap_err(), TokenError::Several);
    }

    #[test]
    fn any_change_of_a_letter_is_found() {
        let text = Token::generate([7; 32]).unwrap().to_text();
        for at in PREFIX.len()..text.len() {
            let other = if &text[at..=at] == "a" { "b" } else { "a" };
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert_eq!(Token::find(&changed).unwrap_err(), TokenError::Damaged, "letter {at}");
            assert_eq!(Token::find(&text[..at]).unwrap_err(), TokenError::Damaged, "cut at {at}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let token = Token::generate([7; 32]).unwrap();
        let shown = format!("{token:?} {token:#?}");
        assert!(!shown.contains(token.secret.to_text().as_str()));
        assert!(!shown.contains(&format!("{:?}", token.secret.bytes())));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(xdt1_)?[a-z2-7]{0,200}") {
            let _ = Token::find(&text);
        }
    }
}
