//! The channels of a link, beside a peer that says anything: what was accepted can be taken, in order and whole; memory is
//! bounded; what goes out are frames; and after the end there is nothing but the end.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::input::Input;
use crate::mux::{FRAME_COST, Limits, LinkEnd, Mux, PushError, Side};
use crate::wire::{Check, Decoder, Encoder, Frame, Kind, Outgoing};

const LIMITS: Limits = Limits { initial: 8 << 10, window: 32 << 10, message: 20 << 10, channels: 4 };

/// Channels that the program opens at most.
const OWN: usize = 4;

/// What may be waiting to be sent on a channel: what a sender waits at, and one more message.
const OUTGOING: usize = (256 << 10) + (4 << 10);

/// What has come for a channel and was not taken yet.
#[derive(Default)]
struct Expected {
    messages: VecDeque<Vec<u8>>,
    partial: Vec<u8>,
    /// Nothing more comes, or it is of no use to anybody.
    over: bool,
    /// Nobody has asked for it yet. One that ended meanwhile may be forgotten.
    unclaimed: bool,
}

struct Scene {
    mux: Mux,
    encoder: Encoder,
    decoder: Decoder,
    expected: BTreeMap<u32, Expected>,
    own: usize,
}

impl Scene {
    fn new(side: Side) -> Self {
        Self {
            mux: Mux::new(side, LIMITS, LIMITS.initial),
            encoder: Encoder::new(Check::Full),
            decoder: Decoder::new(Check::Full),
            expected: BTreeMap::new(),
            own: 0,
        }
    }

    /// The peer says something; false if that was the end.
    fn hears(&mut self, frame: Frame) -> bool {
        let Frame { kind, channel: number, body } = frame.clone();
        if let Err(error) = self.mux.receive(frame) {
            self.mux.fail(LinkEnd::Disturbed(error));
            return false;
        }
        match kind {
            Kind::Open => {
                let opened = Expected { unclaimed: body.is_empty(), ..Expected::default() };
                assert!(self.expected.insert(number, opened).is_none(), "a number was used twice");
            }
            Kind::Data | Kind::Part | Kind::Finish | Kind::Close => {
                if let Some(expected) = self.expected.get_mut(&number).filter(|expected| !expected.over) {
                    match kind {
                        Kind::Data | Kind::Part => expected.partial.extend_from_slice(&body),
                        _ => expected.over = true,
                    }
                    if kind == Kind::Data {
                        expected.messages.push_back(std::mem::take(&mut expected.partial));
                    }
                }
            }
            Kind::Goodbye => return false,
            Kind::Hello | Kind::Credit | Kind::Ping | Kind::Pong => {}
        }
        true
    }

    fn takes(&mut self, number: u32) {
        let mut expected = self.expected.get_mut(&number);
        let unclaimed = expected.as_mut().is_some_and(|expected| std::mem::take(&mut expected.unclaimed));
        if unclaimed {
            assert!(self.mux.hold(number));
        }
        let taken = self.mux.poll_message(number, &mut Context::from_waker(Waker::noop()));
        let due = expected.as_mut().and_then(|expected| expected.messages.pop_front());
        match (taken, due) {
            (Poll::Ready(Ok(message)), due) => assert_eq!(due.as_deref(), Some(&message[..])),
            (Poll::Ready(Err(_)), Some(_)) if unclaimed => {
                assert!(expected.as_ref().is_some_and(|expected| expected.over));
                if let Some(expected) = expected {
                    expected.messages.clear();
                }
            }
            (other, Some(due)) => panic!("{} bytes are lost: {other:?}", due.len()),
            (Poll::Pending, None) => assert!(expected.is_some_and(|expected| !expected.over), "nothing ever comes"),
            (Poll::Ready(Err(_)), None) => {}
        }
    }

    fn sends(&mut self, number: u32, message: &[u8]) {
        if matches!(self.mux.poll_room(number, &mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(()))) {
            assert_eq!(self.mux.push(number, Bytes::copy_from_slice(message), LIMITS.message), Ok(()));
        }
    }

    /// What goes out are frames that another end can read.
    fn transmits(&mut self, limit: usize) {
        let mut out = Outgoing::default();
        self.mux.transmit(&mut self.encoder, &mut out, limit);
        self.decoder.buffer().extend_from_slice(&out.concat());
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => match frame.kind {
                    Kind::Hello => panic!("a second hello"),
                    Kind::Ping | Kind::Pong => assert_eq!(frame.body.len(), 8),
                    Kind::Credit => assert_eq!(frame.body.len(), 4),
                    _ => {}
                },
                Ok(None) => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(!self.decoder.is_midway());
    }

    fn is_within_bounds(&self) {
        let most = (LIMITS.channels + OWN) * (LIMITS.window as usize + LIMITS.message + OUTGOING + FRAME_COST);
        assert!(self.mux.kept() <= most, "{} bytes are kept", self.mux.kept());
        assert!(self.mux.channel_count() <= LIMITS.channels + OWN);
    }

