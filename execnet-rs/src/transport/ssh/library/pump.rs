//! The thread of a connection at work: bytes from the channel into the pair, and from the pair into the channel, until
//! either has ended. Nothing here waits but for both at once.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use ssh2::{BlockDirections, Channel, Session};

use super::super::said::Said;

/// Bytes that are moved at once.
const PIECE: usize = 128 * 1024;

/// How long the last words of somebody who has left may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long each step of a polite end may take, in milliseconds.
const FAREWELL: u32 = 1000;

/// Bytes on their way one way.
struct Way {
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    /// Nothing comes any more.
    ended: bool,
    /// The end was passed on.
    told: bool,
}

impl Way {
    fn new() -> Self {
        Self { buffer: vec![0; PIECE], from: 0, to: 0, ended: false, told: false }
    }

    fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// Takes bytes where there is room; whether some came.
    fn fill(&mut self, mut source: impl Read) -> io::Result<bool> {
        if self.ended || !self.is_empty() {
            return Ok(false);
        }
        (self.from, self.to) = (0, 0);
        let Some(count) = patient(source.read(&mut self.buffer))? else { return Ok(false) };
        (self.to, self.ended) = (count, count == 0);
        Ok(true)
    }

    /// Passes bytes on; whether some went.
    fn drain(&mut self, mut sink: impl Write) -> io::Result<bool> {
        let mut moved = false;
        while !self.is_empty() {
            match patient(sink.write(&self.buffer[self.from..self.to]))? {
                Some(0) => return Err(ErrorKind::WriteZero.into()),
                Some(count) => {
                    self.from += count;
                    moved = true;
                }
                None => break,
            }
        }
        Ok(moved)
    }

    /// Whether the end is to be passed on now.
    fn ends_now(&mut self) -> bool {
        let now = self.ended && self.is_empty() && !self.told;
        self.told |= now;
        now
    }
}

/// None for what would have to wait.
fn patient(moved: io::Result<usize>) -> io::Result<Option<usize>> {
    match moved {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Moves bytes until the command or whoever uses it has ended.
pub(super) fn run(session: Session, mut channel: Channel, socket: &TcpStream, pair: &UnixStream, said: &Said) {
    session.set_blocking(false);
    let ends = Ends { session: &session, socket, pair };
    let moved = pair.set_nonblocking(true).and_then(|()| move_all(&ends, &mut channel, said));
    if let Err(error) = &moved {
        tracing::debug!(%error, "an ssh connection ended");
        said.take(format!("the ssh connection broke: {error}\n").as_bytes());
    }
    let _ = pair.shutdown(Shutdown::Both);
    if moved.is_ok() {
        session.set_timeout(FAREWELL);
        session.set_blocking(true);
        let _ = channel.close();
        let _ = session.disconnect(None, "done", None);
    }
    // What is dropped now has nothing to wait for.
    let _ = socket.shutdown(Shutdown::Both);
    session.set_blocking(false);
    drop(channel);
    drop(session);
}

/// Where bytes come from and go to.
struct Ends<'a> {
    session: &'a Session,
    socket: &'a TcpStream,
    pair: &'a UnixStream,
}

fn move_all(ends: &Ends<'_>, channel: &mut Channel, said: &Said) -> io::Result<()> {
    let (mut inward, mut outward) = (Way::new(), Way::new());
    let mut errors = channel.stderr();
    let mut chunk = [0; 4096];
    let mut eof_waits = false;
    // When whoever uses this has left: what it said last may still go.
    let mut alone: Option<Instant> = None;
    loop {
        let mut moved = inward.fill(&mut *channel)?;
        while let Some(count @ 1..) = patient(errors.read(&mut chunk))? {
            if alone.is_none() {
                said.take(&chunk[..count]);
            }
            moved = true;
        }
        if let Ok(went) = inward.drain(ends.pair) {
            moved |= went;
        } else {
            inward.from = inward.to;
            alone.get_or_insert_with(Instant::now);
        }
        moved |= outward.fill(ends.pair)? | outward.drain(&mut *channel)?;
        if inward.ends_now() {
            return Ok(());
        }
        if outward.ends_now() || eof_waits {
            eof_waits = match channel.send_eof() {
                Ok(()) => false,
                Err(error) => patient(Err(io::Error::from(error)))?.is_none(),
            };
        }
        if alone.is_some_and(|since| (outward.told && !eof_waits) || since.elapsed() > LAST_WORDS) {
            return Ok(());
        }
        if !moved && wait(ends, (&inward, &outward), eof_waits, alone.is_some())? {
            alone = Some(Instant::now());
        }
    }
}

/// Waits until something can move; true if nobody is at the pair's other end any more.
fn wait(ends: &Ends<'_>, (inward, outward): (&Way, &Way), eof_waits: bool, alone: bool) -> io::Result<bool> {
    let mut network = PollFlags::empty();
    if inward.is_empty() {
        network |= PollFlags::IN;
    }
    if !outward.is_empty() || eof_waits {
        let blocked = ends.session.block_directions();
        if matches!(blocked, BlockDirections::Outbound | BlockDirections::Both) {
            network |= PollFlags::OUT;
        } else {
            network |= PollFlags::IN;
        }
    }
    let mut local = PollFlags::empty();
    local.set(PollFlags::IN, outward.is_empty() && !outward.ended);
    local.set(PollFlags::OUT, !inward.is_empty());
    // An end is told also to those who ask for nothing, again and again.
    let mut asked = Vec::with_capacity(2);
    if !alone {
        asked.push(PollFd::new(ends.pair, local));
    }
    if !network.is_empty() {
        asked.push(PollFd::new(ends.socket, network));
    }
    let limit = alone.then(|| LAST_WORDS.try_into()).transpose().map_err(io::Error::other)?;
    match poll(&mut asked, limit.as_ref()) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    Ok(!alone && asked.first().is_some_and(|pair| pair.revents().contains(PollFlags::HUP)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_keeps_what_cannot_be_passed_on_and_tells_its_end_once() {
        let mut way = Way::new();
        assert!(way.fill(&b"abc"[..]).unwrap());
        assert!(!way.fill(&b"def"[..]).unwrap(), "there is no room");
        let mut small = [0; 2];
        assert!(way.drain(&mut small[..]).is_err(), "a sink that takes nothing is none");
        assert_eq!((&small, way.from, way.to), (b"ab", 2, 3));
        let mut rest = Vec::new();
        assert!(way.drain(&mut rest).unwrap() && way.is_empty());
        assert!(way.fill(&b""[..]).unwrap());
        assert!(way.ends_now() && !way.ends_now());
        assert_eq!(rest, b"c");
    }
}
