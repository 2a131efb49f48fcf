//! The channels of one link: what was sent and received, who may send how much, who waits. Pure: no I/O and no clock;
//! frames go in ([`Mux::receive`]) and come out ([`Mux::transmit`]).
//!
//! # Credit
//! A sender may have only so many bytes on their way that the receiving program has not taken. Each frame of a message
//! costs its length plus [`FRAME_COST`]. A new channel begins with a small credit, which grows when somebody receives from
//! it; taken messages give their cost back. So whoever stops reading holds the sender up, and what the two sides keep for a
//! channel is bounded. A message larger than the credit arrives piece by piece while somebody waits for it, and only then.
//!
//! # Turns
//! Channels that have something to send take turns, a fragment or a few small messages each. What is about the link itself
//! goes first.

mod channel;
mod end;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::wire::{Encoder, FRAGMENT, Frame, Kind, Outgoing};
use channel::Channel;
pub use end::{ChannelEnd, LinkEnd, ProtocolError, PushError};

/// What a frame costs beside its length: messages of no bytes are not free.
pub const FRAME_COST: usize = 64;

/// Bytes of messages that a sender may have waiting here before [`Mux::poll_room`] has it wait.
const OUTBOX: usize = 256 * 1024;

/// Bytes of small messages that one channel sends in a turn.
const TURN: usize = 64 * 1024;

/// The longest name of a service.
const SERVICE_LIMIT: usize = 256;

/// The most bytes of the error that a channel is closed with: it needs no credit.
pub(crate) const ERROR_LIMIT: usize = 256 * 1024;

/// Pings that were received and not answered yet.
const PONGS: usize = 16;

/// What this side of a link allows the other one. Said in the handshake, where the other side needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Credit of a new channel.
    pub initial: u32,
    /// Credit of a channel that somebody receives from.
    pub window: u32,
    /// The largest message.
    pub message: usize,
    /// Channels that the other side may have open.
    pub channels: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { initial: 64 * 1024, window: 2 * 1024 * 1024, message: 1 << 30, channels: 4096 }
    }
}

/// Which numbers a side gives to its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Odd ones: who asked for the connection.
    Initiator,
    /// Even ones: who answers.
    Acceptor,
}

/// A channel that the other side has opened for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub channel: u32,
    /// The name of the service.
    pub service: String,
}

/// The state of all channels of a link.
#[derive(Debug)]
pub struct Mux {
    limits: Limits,
    /// What the other side gives to a new channel.
    peer_initial: usize,
    channels: BTreeMap<u32, Channel>,
    next: u32,
    /// The highest number that the other side has used.
    peers: u32,
    side: Side,
    control: VecDeque<(Kind, u32, Bytes)>,
    pongs: usize,
    /// Channels with credit to give back.
    grants: VecDeque<u32>,
    /// Channels with something to send, in turn.
    ready: VecDeque<u32>,
    requests: VecDeque<Request>,
    request_waiters: Vec<Waker>,
    pong_waiters: Vec<(u64, Waker)>,
    pongs_seen: VecDeque<u64>,
    wakes: Vec<Waker>,
    goodbye: Goodbye,
    end: Option<LinkEnd>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goodbye {
    No,
    Wanted,
    Said,
}

impl Mux {
    /// The channels of a new link, of which there are none yet. `peer_initial` is what the other side said in its hello.
    pub fn new(side: Side, limits: Limits, peer_initial: u32) -> Self {
        Self {
            limits,
            peer_initial: peer_initial as usize,
            channels: BTreeMap::new(),
            next: if side == Side::Initiator { 1 } else { 2 },
            peers: 0,
            side,
            control: VecDeque::new(),
            pongs: 0,
            grants: VecDeque::new(),
            ready: VecDeque::new(),
            requests: VecDeque::new(),
            request_waiters: Vec::new(),
            pong_waiters: Vec::new(),
            pongs_seen: VecDeque::new(),
            wakes: Vec::new(),
            goodbye: Goodbye::No,
            end: None,
        }
    }

    /// Whom to wake since the last call. To be woken outside of any lock.
    pub fn take_wakes(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.wakes)
    }

    /// How the link ended, if it has.
    pub fn end(&self) -> Option<&LinkEnd> {
        self.end.as_ref()
    }

    /// How many channels are open.
    pub fn channel_count(&self) -> usize {
        self.channels.values().filter(|channel| !channel.is_over()).count()
    }

    /// Bytes that are kept here: received and not taken, or to be sent.
    pub fn kept(&self) -> usize {
        self.channels.values().map(Channel::kept).sum()
    }

    // What programs on this side do.

