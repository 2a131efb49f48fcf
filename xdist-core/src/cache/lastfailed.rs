//! `cache/lastfailed`: node ids of what failed when it last ran.
//!
//! A test leaves the list when its call passes or any phase of it is skipped (an expected failure too), and enters it
//! when any phase fails, or when it takes its worker down. What did not run stays as it was, but for what a loop has asked
//! for and not found.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::trace::{Outcome, Trace};
use crate::collection::Collection;
use crate::facts::CacheFacts;

/// The new value, if it says something else than the old one; `None` too where the last-failed plugin is off.
pub(super) fn after(facts: &CacheFacts, collection: Option<&Collection>, traces: &[Trace]) -> Option<Value> {
    let before = facts.lastfailed.as_deref()?;
    let collection = collection?;
    let mut failed = Failed::default();
    for nodeid in collection.lastfailed.as_deref().unwrap_or(before) {
        failed.add(nodeid);
    }
    for nodeid in collection.loop_news.iter().flat_map(|news| &news.gone) {
        failed.remove(nodeid);
    }
    for report in collection.reports.iter().filter(|report| report.outcome == "failed") {
        failed.add(&report.nodeid);
    }
    for (nodeid, trace) in collection.ids.iter().zip(traces) {
        match trace {
            Trace::NotRun => {}
            Trace::Passed => failed.remove(nodeid),
            Trace::Steps(steps) => {
                for step in steps {
                    let nodeid = step.nodeid.as_deref().unwrap_or(nodeid);
                    match step.outcome {
                        Outcome::Failed => failed.add(nodeid),
                        Outcome::Skipped => failed.remove(nodeid),
                        Outcome::Passed if step.call => failed.remove(nodeid),
                        Outcome::Passed | Outcome::Other => {}
                    }
                }
            }
        }
    }
    let after = failed.into_ids();
    let same = after.len() == before.len() && {
        let before: HashSet<&String> = before.iter().collect();
        after.iter().all(|nodeid| before.contains(nodeid))
    };
    let value = || after.into_iter().map(|nodeid| (nodeid, Value::Bool(true))).collect::<Map<_, _>>();
    (!same).then(|| Value::Object(value()))
}

/// A set that keeps the order of insertion and forgets at constant cost, like Python's `dict`.
#[derive(Default)]
struct Failed<'a> {
    order: Vec<Option<&'a str>>,
    places: HashMap<&'a str, usize>,
}

impl<'a> Failed<'a> {
    fn add(&mut self, nodeid: &'a str) {
        let next = self.order.len();
        if *self.places.entry(nodeid).or_insert(next) == next {
            self.order.push(Some(nodeid));
        }
    }

    fn remove(&mut self, nodeid: &str) {
        if let Some(place) = self.places.remove(nodeid) {
            self.order[place] = None;
        }
    }

    fn into_ids(self) -> Vec<String> {
        self.order.into_iter().flatten().map(str::to_owned).collect()
    }
}
