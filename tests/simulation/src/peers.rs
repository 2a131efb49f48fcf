//! The arithmetic of pytest-xdist 3.8's schedulers, for comparison: how many tests it sends to whom, and when.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use xdist_core::ids::TestIndex;

/// What a worker is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Run these, too.
    Run(Vec<TestIndex>),
    /// Nothing more comes.
    NoMore,
    /// Give back what has not begun of these.
    Steal(Vec<TestIndex>),
}

/// What is said to whom.
pub type Orders = Vec<(usize, Told)>;

/// A scheduler of pytest-xdist.
pub trait Peer {
    /// All workers are there.
    fn begin(&mut self) -> Orders;
    /// A worker finished a test after so many seconds.
    fn done(&mut self, worker: usize, test: TestIndex, seconds: f64) -> Orders;
    /// What was asked back has come.
    fn stolen(&mut self, tests: Vec<TestIndex>) -> Orders {
        let _ = tests;
        Vec::new()
    }
}

fn run(tests: Range<u32>) -> Told {
    Told::Run(tests.map(TestIndex).collect())
}

/// `--dist=load`: chunks of what is left, divided by the workers and by four.
#[derive(Debug)]
pub struct Load {
    tests: u32,
    next: u32,
    queued: Vec<u32>,
}

impl Load {
    /// Nothing is sent yet.
    pub fn new(tests: u32, workers: u32) -> Self {
        Self { tests, next: 0, queued: vec![0; workers as usize] }
    }

    fn send(&mut self, worker: usize, count: u32) -> (usize, Told) {
        let start = self.next;
        self.next = (start + count).min(self.tests);
        self.queued[worker] += self.next - start;
        (worker, run(start..self.next))
    }

    fn per_worker(&self) -> u32 {
        (self.tests - self.next) / u32::try_from(self.queued.len()).unwrap_or(1)
    }
}

impl Peer for Load {
    fn begin(&mut self) -> Orders {
        let workers = self.queued.len();
        let mut orders = Vec::new();
        if (self.tests as usize) < 2 * workers {
            for worker in (0..workers).cycle().take(self.tests as usize) {
                orders.push(self.send(worker, 1));
            }
        } else {
            let chunk = (self.per_worker() / 4).max(2);
            for worker in 0..workers {
                orders.push(self.send(worker, chunk));
            }
        }
        if self.next == self.tests {
            orders.extend((0..workers).map(|worker| (worker, Told::NoMore)));
        }
        orders
    }

    fn done(&mut self, worker: usize, _: TestIndex, seconds: f64) -> Orders {
        self.queued[worker] -= 1;
        if self.next == self.tests {
            return vec![(worker, Told::NoMore)];
        }
        let (low, high) = ((self.per_worker() / 4).max(2), (self.per_worker() / 2).max(2));
        let queued = self.queued[worker];
        if queued >= low || (seconds >= 0.1 && queued >= 2) {
            return Vec::new();
        }
        vec![self.send(worker, high - queued)]
    }
}

/// `--dist=worksteal`: everything is dealt out at once; who runs out is given half of the longest queue, one at a time.
#[derive(Debug)]
pub struct WorkSteal {
    pending: Vec<TestIndex>,
    queues: Vec<VecDeque<TestIndex>>,
    asked: Option<usize>,
    closed: Vec<bool>,
}

impl WorkSteal {
    /// Nothing is sent yet.
    pub fn new(tests: u32, workers: u32) -> Self {
        let workers = workers as usize;
        Self {
            pending: (0..tests).map(TestIndex).collect(),
            queues: vec![VecDeque::new(); workers],
            asked: None,
            closed: vec![false; workers],
        }
    }

    fn idle(&self) -> Vec<usize> {
        (0..self.queues.len()).filter(|at| self.queues[*at].len() < 2 && !self.closed[*at]).collect()
    }

    fn deal(&mut self) -> Orders {
        let idle = self.idle();
        let mut orders = Vec::new();
        if !self.pending.is_empty() {
            let mut pending = std::mem::take(&mut self.pending).into_iter();
            for (left, worker) in (1..=idle.len()).rev().zip(&idle) {
                let count = pending.len() / left;
                let tests: Vec<_> = pending.by_ref().take(count).collect();
                if !tests.is_empty() {
                    self.queues[*worker].extend(&tests);
                    orders.push((*worker, Told::Run(tests)));
                }
            }
            self.pending = pending.collect();
        }
        let idle = self.idle();
        if idle.is_empty() || self.asked.is_some() || !self.pending.is_empty() {
            return orders;
        }
        let victim = (0..self.queues.len()).max_by_key(|at| (self.queues[*at].len(), Reverse(*at)));
        let Some(victim) = victim else { return orders };
        let queue = &self.queues[victim];
        let count = (queue.len() / 2).min(queue.len().saturating_sub(2));
        if count == 0 {
            for worker in idle {
                self.closed[worker] = true;
                orders.push((worker, Told::NoMore));
            }
        } else {
            self.asked = Some(victim);
            orders.push((victim, Told::Steal(queue.iter().copied().skip(queue.len() - count).collect())));
        }
        orders
    }
}

