//! One channel's two directions: boxes of messages, credit, ends.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::Bytes;

use super::{ChannelEnd, FRAGMENT, FRAME_COST, Limits, OUTBOX, ProtocolError, TURN};
use crate::wire::{Encoder, Kind, Outgoing};

/// The smallest piece of a larger message that is worth a frame.
const PIECE: usize = 4096;

/// What a sender still has to say about its end.
#[derive(Debug, Default)]
enum Last {
    /// Nothing: messages may come.
    #[default]
    Open,
    /// That there are no more messages.
    Finish,
    /// That the channel is closed, with an error if there is one.
    Close(Bytes),
    /// It was said that there are no more messages.
    Finished,
    /// It was said that the channel is closed.
    Closed,
}

/// The first pieces of a message, put together once when the last one has come.
#[derive(Debug, Default)]
struct Pieces {
    large: Vec<Bytes>,
    /// What came behind the large ones: small pieces are copied, or many of them would take more than they hold.
    small: Vec<u8>,
    length: usize,
}

impl Pieces {
    fn len(&self) -> usize {
        self.length
    }

    fn push(&mut self, body: Bytes) {
        self.length += body.len();
        if body.len() < PIECE {
            self.small.extend_from_slice(&body);
        } else {
            if !self.small.is_empty() {
                self.large.push(std::mem::take(&mut self.small).into());
            }
            self.large.push(body);
        }
    }

    fn and_last(self, body: Bytes) -> Bytes {
        if self.length == 0 {
            return body;
        }
        let mut message = Vec::with_capacity(self.length + body.len());
        self.large.iter().for_each(|piece| message.extend_from_slice(piece));
        message.extend_from_slice(&self.small);
        message.extend_from_slice(&body);
        message.into()
    }
}

#[derive(Debug, Default)]
pub(super) struct Channel {
    pub(super) holders: usize,
    /// Opened by the other side, to be asked for by its number.
    pub(super) unclaimed: bool,
    /// Waits for its turn.
    pub(super) queued: bool,

    /// Messages that have arrived, each with what it cost and was not given back.
    inbox: VecDeque<(Bytes, usize)>,
    inbox_bytes: usize,
    /// Pieces of the message that is arriving.
    partial: Pieces,
    partial_cost: usize,
    /// Somebody waits for the message that is arriving.
    wanted: bool,
    /// What the other side may still send.
    allowed: usize,
    /// What can be given back to it.
    due: usize,
    /// The credit was raised from the initial to the full one.
    raised: bool,
    /// Waits for its credit to be sent.
    pub(super) granting: bool,
    /// Nobody takes messages any more.
    discarding: bool,
    peer_closed: bool,
    pub(super) receiving_ended: Option<ChannelEnd>,
    pub(super) message_waiters: Vec<Waker>,
    pub(super) close_waiters: Vec<Waker>,

    pub(super) outbox: VecDeque<Bytes>,
    pub(super) outbox_bytes: usize,
    /// Bytes of the first message that are sent already.
    sent: usize,
    credit: usize,
    last: Last,
    pub(super) sending_ended: Option<ChannelEnd>,
    pub(super) room_waiters: Vec<Waker>,
}

impl Channel {
    pub(super) fn new(allowed: usize, credit: usize) -> Self {
        Self { allowed, credit, ..Self::default() }
    }

    pub(super) fn kept(&self) -> usize {
        self.inbox_bytes + self.partial.len() + self.outbox_bytes
    }

    /// Whether both sides have said that it is closed, or the link is gone.
    pub(super) fn is_over(&self) -> bool {
        let gone = matches!(self.receiving_ended, Some(ChannelEnd::Link(_)));
        gone || (self.peer_closed && matches!(self.last, Last::Closed))
    }

    // Receiving.

