//! The first frame of each side: who the client is, and whether it may stay. Without I/O.
//!
//! Only the holder of a token, and of the keys of this very connection, can have sent the first one; only now a server
//! does anything for a client.

/// The most bytes of the client's first frame.
pub const MOST_OF_CLIENT: usize = 160;

/// The most bytes of the server's first frame.
pub const MOST_OF_SERVER: usize = 512;

const WELCOME: u8 = 0;
const REFUSED: u8 = 1;

/// What a client says of itself, for the server's log.
pub fn introduction() -> String {
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    let name = concat!("execnet-rs ", env!("CARGO_PKG_VERSION"));
    shortened(format!("{name}, process {} on {host}", std::process::id()), MOST_OF_CLIENT)
}

/// A server's word on a client that holds a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An agent answers from here on.
    Welcome,
    /// Nothing follows; the text says why.
    Refused(String),
}

impl Verdict {
    /// As a frame's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Welcome => vec![WELCOME],
            Self::Refused(why) => [&[REFUSED], shortened(why.clone(), MOST_OF_SERVER - 1).as_bytes()].concat(),
        }
    }

    /// Reads a frame. None for what no server of this version says.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (&WELCOME, []) => Some(Self::Welcome),
            (&REFUSED, why) => Some(Self::Refused(String::from_utf8_lossy(why).into_owned())),
            _ => None,
        }
    }
}

fn shortened(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_introduction_fits() {
        assert!(introduction().len() <= MOST_OF_CLIENT);
    }

    proptest! {
        #[test]
        fn a_verdict_is_read_as_it_was_meant(why in "\\PC{0,200}") {
            prop_assert_eq!(Verdict::read(&Verdict::Welcome.to_bytes()), Some(Verdict::Welcome));
            let bytes = Verdict::Refused(why.clone()).to_bytes();
            prop_assert!(bytes.len() <= MOST_OF_SERVER);
            match Verdict::read(&bytes) {
                Some(Verdict::Refused(read)) => prop_assert!(why.starts_with(&read)),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
