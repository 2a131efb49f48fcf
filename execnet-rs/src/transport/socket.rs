//! `socket=HOST:PORT`: a `socketserver` at the other end of a TCP connection, encrypted and authenticated by a token.
//!
//! | module | what it is for |
//! |---|---|
//! | [`token`] | what a client must hold |
//! | [`noise`] | the handshake, without I/O |
//! | [`sealed`] | encrypted frames, without I/O |
//! | [`verdict`] | the first frame of each side, without I/O |
//! | [`stream`] | frames as a byte stream |
//! | [`connect`] | the client's side |
//! | [`known`] | where a client finds its tokens |
//! | [`private`] | files that only their owner may read |

mod base32;
pub mod connect;
pub mod known;
pub mod noise;
pub mod private;
pub mod sealed;
pub mod stream;
pub mod token;
pub mod verdict;

use std::fmt;
use std::sync::Arc;

use self::connect::{Unwelcome, connect};
use self::known::{KnownTokens, LookupError};
use self::token::Token;
use super::{ConnectError, Connected, Connecting, Keeper, Transport};
use crate::gateway::Gateway;
use crate::xspec::{self, XSpec};

/// Finds the token for a server.
pub trait Tokens: Send + Sync {
    /// The token for a host as the user wrote it.
    ///
    /// # Errors
    /// A [`LookupError`], whose text says what to do.
    fn token_for(&self, host: &str, port: u16) -> Result<Token, LookupError>;
}

impl Tokens for Token {
    fn token_for(&self, _host: &str, _port: u16) -> Result<Token, LookupError> {
        Ok(self.clone())
    }
}

/// The way to `socket=HOST:PORT`; for [`crate::group::Group::register`] under the key `socket`.
#[derive(Clone)]
pub struct SocketTransport {
    tokens: Arc<dyn Tokens>,
}

impl SocketTransport {
    /// With tokens from wherever the caller has them.
    pub fn new(tokens: Arc<dyn Tokens>) -> Self {
        Self { tokens }
    }

    /// With the user's tokens, see [`KnownTokens`].
    pub fn of_this_user() -> Self {
        Self::new(Arc::new(KnownTokens::of_this_user()))
    }
}

impl fmt::Debug for SocketTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SocketTransport")
    }
}

impl Transport for SocketTransport {
    fn connect<'a>(&'a self, spec: &'a XSpec, _via: Option<&'a Gateway>) -> Connecting<'a> {
        Box::pin(async move {
            let other = |text: String| ConnectError::Other(text);
            let transport = spec.transport().map_err(|error| other(error.to_string()))?;
            let xspec::Transport::Socket { host, port } = transport else {
                return Err(other(format!("`{spec}`: only `socket=HOST:PORT` is known, not `installvia`")));
            };
            let remote_address = known::address(&host, port);
            let token = self.tokens.token_for(&host, port).map_err(|error| refused(&remote_address, &error))?;
            let (reader, writer) = connect(&host, port, &token).await.map_err(|error| match &error {
                Unwelcome::HungUp | Unwelcome::Impostor | Unwelcome::Refused(_) => refused(&remote_address, &error),
                _ => other(format!("{remote_address}: {error}")),
            })?;
            let (reader, writer) = (Box::new(reader), Box::new(writer));
            Ok(Connected { reader, writer, remote_address, keeper: Keeper::nothing() })
        })
    }
}

fn refused(address: &str, error: &dyn fmt::Display) -> ConnectError {
    ConnectError::Refused(format!("{address}: {error}"))
}
