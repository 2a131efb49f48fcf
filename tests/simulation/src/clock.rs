//! The virtual clock: events in the order of their times, those of one time in the order in which they were set.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Events to come.
#[derive(Debug)]
pub struct Clock<E> {
    now: f64,
    set: u64,
    heap: BinaryHeap<Entry<E>>,
}

#[derive(Debug)]
struct Entry<E> {
    at: f64,
    order: u64,
    event: E,
}

impl<E> Default for Clock<E> {
    fn default() -> Self {
        Self { now: 0.0, set: 0, heap: BinaryHeap::new() }
    }
}

impl<E> Clock<E> {
    /// Seconds since the start.
    pub fn now(&self) -> f64 {
        self.now
    }

    /// Sets an event for a time; one that is past means now.
    pub fn at(&mut self, time: f64, event: E) {
        self.set += 1;
        self.heap.push(Entry { at: time.max(self.now), order: self.set, event });
    }

    /// Sets an event for so many seconds from now.
    pub fn after(&mut self, seconds: f64, event: E) {
        self.at(self.now + seconds, event);
    }

    /// The next event; it is its time now.
    pub fn next_event(&mut self) -> Option<E> {
        let entry = self.heap.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives out its greatest.
        other.at.total_cmp(&self.at).then(other.order.cmp(&self.order))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}
