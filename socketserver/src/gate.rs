//! Who may try at all, before a byte is read: how many at a time, from where, and with what record. Pure: time is told,
//! and what is remembered is bounded.
//!
//! A full house turns nobody away: the one who has dawdled longest leaves, of the same source if that has its share. So
//! slow peers hold no honest one up, who needs a round trip.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Longer than anybody waits, and short enough for every clock.
pub(crate) const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);

/// How much is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Handshakes at a time.
    pub pending: usize,
    /// Of these, from one source.
    pub pending_of_source: usize,
    /// Sources whose offences are remembered.
    pub sources: usize,
    /// Penalties below are not enforced yet.
    pub threshold: Duration,
    /// No penalty is longer.
    pub longest: Duration,
    /// Handshakes that may be computed in a second.
    pub rate: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pending: 64,
            pending_of_source: 8,
            sources: 4096,
            threshold: Duration::from_secs(15),
            longest: Duration::from_mins(10),
            rate: 200,
        }
    }
}

/// What somebody unknown did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// Spoke something else.
    NotOurs,
    /// Does not hold what the token's holder has.
    Refused,
    /// Repeated what another one had sent, or was changed on its way.
    NoProof,
    /// Was not done in time, or made room for others.
    TooSlow,
    /// Left before it was done.
    Left,
}

impl Offence {
    /// How long a source with nothing else on its record would have to wait.
    fn penalty(self) -> Duration {
        Duration::from_secs(match self {
            Self::NotOurs | Self::Refused | Self::NoProof => 5,
            Self::TooSlow | Self::Left => 1,
        })
    }

    /// For the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotOurs => "not our protocol",
            Self::Refused => "unknown token or wrong secret",
            Self::NoProof => "no proof of the keys",
            Self::TooSlow => "too slow",
            Self::Left => "left",
        }
    }
}

/// Where connections come from: an address, or the network that is one customer's.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let mut segments = address.segments();
                segments[4..].fill(0);
                IpAddr::V6(segments.into())
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// Names somebody who is inside.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Ticket(u64);

/// What becomes of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It may try; somebody else may have to leave for it.
    Enter {
        /// Its ticket, for [`Gate::leave`].
        ticket: Ticket,
        /// Who leaves.
        instead_of: Option<Ticket>,
    },
    /// Not for now: it is closed unheard.
    Barred,
}

/// The gate's memory.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    next: u64,
    /// The longest there first.
    pending: VecDeque<(Ticket, Source)>,
    /// When each source's penalties are over.
    penalties: HashMap<Source, Instant>,
    /// When the last handshake of those that were computed is paid for.
    computed: Option<Instant>,
}

impl Gate {
    /// A gate where nobody has been.
    pub fn new(limits: Limits) -> Self {
        Self { limits, next: 0, pending: VecDeque::new(), penalties: HashMap::new(), computed: None }
    }

    /// Somebody comes.
    pub fn enter(&mut self, source: Source, now: Instant) -> Entry {
        if self.is_barred(source, now) {
            return Entry::Barred;
        }
        let of_source = self.pending.iter().filter(|(_, other)| *other == source).count();
        let crowded = of_source >= self.limits.pending_of_source;
        let leaves = if crowded || self.pending.len() >= self.limits.pending {
            self.pending.iter().position(|(_, other)| !crowded || *other == source)
        } else {
            None
        };
        let instead_of = leaves.and_then(|at| self.pending.remove(at)).map(|(ticket, _)| ticket);
        let ticket = Ticket(self.next);
        self.next += 1;
        self.pending.push_back((ticket, source));
        Entry::Enter { ticket, instead_of }
    }

    /// Somebody is done, one way or the other. Idempotent.
    pub fn leave(&mut self, ticket: Ticket) {
        self.pending.retain(|(other, _)| *other != ticket);
    }

    /// Somebody has offended.
    pub fn punish(&mut self, source: Source, offence: Offence, now: Instant) {
        if self.penalties.len() >= self.limits.sources && !self.penalties.contains_key(&source) {
            self.penalties.retain(|_, over| *over > now);
            if self.penalties.len() >= self.limits.sources {
                let mildest = self.penalties.iter().min_by_key(|(_, over)| **over).map(|(source, _)| *source);
                mildest.map(|mildest| self.penalties.remove(&mildest));
            }
        }
        let over = self.penalties.entry(source).or_insert(now);
        *over = (*over).max(now) + offence.penalty();
        *over = (*over).min(now + self.limits.longest);
    }

    /// Somebody has shown a token: nothing is held against its source any more.
    pub fn forgive(&mut self, source: Source) {
        self.penalties.remove(&source);
    }

    fn is_barred(&self, source: Source, now: Instant) -> bool {
        self.penalties.get(&source).is_some_and(|over| over.saturating_duration_since(now) > self.limits.threshold)
    }

