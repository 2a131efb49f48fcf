//! `--junitxml`: the report that continuous integration services read, as pytest itself would write it.
//!
//! [`JunitReporter`] reads run events and writes one file when the run ends. Test cases stand in the order of
//! collection, which is pytest's own order and does not depend on which worker was faster. A plainly passed test is kept
//! as its duration alone; every other test is rendered at once, so that reports do not have to be kept.
//!
//! `testcase` applies pytest's rules to the reports of one test, `dialect` knows where versions of pytest differ,
//! `model` is what a file is made of, `text` cleans and shortens what tests wrote, `xml` puts it down.

mod dialect;
mod model;
mod testcase;
mod text;
mod xml;

use std::io;
use std::path::Path;
use std::sync::Arc;

use xdist_core::collection::Collection;
use xdist_core::event::{Collected, Ended, RunEvent, Verdict};
use xdist_core::facts::JunitOptions;
use xdist_core::files;
use xdist_core::ids::TestIndex;
use xdist_core::timestamp::local_iso;

use model::{Stats, Style};
use testcase::Recorder;
use xml::Suite;

/// Gathers a run and writes `junit.xml` at its end.
#[derive(Debug)]
pub struct JunitReporter {
    path: String,
    suite_name: String,
    hostname: String,
    style: Style,
    collection: Arc<Collection>,
    /// Test cases of collectors that failed or were skipped.
    collectors: Vec<u8>,
    /// By test.
    records: Vec<Record>,
    /// The first exception in pytest or a plugin; workers that run into the same tell the same.
    internal: Option<String>,
    stats: Stats,
}

/// What is kept of a test.
#[derive(Clone, Debug, Default)]
enum Record {
    /// No verdict, no test case.
    #[default]
    NotRun,
    /// Plainly passed, in so many seconds.
    Passed(f64),
    /// Its test cases, rendered.
    Rendered(Box<[u8]>),
}

impl JunitReporter {
    /// A reporter for a run with these options, on the host of this name.
    pub fn new(options: JunitOptions, hostname: String) -> Self {
        Self {
            style: Style::new(&options),
            path: options.path,
            suite_name: options.suite_name,
            hostname,
            collection: Arc::default(),
            collectors: Vec::new(),
            records: Vec::new(),
            internal: None,
            stats: Stats::default(),
        }
    }

    /// Takes note of an event; writes the file when the run has ended.
    ///
    /// # Errors
    /// If the file cannot be written; the error names its path.
    pub fn handle(&mut self, event: &RunEvent) -> io::Result<()> {
        match event {
            RunEvent::Collected(collected) => self.collected(collected),
            RunEvent::Finished { test, worker, verdict } => self.finished(*test, &worker.to_string(), verdict),
            RunEvent::InternalError { text, .. } => {
                self.internal.get_or_insert_with(|| text.clone());
                Ok(())
            }
            RunEvent::Ended(ended) => self.write(ended),
            _ => Ok(()),
        }
    }

    fn collected(&mut self, collected: &Collected) -> io::Result<()> {
        self.collection = Arc::clone(&collected.collection);
        self.records.resize(self.collection.ids.len(), Record::NotRun);
        for report in &self.collection.reports {
            let mut recorder = Recorder::new(&self.style, &report.nodeid, None, &mut self.stats);
            recorder.collector(report);
            xml::cases(&mut self.collectors, &recorder.finish(), &self.style)?;
        }
        Ok(())
    }

    fn finished(&mut self, test: TestIndex, worker: &str, verdict: &Verdict) -> io::Result<()> {
        let Some(record) = self.records.get_mut(test.at()) else {
            return Ok(());
        };
        let mut recorder = recorder(&self.style, &self.collection, test.at(), &mut self.stats);
        match verdict {
            Verdict::Passed { durations } => {
                recorder.count_pass();
                *record = Record::Passed(self.style.duration(*durations));
                return Ok(());
            }
            Verdict::Reported(reports) => reports.iter().for_each(|report| recorder.report(report)),
            Verdict::Crashed(crashed) => recorder.crashed(worker, crashed),
            // Nothing is known of it, as of a test that did not start.
            Verdict::Interrupted => return Ok(()),
        }
        let mut rendered = Vec::new();
        xml::cases(&mut rendered, &recorder.finish(), &self.style)?;
        *record = Record::Rendered(rendered.into_boxed_slice());
        Ok(())
    }

    fn write(&self, ended: &Ended) -> io::Result<()> {
        let mut stats = self.stats.clone();
        let mut internal = Vec::new();
        if let Some(text) = &self.internal {
            let mut recorder = Recorder::new(&self.style, "", None, &mut stats);
            recorder.internal(text);
            xml::cases(&mut internal, &recorder.finish(), &self.style)?;
        }
        let dialect = self.style.dialect;
        let suite = Suite {
            name: &self.suite_name,
            stats: &stats,
            seconds: ended.elapsed.as_secs_f64(),
            timestamp: local_iso(ended.started_at, dialect.zoned_timestamp),
            hostname: &self.hostname,
            properties: &ended.suite_properties,
            dialect,
        };
        files::replace(Path::new(&self.path), |out| {
            xml::suite(out, &suite, |out| {
                out.write_all(&self.collectors)?;
                for (test, record) in self.records.iter().enumerate() {
                    match record {
                        Record::NotRun => {}
                        Record::Passed(seconds) => {
                            // Counted when the verdict came.
                            let mut uncounted = Stats::default();
                            let mut recorder = recorder(&self.style, &self.collection, test, &mut uncounted);
                            recorder.plain_pass(*seconds);
                            xml::cases(out, &recorder.finish(), &self.style)?;
                        }
                        Record::Rendered(rendered) => out.write_all(rendered)?,
                    }
                }
                out.write_all(&internal)
            })
        })
    }
}

fn recorder<'a>(style: &'a Style, collection: &'a Collection, test: usize, stats: &'a mut Stats) -> Recorder<'a> {
    let place = collection.places.get(test).map(|(file, line)| (file.as_str(), *line));
    Recorder::new(style, collection.ids.get(test).map_or("", String::as_str), place, stats)
}

#[cfg(test)]
mod tests;
