//! What the tests of a suite put on record by themselves (`suites/support/truth_log.py`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

/// One line of the record.
#[derive(Clone, Debug)]
struct Line {
    event: String,
    id: String,
    pid: i64,
    worker: String,
    report: Option<(String, String, bool)>,
}

/// The record of one run.
#[derive(Clone, Debug, Default)]
pub struct Truth(Vec<Line>);

/// One start of one test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ran {
    /// The node id.
    pub id: String,
    /// The process.
    pub pid: i64,
    /// `PYTEST_XDIST_WORKER` there; empty in serial pytest.
    pub worker: String,
}

impl Truth {
    /// Reads the record; empty if nothing was written yet. A last line that is being written is left out.
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        Self(text.lines().filter_map(parse).collect())
    }

    fn events<'a>(&'a self, event: &'a str) -> impl Iterator<Item = &'a Line> {
        self.0.iter().filter(move |line| line.event == event)
    }

    /// Every start of a test, in order.
    pub fn started(&self) -> Vec<Ran> {
        let ran = |line: &Line| Ran { id: line.id.clone(), pid: line.pid, worker: line.worker.clone() };
        self.events("start").map(ran).collect()
    }

    /// Node ids that started, sorted; a test that ran twice is in it twice.
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.events("start").map(|line| line.id.clone()).collect();
        ids.sort();
        ids
    }

    /// Tests that came to their end.
    pub fn finished(&self) -> BTreeSet<String> {
        self.events("finish").map(|line| line.id.clone()).collect()
    }

    /// Free lines that fixtures wrote, with the process that wrote each.
    pub fn logged(&self) -> Vec<(String, i64)> {
        self.events("log").map(|line| (line.id.clone(), line.pid)).collect()
    }

    /// Ids of workers that started tests.
    pub fn workers(&self) -> BTreeSet<String> {
        self.events("start").map(|line| line.worker.clone()).collect()
    }

    /// The outcome of each test in the words of the model: `passed`, `failed`, `error`, `skipped`, `xfailed`,
    /// `xpassed`, joined by ` + ` where a test has several, and `+ died` where a test never came to its end.
    pub fn outcomes(&self) -> BTreeMap<String, String> {
        let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in &self.0 {
            match (&line.report, line.event.as_str()) {
                (Some((when, outcome, xfail)), _) => {
                    seen.entry(line.id.clone()).or_default().extend(word(when, outcome, *xfail).map(str::to_owned));
                }
                (None, "start") => {
                    seen.entry(line.id.clone()).or_default();
                }
                _ => {}
            }
        }
        let finished = self.finished();
        for (id, words) in &mut seen {
            if !finished.contains(id) {
                words.push("died".to_owned());
            }
        }
        seen.into_iter().map(|(id, words)| (id, words.join(" + "))).collect()
    }

    /// Tests that were started after the first failed report was on record.
    pub fn started_after_first_failure(&self) -> Vec<String> {
        let failed = |line: &&Line| line.report.as_ref().is_some_and(|(_, outcome, _)| outcome == "failed");
        let rest = self.0.iter().skip_while(|line| !failed(line));
        rest.filter(|line| line.event == "start").map(|line| line.id.clone()).collect()
    }
}

fn word(when: &str, outcome: &str, xfail: bool) -> Option<&'static str> {
    Some(match (when, outcome, xfail) {
        ("call", "passed", false) => "passed",
        ("setup" | "teardown" | "subtest", "passed", _) => return None,
        (_, "passed", true) => "xpassed",
        ("subtest", "skipped", true) => "subtest xfailed",
        ("subtest", "skipped", false) => "subtest skipped",
        ("subtest", _, _) => "subtest failed",
        (_, "skipped", true) => "xfailed",
        (_, "skipped", false) => "skipped",
        ("call", "failed", _) => "failed",
        ("setup" | "teardown", "failed", _) => "error",
        _ => "strange",
    })
}

fn parse(line: &str) -> Option<Line> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
    let report = text("when").and_then(|when| Some((when, text("outcome")?, value.get("xfail")?.as_bool()?)));
    Some(Line {
        event: text("event")?,
        id: text("id")?,
        pid: value.get("pid")?.as_i64()?,
        worker: text("worker")?,
        report,
    })
}
