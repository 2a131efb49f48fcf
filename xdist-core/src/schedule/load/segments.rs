//! The collection in contiguous segments, one a worker; who runs out takes half of a long one.

use std::ops::Range;

use crate::ids::{TestIndex, WorkerId};

/// So many segments are compared for the longest one; of more, as many are drawn.
const COMPARED: usize = 64;

/// What of the collection nobody has yet.
#[derive(Debug)]
pub(super) struct Segments {
    by_worker: Vec<Range<u32>>,
    /// Segments that may have tests; all that do are in it.
    open: Vec<usize>,
    is_open: Vec<bool>,
    /// Workers that have come for tests, or are gone: their segments are everybody's.
    came: Vec<bool>,
    /// What neighbours have in common that is better kept together; empty: nothing is known.
    groups: Vec<u32>,
    /// For drawing: any numbers do, as long as they are the same in every run.
    draws: u64,
}

impl Segments {
    /// The tests of a range in one segment a worker.
    pub(super) fn new(tests: Range<u32>, workers: u32, groups: Vec<u32>) -> Self {
        let workers = workers.max(1);
        let count = u64::from(tests.end - tests.start);
        let cut = |k: u32| tests.start + u32::try_from(count * u64::from(k) / u64::from(workers)).unwrap_or(u32::MAX);
        let mut made = Self {
            by_worker: Vec::new(),
            open: (0..workers as usize).collect(),
            is_open: vec![true; workers as usize],
            came: vec![false; workers as usize],
            groups,
            draws: 1,
        };
        let mut start = tests.start;
        for k in 1..=workers {
            let end = if k == workers { tests.end } else { made.cut_near(cut(k), start..tests.end).max(start) };
            made.by_worker.push(start..end);
            start = end;
        }
        made
    }

    /// A worker is there, or gone: nothing is left for it.
    pub(super) fn came(&mut self, worker: WorkerId) {
        if let Some(came) = self.came.get_mut(worker.at()) {
            *came = true;
        }
    }

    /// The next test of a worker's own segment, which is filled up if it is empty.
    pub(super) fn next(&mut self, worker: WorkerId) -> Option<TestIndex> {
        let own = worker.at().min(self.by_worker.len() - 1);
        if self.by_worker[own].is_empty() {
            self.refill(own);
        }
        self.by_worker[own].next().map(TestIndex)
    }

    /// Whether there is a test for which this holds.
    pub(super) fn any(&self, holds: &dyn Fn(TestIndex) -> bool) -> bool {
        self.open.iter().any(|at| self.by_worker[*at].clone().any(|test| holds(TestIndex(test))))
    }

    /// All that is left.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = TestIndex> {
        self.by_worker.iter_mut().flat_map(|segment| std::mem::replace(segment, 0..0)).map(TestIndex)
    }

    /// Tests of a segment that others may take: the first one of a worker that has not come up is left to it.
    fn spare(&self, at: usize) -> usize {
        self.by_worker[at].len().saturating_sub(usize::from(!self.came[at]))
    }

    /// Moves the second half of a long segment to `own`.
    fn refill(&mut self, own: usize) {
        let Some(longest) = self.longest() else { return };
        let Range { start, end } = self.by_worker[longest].clone();
        let least = start + u32::from(!self.came[longest]);
        let middle = self.cut_near((start + (end - start) / 2).max(least), least..end);
        self.by_worker[longest] = start..middle;
        self.by_worker[own] = middle..end;
        if !std::mem::replace(&mut self.is_open[own], true) {
            self.open.push(own);
        }
    }

    fn longest(&mut self) -> Option<usize> {
        let mut best = None;
        if self.open.len() <= COMPARED {
            let (segments, is_open) = (&self.by_worker, &mut self.is_open);
            self.open.retain(|at| {
                is_open[*at] = !segments[*at].is_empty();
                is_open[*at]
            });
            best = self.open.iter().copied().max_by_key(|at| (self.spare(*at), std::cmp::Reverse(*at)));
        } else {
            for _ in 0..COMPARED / 4 {
                best = self.draw().into_iter().chain(best).max_by_key(|at| self.spare(*at));
            }
        }
        best.filter(|at| self.spare(*at) > 0).or_else(|| self.open.iter().copied().find(|at| self.spare(*at) > 0))
    }

    /// A segment that has tests.
    fn draw(&mut self) -> Option<usize> {
        while !self.open.is_empty() {
            self.draws = self.draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let drawn = (self.draws >> 33) as usize % self.open.len();
            let at = self.open[drawn];
            if !self.by_worker[at].is_empty() {
                return Some(at);
            }
            self.open.swap_remove(drawn);
            self.is_open[at] = false;
        }
        None
    }

    /// The place nearest to `wanted` where nothing is in common, if there is one in the inner half of the range.
    fn cut_near(&self, wanted: u32, range: Range<u32>) -> u32 {
        let parts = |at: u32| {
            let group = |at: u32| self.groups.get(at as usize);
            at > range.start && group(at).is_some() && group(at) != group(at - 1)
        };
        let reach = (range.end - range.start) / 4;
        let near = (0..=reach).flat_map(|off| [wanted.checked_sub(off), wanted.checked_add(off)]).flatten();
        near.filter(|at| range.contains(at)).find(|at| parts(*at)).unwrap_or(wanted)
    }
}