    pub(super) fn arrived(
        &mut self,
        body: Bytes,
        last: bool,
        limits: Limits,
        wakes: &mut Vec<Waker>,
    ) -> Result<(), ProtocolError> {
        if self.peer_closed || matches!(self.receiving_ended, Some(ChannelEnd::Finished)) {
            return Err(ProtocolError::AfterEnd);
        }
        let cost = body.len() + FRAME_COST;
        self.allowed = self.allowed.checked_sub(cost).ok_or(ProtocolError::Credit)?;
        if self.partial.len() + body.len() > limits.message {
            return Err(ProtocolError::MessageTooLarge(limits.message));
        }
        if self.discarding || self.receiving_ended.is_some() {
            return Ok(());
        }
        self.partial_cost += cost;
        if last {
            let message = std::mem::take(&mut self.partial).and_last(body);
            self.inbox_bytes += message.len();
            self.inbox.push_back((message, std::mem::take(&mut self.partial_cost)));
            self.wanted = false;
            wakes.append(&mut self.message_waiters);
        } else {
            self.partial.push(body);
            if self.wanted {
                self.due += std::mem::take(&mut self.partial_cost);
            }
        }
        Ok(())
    }

    /// The next message or the end; none if one has to wait.
    pub(super) fn take(&mut self, limits: Limits) -> Option<Result<Bytes, ChannelEnd>> {
        if !self.raised {
            self.raised = true;
            self.due += limits.window.saturating_sub(limits.initial) as usize;
        }
        if let Some((message, cost)) = self.inbox.pop_front() {
            self.inbox_bytes -= message.len();
            self.due += cost;
            return Some(Ok(message));
        }
        if let Some(end) = &self.receiving_ended {
            return Some(Err(end.clone()));
        }
        self.wanted = true;
        self.due += std::mem::take(&mut self.partial_cost);
        None
    }

    /// Whether enough can be given back to be worth a frame, and is not about to be.
    pub(super) fn grant_is_due(&self, limits: Limits) -> bool {
        let worth = (limits.window / 4).max(1) as usize;
        let hungry = self.wanted && self.due > 0 && self.allowed < PIECE + FRAME_COST;
        !self.granting && self.receiving_ended.is_none() && (self.due >= worth || hungry)
    }

    pub(super) fn grant(&mut self) -> Option<u32> {
        self.granting = false;
        let grant = u32::try_from(self.due).unwrap_or(u32::MAX);
        if grant == 0 || self.receiving_ended.is_some() {
            return None;
        }
        self.due -= grant as usize;
        self.allowed += grant as usize;
        Some(grant)
    }

    pub(super) fn peer_finished(&mut self, wakes: &mut Vec<Waker>) -> Result<(), ProtocolError> {
        if self.partial.len() > 0 || self.peer_closed || matches!(self.receiving_ended, Some(ChannelEnd::Finished)) {
            return Err(ProtocolError::AfterEnd);
        }
        self.end_receiving(ChannelEnd::Finished, wakes);
        Ok(())
    }

    /// The other side has closed; true if this side has to say so too.
    pub(super) fn peer_closed(&mut self, error: Bytes, wakes: &mut Vec<Waker>) -> bool {
        self.peer_closed = true;
        if !error.is_empty() && matches!(self.receiving_ended, Some(ChannelEnd::Finished)) {
            self.receiving_ended = None;
        }
        self.end_receiving(if error.is_empty() { ChannelEnd::Closed } else { ChannelEnd::Failed(error) }, wakes);
        self.drop_outbox();
        self.end_sending(ChannelEnd::Closed, wakes);
        if matches!(self.last, Last::Closed) {
            return false;
        }
        self.last = Last::Close(Bytes::new());
        true
    }

    fn end_receiving(&mut self, end: ChannelEnd, wakes: &mut Vec<Waker>) {
        if self.receiving_ended.is_none() {
            self.receiving_ended = Some(end);
            self.partial = Pieces::default();
            wakes.append(&mut self.message_waiters);
            wakes.append(&mut self.close_waiters);
        }
    }

