//! The messages between the two ends. Pure; decoding is total and allocates no more than what arrived.
//!
//! ```text
//! sender                                receiver
//! Offer(root)                    ->
//!                                <-     Done                        the tree is there: one round trip
//!                                <-     Need(files)                 it knows the root: a manifest kept from before
//!                                <-     Unknown(roots it knows)
//! Tree(base, difference), Pack…, Sent ->                            what is surely missing comes along
//!                                <-     Need(files, recipes)        … until nothing is missing
//! Pack…, Sent                    ->
//!                                <-     Done
//! Offer again, or Bye            ->
//! ```
//! `Failed` ends an offer at any time; `Stale`, answered by `Dropped`, takes one back.

use crate::chunk::Recipe;
use crate::codec::{Malformed, Put, Take};
use crate::digest::Digest;
use crate::path::escape;

/// Both ends must speak the same version; other versions are refused in words.
pub(crate) const VERSION: u64 = 1;
/// Most bytes of a text from the other end that are kept.
const MAX_TEXT: usize = 4096;
/// Most roots in one message.
const MAX_ROOTS: usize = 64;

/// From the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToReceiver {
    /// This tree is to be at the destination.
    Offer { version: u64, root: Digest },
    /// A part of the compressed manifest: whole, or the difference to a base that the receiver named.
    Tree { base: Option<Digest>, last: bool, data: Vec<u8> },
    /// Contents: see [`crate::pack`].
    Pack(Vec<u8>),
    /// All of this flight was sent: say what is missing.
    Sent,
    /// The source changed meanwhile: forget the offer.
    Stale,
    /// The end.
    Bye,
}

/// From the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToSender {
    /// Another run has the destination: this one waits.
    Waiting,
    /// The offered root is not known; these are, the latest first. `blank`: nothing at all is there to build on.
    Unknown { roots: Vec<Digest>, blank: bool },
    /// These files are missing; `last` ends the list.
    Need { files: Vec<Want>, last: bool },
    /// The destination is the offered tree.
    Done(Summary),
    /// It cannot be done. The text is escaped.
    Failed(String),
    /// The stale offer was dropped.
    Dropped,
}

/// A file whose contents the receiver misses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    /// Index of an entry with these contents.
    pub(crate) entry: u32,
    /// What the receiver has at that path, to build on.
    pub(crate) basis: Option<(Digest, Recipe)>,
}

/// What a receiver did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files whose contents were written.
    pub written: u64,
    /// Files, links and directories that were removed.
    pub removed: u64,
    /// Entries of which only mode or time was set.
    pub adjusted: u64,
    /// Files that were taken from the receiver's store or from elsewhere in the tree instead of the wire.
    pub reused: u64,
    /// What the user should know, one line each, escaped.
    pub notices: Vec<String>,
}

impl ToReceiver {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Offer { version, root } => {
                bytes.push(0);
                bytes.put_number(*version);
                bytes.put_digest(root);
            }
            Self::Tree { base, last, data } => {
                bytes.extend([1, u8::from(*last), u8::from(base.is_some())]);
                if let Some(base) = base {
                    bytes.put_digest(base);
                }
                bytes.extend_from_slice(data);
            }
            Self::Pack(pack) => {
                bytes.push(2);
                bytes.extend_from_slice(pack);
            }
            Self::Sent => bytes.push(3),
            Self::Stale => bytes.push(4),
            Self::Bye => bytes.push(5),
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut take = Take::new(bytes);
        let message = match take.byte()? {
            0 => {
                let version = take.number()?;
                // What another version says after its number is its own.
                if version != VERSION {
                    return Ok(Self::Offer { version, root: Digest::from_bytes([0; 32]) });
                }
                Self::Offer { version, root: take.digest()? }
            }
            1 => {
                let last = flag(&mut take)?;
                let base = if flag(&mut take)? { Some(take.digest()?) } else { None };
                return Ok(Self::Tree { base, last, data: take.rest().to_vec() });
            }
            2 => return Ok(Self::Pack(take.rest().to_vec())),
            3 => Self::Sent,
            4 => Self::Stale,
            5 => Self::Bye,
            _ => return Err(Malformed("an unknown message")),
        };
        take.end().map(|()| message)
    }
}

