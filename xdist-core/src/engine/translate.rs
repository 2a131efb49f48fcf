//! Between the run's indices and those of a worker that collected for itself. Tests are the same if their node ids are.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::ids::TestIndex;

/// How a worker's collection relates to the run's.
#[derive(Debug, Default)]
pub(super) enum Translation {
    /// Same node ids in the same order, or forked after collection.
    #[default]
    Same,
    /// The worker's own order.
    Mapped {
        /// Index of the run -> index of the worker.
        own: HashMap<TestIndex, TestIndex>,
        /// Index of the worker -> index of the run.
        run: HashMap<TestIndex, TestIndex>,
    },
}

impl Translation {
    /// Matches node ids; the n-th test of one node id is the n-th one there too.
    pub(super) fn by_node_id(reference: &[String], worker: &[String]) -> Self {
        let mut places: HashMap<&str, VecDeque<TestIndex>> = HashMap::new();
        for (id, index) in worker.iter().zip(0..) {
            places.entry(id).or_default().push_back(TestIndex(index));
        }
        let mut own = HashMap::new();
        let mut run = HashMap::new();
        for (id, index) in reference.iter().zip(0..) {
            if let Some(place) = places.get_mut(id.as_str()).and_then(VecDeque::pop_front) {
                own.insert(TestIndex(index), place);
                run.insert(place, TestIndex(index));
            }
        }
        Self::Mapped { own, run }
    }

    /// Tests of the run that the worker does not have.
    pub(super) fn lacks(&self, tests: u32) -> HashSet<TestIndex> {
        match self {
            Self::Same => HashSet::new(),
            Self::Mapped { own, .. } => (0..tests).map(TestIndex).filter(|test| !own.contains_key(test)).collect(),
        }
    }

    /// The worker's indices for tests of the run.
    pub(super) fn for_worker(&self, tests: Vec<TestIndex>) -> Vec<TestIndex> {
        match self {
            Self::Same => tests,
            Self::Mapped { own, .. } => tests.into_iter().filter_map(|test| own.get(&test).copied()).collect(),
        }
    }

    /// The run's index for a test of the worker.
    pub(super) fn for_run(&self, test: TestIndex) -> Option<TestIndex> {
        match self {
            Self::Same => Some(test),
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
        let translation = Translation::by_node_id(&ids("a b b c"), &ids("b x a b"));
        assert_eq!(translation.for_worker([0, 1, 2].map(TestIndex).to_vec()), [2, 0, 3].map(TestIndex));
        assert_eq!(translation.lacks(4), HashSet::from([TestIndex(3)]));
        assert_eq!(translation.for_run(TestIndex(3)), Some(TestIndex(2)));
        assert_eq!(translation.for_run(TestIndex(1)), None);
    }
}