    pub(super) fn discard(&mut self) {
        self.discarding = true;
        self.inbox.clear();
        self.inbox_bytes = 0;
        self.partial = Pieces::default();
    }

    // Sending.

    pub(super) fn credited(&mut self, more: u32) -> Result<(), ProtocolError> {
        self.credit += more as usize;
        if self.credit > u32::MAX as usize { Err(ProtocolError::Credit) } else { Ok(()) }
    }

    /// What the next piece may hold; none if there is no message or not enough credit.
    fn piece(&self) -> Option<usize> {
        let rest = self.outbox.front()?.len() - self.sent;
        let room = self.credit.checked_sub(FRAME_COST)?;
        let piece = rest.min(FRAGMENT).min(room);
        (piece == rest || piece >= PIECE).then_some(piece)
    }

    pub(super) fn may_send(&self) -> bool {
        if self.outbox.is_empty() { matches!(self.last, Last::Finish | Last::Close(_)) } else { self.piece().is_some() }
    }

    pub(super) fn take_turn(&mut self, number: u32, encoder: &mut Encoder, out: &mut Outgoing, wakes: &mut Vec<Waker>) {
        let stop = out.len() + TURN;
        while out.len() < stop
            && let Some(piece) = self.piece()
            && let Some(message) = self.outbox.front()
        {
            let until = self.sent + piece;
            let whole = until == message.len();
            let kind = if whole { Kind::Data } else { Kind::Part };
            encoder.encode_shared(kind, number, message.slice(self.sent..until), out);
            self.credit -= piece + FRAME_COST;
            self.outbox_bytes -= piece;
            self.sent = until;
            if whole {
                self.outbox.pop_front();
                self.outbox_bytes -= FRAME_COST;
                self.sent = 0;
            }
        }
        if self.outbox_bytes < OUTBOX {
            wakes.append(&mut self.room_waiters);
        }
        if self.outbox.is_empty() {
            match &self.last {
                Last::Finish => {
                    encoder.encode(Kind::Finish, number, &[], out.small());
                    self.last = Last::Finished;
                }
                Last::Close(error) => {
                    encoder.encode(Kind::Close, number, error, out.small());
                    self.last = Last::Closed;
                }
                Last::Open | Last::Finished | Last::Closed => {}
            }
        }
    }

    /// True if something is to be sent for it.
    pub(super) fn finish(&mut self, wakes: &mut Vec<Waker>) -> bool {
        if !matches!(self.last, Last::Open) || self.sending_ended.is_some() {
            return false;
        }
        self.last = Last::Finish;
        self.end_sending(ChannelEnd::Closed, wakes);
        true
    }

    /// True if something is to be sent for it.
    pub(super) fn close(&mut self, error: Option<Bytes>, wakes: &mut Vec<Waker>) -> bool {
        let link_gone = matches!(self.receiving_ended, Some(ChannelEnd::Link(_)));
        if link_gone || matches!(self.last, Last::Close(_) | Last::Closed) {
            return false;
        }
        self.last = Last::Close(error.unwrap_or_default());
        self.end_sending(ChannelEnd::Closed, wakes);
        self.end_receiving(ChannelEnd::Closed, wakes);
        true
    }

    pub(super) fn end_both(&mut self, end: &ChannelEnd, wakes: &mut Vec<Waker>) {
        self.end_receiving(end.clone(), wakes);
        self.end_sending(end.clone(), wakes);
        self.drop_outbox();
        self.last = Last::Closed;
        self.peer_closed = true;
    }

    fn end_sending(&mut self, end: ChannelEnd, wakes: &mut Vec<Waker>) {
        if self.sending_ended.is_none() {
            self.sending_ended = Some(end);
        }
        wakes.append(&mut self.room_waiters);
    }

    fn drop_outbox(&mut self) {
        self.outbox.clear();
        self.outbox_bytes = 0;
        self.sent = 0;
    }
}