    /// Opens a channel, held by the caller.
    ///
    /// # Errors
    /// If the link has ended, is about to, or has used up its numbers; or if the name of the service is too long.
    pub fn open(&mut self, service: &str) -> Result<u32, PushError> {
        self.check_alive()?;
        if service.len() > SERVICE_LIMIT {
            return Err(PushError::TooLarge { length: service.len(), limit: SERVICE_LIMIT });
        }
        let number = self.next;
        self.next = number.checked_add(2).ok_or(PushError::NoNumbers)?;
        self.control.push_back((Kind::Open, number, Bytes::copy_from_slice(service.as_bytes())));
        let mut channel = Channel::new(self.limits.initial as usize, self.peer_initial);
        channel.holders = 1;
        self.channels.insert(number, channel);
        Ok(number)
    }

    /// The next channel that the other side has opened for a service, held by the caller.
    ///
    /// # Errors
    /// How the link ended.
    pub fn poll_request(&mut self, context: &mut Context<'_>) -> Poll<Result<Request, LinkEnd>> {
        if let Some(request) = self.requests.pop_front() {
            return Poll::Ready(Ok(request));
        }
        if let Some(end) = &self.end {
            return Poll::Ready(Err(end.clone()));
        }
        park(&mut self.request_waiters, context);
        Poll::Pending
    }

    /// Takes hold of a channel, by a number that came in a value. One that is not there any more has ended. False if there
    /// never was one.
    pub fn hold(&mut self, number: u32) -> bool {
        if !self.was_used(number) {
            return false;
        }
        let gone = || {
            let mut gone = Channel::new(0, 0);
            gone.end_both(&ChannelEnd::Closed, &mut Vec::new());
            gone
        };
        let channel = self.channels.entry(number).or_insert_with(gone);
        channel.holders += 1;
        channel.unclaimed = false;
        true
    }

    /// Lets go of a channel. What nobody holds is closed.
    pub fn release(&mut self, number: u32) {
        let Some(channel) = self.channels.get_mut(&number) else { return };
        channel.holders = channel.holders.saturating_sub(1);
        if channel.holders > 0 {
            return;
        }
        if channel.close(None, &mut self.wakes) {
            queue(&mut self.ready, number, channel);
        }
        // What was received and not taken is of no use to anybody; what still comes neither.
        channel.discard();
        self.settle(number);
    }

    /// Ready when a channel takes another message, or never will.
    ///
    /// # Errors
    /// Why nothing can be sent.
    pub fn poll_room(&mut self, number: u32, context: &mut Context<'_>) -> Poll<Result<(), PushError>> {
        let Some(channel) = self.channels.get_mut(&number) else { return Poll::Ready(Err(PushError::Closed)) };
        if let Some(end) = &channel.sending_ended {
            return Poll::Ready(Err(PushError::from(end)));
        }
        if channel.outbox_bytes < OUTBOX {
            return Poll::Ready(Ok(()));
        }
        park(&mut channel.room_waiters, context);
        Poll::Pending
    }

    /// Hands over a message, whether or not there is room: ask [`Mux::poll_room`] before.
    ///
    /// # Errors
    /// If nothing can be sent on the channel any more, or the message is larger than `limit`, which is the other side's.
    pub fn push(&mut self, number: u32, message: Bytes, limit: usize) -> Result<(), PushError> {
        self.check_alive()?;
        if message.len() > limit {
            return Err(PushError::TooLarge { length: message.len(), limit });
        }
        let channel = self.channels.get_mut(&number).ok_or(PushError::Closed)?;
        if let Some(end) = &channel.sending_ended {
            return Err(PushError::from(end));
        }
        channel.outbox_bytes += message.len() + FRAME_COST;
        channel.outbox.push_back(message);
        if channel.may_send() {
            queue(&mut self.ready, number, channel);
        }
        Ok(())
    }

    /// The next message of a channel, or how it ended; the end again and again.
    pub fn poll_message(&mut self, number: u32, context: &mut Context<'_>) -> Poll<Result<Bytes, ChannelEnd>> {
        let Some(channel) = self.channels.get_mut(&number) else { return Poll::Ready(Err(ChannelEnd::Closed)) };
        let taken = channel.take(self.limits);
        if channel.grant_is_due(self.limits) {
            channel.granting = true;
            self.grants.push_back(number);
        }
        if let Some(taken) = taken {
            return Poll::Ready(taken);
        }
        park(&mut channel.message_waiters, context);
        Poll::Pending
    }

    /// Ready when nothing more can arrive on a channel, with the reason. What has arrived may still be taken.
    pub fn poll_closed(&mut self, number: u32, context: &mut Context<'_>) -> Poll<ChannelEnd> {
        let Some(channel) = self.channels.get_mut(&number) else { return Poll::Ready(ChannelEnd::Closed) };
        if let Some(end) = &channel.receiving_ended {
            return Poll::Ready(end.clone());
        }
        park(&mut channel.close_waiters, context);
        Poll::Pending
    }

