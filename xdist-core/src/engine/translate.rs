//! Between the run's indices and those of a worker's own collection. Tests are the same if their node ids are.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;

use crate::ids::TestIndex;

/// How a worker's collection relates to the run's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Translation {
    /// The run's tests in the run's order.
    #[default]
    Same,
    /// All of a stretch of the run's tests, in order: it begins here.
    Shifted(u32),
    /// The worker's own order.
    Mapped {
        /// Index of the run -> index of the worker.
        own: HashMap<TestIndex, TestIndex>,
        /// Index of the worker -> index of the run.
        run: HashMap<TestIndex, TestIndex>,
    },
}

impl Translation {
    /// Matches node ids; the n-th test of one node id is the n-th one there too. The first of the reference is `start` in
    /// the run.
    pub(super) fn by_node_id(reference: &[String], worker: &[String], start: u32) -> Self {
        let mut places: HashMap<&str, VecDeque<TestIndex>> = HashMap::new();
        for (id, index) in worker.iter().zip(0..) {
            places.entry(id).or_default().push_back(TestIndex(index));
        }
        let mut own = HashMap::new();
        let mut run = HashMap::new();
        for (id, index) in reference.iter().zip(start..) {
            if let Some(place) = places.get_mut(id.as_str()).and_then(VecDeque::pop_front) {
                own.insert(TestIndex(index), place);
                run.insert(place, TestIndex(index));
            }
        }
        Self::Mapped { own, run }
    }

    /// Of the run's index of each of the worker's tests, where the run has so many.
    pub(super) fn by_place(places: &[TestIndex], tests: u32) -> Self {
        let in_order = places.iter().zip(0..).all(|(place, index)| place.0 == index);
        if in_order && places.len() == tests as usize {
            return Self::Same;
        }
        let pairs = || places.iter().copied().zip((0..).map(TestIndex));
        Self::Mapped { own: pairs().collect(), run: pairs().map(|(place, index)| (index, place)).collect() }
    }

    /// Tests of this stretch of the run that the worker does not have.
    pub(super) fn lacks(&self, tests: Range<u32>) -> HashSet<TestIndex> {
        match self {
            Self::Same | Self::Shifted(_) => HashSet::new(),
            Self::Mapped { own, .. } => tests.map(TestIndex).filter(|test| !own.contains_key(test)).collect(),
        }
    }

    /// The worker's indices for tests of the run.
    pub(super) fn for_worker(&self, tests: Vec<TestIndex>) -> Vec<TestIndex> {
        match self {
            Self::Same => tests,
            Self::Shifted(start) => tests.into_iter().map(|test| TestIndex(test.0.wrapping_sub(*start))).collect(),
            Self::Mapped { own, .. } => tests.into_iter().filter_map(|test| own.get(&test).copied()).collect(),
        }
    }

    /// The run's index for a test of the worker.
    pub(super) fn for_run(&self, test: TestIndex) -> Option<TestIndex> {
        match self {
            Self::Same => Some(test),
            Self::Shifted(start) => test.0.checked_add(*start).map(TestIndex),
            Self::Mapped { run, .. } => run.get(&test).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_found_by_node_id_wherever_they_stand() {
        let ids = |names: &str| names.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let translation = Translation::by_node_id(&ids("a b b c"), &ids("b x a b"), 0);
        assert_eq!(translation.for_worker([0, 1, 2].map(TestIndex).to_vec()), [2, 0, 3].map(TestIndex));
        assert_eq!(translation.lacks(0..4), HashSet::from([TestIndex(3)]));
        assert_eq!(translation.for_run(TestIndex(3)), Some(TestIndex(2)));
        assert_eq!(translation.for_run(TestIndex(1)), None);
        let later = Translation::by_node_id(&ids("a b b c"), &ids("b x a b"), 10);
        assert_eq!(later.for_worker([10, 11, 12].map(TestIndex).to_vec()), [2, 0, 3].map(TestIndex));
        assert_eq!(later.lacks(10..14), HashSet::from([TestIndex(13)]));
    }

    #[test]
    fn a_part_of_the_run_keeps_its_own_order() {
        let translation = Translation::by_place(&[TestIndex(2), TestIndex(0)], 3);
        assert_eq!(translation.for_worker([0, 1, 2].map(TestIndex).to_vec()), [1, 0].map(TestIndex));
        assert_eq!(translation.for_run(TestIndex(0)), Some(TestIndex(2)));
        assert_eq!(translation.lacks(0..3), HashSet::from([TestIndex(1)]));
        assert_eq!(Translation::by_place(&[TestIndex(0), TestIndex(1)], 2), Translation::Same);
    }

    #[test]
    fn a_stretch_begins_where_it_begins() {
        let translation = Translation::Shifted(4);
        assert_eq!(translation.for_worker(vec![TestIndex(4), TestIndex(6)]), [TestIndex(0), TestIndex(2)]);
        assert_eq!(translation.for_run(TestIndex(1)), Some(TestIndex(5)));
        assert!(translation.lacks(4..8).is_empty());
    }
}
