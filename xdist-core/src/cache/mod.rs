//! pytest's cache after a run: what `--lf`, `--ff` and `--sw` of the next run start from.
//!
//! pytest's own plugins see every report and write at the end of the session. Here no single session sees them all, so
//! the plugins' rules are applied to the stream of run events instead: [`CacheState`] gathers, [`CacheState::files`]
//! says what the files must contain (pure), [`CacheState::write`] writes. Tests count in the order of collection, so that the files
//! do not depend on which worker was faster. `cache/nodeids` is known after collection and written by pytest.

mod lastfailed;
mod stepwise;
mod trace;
mod write;

use std::sync::Arc;

use crate::collection::Collection;
use crate::event::{RunEvent, Verdict};
use crate::facts::CacheFacts;
use crate::ids::TestIndex;
use crate::report::Warning;
use trace::Trace;
pub(crate) use write::write;

/// What the next content of the cache depends on.
#[derive(Clone, Debug, Default)]
pub struct CacheState {
    facts: CacheFacts,
    collection: Option<Arc<Collection>>,
    /// By test.
    traces: Vec<Trace>,
}

/// A value to be put into the cache.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheFile {
    /// Key in pytest's sense: `cache/lastfailed`.
    pub key: &'static str,
    /// The value.
    pub value: serde_json::Value,
}

impl CacheState {
    /// State before the run.
    pub fn new(facts: CacheFacts) -> Self {
        Self { facts, ..Self::default() }
    }

    /// Takes note of what an event means for the cache.
    pub fn handle(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Collected(collected) => self.collected(Arc::clone(&collected.collection)),
            RunEvent::Finished { test, verdict, .. } => self.finished(*test, verdict),
            _ => {}
        }
    }

    /// The collection is known.
    pub fn collected(&mut self, collection: Arc<Collection>) {
        self.traces.resize(collection.ids.len(), Trace::NotRun);
        self.collection = Some(collection);
    }

    /// A test has its verdict.
    pub fn finished(&mut self, test: TestIndex, verdict: &Verdict) {
        if let Some(trace) = self.traces.get_mut(test.at()) {
            trace.add(Trace::of(verdict));
        }
    }

    /// The values that must change; `local_time` is now, as `datetime.isoformat` writes it without a time zone.
    pub fn files(&self, local_time: &str) -> Vec<CacheFile> {
        let lastfailed = lastfailed::after(&self.facts, self.collection.as_deref(), &self.traces);
        let stepwise = stepwise::after(&self.facts, self.collection.as_deref(), &self.traces, local_time);
        let lastfailed = lastfailed.map(|value| CacheFile { key: "cache/lastfailed", value });
        let stepwise = stepwise.map(|value| CacheFile { key: "cache/stepwise", value });
        lastfailed.into_iter().chain(stepwise).collect()
    }

    /// Writes the values that must change.
    ///
    /// A cache that cannot be written is no reason to fail a run: what comes back are warnings, if the project wants to
    /// see them.
    pub fn write(&self, local_time: &str) -> Vec<Warning> {
        let faults = write(self.facts.dir.as_ref(), &self.files(local_time));
        let wanted = self.collection.as_ref().is_some_and(|collection| collection.cache_warnings);
        let warning = |message| Warning { when: "config".to_owned(), message, ..Warning::default() };
        faults.into_iter().filter(|_| wanted).map(warning).collect()
    }
}

#[cfg(test)]
mod tests;
