//! Where tests run, as the output calls it: nothing where there is one environment, else environments by their labels.

use std::collections::HashMap;

use xdist_core::event::{Collected, Environment};
use xdist_core::ids::{TestIndex, WorkerId};

/// The environments of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    environments: Vec<Environment>,
    /// By worker: its environment's place in the list.
    of_worker: HashMap<WorkerId, usize>,
    /// By worker: what to call the place of its verdicts.
    labels: Vec<String>,
    /// `--dist=each`.
    pub(crate) each: bool,
    /// `each`: how many verdicts each test is to have.
    expected: Vec<u32>,
}

impl Places {
    pub(crate) fn of(collected: &Collected) -> Self {
        let mut places = Self {
            environments: collected.environments.clone(),
            labels: collected.labels(),
            each: collected.each,
            ..Self::default()
        };
        for (at, one) in collected.environments.iter().enumerate() {
            places.of_worker.extend(one.workers.iter().map(|worker| (*worker, at)));
        }
        if collected.each {
            places.expected = vec![0; collected.collection.ids.len()];
            for one in &collected.environments {
                let workers = u32::try_from(one.workers.len()).unwrap_or(u32::MAX);
                for test in one.tests.iter() {
                    if let Some(expected) = places.expected.get_mut(test.at()) {
                        *expected += workers;
                    }
                }
            }
        }
        places
    }

    /// Whether there are several.
    pub(crate) fn several(&self) -> bool {
        self.environments.len() > 1
    }

    /// Workers with the labels of their verdicts, in order.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (WorkerId, &str)> {
        let all = (0..).map(WorkerId).zip(self.labels.iter().map(String::as_str));
        // A worker whose environment did not come up has none.
        all.filter(|(_, label)| !label.is_empty())
    }

    /// What to call the place of a worker's verdicts; `None` if there is no other.
    pub(crate) fn label(&self, worker: WorkerId) -> Option<&str> {
        if !self.each && !self.several() {
            return None;
        }
        self.labels.get(worker.at()).map(String::as_str).filter(|label| !label.is_empty())
    }

    /// The environment of a worker, if there are several.
    pub(crate) fn environment(&self, worker: WorkerId) -> Option<&Environment> {
        self.of_worker.get(&worker).and_then(|at| self.environments.get(*at)).filter(|_| self.several())
    }

    /// How many verdicts a test is to have under `--dist=each`.
    pub(crate) fn expected(&self, test: TestIndex) -> u32 {
        self.expected.get(test.at()).copied().unwrap_or(1)
    }

    /// Workers that have a test under `--dist=each`.
    pub(crate) fn having(&self, test: TestIndex) -> impl Iterator<Item = WorkerId> {
        let having = self.environments.iter().filter(move |one| one.tests.contains(&test));
        having.flat_map(|one| one.workers.iter().copied())
    }
}
