//! Two sides of a link, joined by bytes and nothing else.

use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;
use crate::wire::{Check, Decoder};

const SMALL: Limits = Limits { initial: 8 * 1024, window: 32 * 1024, message: 1 << 20, channels: 50 };

struct End {
    mux: Mux,
    encoder: Encoder,
    decoder: Decoder,
}

impl End {
    fn new(side: Side) -> Self {
        Self {
            mux: Mux::new(side, SMALL, SMALL.initial),
            encoder: Encoder::new(Check::Full),
            decoder: Decoder::new(Check::Full),
        }
    }

    fn message(&mut self, number: u32) -> Option<Result<Bytes, ChannelEnd>> {
        match self.mux.poll_message(number, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(message) => Some(message),
            Poll::Pending => None,
        }
    }

    /// The next message of a channel that has one.
    fn taken(&mut self, number: u32) -> Bytes {
        self.message(number).unwrap().unwrap()
    }

    fn ended(&mut self, number: u32) -> ChannelEnd {
        self.message(number).unwrap().unwrap_err()
    }

    fn has_room(&mut self, number: u32) -> bool {
        self.mux.poll_room(number, &mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn push(&mut self, number: u32, message: &[u8]) -> Result<(), PushError> {
        self.mux.push(number, Bytes::copy_from_slice(message), SMALL.message)
    }

    fn request(&mut self) -> Request {
        match self.mux.poll_request(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(request) => request.unwrap(),
            Poll::Pending => panic!("nobody asks"),
        }
    }
}

struct Pair {
    a: End,
    b: End,
}

impl Pair {
    fn new() -> Self {
        Self { a: End::new(Side::Initiator), b: End::new(Side::Acceptor) }
    }

    /// A channel that both hold.
    fn channel() -> (Self, u32) {
        let mut pair = Self::new();
        let number = pair.a.mux.open("service").unwrap();
        pair.flow();
        assert_eq!(pair.b.request(), Request { channel: number, service: "service".into() });
        (pair, number)
    }

    /// Moves what one side may send; how many bytes that was.
    fn step(from: &mut End, to: &mut End, limit: usize) -> usize {
        let mut out = Outgoing::default();
        from.mux.transmit(&mut from.encoder, &mut out, limit);
        to.decoder.buffer().extend_from_slice(&out.concat());
        while let Some(frame) = to.decoder.next_frame().unwrap() {
            to.mux.receive(frame).unwrap();
        }
        out.len()
    }

    fn flow(&mut self) {
        while Self::step(&mut self.a, &mut self.b, 10_000) + Self::step(&mut self.b, &mut self.a, 10_000) > 0 {}
    }
}

/// Bytes of which no two pieces are alike.
fn noise(tag: u8, length: usize) -> Vec<u8> {
    let mut state = u32::from(tag) + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_reader_that_stops_holds_only_its_own_sender_up() {
    let (mut pair, slow) = Pair::channel();
    let quick = pair.a.mux.open("quick").unwrap();
    let mut sent = 0;
    while pair.a.has_room(slow) {
        pair.a.push(slow, &[0; 5000]).unwrap();
        sent += 1;
        pair.flow();
        assert!(sent < 1000, "nothing holds the sender up");
    }
    assert!(pair.b.mux.kept() <= SMALL.initial as usize);
    assert!(pair.a.mux.kept() <= OUTBOX + 5000 + FRAME_COST);
    for round in 0..100_u32 {
        pair.a.push(quick, &round.to_be_bytes()).unwrap();
        pair.flow();
        assert_eq!(pair.b.taken(quick), &round.to_be_bytes()[..]);
    }
    for _ in 0..sent {
        pair.flow();
        assert_eq!(pair.b.taken(slow).len(), 5000);
    }
    assert!(pair.a.has_room(slow));
}

#[test]
fn messages_of_no_bytes_are_not_free() {
    let (mut pair, number) = Pair::channel();
    let mut sent = 0;
    while pair.a.has_room(number) {
        pair.a.push(number, &[]).unwrap();
        sent += 1;
        pair.flow();
        assert!(sent < 100_000, "nothing holds the sender up");
    }
}

#[test]
fn a_message_larger_than_the_credit_arrives_while_somebody_waits_for_it() {
    let (mut pair, number) = Pair::channel();
    let large = noise(7, 500_000);
    pair.a.push(number, &large).unwrap();
    pair.flow();
    assert!(pair.b.mux.kept() <= SMALL.initial as usize);
    assert_eq!(pair.b.message(number), None);
    pair.flow();
    assert_eq!(pair.b.taken(number), large);
    pair.flow();
    assert_eq!(pair.a.mux.kept() + pair.b.mux.kept(), 0);
}

#[test]
fn half_closing_leaves_the_other_half() {
    let (mut pair, number) = Pair::channel();
    pair.a.push(number, b"last").unwrap();
    pair.a.mux.finish(number);
    assert_eq!(pair.a.push(number, b"more"), Err(PushError::Closed));
    pair.flow();
    assert_eq!(pair.b.taken(number), "last");
    assert_eq!(pair.b.ended(number), ChannelEnd::Finished);
    assert_eq!(pair.b.ended(number), ChannelEnd::Finished);
    pair.b.push(number, b"answer").unwrap();
    pair.flow();
    assert_eq!(pair.a.taken(number), "answer");
    assert!(!pair.a.mux.is_closed(number));
}

#[test]
fn an_error_arrives_behind_what_was_sent_before() {
    let (mut pair, number) = Pair::channel();
    pair.b.push(number, b"before").unwrap();
    pair.b.mux.close(number, Some(Bytes::from_static(b"went wrong")));
    pair.flow();
    assert_eq!(pair.a.taken(number), "before");
    assert_eq!(pair.a.ended(number), ChannelEnd::Failed(Bytes::from_static(b"went wrong")));
    assert_eq!(pair.a.push(number, b"more"), Err(PushError::Closed));
    assert!(pair.a.mux.is_closed(number) && pair.b.mux.is_closed(number));
}

#[test]
fn an_error_after_the_last_message_counts() {
    let (mut pair, number) = Pair::channel();
    pair.b.mux.finish(number);
    pair.flow();
    pair.b.mux.close(number, Some(Bytes::from_static(b"went wrong")));
    pair.flow();
    assert_eq!(pair.a.ended(number), ChannelEnd::Failed(Bytes::from_static(b"went wrong")));
}

#[test]
fn what_both_let_go_of_is_forgotten() {
    let (mut pair, number) = Pair::channel();
    pair.a.push(number, b"unread").unwrap();
    pair.b.push(number, b"unread").unwrap();
    pair.a.mux.release(number);
    pair.b.mux.release(number);
    pair.flow();
    assert!(pair.a.mux.channels.is_empty() && pair.b.mux.channels.is_empty());
    // What comes for it now was on its way.
    let late = Frame { kind: Kind::Data, channel: number, body: Bytes::new() };
    assert_eq!(pair.b.mux.receive(late), Ok(()));
}

#[test]
fn a_closed_channel_drops_what_was_to_be_sent_to_it() {
    let (mut pair, number) = Pair::channel();
    for _ in 0..50 {
        pair.a.push(number, &[0; 5000]).unwrap();
    }
    pair.b.mux.close(number, None);
    pair.flow();
    assert_eq!(pair.a.mux.kept(), 0);
    assert_eq!(pair.a.mux.channel_count(), 0);
    assert_eq!(pair.b.mux.channel_count(), 0);
}

#[test]
fn channels_travel_by_number() {
    let mut pair = Pair::new();
    let number = pair.a.mux.open("").unwrap();
    pair.a.push(number, b"early").unwrap();
    pair.flow();
    assert!(pair.b.mux.hold(number));
    assert_eq!(pair.b.taken(number), "early");
    assert!(!pair.b.mux.hold(number + 2), "never opened");
    assert!(!pair.b.mux.hold(0));
    pair.a.mux.release(number);
    pair.b.mux.release(number);
    pair.flow();
    assert!(pair.b.mux.hold(number));
    assert_eq!(pair.b.ended(number), ChannelEnd::Closed);
}

#[test]
fn the_end_of_the_link_ends_every_channel() {
    let (mut pair, number) = Pair::channel();
    pair.b.push(number, b"before").unwrap();
    pair.flow();
    pair.a.mux.fail(LinkEnd::Lost);
    pair.a.mux.fail(LinkEnd::Closed);
    assert_eq!(pair.a.taken(number), "before");
    assert_eq!(pair.a.ended(number), ChannelEnd::Link(LinkEnd::Lost));
    assert_eq!(pair.a.push(number, b""), Err(PushError::Link(LinkEnd::Lost)));
    assert_eq!(pair.a.mux.open("x"), Err(PushError::Link(LinkEnd::Lost)));
    pair.a.mux.release(number);
    assert!(pair.a.mux.channels.is_empty());
}

#[test]
fn goodbye_comes_after_what_can_be_sent() {
    let (mut pair, number) = Pair::channel();
    pair.a.push(number, b"before").unwrap();
    pair.a.mux.say_goodbye();
    pair.flow();
    assert!(pair.a.mux.has_said_goodbye());
    assert_eq!(pair.b.taken(number), "before");
    assert_eq!(pair.b.ended(number), ChannelEnd::Link(LinkEnd::Goodbye));
}

#[test]
fn pings_are_answered_and_floods_are_not() {
    let mut pair = Pair::new();
    pair.a.mux.ping(5);
    pair.flow();
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(pair.a.mux.poll_pong(5, &mut context), Poll::Ready(Ok(())));
    assert_eq!(pair.a.mux.poll_pong(6, &mut context), Poll::Pending);
    let ping = Frame { kind: Kind::Ping, channel: 0, body: Bytes::from_static(&[0; 8]) };
    let flood = (0..1000).find_map(|_| pair.b.mux.receive(ping.clone()).err());
    assert_eq!(flood, Some(ProtocolError::TooManyPings));
}

#[test]
fn who_does_not_keep_to_the_rules_is_found() {
    static LONG_ERROR: [u8; ERROR_LIMIT + 1] = [0; ERROR_LIMIT + 1];
    let frame = |kind, channel, body: &'static [u8]| Frame { kind, channel, body: Bytes::from_static(body) };
    let table = [
        (frame(Kind::Hello, 0, b""), ProtocolError::SecondHello),
        (frame(Kind::Open, 2, b""), ProtocolError::WrongNumber(2)),
        (frame(Kind::Open, 0, b""), ProtocolError::WrongNumber(0)),
        (frame(Kind::Open, 1, b""), ProtocolError::WrongNumber(1)),
        (frame(Kind::Open, 3, b"\xff"), ProtocolError::Malformed(Kind::Open)),
        (frame(Kind::Data, 9, b""), ProtocolError::UnknownChannel(9)),
        (frame(Kind::Credit, 1, b"abc"), ProtocolError::Malformed(Kind::Credit)),
        (frame(Kind::Pong, 0, b"abc"), ProtocolError::Malformed(Kind::Pong)),
        (frame(Kind::Ping, 0, b"abc"), ProtocolError::Malformed(Kind::Ping)),
        (frame(Kind::Close, 1, &LONG_ERROR), ProtocolError::Malformed(Kind::Close)),
        (frame(Kind::Data, 1, &[0; 9000]), ProtocolError::Credit),
    ];
    for (frame, error) in table {
        let (mut pair, _) = Pair::channel();
        assert_eq!(pair.b.mux.receive(frame.clone()), Err(error), "{frame:?}");
    }
    let (mut pair, number) = Pair::channel();
    pair.a.mux.finish(number);
    pair.flow();
    assert_eq!(pair.b.mux.receive(frame(Kind::Data, 1, b"")), Err(ProtocolError::AfterEnd));
    let mut opened = (1..).map(|index| pair.b.mux.receive(frame(Kind::Open, 2 * index + 1, b"")));
    assert_eq!(opened.find_map(Result::err), Some(ProtocolError::TooManyChannels));
}

/// What the programs on both sides may do.
#[derive(Clone, Debug)]
enum Deed {
    Open,
    Push { by_a: bool, which: usize, length: usize },
    Take { by_a: bool, which: usize },
    Finish { by_a: bool, which: usize },
    Step { from_a: bool, limit: usize },
}

fn deed() -> impl Strategy<Value = Deed> {
    let any_which = || (any::<bool>(), 0_usize..4);
    prop_oneof![
        1 => Just(Deed::Open),
        6 => (any_which(), prop_oneof![0_usize..50, 0_usize..60_000])
            .prop_map(|((by_a, which), length)| Deed::Push { by_a, which, length }),
        6 => any_which().prop_map(|(by_a, which)| Deed::Take { by_a, which }),
        1 => any_which().prop_map(|(by_a, which)| Deed::Finish { by_a, which }),
        6 => (any::<bool>(), 1_usize..50_000).prop_map(|(from_a, limit)| Deed::Step { from_a, limit }),
    ]
}

/// One direction of one channel: what was sent and not yet taken.
#[derive(Default)]
struct Direction {
    due: VecDeque<Vec<u8>>,
    finished: bool,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_sent_arrives_in_order_and_whole(deeds in proptest::collection::vec(deed(), 0..120)) {
        let mut pair = Pair::new();
        let mut channels: Vec<(u32, [Direction; 2])> = Vec::new();
        let mut tag = 0_u8;
        for deed in deeds {
            match deed {
                Deed::Open if channels.len() < 4 => {
                    let number = pair.a.mux.open("service").unwrap();
                    pair.flow();
                    pair.b.request();
                    channels.push((number, Default::default()));
                }
                Deed::Push { by_a, which, length } => if let Some((number, ways)) = channels.get_mut(which) {
                    let (end, way) = (if by_a { &mut pair.a } else { &mut pair.b }, &mut ways[usize::from(by_a)]);
                    tag = tag.wrapping_add(1);
                    if end.has_room(*number) {
                        let message = noise(tag, length);
                        prop_assert_eq!(end.push(*number, &message).is_ok(), !way.finished);
                        if !way.finished {
                            way.due.push_back(message);
                        }
                    }
                },
                Deed::Take { by_a, which } => if let Some((number, ways)) = channels.get_mut(which) {
                    let (end, way) = (if by_a { &mut pair.a } else { &mut pair.b }, &mut ways[usize::from(!by_a)]);
                    match end.message(*number) {
                        Some(Ok(message)) => prop_assert_eq!(Some(message.to_vec()), way.due.pop_front()),
                        Some(Err(_)) => prop_assert!(way.finished && way.due.is_empty()),
                        None => {}
                    }
                },
                Deed::Finish { by_a, which } => if let Some((number, ways)) = channels.get_mut(which) {
                    let end = if by_a { &mut pair.a } else { &mut pair.b };
                    end.mux.finish(*number);
                    ways[usize::from(by_a)].finished = true;
                },
                Deed::Step { from_a: true, limit } => { Pair::step(&mut pair.a, &mut pair.b, limit); }
                Deed::Step { from_a: false, limit } => { Pair::step(&mut pair.b, &mut pair.a, limit); }
                Deed::Open => {}
            }
            // Nobody keeps more than what was allowed, one message and one turn a channel.
            prop_assert!(pair.a.mux.kept() + pair.b.mux.kept() <= 8 * (SMALL.window as usize + OUTBOX + 120_000));
        }
        // Everything arrives if everybody reads.
        for (number, ways) in &mut channels {
            for by_a in [true, false] {
                let way = &mut ways[usize::from(!by_a)];
                let mut idle = 0;
                while !way.due.is_empty() && idle < 3 {
                    pair.flow();
                    let end = if by_a { &mut pair.a } else { &mut pair.b };
                    match end.message(*number) {
                        Some(message) => {
                            prop_assert_eq!(message.ok().map(|message| message.to_vec()), way.due.pop_front());
                            idle = 0;
                        }
                        None => idle += 1,
                    }
                }
                prop_assert!(way.due.is_empty(), "channel {} is stuck", number);
            }
        }
    }

    #[test]
    fn any_frames_are_taken_or_refused(
        frames in proptest::collection::vec(
            (0_u8..10, 0_u32..8, proptest::collection::vec(any::<u8>(), 0..12)), 0..60,
        ),
    ) {
        let (mut pair, _) = Pair::channel();
        let kinds = [Kind::Hello, Kind::Open, Kind::Data, Kind::Part, Kind::Credit, Kind::Finish, Kind::Close,
            Kind::Ping, Kind::Pong, Kind::Goodbye];
        for (kind, channel, body) in frames {
            let frame = Frame { kind: kinds[usize::from(kind)], channel, body: body.into() };
            if pair.b.mux.receive(frame).is_err() {
                break;
            }
            for number in 0..8 {
                let _ = pair.b.message(number);
            }
            let mut out = Outgoing::default();
            pair.b.mux.transmit(&mut pair.b.encoder, &mut out, 1000);
        }
    }
}
