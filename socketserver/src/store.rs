//! The server's key pair and tokens, in private files below the user's state directory.
//!
//! ```text
//! STATE/xdist/socketserver/key             the private key
//! STATE/xdist/socketserver/tokens/NAME     a token with its name and times; without the file there is no token
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use execnet_rs::transport::socket::noise::{HandshakeError, ServerKey};
use execnet_rs::transport::socket::private::{self, Existing, PrivateError};
use execnet_rs::transport::socket::token::{NoRandomness, Secret, Token, TokenError, TokenId};
use jiff::Timestamp;
use thiserror::Error;

/// The token of the first start.
pub const FIRST: &str = "default";

/// The longest name of a token.
const LONGEST: usize = 64;

/// Why keys or tokens are of no use.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file of them.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// Nobody knows where to look.
    #[error("neither XDG_STATE_HOME nor HOME says where keys and tokens are kept")]
    NoHome,
    /// The key is none.
    #[error("`{}` holds no key\nhint: move it away; a new one is made at the next start, and clients need new tokens", .0.display())]
    Key(PathBuf),
    /// A token is none.
    #[error("`{}`: {error}", path.display())]
    Token {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        error: TokenError,
    },
    /// A token of another key.
    #[error("`{}` is a token for another key\nhint: `socketserver token revoke` removes it", .0.display())]
    Foreign(PathBuf),
    /// No name for a token.
    #[error("`{0}` is no name for a token: letters, digits, `.`, `-` and `_`, and a letter or digit first")]
    Name(String),
    /// A second one.
    #[error("there is a token `{0}`\nhint: `socketserver token revoke {0}` removes it")]
    Taken(String),
    /// Nothing to revoke.
    #[error("there is no token `{0}`\nhint: `socketserver token list` lists them")]
    Unknown(String),
    /// The system gave no randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The key cannot be used.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

/// A token that opens this server.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What the user calls it.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What clients hold.
    pub token: Token,
    /// When it was made.
    pub made: Option<Timestamp>,
    /// When it opens no more.
    pub expires: Option<Timestamp>,
}

impl Entry {
    /// Whether its time is over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn to_text(&self) -> zeroize::Zeroizing<String> {
        let made = self.made.map(|made| format!("made = {made:.0}\n")).unwrap_or_default();
        let expires = self.expires.map(|expires| format!("expires = {expires:.0}\n")).unwrap_or_default();
        let name = &self.name;
        zeroize::Zeroizing::new(format!(
            "# Whoever has this token can run anything on this host as this user.\n\
             name = {name}\n{made}{expires}token = {}\n",
            *self.token.to_text()
        ))
    }

    fn read(path: &Path) -> Result<Self, StoreError> {
        let text = private::read(path)?;
        let token = Token::find(&text).map_err(|error| StoreError::Token { path: path.to_owned(), error })?;
        let value = |key: &str| {
            let lines = text.lines().filter_map(|line| line.split_once('='));
            lines.filter(|(found, _)| found.trim() == key).map(|(_, value)| value.trim()).next()
        };
        // What cannot be read must not make a token last for ever.
        let expires = value("expires").map(|time| time.parse().unwrap_or(Timestamp::MIN));
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let made = value("made").and_then(|time| time.parse().ok());
        Ok(Self { name, path: path.to_owned(), token, made, expires })
    }
}

/// Where keys and tokens are.
#[derive(Clone, Debug)]
pub struct Store(PathBuf);