    /// Whether a channel can neither send nor receive any more.
    pub fn is_closed(&self, number: u32) -> bool {
        self.channels
            .get(&number)
            .is_none_or(|channel| channel.sending_ended.is_some() && channel.receiving_ended.is_some())
    }

    /// No more messages are sent on a channel; receiving goes on.
    pub fn finish(&mut self, number: u32) {
        if let Some(channel) = self.channels.get_mut(&number)
            && channel.finish(&mut self.wakes)
        {
            queue(&mut self.ready, number, channel);
        }
    }

    /// Nothing more is sent or received on a channel. What was sent before still arrives, then `error`, if there is one.
    pub fn close(&mut self, number: u32, error: Option<Bytes>) {
        if let Some(channel) = self.channels.get_mut(&number)
            && channel.close(error, &mut self.wakes)
        {
            queue(&mut self.ready, number, channel);
        }
    }

    /// Asks the other side for an answer.
    pub fn ping(&mut self, token: u64) {
        self.control.push_back((Kind::Ping, 0, Bytes::copy_from_slice(&token.to_be_bytes())));
    }

    /// Ready when the answer to a ping has come.
    ///
    /// # Errors
    /// How the link ended.
    pub fn poll_pong(&mut self, token: u64, context: &mut Context<'_>) -> Poll<Result<(), LinkEnd>> {
        if self.pongs_seen.contains(&token) {
            return Poll::Ready(Ok(()));
        }
        if let Some(end) = &self.end {
            return Poll::Ready(Err(end.clone()));
        }
        self.pong_waiters.retain(|(waiting, _)| *waiting != token);
        self.pong_waiters.push((token, context.waker().clone()));
        Poll::Pending
    }

    /// Says goodbye after all that can be sent now.
    pub fn say_goodbye(&mut self) {
        if self.goodbye == Goodbye::No {
            self.goodbye = Goodbye::Wanted;
        }
    }

    /// Whether goodbye was said, and nothing is sent any more.
    pub fn has_said_goodbye(&self) -> bool {
        self.goodbye == Goodbye::Said
    }

    /// The link has ended: every channel ends with it, once.
    pub fn fail(&mut self, end: LinkEnd) {
        if self.end.is_some() {
            return;
        }
        for channel in self.channels.values_mut() {
            channel.end_both(&ChannelEnd::Link(end.clone()), &mut self.wakes);
        }
        self.end = Some(end);
        self.wakes.append(&mut self.request_waiters);
        self.wakes.extend(self.pong_waiters.drain(..).map(|(_, waker)| waker));
        self.ready.clear();
        self.grants.clear();
        self.control.clear();
        self.channels.retain(|_, channel| channel.holders > 0);
    }

    fn check_alive(&self) -> Result<(), PushError> {
        match &self.end {
            Some(end) => Err(PushError::Link(end.clone())),
            None if self.goodbye != Goodbye::No => Err(PushError::Link(LinkEnd::Closed)),
            None => Ok(()),
        }
    }

    // What the other side sends.

    /// Takes a frame in.
    ///
    /// # Errors
    /// If the other side does what it may not. The link is of no use then: call [`Mux::fail`].
    pub fn receive(&mut self, frame: Frame) -> Result<(), ProtocolError> {
        if self.end.is_some() {
            return Ok(());
        }
        let Frame { kind, channel: number, body } = frame;
        match kind {
            Kind::Hello => Err(ProtocolError::SecondHello),
            Kind::Open => self.opened(number, &body),
            Kind::Ping => {
                if body.len() != size_of::<u64>() {
                    return Err(ProtocolError::Malformed(kind));
                }
                self.pongs += 1;
                if self.pongs > PONGS {
                    return Err(ProtocolError::TooManyPings);
                }
                self.control.push_back((Kind::Pong, 0, body));
                Ok(())
            }
            Kind::Pong => {
                let token = body[..].try_into().map(u64::from_be_bytes).map_err(|_| ProtocolError::Malformed(kind))?;
                if self.pongs_seen.len() >= PONGS {
                    self.pongs_seen.pop_front();
                }
                self.pongs_seen.push_back(token);
                if let Some(at) = self.pong_waiters.iter().position(|(waiting, _)| *waiting == token) {
                    self.wakes.push(self.pong_waiters.swap_remove(at).1);
                }
                Ok(())
            }
            Kind::Goodbye => {
                self.fail(LinkEnd::Goodbye);
                Ok(())
            }
            Kind::Data | Kind::Part | Kind::Credit | Kind::Finish | Kind::Close => {
                if let Some(channel) = self.channels.get_mut(&number) {
                    match kind {
                        Kind::Data | Kind::Part => {
                            channel.arrived(body, kind == Kind::Data, self.limits, &mut self.wakes)?;
                            if channel.grant_is_due(self.limits) {
                                channel.granting = true;
                                self.grants.push_back(number);
                            }
                        }
                        Kind::Credit => {
                            let more = body[..].try_into().map_err(|_| ProtocolError::Malformed(kind))?;
                            channel.credited(u32::from_be_bytes(more))?;
                            if channel.may_send() {
                                queue(&mut self.ready, number, channel);
                            }
                        }
                        Kind::Finish => channel.peer_finished(&mut self.wakes)?,
                        _ if body.len() > ERROR_LIMIT => return Err(ProtocolError::Malformed(kind)),
                        _ => {
                            if channel.peer_closed(body, &mut self.wakes) {
                                queue(&mut self.ready, number, channel);
                            }
                            self.settle(number);
                        }
                    }
                    Ok(())
                } else if self.was_used(number) {
                    // On its way when this side had closed the channel.
                    Ok(())
                } else {
                    Err(ProtocolError::UnknownChannel(number))
                }
            }
        }
    }

