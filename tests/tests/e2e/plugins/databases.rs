//! pytest-django with a data base in a file: one a worker, named after it, kept where that is asked for.

use std::collections::BTreeSet;

use xdist_tests::{Outcome, Suite};

use super::{By, Plugged};

fn plugged() -> Plugged {
    Plugged::new("django", &["django"]).var("PYTHONPATH", ".")
}

/// Outcome, data bases that tests saw, data bases that are left.
fn run(by: By, suite: &Suite, more: &[&str]) -> (Outcome, BTreeSet<String>, Vec<String>) {
    let junit = format!("--junitxml={}", suite.junit_path().display());
    let outcome = plugged().on(by, suite, &[&[junit.as_str()], more].concat());
    let cases = suite.junit().cases;
    let seen = cases.iter().flat_map(|case| case.children.iter().filter_map(|child| child.1.get("value").cloned()));
    let entries = std::fs::read_dir(suite.root()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut left: Vec<_> = names.filter(|name| name.contains("sqlite3")).collect();
    left.sort();
    (outcome, seen.collect(), left)
}

#[test]
fn django_gives_every_worker_its_own_data_base() {
    let (ours, seen, left) = run(By::Ours, &plugged().copy(), &["-v"]);
    let (serial, serially, _) = run(By::Serial, &plugged().copy(), &[]);
    let (peer, _, _) = run(By::Peer, &plugged().copy(), &[]);
    assert_eq!(ours.counts(), serial.counts(), "{}", ours.describe());
    assert_eq!((ours.code(), serial.code(), peer.code()), (1, 1, 1));
    assert_eq!(ours.counts().get("passed"), peer.counts().get("passed"));
    ours.expect_text("fork: collected").expect_text("RuntimeError: Database access not allowed");
    assert_eq!(serially.into_iter().collect::<Vec<_>>(), ["tests.sqlite3"]);
    assert!(!seen.is_empty());
    assert!(seen.iter().all(|name| matches!(name.as_str(), "tests.sqlite3_gw0" | "tests.sqlite3_gw1")), "{seen:?}");
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn django_keeps_and_reuses_data_bases() {
    let suite = plugged().copy();
    for _ in 0..2 {
        let (ours, _, left) = run(By::Ours, &suite, &["--reuse-db", "--dist=load", "--maxschedchunk=1"]);
        assert_eq!((ours.code(), ours.counts().get("passed")), (1, 12), "{}", ours.describe());
        assert!(left.iter().all(|name| name.starts_with("tests.sqlite3_gw")) && !left.is_empty(), "{left:?}");
    }
}