impl ToSender {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Waiting => bytes.push(0),
            Self::Unknown { roots, blank } => {
                bytes.extend([1, u8::from(*blank)]);
                bytes.put_number(roots.len() as u64);
                for root in roots {
                    bytes.put_digest(root);
                }
            }
            Self::Need { files, last } => {
                bytes.extend([2, u8::from(*last)]);
                bytes.put_number(files.len() as u64);
                for want in files {
                    bytes.put_number(u64::from(want.entry));
                    bytes.push(u8::from(want.basis.is_some()));
                    if let Some((digest, recipe)) = &want.basis {
                        bytes.put_digest(digest);
                        recipe.put(&mut bytes);
                    }
                }
            }
            Self::Done(summary) => {
                bytes.push(3);
                for number in [summary.written, summary.removed, summary.adjusted, summary.reused] {
                    bytes.put_number(number);
                }
                bytes.put_number(summary.notices.len() as u64);
                for notice in &summary.notices {
                    bytes.put_bytes(notice.as_bytes());
                }
            }
            Self::Failed(text) => {
                bytes.push(4);
                bytes.put_bytes(text.as_bytes());
            }
            Self::Dropped => bytes.push(5),
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut take = Take::new(bytes);
        let message = match take.byte()? {
            0 => Self::Waiting,
            1 => {
                let blank = flag(&mut take)?;
                let count = take.count()?;
                if count > MAX_ROOTS {
                    return Err(Malformed("too many roots"));
                }
                let roots = (0..count).map(|_| take.digest()).collect::<Result<_, _>>()?;
                Self::Unknown { roots, blank }
            }
            2 => {
                let last = flag(&mut take)?;
                let mut files = Vec::new();
                for _ in 0..take.count()? {
                    let entry = take.small()?;
                    let based = flag(&mut take)?;
                    let basis = if based { Some((take.digest()?, Recipe::take(&mut take)?)) } else { None };
                    files.push(Want { entry, basis });
                }
                Self::Need { files, last }
            }
            3 => {
                let (written, removed) = (take.number()?, take.number()?);
                let (adjusted, reused) = (take.number()?, take.number()?);
                let mut notices = Vec::new();
                for _ in 0..take.count()? {
                    notices.push(text(&mut take)?);
                }
                Self::Done(Summary { written, removed, adjusted, reused, notices })
            }
            4 => Self::Failed(text(&mut take)?),
            5 => Self::Dropped,
            _ => return Err(Malformed("an unknown message")),
        };
        take.end().map(|()| message)
    }
}

fn flag(take: &mut Take<'_>) -> Result<bool, Malformed> {
    match take.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed("a flag that is neither 0 nor 1")),
    }
}

/// A text for a terminal: whatever the other end says, it is harmless, though it may have several lines.
fn text(take: &mut Take<'_>) -> Result<String, Malformed> {
    let bytes = take.bytes()?;
    let lines = bytes[..bytes.len().min(MAX_TEXT)].split(|byte| *byte == b'\n');
    Ok(lines.map(escape).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_survive_their_encoding() {
        let digest = Digest::of(b"x");
        let recipe = Recipe::read(&b"some bytes"[..]).unwrap().2;
        for message in [
            ToReceiver::Offer { version: VERSION, root: digest },
            ToReceiver::Tree { base: Some(digest), last: false, data: vec![1, 2] },
            ToReceiver::Tree { base: None, last: true, data: vec![] },
            ToReceiver::Pack(vec![7]),
            ToReceiver::Sent,
            ToReceiver::Stale,
            ToReceiver::Bye,
        ] {
            assert_eq!(ToReceiver::decode(&message.encode()), Ok(message));
        }
        let files = vec![Want { entry: 3, basis: Some((digest, recipe)) }, Want { entry: 300, basis: None }];
        let notices = vec!["kept `a`".to_owned()];
        for message in [
            ToSender::Waiting,
            ToSender::Unknown { roots: vec![digest; 8], blank: true },
            ToSender::Need { files, last: true },
            ToSender::Done(Summary { written: 1, removed: 2, adjusted: 3, reused: 4, notices }),
            ToSender::Failed("no space\nhint: make some".to_owned()),
            ToSender::Dropped,
        ] {
            assert_eq!(ToSender::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn another_version_is_understood_as_such() {
        let offer = [&[0, 99][..], b"whatever it says"].concat();
        assert!(matches!(ToReceiver::decode(&offer), Ok(ToReceiver::Offer { version: 99, .. })));
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_a_message_or_an_error(bytes: Vec<u8>, tag in 0..6u8) {
            let bytes = [&[tag], &bytes[..]].concat();
            let _ = ToReceiver::decode(&bytes);
            if let Ok(ToSender::Failed(text)) = ToSender::decode(&bytes) {
                prop_assert!(!text.contains('\x1b'));
            }
        }
    }
}
