//! The first bytes of a link: greetings are found at every cutting, and whatever answers, hands are shaken or there is an
//! error.

use std::cell::OnceCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf, sink};
use tokio::runtime::{Builder, Runtime};

use super::input::{Input, hello, pieces};
use crate::link::{Hello, Options, shake_hands};
use crate::mux::Side;
use crate::value::encode;
use crate::wire::{Check, Encoder, Kind, MAGIC, NOISE_LIMIT, NoGreeting, Scanner};

/// A stream that hands out its pieces one by one.
struct Stream<'a, I>(I, &'a [u8]);

impl<'a, I: Iterator<Item = &'a [u8]> + Unpin> AsyncRead for Stream<'a, I> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.1.is_empty() {
            this.1 = this.0.next().unwrap_or_default();
        }
        let (now, later) = this.1.split_at(this.1.len().min(into.remaining()));
        into.put_slice(now);
        this.1 = later;
        Poll::Ready(Ok(()))
    }
}

/// What came before the greeting, and what follows it.
type Found = (Vec<u8>, Vec<u8>);

/// Finds the greeting, or that there is none; nothing while it may still come.
fn scan<'a>(mut pieces: impl Iterator<Item = &'a [u8]>) -> Result<Option<Found>, NoGreeting> {
    let mut scanner = Scanner::default();
    while let Some(piece) = pieces.next() {
        if let Some(greeting) = scanner.push(piece)? {
            let mut rest = greeting.rest.to_vec();
            pieces.for_each(|piece| rest.extend_from_slice(piece));
            return Ok(Some((greeting.noise.to_vec(), rest)));
        }
    }
    Ok(None)
}

/// What hands were shaken with and what follows, or the error in words.
fn shake<'a>(pieces: impl Iterator<Item = &'a [u8]> + Unpin) -> Result<(Hello, Vec<u8>), String> {
    thread_local! {
        static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
    }
    let shaking = async {
        let mut stream = Stream(pieces, &[]);
        let options = Options::new(Side::Initiator, "fuzzing");
        let shaken = shake_hands(&mut stream, &mut sink(), &options).await;
        let (hello, mut decoder, _) = shaken.map_err(|error| error.to_string())?;
        let mut rest = decoder.buffer().to_vec();
        stream.read_to_end(&mut rest).await.map_err(|error| error.to_string())?;
        Ok((hello, rest))
    };
    let make = || match Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("no runtime: {error}"),
    };
    RUNTIME.with(|runtime| runtime.get_or_init(make).block_on(shaking))
}

pub(super) fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let (mode, seed) = (input.byte(), input.byte());
    let noise = match mode % 32 {
        1..=8 => vec![MAGIC[0]; usize::from(seed)],
        // About as many as may be: seldom, since they take time.
        9 => input.bytes(16).iter().copied().cycle().take(NOISE_LIMIT - 8 + usize::from(seed) % 16).collect(),
        _ => vec![],
    };
    let greeted = if mode & 32 == 0 { &MAGIC[..] } else { &[] };
    let stream = [&noise[..], greeted, input.rest()].concat();
    let found = scan(std::iter::once(&stream[..]));
    // Byte by byte only if that does not take for ever.
    for seed in [if stream.len() < 2000 { 0 } else { 0x87 }, seed | 0x80] {
        assert_eq!(scan(pieces(&stream, seed)), found);
    }
    if let Ok(Some((noise, rest))) = &found {
        assert!(noise.len() <= NOISE_LIMIT && !noise.windows(MAGIC.len()).any(|window| window == MAGIC));
        assert!(stream == [&noise[..], &MAGIC, rest].concat());
    }
    let shaken = shake(std::iter::once(&stream[..]));
    assert_eq!(shake(pieces(&stream, seed | 0x80)), shaken);
    assert!(shaken.is_err() || found.is_ok_and(|found| found.is_some()));
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let said = |protocol, initial, check| {
        let (mut body, mut stream) = (Vec::new(), Vec::new());
        let _ = encode(&hello(protocol, initial, check), 0, &mut body);
        let mut encoder = Encoder::new(Check::Full);
        encoder.encode(Kind::Hello, 0, &body, &mut stream);
        encoder.encode(Kind::Open, 1, b"info", &mut stream);
        stream
    };
    let usual = said(1, 65536, "full");
    let shell = [&b"Welcome to box\r\nmodule: loaded\n"[..], &MAGIC, &usual].concat();
    let mut seeds = vec![[&[32, 0x33], &shell[..]].concat()];
    for (mode, hello) in [(0, &usual), (1, &usual), (0, &said(2, 65536, "full")), (0, &said(1, 7, "header"))] {
        seeds.push([&[mode, 0x1d], &hello[..]].concat());
    }
    for seed in [7, 8, 9] {
        seeds.push([&[9, seed], &b"motd of the day\n"[..], &usual].concat());
    }
    seeds
}
