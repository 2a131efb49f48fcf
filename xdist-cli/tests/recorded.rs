//! What serial pytest wrote of a suite, and what is written here of the same reports.
//!
//! `recorded/record.py` ran `recorded/suite` under several versions of pytest and kept reports and files. Here verdicts
//! arrive in an order of their own, as from several workers; the files must say the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "recorded/tree.rs"]
mod tree;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use xdist_cli::junit::JunitReporter;
use xdist_core::cache::CacheState;
use xdist_core::collection::Collection;
use xdist_core::event::{Collected, Ended, RunEvent, Verdict};
use xdist_core::facts::{CacheFacts, JunitOptions};
use xdist_core::ids::{TestIndex, WorkerId};
use xdist_core::report::Report;

const LOCAL_TIME: &str = "2026-01-02T03:04:05.678901";

fn take<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn for_each_run(check: impl Fn(&str, &Value)) {
    for version in ["7.4", "8.4", "9.2"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recorded/pytest-{version}.json"));
        let runs: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(runs.len() > 10);
        for run in &runs {
            check(&format!("pytest {version}, {}", take::<String>(&run["name"])), run);
        }
    }
}

/// A worker sends this short form for a test that passed with nothing to say.
fn plainly_passed(reports: &[Report], options: &JunitOptions) -> Option<Verdict> {
    let silent = |report: &Report| {
        report.outcome == "passed"
            && report.wasxfail.is_none()
            && report.user_properties.is_empty()
            && report.xml_attributes.is_empty()
            && (report.sections.is_empty() || options.logging == "no" || !options.log_passing)
    };
    match reports {
        [setup, call, teardown] if reports.iter().all(silent) => {
            Some(Verdict::Passed { durations: [setup.duration, call.duration, teardown.duration] })
        }
        _ => None,
    }
}

/// The run as events; verdicts come last test first.
fn events(run: &Value, options: &JunitOptions) -> Vec<RunEvent> {
    let collection: Arc<Collection> = Arc::new(take(&run["collection"]));
    let mut events = vec![RunEvent::Collected(Box::new(Collected { collection, ..Collected::default() }))];
    let verdicts: Vec<(u32, Vec<Report>)> = take(&run["verdicts"]);
    events.extend(verdicts.into_iter().rev().map(|(test, reports)| RunEvent::Finished {
        test: TestIndex(test),
        worker: WorkerId(test % 3),
        verdict: plainly_passed(&reports, options).unwrap_or(Verdict::Reported(reports)),
    }));
    let internal: Vec<String> = take(&run["internal"]);
    events.extend(internal.into_iter().map(|text| RunEvent::InternalError { worker: None, text }));
    events.push(RunEvent::Ended(Box::new(Ended {
        elapsed: Duration::from_millis(1234),
        started_at: 1_767_323_045.678_901,
        suite_properties: take(&run["suite_properties"]),
        ..Ended::default()
    })));
    events
}

#[test]
fn junit_equals_that_of_serial_pytest() {
    for_each_run(|name, run| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made/on/the/way/junit.xml");
        let mut options: JunitOptions = take(&run["options"]);
        options.path = path.to_str().unwrap().to_owned();
        let mut reporter = JunitReporter::new(options.clone(), "host".to_owned());
        for event in &events(run, &options) {
            reporter.handle(event).unwrap();
        }
        let ours = tree::parse(&std::fs::read_to_string(&path).unwrap());
        let theirs = tree::parse(&take::<String>(&run["xml"]));
        tree::assert_equal(name, &ours, &theirs);
    });
}

#[test]
fn the_cache_equals_that_of_serial_pytest() {
    for_each_run(|name, run| {
        let options: JunitOptions = take(&run["options"]);
        let mut files: Vec<(String, Value)> = entries(&run["cache_before"]);
        let known = files.iter().find(|(key, _)| key == "lastfailed").map(|(_, known)| keys(known));
        let mut state = CacheState::new(CacheFacts {
            lastfailed: Some(known.unwrap_or_default()),
            stepwise: take(&run["stepwise"]),
            pytest: options.pytest.clone(),
            ..CacheFacts::default()
        });
        for event in &events(run, &options) {
            state.handle(event);
        }
        for file in state.files(LOCAL_TIME) {
            let key = file.key.strip_prefix("cache/").unwrap();
            files.retain(|(known, _)| known != key);
            files.push((key.to_owned(), file.value));
        }
        let mut expected = entries(&run["cache_after"]);
        // Without `--stepwise` its file does not depend on verdicts, and pytest itself writes it.
        if !take::<bool>(&run["stepwise"]) {
            files.retain(|(key, _)| key != "stepwise");
            expected.retain(|(key, _)| key != "stepwise");
        }
        for (key, value) in &mut expected {
            // The only thing in the cache that depends on the clock.
            if let Some(date) = value.get_mut("last_cache_date_str").filter(|_| key == "stepwise") {
                assert_eq!(date.as_str().unwrap().len(), LOCAL_TIME.len(), "{name}");
                *date = LOCAL_TIME.into();
            }
        }
        files.sort_by(|left, right| left.0.cmp(&right.0));
        expected.sort_by(|left, right| left.0.cmp(&right.0));
        let text = |files: &[(String, Value)]| serde_json::to_string_pretty(files).unwrap();
        assert_eq!(text(&files), text(&expected), "{name}");
    });
}

fn entries(cache: &Value) -> Vec<(String, Value)> {
    let files = cache.as_object().unwrap().iter();
    files.map(|(key, text)| (key.clone(), serde_json::from_str(text.as_str().unwrap()).unwrap())).collect()
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}