impl Peer for WorkSteal {
    fn begin(&mut self) -> Orders {
        self.deal()
    }

    fn done(&mut self, worker: usize, test: TestIndex, _: f64) -> Orders {
        let queue = &mut self.queues[worker];
        if let Some(at) = queue.iter().position(|queued| *queued == test) {
            queue.remove(at);
        }
        // Whoever has enough changes nothing.
        if self.queues[worker].len() < 2 { self.deal() } else { Vec::new() }
    }

    fn stolen(&mut self, tests: Vec<TestIndex>) -> Orders {
        if let Some(victim) = self.asked.take() {
            self.queues[victim].retain(|test| !tests.contains(test));
        }
        self.pending.extend(tests);
        self.deal()
    }
}

/// `--dist=loadscope`: units, those with many tests first; one more for who has two tests or fewer.
#[derive(Debug)]
pub struct LoadScope {
    units: VecDeque<Vec<TestIndex>>,
    open: Vec<usize>,
}

impl LoadScope {
    /// Nothing is sent yet; `units` is the unit of each test.
    pub fn new(units: &[u32], workers: u32) -> Self {
        let mut tests: BTreeMap<u32, Vec<TestIndex>> = BTreeMap::new();
        for (unit, test) in units.iter().zip((0..).map(TestIndex)) {
            tests.entry(*unit).or_default().push(test);
        }
        let mut units: Vec<_> = tests.into_values().collect();
        units.sort_by_key(|unit| Reverse(unit.len()));
        Self { units: units.into(), open: vec![0; workers as usize] }
    }

    fn next(&mut self, worker: usize) -> Orders {
        if self.open[worker] > 2 {
            return Vec::new();
        }
        let Some(unit) = self.units.pop_front() else { return Vec::new() };
        self.open[worker] += unit.len();
        vec![(worker, Told::Run(unit))]
    }
}

impl Peer for LoadScope {
    fn begin(&mut self) -> Orders {
        let workers = self.open.len();
        let mut orders: Orders = (self.units.len()..workers).map(|worker| (worker, Told::NoMore)).collect();
        for _ in 0..2 {
            for worker in 0..workers {
                orders.extend(self.next(worker));
            }
        }
        orders
    }

    fn done(&mut self, worker: usize, _: TestIndex, _: f64) -> Orders {
        self.open[worker] -= 1;
        if self.units.is_empty() { vec![(worker, Told::NoMore)] } else { self.next(worker) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(orders: &Orders) -> Vec<(usize, Vec<u32>)> {
        let tests = |told: &Told| match told {
            Told::Run(tests) => Some(tests.iter().map(|test| test.0).collect()),
            Told::NoMore | Told::Steal(_) => None,
        };
        orders.iter().filter_map(|(worker, told)| Some((*worker, tests(told)?))).collect()
    }

    #[test]
    fn load_is_that_of_pytest_xdist() {
        let mut load = Load::new(6, 2);
        assert_eq!(sent(&load.begin()), [(0, vec![0, 1]), (1, vec![2, 3])]);
        assert_eq!(sent(&load.done(1, TestIndex(2), 0.0)), [(1, vec![4])]);
        assert_eq!(
            sent(&Load::new(5, 3).begin()),
            [(0, vec![0]), (1, vec![1]), (2, vec![2]), (0, vec![3]), (1, vec![4])]
        );
        let mut load = Load::new(16, 2);
        assert_eq!(sent(&load.begin()), [(0, vec![0, 1]), (1, vec![2, 3])]);
        assert_eq!(sent(&load.done(0, TestIndex(0), 0.0)), [(0, vec![4, 5])]);
    }

    #[test]
    fn worksteal_is_that_of_pytest_xdist() {
        assert_eq!(sent(&WorkSteal::new(5, 3).begin()), [(0, vec![0]), (1, vec![1, 2]), (2, vec![3, 4])]);
        assert_eq!(sent(&WorkSteal::new(2, 3).begin()), [(1, vec![0]), (2, vec![1])]);
        let split = sent(&WorkSteal::new(16, 2).begin());
        assert_eq!(split.iter().map(|(_, tests)| tests.len()).collect::<Vec<_>>(), [8, 8]);
        let mut stealing = WorkSteal::new(16, 2);
        stealing.begin();
        let mut orders = Vec::new();
        for test in 0..7 {
            orders = stealing.done(0, TestIndex(test), 0.1);
        }
        assert_eq!(orders, [(1, Told::Steal((12..16).map(TestIndex).collect()))]);
        assert_eq!(sent(&stealing.stolen((12..16).map(TestIndex).collect())), [(0, vec![12, 13, 14, 15])]);
    }
}
