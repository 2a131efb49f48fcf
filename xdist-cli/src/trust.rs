//! `xdist --trust HOST:PORT`: asks for the token of a socket server, without showing it, and keeps it for later runs.

use std::fmt::Display;
use std::io::{self, IsTerminal, Read, Write};

use execnet_rs::transport::socket::known::{KnownTokens, LookupError, address};
use execnet_rs::transport::socket::token::{Token, TokenError};
use rustix::termios::{InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use thiserror::Error;
use xdist_core::exit;
use zeroize::Zeroizing;

/// The longest text that is read.
const LONGEST: usize = 16 * 1024;

/// What Ctrl-C, Ctrl-D, Ctrl-U and the two keys that erase send.
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const CTRL_U: u8 = 21;
const ERASE: [u8; 2] = [8, 127];

/// Why a token was not kept.
#[derive(Debug, Error)]
enum TrustError {
    #[error("stopped; nothing was kept")]
    Stopped,
    #[error("cannot read the token: {0}")]
    Read(io::Error),
    #[error("{0}\nhint: copy the line that begins with `token = ` of the server's token file")]
    Token(#[from] TokenError),
    #[error(transparent)]
    Keep(#[from] LookupError),
}

/// Asks and keeps; returns the exit code.
pub(crate) fn run(host: &str, port: u16) -> u8 {
    match ask(host, port).and_then(|token| {
        let path = KnownTokens::of_this_user().keep(host, port, &token)?;
        Ok((token, path))
    }) {
        Ok((token, path)) => {
            say(&format_args!("token {} for {} is kept in {}\n", token.id(), address(host, port), path.display()));
            exit::OK
        }
        Err(error) => {
            say(&format_args!("error: {error}\n"));
            if matches!(error, TrustError::Stopped) { exit::INTERRUPTED } else { exit::USAGE_ERROR }
        }
    }
}

fn say(text: &dyn Display) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

fn ask(host: &str, port: u16) -> Result<Token, TrustError> {
    let text = if io::stdin().is_terminal() {
        let silent = Silence::begin().map_err(TrustError::Read)?;
        say(&format_args!("token of the server at {} (not shown): ", address(host, port)));
        let line = read_line(io::stdin().lock().bytes());
        drop(silent);
        say(&"\n");
        line?
    } else {
        let mut text = Zeroizing::new(Vec::with_capacity(LONGEST));
        io::stdin().lock().take(LONGEST as u64).read_to_end(&mut text).map_err(TrustError::Read)?;
        text
    };
    Ok(Token::find(&Zeroizing::new(String::from_utf8_lossy(&text).into_owned()))?)
}

/// What somebody types or pastes, up to the end of the line.
fn read_line(bytes: impl Iterator<Item = io::Result<u8>>) -> Result<Zeroizing<Vec<u8>>, TrustError> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    for byte in bytes {
        match byte.map_err(TrustError::Read)? {
            CTRL_C => return Err(TrustError::Stopped),
            b'\r' | b'\n' | CTRL_D => return Ok(line),
            CTRL_U => line.clear(),
            erase if ERASE.contains(&erase) => drop(line.pop()),
            _ if line.len() == LONGEST => return Err(TokenError::Damaged.into()),
            byte => line.push(byte),
        }
    }
    Ok(line)
}

/// A terminal that shows nothing of what is typed. Ctrl-C is read as any key, so that it cannot leave it so.
struct Silence(Termios);

impl Silence {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        silent.input_modes.insert(InputModes::ICRNL);
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Drain, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> Result<Vec<u8>, TrustError> {
        read_line(bytes.iter().map(|byte| Ok(*byte))).map(|line| line.to_vec())
    }

    #[test]
    fn a_line_can_be_put_right_while_it_is_typed() {
        assert_eq!(typed(b"abc\nrest").unwrap(), b"abc");
        assert_eq!(typed(b"abx\x7f\x08bc\r").unwrap(), b"abc");
        assert_eq!(typed(b"\x7fwrong\x15abc\x04").unwrap(), b"abc");
        assert_eq!(typed(b"abc").unwrap(), b"abc");
        assert!(matches!(typed(b"abc\x03"), Err(TrustError::Stopped)));
        assert!(matches!(typed(&vec![b'x'; LONGEST + 1]), Err(TrustError::Token(_))));
    }
}