impl Store {
    /// The one of this user; made if it is not there.
    ///
    /// # Errors
    /// A [`StoreError`] if there is no place for it, or others can change what is in it.
    pub fn of_this_user() -> Result<Self, StoreError> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
        Self::open(state.ok_or(StoreError::NoHome)?.join("xdist/socketserver"))
    }

    /// The one in a directory; made if it is not there.
    ///
    /// # Errors
    /// As [`Store::of_this_user`].
    pub fn open(directory: PathBuf) -> Result<Self, StoreError> {
        private::directory(&directory)?;
        private::directory(&directory.join("tokens"))?;
        Ok(Self(directory))
    }

    /// The directory of the token files.
    pub fn tokens_directory(&self) -> PathBuf {
        self.0.join("tokens")
    }

    /// The key pair. The first call makes one, and a first token.
    ///
    /// # Errors
    /// A [`StoreError`].
    pub fn key(&self) -> Result<ServerKey, StoreError> {
        let path = self.0.join("key");
        match private::read(&path) {
            Ok(text) => {
                let key =
                    text.split_whitespace().next_back().and_then(|word| Secret::from_text(word.strip_prefix("xdk1_")?));
                Ok(ServerKey::of(key.ok_or(StoreError::Key(path))?)?)
            }
            Err(error) if error.is_missing() => {
                let key = ServerKey::generate()?;
                let text = zeroize::Zeroizing::new(format!(
                    "# The private key of a socketserver. It never leaves this host.\nxdk1_{}\n",
                    *key.private().to_text()
                ));
                match private::write(&path, &text, Existing::Keep) {
                    Ok(()) => {}
                    // Another first start was quicker: its key is the one.
                    Err(error) if exists(&error) => return self.key(),
                    Err(error) => return Err(error.into()),
                }
                match self.add(Some(FIRST), None, Timestamp::now()) {
                    Ok(_) | Err(StoreError::Taken(_)) => Ok(key),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The tokens, by name, and what is wrong with other files beside them.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn tokens(&self, key: &ServerKey) -> Result<(Vec<Entry>, Vec<StoreError>), StoreError> {
        let directory = self.tokens_directory();
        let failed = |error| StoreError::from(PrivateError::System { path: directory.clone(), error });
        private::directory(&directory)?;
        let (mut entries, mut wrong) = (Vec::new(), Vec::new());
        for file in std::fs::read_dir(&directory).map_err(failed)? {
            let file = file.map_err(failed)?;
            // Such as is being written.
            if !file.file_name().to_str().is_some_and(is_name) {
                continue;
            }
            match Entry::read(&file.path()) {
                Ok(entry) if entry.token.server() == key.public() => entries.push(entry),
                Ok(entry) => wrong.push(StoreError::Foreign(entry.path)),
                // Removed meanwhile.
                Err(StoreError::Private(error)) if error.is_missing() => {}
                Err(error) => wrong.push(error),
            }
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok((entries, wrong))
    }

    /// Makes a token.
    ///
    /// # Errors
    /// A [`StoreError`].
    pub fn add(&self, name: Option<&str>, life: Option<Duration>, now: Timestamp) -> Result<Entry, StoreError> {
        let token = Token::generate(*self.key()?.public())?;
        let expires = life.map(|life| now.saturating_add(jiff::SignedDuration::try_from(life).unwrap_or_default()));
        let expires = expires.map(|expires| expires.unwrap_or(Timestamp::MAX));
        let entry = |name: &str| {
            let path = self.tokens_directory().join(name);
            Entry { name: name.to_owned(), path, token: token.clone(), made: Some(now), expires }
        };
        if let Some(name) = name {
            let entry = entry(name);
            return if put(&entry)? { Ok(entry) } else { Err(StoreError::Taken(name.to_owned())) };
        }
        let mut number = 1_u32;
        loop {
            let entry = entry(&format!("token-{number}"));
            if put(&entry)? {
                return Ok(entry);
            }
            number += 1;
        }
    }

    /// Removes the token of a name or an id, also one that is of no use. Tells its name.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], or why its file stays.
    pub fn remove(&self, name: &str) -> Result<String, StoreError> {
        let key = self.key()?;
        let by_id = |entry: &Entry| entry.token.id() == id(name).unwrap_or(TokenId([0; 16]));
        let found = self.tokens(&key)?.0.into_iter().find(by_id).map(|entry| entry.name);
        let name = found.as_deref().unwrap_or(name);
        let unknown = || StoreError::Unknown(name.to_owned());
        if !is_name(name) {
            return Err(unknown());
        }
        let path = self.tokens_directory().join(name);
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(name.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(unknown()),
            Err(error) => Err(PrivateError::System { path, error }.into()),
        }
    }
}

/// Writes a token's file; false if there is one of this name.
fn put(entry: &Entry) -> Result<bool, StoreError> {
    if !is_name(&entry.name) {
        return Err(StoreError::Name(entry.name.clone()));
    }
    match private::write(&entry.path, &entry.to_text(), Existing::Keep) {
        Ok(()) => Ok(true),
        Err(error) if exists(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn exists(error: &PrivateError) -> bool {
    matches!(error, PrivateError::System { error, .. } if error.kind() == io::ErrorKind::AlreadyExists)
}

fn is_name(name: &str) -> bool {
    let usual = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
    name.len() <= LONGEST && name.chars().all(usual) && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// Reads an id as it is shown.
fn id(text: &str) -> Option<TokenId> {
    let digits = |at: usize| u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..16).map(digits).collect::<Option<_>>()?;
    (text.len() == 32).then_some(TokenId(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path().join("state")).unwrap();
        (place, store)
    }

    fn names(store: &Store) -> Vec<String> {
        store.tokens(&store.key().unwrap()).unwrap().0.into_iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn the_first_start_makes_a_key_and_a_token_which_stay() {
        let (_place, store) = store();
        let key = store.key().unwrap();
        assert_eq!(names(&store), [FIRST]);
        assert_eq!(store.key().unwrap().public(), key.public());
        let (tokens, wrong) = store.tokens(&key).unwrap();
        assert_eq!(tokens[0].token.server(), key.public());
        assert!(wrong.is_empty());
        store.remove(FIRST).unwrap();
        store.key().unwrap();
        assert!(names(&store).is_empty(), "a token that was revoked does not come back");
    }

    #[test]
    fn tokens_have_names_and_times() {
        let (_place, store) = store();
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        store.add(Some("ci"), Some(Duration::from_hours(12)), now).unwrap();
        store.add(None, None, now).unwrap();
        store.add(None, None, now).unwrap();
        assert_eq!(names(&store), ["ci", FIRST, "token-1", "token-2"]);
        assert!(matches!(store.add(Some("ci"), None, now), Err(StoreError::Taken(_))));
        let (tokens, _) = store.tokens(&store.key().unwrap()).unwrap();
        assert_eq!(tokens[0].made, Some(now));
        assert!(!tokens[0].is_expired("2030-01-01T11:59:59Z".parse().unwrap()));
        assert!(tokens[0].is_expired("2030-01-01T12:00:00Z".parse().unwrap()));
        assert!(!tokens[1].is_expired(Timestamp::MAX));
        for name in ["", ".x", "a/b", "../x", "a b", "-x", &"x".repeat(65)] {
            assert!(matches!(store.add(Some(name), None, now), Err(StoreError::Name(_))), "{name}");
        }
    }

    #[test]
    fn a_token_is_revoked_by_name_or_id() {
        let (_place, store) = store();
        let entry = store.add(Some("ci"), None, Timestamp::now()).unwrap();
        assert_eq!(store.remove(&entry.token.id().to_string()).unwrap(), "ci");
        assert!(matches!(store.remove("ci"), Err(StoreError::Unknown(_))));
        assert!(matches!(store.remove("../key"), Err(StoreError::Unknown(_))));
        store.remove(FIRST).unwrap();
        assert!(names(&store).is_empty());
    }

    #[test]
    fn a_time_that_cannot_be_read_is_over() {
        let (_place, store) = store();
        let entry = store.add(Some("ci"), Some(Duration::from_hours(1)), Timestamp::now()).unwrap();
        let text = private::read(&entry.path).unwrap().replace("expires = ", "expires = soon ");
        private::write(&entry.path, &text, Existing::Replace).unwrap();
        let (tokens, _) = store.tokens(&store.key().unwrap()).unwrap();
        assert!(tokens[0].is_expired(Timestamp::now()));
    }

    #[test]
    fn a_token_of_another_key_or_a_damaged_one_is_named() {
        let (_place, store) = store();
        let (_other_place, other) = self::store();
        let foreign = other.add(Some("foreign"), None, Timestamp::now()).unwrap();
        let text = private::read(&foreign.path).unwrap();
        private::write(&store.tokens_directory().join("foreign"), &text, Existing::Keep).unwrap();
        private::write(&store.tokens_directory().join("damaged"), "xdt1_abc", Existing::Keep).unwrap();
        let (tokens, wrong) = store.tokens(&store.key().unwrap()).unwrap();
        assert_eq!(tokens.len(), 1);
        assert_eq!(wrong.len(), 2, "{wrong:?}");
    }
}
