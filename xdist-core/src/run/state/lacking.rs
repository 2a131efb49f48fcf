//! What becomes of the tests that a worker lacks.

use std::collections::HashSet;

use super::super::worker::{Phase, Worker};
use super::RunState;
use crate::ids::{TestIndex, WorkerId};

/// Of the tests that a worker lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// Those without a verdict.
    pub open: usize,
    /// Of these, those that nobody has, and that nobody else takes.
    pub homeless: usize,
}

impl RunState {
    /// What becomes of the tests that a worker lacks, as things stand.
    pub fn lacking(&self, worker: WorkerId, lacks: &HashSet<TestIndex>) -> Lacking {
        let others: Vec<(&Worker, WorkerId)> =
            self.workers.iter().zip((0..).map(WorkerId)).filter(|(_, other)| *other != worker).collect();
        let with: HashSet<TestIndex> = others
            .iter()
            .flat_map(|(entry, _)| entry.queue.iter().copied().chain(entry.running.iter().map(|running| running.test)))
            .collect();
        let takes = |entry: &Worker, other: WorkerId, test: TestIndex| {
            matches!(entry.phase, Phase::Starting | Phase::Running)
                && !entry.lacks.contains(&test)
                && self.settings.may_have(other, test)
        };
        let open = |test: &&TestIndex| self.settled.get(test.at()).is_some_and(|settled| !*settled);
        let homeless = |test: &&TestIndex| {
            !with.contains(test) && !others.iter().any(|(entry, other)| takes(entry, *other, **test))
        };
        let open: Vec<&TestIndex> = lacks.iter().filter(open).collect();
        Lacking { open: open.len(), homeless: open.into_iter().filter(homeless).count() }
    }
}
