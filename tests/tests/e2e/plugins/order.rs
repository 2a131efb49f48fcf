//! Plugins that choose tests or their order: pytest-randomly, pytest-split, pytest-testmon.

use std::collections::BTreeMap;

use serde_json::Value;
use xdist_tests::Suite;

use super::{By, Plugged};

/// What each test drew, from junit's properties.
fn drawn(suite: &Suite) -> BTreeMap<String, String> {
    let cases = suite.junit().cases;
    let value = |case: &xdist_tests::Case| {
        let property = case.children.iter().find_map(|(_, attributes, _)| attributes.get("value"));
        (format!("{}.{}", case.attributes["classname"], case.attributes["name"]), property.unwrap().clone())
    };
    cases.iter().map(value).collect()
}

#[test]
fn randomly_gives_every_worker_one_seed() {
    let plugged = Plugged::new("random", &["randomly"]);
    let under = |by: By, more: &[&str]| {
        let suite = plugged.copy();
        let junit = format!("--junitxml={}", suite.junit_path().display());
        let outcome = plugged.on(by, &suite, &[&[junit.as_str()], more].concat());
        outcome.expect_code(0);
        (outcome, drawn(&suite))
    };
    let (outcome, ours) = under(By::Ours, &["-p", "randomly", "--randomly-seed=42"]);
    outcome.expect_text("Using --randomly-seed=42").expect_text("fork: collected");
    assert_eq!(ours, under(By::Serial, &["--randomly-seed=42"]).1);
    assert_eq!(ours, under(By::Peer, &["--randomly-seed=42"]).1);
    // A seed drawn by the run is the same in all workers, however they are started.
    for level in ["collected", "imported", "never"] {
        let (outcome, unseeded) = under(By::Ours, &["--fork", level]);
        let seed = outcome.stdout.split("Using --randomly-seed=").nth(1).unwrap();
        let seed = format!("--randomly-seed={}", seed.lines().next().unwrap());
        assert_eq!(unseeded, under(By::Serial, &[&seed]).1, "--fork={level}");
        assert_ne!(unseeded, ours);
    }
}

#[test]
fn split_stores_the_durations_of_all_workers_and_splits_by_them() {
    let plugged = Plugged::new("split", &["pytest-split"]);
    let (ours, peer) = (plugged.clone().args(["--store-durations"]), plugged.clone().args(["--store-durations"]));
    let (ours, peer) = (ours.run(By::Ours), peer.run(By::Peer));
    ours.expect_like(&peer).expect_host("pytest-split", "collected");
    let stored = |durations: Value| -> BTreeMap<String, bool> {
        let durations = durations.as_object().unwrap().clone();
        durations.into_iter().map(|(test, seconds)| (test, seconds.as_f64().unwrap() > 0.15)).collect()
    };
    assert_eq!(stored(ours.json(".test_durations")), stored(peer.json(".test_durations")));
    let groups = ["1", "2"].map(|group| {
        let outcome = plugged.on(By::Ours, &ours.suite, &["--splits=2", "--group", group, "-v"]);
        outcome.expect_code(0).expect_no_text("plugin host:");
        outcome.counts().get("passed")
    });
    assert_eq!(groups, [1, 3]);
}

#[test]
fn testmon_runs_what_a_change_concerns() {
    let plugged = Plugged::new("testmon", &["pytest-testmon"]).args(["--testmon"]);
    for by in [By::Ours, By::Peer] {
        let suite = plugged.copy();
        let first = plugged.on(by, &suite, &[]);
        first.expect_code(0);
        assert_eq!(first.counts().get("passed"), 4, "{}", first.describe());
        if by == By::Ours {
            first
                .expect_text("plugin host: testmon.pytest_testmon")
                .expect_text("fork: imported: plugin pytest-testmon");
        }
        let unchanged = plugged.on(by, &suite, &[]);
        unchanged.expect_code(0);
        assert_eq!(unchanged.counts().get("passed"), 0, "{}", unchanged.describe());
        suite.write("calc.py", "def one():\n    return 1\n\n\ndef two():\n    return 1 + 1\n");
        let changed = plugged.on(by, &suite, &[]);
        changed.expect_code(0);
        assert_eq!(changed.counts().get("passed"), 2, "{}", changed.describe());
        suite.write("calc.py", "def one():\n    return 0\n\n\ndef two():\n    return 1 + 1\n");
        let broken = plugged.on(by, &suite, &[]);
        broken.expect_code(1).expect_text("FAILED test_one.py::test_one");
        assert_eq!(broken.counts().get("passed"), 0, "{}", broken.describe());
    }
}