    fn was_used(&self, number: u32) -> bool {
        number != 0 && if self.is_own(number) { number < self.next } else { number <= self.peers }
    }

    fn is_own(&self, number: u32) -> bool {
        (number % 2 == 1) == (self.side == Side::Initiator)
    }

    fn opened(&mut self, number: u32, service: &[u8]) -> Result<(), ProtocolError> {
        if number == 0 || self.is_own(number) || number <= self.peers {
            return Err(ProtocolError::WrongNumber(number));
        }
        let service = std::str::from_utf8(service).ok().filter(|service| service.len() <= SERVICE_LIMIT);
        let service = service.ok_or(ProtocolError::Malformed(Kind::Open))?;
        if self.channels.len() >= self.limits.channels {
            // Those that came, ended, and were never asked for.
            self.channels.retain(|_, channel| !(channel.unclaimed && channel.is_over()));
        }
        let peers = self.channels.keys().filter(|number| !self.is_own(**number)).count();
        if peers >= self.limits.channels {
            return Err(ProtocolError::TooManyChannels);
        }
        self.peers = number;
        let mut channel = Channel::new(self.limits.initial as usize, self.peer_initial);
        if service.is_empty() {
            channel.unclaimed = true;
        } else {
            channel.holders = 1;
            self.requests.push_back(Request { channel: number, service: service.to_owned() });
            self.wakes.append(&mut self.request_waiters);
        }
        self.channels.insert(number, channel);
        Ok(())
    }

    /// Forgets a channel that is over and that nobody holds.
    fn settle(&mut self, number: u32) {
        if let Some(channel) = self.channels.get(&number)
            && channel.is_over()
            && channel.holders == 0
            && !channel.unclaimed
        {
            self.channels.remove(&number);
        }
    }

    // What goes out.

    /// Whether there is anything to transmit now.
    pub fn has_something(&self) -> bool {
        let waiting = self.goodbye == Goodbye::Wanted || !self.control.is_empty();
        waiting || !self.grants.is_empty() || !self.ready.is_empty()
    }

    /// Appends frames to `out` until there are about `limit` bytes, or nothing is left that may be sent now.
    pub fn transmit(&mut self, encoder: &mut Encoder, out: &mut Outgoing, limit: usize) {
        if self.end.is_some() || self.goodbye == Goodbye::Said {
            return;
        }
        while let Some((kind, number, body)) = self.control.pop_front() {
            if kind == Kind::Pong {
                self.pongs -= 1;
            }
            encoder.encode(kind, number, &body, out.small());
        }
        while let Some(number) = self.grants.pop_front() {
            if let Some(channel) = self.channels.get_mut(&number)
                && let Some(grant) = channel.grant()
            {
                encoder.encode(Kind::Credit, number, &grant.to_be_bytes(), out.small());
            }
        }
        while out.len() < limit
            && let Some(number) = self.ready.pop_front()
        {
            let Some(channel) = self.channels.get_mut(&number) else { continue };
            channel.queued = false;
            channel.take_turn(number, encoder, out, &mut self.wakes);
            if channel.may_send() {
                queue(&mut self.ready, number, channel);
            }
            self.settle(number);
        }
        if self.goodbye == Goodbye::Wanted && self.ready.is_empty() {
            encoder.encode(Kind::Goodbye, 0, &[], out.small());
            self.goodbye = Goodbye::Said;
        }
    }
}

/// Remembers whom to wake, once.
fn park(waiters: &mut Vec<Waker>, context: &Context<'_>) {
    if !waiters.iter().any(|waiter| waiter.will_wake(context.waker())) {
        waiters.push(context.waker().clone());
    }
}

/// Gives a channel a turn, unless it waits for one already.
fn queue(ready: &mut VecDeque<u32>, number: u32, channel: &mut Channel) {
    if !channel.queued {
        channel.queued = true;
        ready.push_back(number);
    }
}
