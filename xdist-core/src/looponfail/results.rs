//! What the events of a run say of its tests, as far as the loop wants to know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::collection::{Collection, LoopNews};
use crate::event::{RunEvent, Verdict};
use crate::facts::Facts;

/// What came out of one run.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// Its exit code.
    pub exit: u8,
    /// The node ids to which it was narrowed; `None`: it had all tests.
    pub selected: Option<Vec<String>>,
    /// Whether pytest got so far as to collect.
    pub collected: bool,
    /// Collectors that failed.
    pub errors: Vec<String>,
    /// Tests that failed, in the order of collection.
    pub failed: Vec<String>,
    /// Tests that have a verdict and did not fail.
    pub passed: BTreeSet<String>,
    /// Node ids that were asked for and are no more.
    pub gone: BTreeSet<String>,
    /// Tests that were to run did not.
    pub cut_short: bool,
    /// The interpreter, if it is known.
    pub interpreter: String,
    /// The user's interrupt ended it.
    pub interrupted: bool,
}

/// Makes [`Results`] of events.
#[derive(Clone, Debug, Default)]
pub struct Gathering {
    results: Results,
    collection: Arc<Collection>,
    /// By place in the collection: whether the test failed, anywhere.
    verdicts: BTreeMap<u32, bool>,
    news: Option<LoopNews>,
}

impl Gathering {
    /// pytest has parsed its arguments.
    pub fn facts(&mut self, facts: &Facts) {
        self.results.selected = facts.looponfail.as_ref().and_then(|facts| facts.selected.clone());
    }

    /// Takes an event in.
    pub fn handle(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Configured(configured) => self.results.interpreter.clone_from(&configured.interpreter.executable),
            RunEvent::Collected(collected) => {
                self.collection = Arc::clone(&collected.collection);
                self.results.collected = true;
                let failed = self.collection.reports.iter().filter(|report| report.outcome == "failed");
                self.results.errors = failed.map(|report| report.nodeid.clone()).collect();
                self.results.cut_short |= self.collection.stopped.is_some();
                self.news.clone_from(&self.collection.loop_news);
                self.results.gone = self.news.iter().flat_map(|news| news.gone.iter().cloned()).collect();
            }
            RunEvent::Finished { test, verdict, .. } => {
                let failed = match verdict {
                    Verdict::Passed { .. } => false,
                    Verdict::Reported(reports) => reports.iter().any(|report| report.outcome == "failed"),
                    Verdict::Crashed(_) => true,
                    Verdict::Interrupted => {
                        self.results.cut_short = true;
                        return;
                    }
                };
                *self.verdicts.entry(test.0).or_default() |= failed;
            }
            RunEvent::Ended(ended) => self.results.cut_short |= !ended.not_run.is_empty(),
            _ => {}
        }
    }

    /// What the collection said, once.
    pub fn news(&mut self) -> Option<LoopNews> {
        self.news.take()
    }

    /// The run is over, with this exit code.
    pub fn finish(mut self, exit: u8) -> Results {
        for (place, failed) in &self.verdicts {
            let Some(nodeid) = self.collection.ids.get(*place as usize) else { continue };
            if *failed {
                self.results.failed.push(nodeid.clone());
            } else {
                self.results.passed.insert(nodeid.clone());
            }
        }
        self.results.exit = exit;
        self.results
    }
}
