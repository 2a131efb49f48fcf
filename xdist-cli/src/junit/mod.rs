//! `--junitxml`: the report that continuous integration services read, as pytest itself would write it.
//!
//! [`JunitReporter`] reads run events and writes one file when the run ends. Test cases stand in the order of
//! collection, which is pytest's own order and does not depend on which worker was faster. A plainly passed test is kept
//! as its duration alone; every other test is rendered at once, so that reports do not have to be kept.
//!
//! Under `--dist=each` there is a suite for each place that has verdicts of its own, so that a test case keeps the name
//! that it has in a serial run.
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
use xdist_core::ids::{TestIndex, WorkerId};
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
    /// One, or one for each worker under `--dist=each`.
    parts: Vec<Part>,
    /// The part that has what belongs to no test.
    first: usize,
    each: bool,
    /// The first exception in pytest or a plugin; workers that run into the same tell the same.
    internal: Option<String>,
}

/// What becomes a suite.
#[derive(Debug, Default)]
struct Part {
    /// What is added to the suite's name.
    label: String,
    /// By test.
    records: Vec<Record>,
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
            parts: vec![Part::default()],
            first: 0,
            each: false,
            internal: None,
        }
    }

    /// Takes note of an event; writes the file when the run has ended.
    ///
    /// # Errors
    /// If the file cannot be written; the error names its path.
    pub fn handle(&mut self, event: &RunEvent) -> io::Result<()> {
        match event {
            RunEvent::Collected(collected) => self.collected(collected),
            RunEvent::Finished { test, worker, verdict } => self.finished(*test, *worker, verdict),
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
        if collected.each {
            self.each = true;
            self.parts = collected.labels().into_iter().map(|label| Part { label, ..Part::default() }).collect();
        }
        if self.parts.is_empty() {
            self.parts.push(Part::default());
        }
        self.first = self.parts.iter().position(|part| !part.label.is_empty()).unwrap_or_default();
        for part in &mut self.parts {
            part.records.resize(self.collection.ids.len(), Record::NotRun);
        }
        for report in &self.collection.reports {
            let mut recorder = Recorder::new(&self.style, &report.nodeid, None, &mut self.parts[self.first].stats);
            recorder.collector(report);
            xml::cases(&mut self.collectors, &recorder.finish(), &self.style)?;
        }
        Ok(())
    }

    fn finished(&mut self, test: TestIndex, worker: WorkerId, verdict: &Verdict) -> io::Result<()> {
        let Some(Part { records, stats, .. }) = self.parts.get_mut(if self.each { worker.at() } else { 0 }) else {
            return Ok(());
        };
        let Some(record) = records.get_mut(test.at()) else {
            return Ok(());
        };
        let mut recorder = recorder(&self.style, &self.collection, test.at(), stats);
        match verdict {
            Verdict::Passed { durations } => {
                recorder.count_pass();
                *record = Record::Passed(self.style.duration(*durations));
                return Ok(());
            }
            Verdict::Reported(reports) => reports.iter().for_each(|report| recorder.report(report)),
            Verdict::Crashed(crashed) => recorder.crashed(&worker.to_string(), crashed),
            // Nothing is known of it, as of a test that did not start.
            Verdict::Interrupted => return Ok(()),
        }
        let mut rendered = Vec::new();
        xml::cases(&mut rendered, &recorder.finish(), &self.style)?;
        *record = Record::Rendered(rendered.into_boxed_slice());
        Ok(())
    }

    fn write(&self, ended: &Ended) -> io::Result<()> {
        files::replace(Path::new(&self.path), |out| {
            xml::suites(out, self.style.dialect, |out| {
                // Workers whose environment did not come up have no label, and no suite.
                let mut parts = self.parts.iter().enumerate();
                parts.try_for_each(|(at, part)| match at == self.first {
                    false if part.label.is_empty() => Ok(()),
                    first => self.part(out, part, first, ended),
                })
            })
        })
    }

    /// One suite; the first one has what belongs to no test.
    fn part(&self, out: &mut dyn io::Write, part: &Part, first: bool, ended: &Ended) -> io::Result<()> {
        let mut stats = part.stats.clone();
        let mut internal = Vec::new();
        if let Some(text) = self.internal.as_ref().filter(|_| first) {
            let mut recorder = Recorder::new(&self.style, "", None, &mut stats);
            recorder.internal(text);
            xml::cases(&mut internal, &recorder.finish(), &self.style)?;
        }
        let dialect = self.style.dialect;
        let name = match part.label.as_str() {
            "" => self.suite_name.clone(),
            label => format!("{} [{label}]", self.suite_name),
        };
        let suite = Suite {
            name: &name,
            stats: &stats,
            seconds: ended.elapsed.as_secs_f64(),
            timestamp: local_iso(ended.started_at, dialect.zoned_timestamp),
            hostname: &self.hostname,
            properties: &ended.suite_properties,
            dialect,
        };
        xml::suite(out, &suite, |out| {
            if first {
                out.write_all(&self.collectors)?;
            }
            for (test, record) in part.records.iter().enumerate() {
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
    }
}

fn recorder<'a>(style: &'a Style, collection: &'a Collection, test: usize, stats: &'a mut Stats) -> Recorder<'a> {
    let place = collection.places.get(test).map(|(file, line)| (file.as_str(), *line));
    Recorder::new(style, collection.ids.get(test).map_or("", String::as_str), place, stats)
}

#[cfg(test)]
mod tests;
