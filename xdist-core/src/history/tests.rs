//! What one run leaves for the next.

use std::fs;
use std::path::Path;

use super::*;

fn ids() -> Vec<String> {
    ["a.py::test_1", "a.py::test_2", "a.py::test_3", "b.py::test_1", "b.py::test_2"].map(str::to_owned).into()
}

fn read(dir: &Path, ids: &[String]) -> History {
    History::read(dir.to_path_buf(), ids)
}

fn passed(history: &mut History, test: u32, worker: u32, durations: [f64; 3]) {
    let verdict = Verdict::Passed { durations };
    history.handle(&RunEvent::Finished { test: TestIndex(test), worker: WorkerId(worker), verdict });
}

#[test]
fn what_was_not_seen_is_guessed_from_its_file_or_from_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = read(dir.path(), &ids());
    assert!(history.seconds().is_empty(), "nothing is known before the first run");
    for (test, seconds) in [(0, 1.0), (1, 2.0), (2, 30.0), (3, 5.0)] {
        passed(&mut history, test, 0, [0.0, seconds, 0.0]);
    }
    history.write();
    let more = [ids(), vec!["a.py::test_new".into(), "c.py::test_new".into()]].concat();
    assert_eq!(read(dir.path(), &more).seconds(), [1.0, 2.0, 30.0, 5.0, 5.0, 2.0, 5.0]);
}

#[test]
fn a_slow_run_is_soon_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    for (seconds, known) in [(1.0, 1.0), (3.0, 2.0), (1.0, 1.5)] {
        let mut history = read(dir.path(), &ids());
        passed(&mut history, 0, 0, [0.0, seconds, 0.0]);
        history.write();
        assert!((read(dir.path(), &ids()).seconds()[0] - known).abs() < 1e-3);
    }
}

#[test]
fn shared_fixtures_are_told_from_what_each_test_sets_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = read(dir.path(), &ids());
    // The first test of the file on a worker sets up what the others use; in the other file all set up the same.
    for (test, set_up) in [(0, 2.0), (1, 0.1), (2, 0.1), (3, 0.5), (4, 0.5)] {
        passed(&mut history, test, 0, [set_up, 1.0, 0.0]);
    }
    history.write();
    let again = read(dir.path(), &ids());
    let near = |found: &[f32], wanted: &[f32]| found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-3);
    assert!(near(&again.seconds(), &[1.1, 1.1, 1.1, 1.5, 1.5]), "{:?}", again.seconds());
    assert!(near(&again.set_ups(), &[1.9, 0.0]), "{:?}", again.set_ups());
    assert_eq!(again.files(), [0, 0, 0, 1, 1]);
}

#[test]
fn a_file_that_is_none_of_ours_is_no_history() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v/xdist/history");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    for text in [
        "",
        "{",
        "[]",
        "{\"version\": 2, \"tests\": {}, \"modules\": {}}",
        "{\"version\": 1, \"tests\": {\"a.py::test_1\": [-1.0, 0]}, \"modules\": {}}",
        "{\"version\": 1, \"tests\": {\"a.py::test_1\": [\"long\", 0]}, \"modules\": {}}",
    ] {
        fs::write(&path, text).unwrap();
        assert!(read(dir.path(), &ids()).seconds().is_empty(), "{text}");
    }
    fs::write(&path, b"\xff\xfe").unwrap();
    let mut history = read(dir.path(), &ids());
    passed(&mut history, 0, 0, [0.0, 1.0, 0.0]);
    history.write();
    assert!((read(dir.path(), &ids()).seconds()[0] - 1.0).abs() < 1e-3);
}

#[test]
fn no_more_is_kept_than_fits() {
    let mut stored = Stored::default();
    for test in 0..60_000_u16 {
        stored.tests.insert(format!("a.py::test_{test}"), (f32::from(test), 0));
    }
    stored.bound();
    assert!((49_000..=50_000).contains(&stored.tests.len()), "{}", stored.tests.len());
    assert!(stored.tests.contains_key("a.py::test_59999"), "those that take longest are kept");
}

#[test]
fn what_does_not_run_is_forgotten_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = read(dir.path(), &ids());
    (0..5).for_each(|test| passed(&mut history, test, 0, [0.0, 1.0, 0.0]));
    history.write();
    for run in 0..=100 {
        let mut history = read(dir.path(), &ids());
        assert_eq!(history.stored.tests.len(), 5, "run {run}");
        passed(&mut history, 3, 0, [0.0, 1.0, 0.0]);
        history.write();
    }
    assert_eq!(Stored::read(dir.path()).tests.keys().collect::<Vec<_>>(), ["b.py::test_1"]);
}
