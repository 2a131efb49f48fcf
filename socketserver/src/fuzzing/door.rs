//! The handshake with somebody unknown: nobody comes in without a token and the keys of this very connection, nothing is
//! said before a token was shown, and no byte too many is read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use execnet_rs::transport::socket::noise::{ANSWER, Initiator, OPENING, ServerKey};
use execnet_rs::transport::socket::sealed::{Sealer, TAG};
use execnet_rs::transport::socket::token::{Secret, Token, TokenId};
use execnet_rs::transport::socket::verdict::{MOST_OF_CLIENT, introduction};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};

use crate::door::{House, shake_hands};
use crate::store::Entry;

/// Somebody at the door, whose bytes come in pieces of `width` and then end.
struct Visitor {
    says: Vec<u8>,
    said: usize,
    width: usize,
    hears: Vec<u8>,
    /// The one who finishes the handshake, and how the frame that proves it is changed.
    client: Option<(Initiator, Vec<u8>)>,
}

impl AsyncRead for Visitor {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = (self.says.len() - self.said).min(self.width).min(into.remaining());
        into.put_slice(&self.says[self.said..self.said + count]);
        self.said += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.hears.extend_from_slice(bytes);
        if let Ok(answer) = <[u8; ANSWER]>::try_from(&self.hears[..])
            && let Some((client, change)) = self.client.take()
        {
            match client.finish(&answer) {
                Ok(keys) => {
                    let mut frame = Vec::new();
                    let sealed = Sealer::new(&keys.send, 0).map(|mut sealer| sealer.seal(b"a client", &mut frame));
                    assert_eq!(sealed, Ok(Ok(())));
                    assert!(introduction().len() <= MOST_OF_CLIENT);
                    changed(&mut frame, &change);
                    self.says.splice(OPENING.., frame);
                }
                Err(error) => panic!("the server's own answer: {error}"),
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn changed(bytes: &mut [u8], change: &[u8]) {
    bytes.iter_mut().zip(change).for_each(|(byte, change)| *byte ^= change);
}

/// A server with one token.
struct Hosts {
    key: ServerKey,
    entry: Entry,
    idle: bool,
}

impl House for Hosts {
    fn key(&self) -> &ServerKey {
        &self.key
    }

    fn token(&self, id: TokenId) -> Option<Entry> {
        (id == self.entry.token.id()).then(|| self.entry.clone())
    }

    fn may_compute(&self) -> bool {
        self.idle
    }

    fn vouch(&self) {}
}

thread_local! {
    static SCENE: (Runtime, ServerKey, Token) = scene();
}

fn scene() -> (Runtime, ServerKey, Token) {
    let runtime = Builder::new_current_thread().enable_time().build();
    let key = ServerKey::of(Secret::new([3; 32]));
    match (runtime, key) {
        (Ok(runtime), Ok(key)) => match Token::generate(*key.public()) {
            Ok(token) => (runtime, key, token),
            Err(error) => panic!("{error}"),
        },
        (runtime, key) => panic!("{:?} {:?}", runtime.err(), key.err()),
    }
}

pub(super) fn check(input: &[u8]) {
    SCENE.with(|(runtime, key, token)| {
        let _guard = runtime.enter();
        let (head, rest) = input.split_at(input.len().min(3));
        let [mode, width, split] = [0, 1, 2].map(|at| head.get(at).copied().unwrap_or(0));
        let (first, second) = rest.split_at(usize::from(split).min(rest.len()));
        let genuine = |change: &[u8]| change.iter().all(|byte| *byte == 0);
        let mut visitor =
            Visitor { says: rest.to_vec(), said: 0, width: 1 + usize::from(width), hears: vec![], client: None };
        let mut vouched = false;
        if mode & 3 != 0 {
            let (mut opening, client) = match Initiator::new(token) {
                Ok(begun) => begun,
                Err(error) => panic!("{error}"),
            };
            changed(&mut opening, first);
            vouched = genuine(&first[..first.len().min(OPENING)]);
            visitor.says = [&opening[..], second].concat();
            visitor.client = (mode & 2 != 0).then(|| (client, second.to_vec()));
        }
        let entry = Entry { name: "one".into(), path: "one".into(), token: token.clone(), made: None, expires: None };
        let hosts = Hosts { key: key.clone(), entry, idle: mode & 4 == 0 };
        let shaken = {
            let mut shaking = std::pin::pin!(shake_hands(&mut visitor, &hosts));
            shaking.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
        // Whoever has shown nothing is told nothing; not ready: it hesitates before it hangs up.
        assert_eq!(visitor.hears.len(), if vouched { ANSWER } else { 0 });
        assert!(visitor.said <= if vouched { OPENING + 2 + MOST_OF_CLIENT + TAG } else { OPENING });
        assert!(shaken.is_ready() || !vouched);
        let expected = vouched && mode & 2 != 0 && genuine(&second[..second.len().min(2 + 8 + TAG)]);
        match shaken {
            Poll::Ready(Ok((_, entry, said))) => {
                assert!(expected, "somebody came in");
                assert_eq!((entry.name.as_str(), said.as_str()), ("one", "a client"));
            }
            Poll::Ready(Err(_)) | Poll::Pending => assert!(!expected, "somebody with a token was turned away"),
        }
    });
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let opening = scene();
    let opening = Initiator::new(&opening.2).map_or([0; OPENING], |begun| begun.0);
    vec![
        // Somebody else's protocol, an opening for another server, and one that is cut off.
        b"\0\x50\0GET / HTTP/1.1\r\n\r\n".to_vec(),
        [&[0, 200, 0], &opening[..], b"and more"].concat(),
        [&[4, 7, 0], &opening[..30]].concat(),
        // A client, in pieces; one that is cut off, one that was repeated, and ones that were changed on the way.
        vec![2, 255, 0],
        vec![2, 0, 1, 0],
        [&[1, 100, 0], &[0, 24][..], &[9; 24]].concat(),
        vec![2, 9, 5, 0, 0, 0, 0, 1],
        vec![2, 9, 0, 0, 0, 0, 0, 64],
        vec![2, 9, 0, 255, 255],
    ]
}
