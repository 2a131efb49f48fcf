//! Where a client finds its tokens: `XDIST_TOKEN`, the file that `XDIST_TOKEN_FILE` names, the user's own store.
//!
//! The store is a directory with a private file for each server, named `HOST:PORT`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Tokens;
use super::private::{self, Existing, PrivateError};
use super::token::{Token, TokenError};

/// The variable that holds a token.
pub const TOKEN: &str = "XDIST_TOKEN";

/// The variable that names a file with a token.
pub const TOKEN_FILE: &str = "XDIST_TOKEN_FILE";

/// What no child process may inherit.
pub const SECRET_VARIABLES: [&str; 2] = [TOKEN, TOKEN_FILE];

/// Why there is no token for a server.
#[derive(Debug, Error)]
pub enum LookupError {
    /// Nobody gave one.
    #[error("no token for this server\nhint: `xdist --trust {0}` asks for it once; in CI set {TOKEN} or {TOKEN_FILE}")]
    Unknown(String),
    /// What there is, is none.
    #[error("{place}: {error}")]
    Wrong {
        /// Where it was.
        place: String,
        /// What is wrong.
        error: TokenError,
    },
    /// Its file is of no use.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// Nobody knows where the user's files are.
    #[error("neither XDG_CONFIG_HOME nor HOME says where tokens are kept")]
    NoHome,
    /// No name of a host.
    #[error("`{0}` is no name of a host")]
    Host(String),
}

/// The tokens of this user.
#[derive(Clone, Debug)]
pub struct KnownTokens {
    token: Option<OsString>,
    file: Option<PathBuf>,
    store: Option<PathBuf>,
}

impl KnownTokens {
    /// As the environment says.
    pub fn of_this_user() -> Self {
        Self::of(|name| std::env::var_os(name))
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let absolute = |name: &str| set(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
        Self {
            token: set(TOKEN),
            file: set(TOKEN_FILE).map(PathBuf::from),
            store: config.map(|config| config.join("xdist/tokens")),
        }
    }

    /// Keeps a token for a server, instead of the one that was kept for it. Tells where.
    ///
    /// # Errors
    /// If there is no place for it, or the place is not private.
    pub fn keep(&self, host: &str, port: u16, token: &Token) -> Result<PathBuf, LookupError> {
        let path = self.path(host, port)?;
        if let Some(directory) = path.parent() {
            private::directory(directory)?;
        }
        private::write(&path, &format!("{}\n", *token.to_text()), Existing::Replace)?;
        Ok(path)
    }

    fn path(&self, host: &str, port: u16) -> Result<PathBuf, LookupError> {
        let store = self.store.as_ref().ok_or(LookupError::NoHome)?;
        let usual = |letter: char| letter.is_alphanumeric() || ".-_:%".contains(letter);
        if host.is_empty() || host.len() > 200 || host.starts_with('.') || !host.chars().all(usual) {
            return Err(LookupError::Host(host.to_owned()));
        }
        Ok(store.join(address(&host.to_lowercase(), port)))
    }
}

impl Tokens for KnownTokens {
    fn token_for(&self, host: &str, port: u16) -> Result<Token, LookupError> {
        if let Some(text) = &self.token {
            return find(TOKEN, &text.to_string_lossy());
        }
        if let Some(path) = &self.file {
            return find_in(path, &private::read_named(path)?);
        }
        let path = self.path(host, port)?;
        match private::read(&path) {
            Ok(text) => find_in(&path, &text),
            Err(error) if error.is_missing() => Err(LookupError::Unknown(address(host, port))),
            Err(error) => Err(error.into()),
        }
    }
}

fn find(place: &str, text: &str) -> Result<Token, LookupError> {
    Token::find(text).map_err(|error| LookupError::Wrong { place: place.to_owned(), error })
}

fn find_in(path: &Path, text: &str) -> Result<Token, LookupError> {
    find(&format!("`{}`", path.display()), text)
}

/// A server's address as it is written.
pub fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn known(variables: &[(&str, &str)]) -> KnownTokens {
        let variables: HashMap<&str, &str> = variables.iter().copied().collect();
        KnownTokens::of(|name| variables.get(name).map(OsString::from))
    }

    fn token() -> Token {
        Token::generate([1; 32]).unwrap()
    }

    #[test]
    fn the_variable_goes_before_the_file_and_the_file_before_the_store() {
        let home = tempfile::tempdir().unwrap();
        let home_text = home.path().to_str().unwrap();
        let (first, second, third) = (token(), token(), token());
        let file = home.path().join("file");
        private::write(&file, &second.to_text(), Existing::Keep).unwrap();
        let file = file.to_str().unwrap();
        let store = known(&[("HOME", home_text)]);
        store.keep("host", 1, &third).unwrap();
        assert_eq!(store.token_for("host", 1).unwrap().id(), third.id());
        assert_eq!(store.token_for("HOST", 1).unwrap().id(), third.id());
        let with_file = known(&[("HOME", home_text), (TOKEN_FILE, file), (TOKEN, "")]);
        assert_eq!(with_file.token_for("host", 1).unwrap().id(), second.id());
        let text = first.to_text();
        let with_both = known(&[("HOME", home_text), (TOKEN_FILE, file), (TOKEN, &text)]);
        assert_eq!(with_both.token_for("host", 1).unwrap().id(), first.id());
    }

    #[test]
    fn a_server_without_a_token_is_told_how_to_get_one() {
        let home = tempfile::tempdir().unwrap();
        let store = known(&[("HOME", home.path().to_str().unwrap())]);
        store.keep("host", 1, &token()).unwrap();
        for (host, port, hint) in [("host", 2, "--trust host:2`"), ("::1", 1, "--trust [::1]:1`")] {
            let error = store.token_for(host, port).unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
        assert!(matches!(known(&[]).token_for("host", 1), Err(LookupError::NoHome)));
    }

    #[test]
    fn errors_do_not_quote_a_token() {
        let text = token().to_text();
        let damaged = &text[..text.len() - 1];
        let error = known(&[(TOKEN, damaged)]).token_for("host", 1).unwrap_err();
        assert!(!error.to_string().contains(&damaged[8..20]), "{error}");
    }

    #[test]
    fn a_host_does_not_lead_out_of_the_store() {
        let home = tempfile::tempdir().unwrap();
        let store = known(&[("HOME", home.path().to_str().unwrap())]);
        for host in ["../x", "a/b", "..", ".", "", "a\0b"] {
            assert!(matches!(store.keep(host, 1, &token()), Err(LookupError::Host(_))), "{host:?}");
        }
    }

    #[test]
    fn addresses_are_written_as_specs_have_them() {
        assert_eq!(address("h", 1), "h:1");
        assert_eq!(address("::1", 1), "[::1]:1");
    }
}