    /// Whether a handshake may be computed now; counts it if so.
    pub fn may_compute(&mut self, now: Instant) -> bool {
        let each = Duration::from_secs(1) / self.limits.rate.max(1);
        let start = self.computed.unwrap_or(now).max(now);
        // A second's worth may come at once.
        if start.saturating_duration_since(now) >= Duration::from_secs(1) {
            return false;
        }
        self.computed = Some(start + each);
        true
    }

    /// How many try.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(text: &str) -> Source {
        text.parse::<IpAddr>().unwrap().into()
    }

    fn enter(gate: &mut Gate, source: Source, now: Instant) -> (Ticket, Option<Ticket>) {
        match gate.enter(source, now) {
            Entry::Enter { ticket, instead_of } => (ticket, instead_of),
            Entry::Barred => panic!("barred"),
        }
    }

    #[test]
    fn a_network_of_one_customer_is_one_source() {
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::9"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_eq!(source("::ffff:10.0.0.1"), source("10.0.0.1"));
        assert_ne!(source("10.0.0.1"), source("10.0.0.2"));
    }

    #[test]
    fn the_one_who_dawdles_makes_room() {
        let (mut gate, now) = (Gate::new(Limits::default()), Instant::now());
        let (slow, other) = (source("10.0.0.1"), source("10.0.0.2"));
        let (others, _) = enter(&mut gate, other, now);
        let first: Vec<_> = (0..8).map(|_| enter(&mut gate, slow, now)).collect();
        assert!(first.iter().all(|(_, instead_of)| instead_of.is_none()));
        assert_eq!(enter(&mut gate, slow, now).1, Some(first[0].0), "one of the same source, not of another");
        // As many sources as it takes to fill the house.
        for number in 0..55 {
            assert_eq!(enter(&mut gate, source(&format!("10.0.1.{number}")), now).1, None);
        }
        assert_eq!(gate.pending(), 64);
        assert_eq!(enter(&mut gate, source("10.0.2.1"), now).1, Some(others), "the longest there of all");
    }

    #[test]
    fn offences_add_up_and_are_forgotten() {
        let (mut gate, mut now) = (Gate::new(Limits::default()), Instant::now());
        let (bad, good) = (source("10.0.0.1"), source("10.0.0.2"));
        for _ in 0..3 {
            gate.punish(bad, Offence::Refused, now);
            enter(&mut gate, bad, now);
        }
        gate.punish(bad, Offence::Refused, now);
        assert_eq!(gate.enter(bad, now), Entry::Barred);
        enter(&mut gate, good, now);
        now += Duration::from_secs(6);
        enter(&mut gate, bad, now);
        (0..1000).for_each(|_| gate.punish(bad, Offence::NotOurs, now));
        now += Duration::from_mins(9);
        assert_eq!(gate.enter(bad, now), Entry::Barred);
        now += Duration::from_mins(1);
        enter(&mut gate, bad, now);
        (0..10).for_each(|_| gate.punish(bad, Offence::NotOurs, now));
        gate.forgive(bad);
        enter(&mut gate, bad, now);
    }

    #[test]
    fn handshakes_have_a_rate() {
        let limits = Limits { rate: 10, ..Limits::default() };
        let (mut gate, now) = (Gate::new(limits), Instant::now());
        assert_eq!((0..100).filter(|_| gate.may_compute(now)).count(), 10);
        let later = now + Duration::from_millis(500);
        assert_eq!((0..100).filter(|_| gate.may_compute(later)).count(), 5);
    }

    proptest! {
        #[test]
        fn memory_is_bounded_whatever_comes(deeds in prop::collection::vec((0_u8..4, 0_u8..40, 0_u64..3000), 0..400)) {
            let limits = Limits { pending: 10, pending_of_source: 3, sources: 5, ..Limits::default() };
            let (mut gate, mut now, mut inside) = (Gate::new(limits), Instant::now(), Vec::new());
            for (deed, from, wait) in deeds {
                now += Duration::from_millis(wait);
                let source = source(&format!("10.0.0.{from}"));
                match deed {
                    0 | 1 => if let Entry::Enter { ticket, instead_of } = gate.enter(source, now) {
                        inside.push(ticket);
                        if let Some(gone) = instead_of {
                            prop_assert!(inside.contains(&gone));
                            inside.retain(|other| *other != gone);
                        }
                    },
                    2 => gate.punish(source, Offence::Refused, now),
                    _ => if let Some(ticket) = inside.pop() {
                        gate.leave(ticket);
                    },
                }
                prop_assert_eq!(gate.pending(), inside.len());
                prop_assert!(gate.pending() <= 10);
                prop_assert!(gate.penalties.len() <= 5);
                let of_source = gate.pending.iter().filter(|(_, other)| *other == source).count();
                prop_assert!(of_source <= 3);
            }
        }
    }
}