    /// Whatever was there is taken, and then there is the end, again and again.
    fn ends(&mut self) {
        let end = self.mux.end().cloned().unwrap_or(LinkEnd::Lost);
        self.mux.fail(end.clone());
        assert_eq!(self.mux.open("late"), Err(PushError::Link(end)));
        assert!(!self.mux.has_something());
        let numbers: Vec<_> = self.expected.keys().copied().collect();
        for number in numbers {
            let context = &mut Context::from_waker(Waker::noop());
            while let Poll::Ready(Ok(_)) = self.mux.poll_message(number, context) {}
            let ended = self.mux.poll_message(number, context);
            assert!(matches!(ended, Poll::Ready(Err(_))), "somebody waits for ever");
            assert_eq!(self.mux.poll_message(number, context), ended);
            assert!(self.mux.push(number, Bytes::new(), 1).is_err() && self.mux.is_closed(number));
            self.mux.release(number);
        }
        assert_eq!((self.mux.kept(), self.mux.channel_count()), (0, 0));
    }
}

pub(super) fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let mode = input.byte();
    let mut scene = Scene::new(if mode & 1 == 0 { Side::Acceptor } else { Side::Initiator });
    while !input.is_empty() && deed(&mut scene, &mut input) {
        scene.is_within_bounds();
    }
    scene.ends();
}

/// One thing that the peer or the program does; false after the link's end.
fn deed(scene: &mut Scene, input: &mut Input<'_>) -> bool {
    let (what, number) = (input.byte(), u32::from(input.byte() % 16));
    match what % 20 {
        0..=9 => {
            let kind = Kind::from_byte(what % 10).unwrap_or(Kind::Data);
            let body = match input.byte() {
                // Large ones, which would be a long input.
                large @ 200.. => vec![large; usize::from(large - 199) * 400],
                length => input.bytes(length.into()).to_vec(),
            };
            return scene.hears(Frame { kind, channel: number, body: body.into() });
        }
        10 | 11 => scene.takes(number),
        12 => scene.sends(number, input.some()),
        13 => scene.sends(number, &[7; 4 << 10]),
        14 if scene.own < OWN => {
            if let Ok(number) = scene.mux.open("own") {
                scene.own += 1;
                scene.expected.insert(number, Expected::default());
            }
        }
        15 => scene.mux.finish(number),
        16 => {
            scene.mux.close(number, Some(Bytes::copy_from_slice(input.some())));
            if let Some(expected) = scene.expected.get_mut(&number) {
                expected.over = true;
            }
        }
        17 => {
            scene.mux.release(number);
            if let Some(expected) = scene.expected.get_mut(&number) {
                *expected = Expected { over: true, ..Expected::default() };
            }
        }
        18 => {
            scene.mux.ping(5);
            scene.transmits(1 << 20);
        }
        _ => scene.transmits(usize::from(what) * 100),
    }
    true
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let says = |kind: Kind, number: u8, body: &[u8]| {
        [&[kind as u8, number, u8::try_from(body.len()).unwrap_or(0)], body].concat()
    };
    let sends = |number, text: &[u8]| [&[12, number, u8::try_from(text.len()).unwrap_or(0)], text].concat();
    let job = [
        vec![0],
        says(Kind::Open, 1, b"exec"),
        says(Kind::Part, 1, b"first half, "),
        vec![10, 1],
        says(Kind::Data, 1, b"second half"),
        vec![10, 1],
        sends(1, b"answer"),
        vec![19, 0],
        says(Kind::Credit, 1, &[0, 0, 0, 70]),
        says(Kind::Ping, 0, &[0, 0, 0, 0, 0, 0, 0, 9]),
        says(Kind::Finish, 1, b""),
        vec![10, 1, 16, 1, 4, b'o', b'o', b'p', b's', 39, 0],
        says(Kind::Close, 1, b""),
        says(Kind::Open, 3, b""),
        vec![Kind::Data as u8, 3, 210, 17, 3, 39, 0],
        says(Kind::Goodbye, 0, b""),
    ];
    let own = [
        vec![1, 14, 0, 14, 0],
        sends(1, b"request"),
        vec![13, 1, 13, 1, 13, 1, 19, 0],
        says(Kind::Credit, 1, &[0, 1, 0, 0]),
        vec![19, 0, 10, 1],
        [Kind::Part as u8, 1, 205].repeat(3),
        vec![10, 1],
        says(Kind::Data, 1, b"."),
        vec![10, 1, 15, 3, 18, 0],
        says(Kind::Pong, 0, &[0, 0, 0, 0, 0, 0, 0, 5]),
        says(Kind::Close, 3, b"an error"),
        vec![10, 3],
    ];
    vec![job.concat(), own.concat()]
}
