//! `--dist=each`: every test on every worker, and results by environment.

use std::collections::BTreeMap;
use std::fs;

use xdist_tests::{Env, Invocation, Junit, Suite};

const SUITE: &str = "
import os, pytest

def test_passes(): pass

def test_fails_there():
    assert os.environ.get('MARK') != 'there'

@pytest.mark.skipif(os.environ.get('MARK') != 'there', reason='not here')
def test_skipped_here(): pass

if os.environ.get('MARK') == 'there':
    def test_only_there(): pass
";

const SPECS: [&str; 5] = ["--dist=each", "--tx", "popen//id=here", "--tx", "popen//env:MARK=there//id=there"];

fn started(suite: &Suite) -> BTreeMap<String, Vec<String>> {
    let mut workers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ran in suite.truth().started() {
        let name = ran.id.rsplit("::").next().unwrap_or_default().to_owned();
        workers.entry(name).or_default().push(ran.worker);
    }
    for names in workers.values_mut() {
        names.sort();
    }
    workers
}

#[test]
fn results_are_shown_by_environment() {
    let suite = Suite::one(SUITE);
    let outcome = Invocation::xdist(&Env::usual(), &suite).args(SPECS).arg("-v").junit().run();
    outcome.expect_code(1).expect_no_survivors();
    let counts = outcome.counts();
    let numbers = ["passed", "failed", "skipped"].map(|name| counts.get(name));
    assert_eq!(numbers, [5, 1, 1], "{}", outcome.describe());
    assert_eq!(started(&suite)["test_passes"], ["gw0", "gw1"], "{}", outcome.describe());
    assert_eq!(started(&suite)["test_only_there"], ["gw1"], "{}", outcome.describe());
    for text in [
        "2 workers in 2 environments [4 items, 7 runs]\n",
        " test_it.py::test_passes PASSED\n",
        " test_it.py::test_fails_there PASSED (here) FAILED (there)\n",
        " test_it.py::test_only_there PASSED (there)\n",
        "_ test_fails_there [there] _",
        "FAILED test_it.py::test_fails_there [there] - ",
        "= results by environment =",
        "\n       failed  passed  skipped\nhere        -       2        1\nthere       1       3        -\n",
    ] {
        assert_eq!(outcome.occurrences(text), 1, "{text:?}\n{}", outcome.describe());
    }
    outcome.expect_text("[100%]").expect_no_text("different tests were collected");
    assert_eq!(percents(&outcome.stdout).into_iter().max(), Some(100), "{}", outcome.describe());

    // One suite an environment, each with the names of a serial run there.
    let text = fs::read_to_string(suite.junit_path()).unwrap();
    let suites: Vec<&str> = text.split("<testsuite ").skip(1).collect();
    assert_eq!(suites.len(), 2, "{text}");
    for (xml, label, tests) in [(suites[0], "here", "3"), (suites[1], "there", "4")] {
        assert!(xml.starts_with(&format!("name=\"pytest [{label}]\"")), "{xml}");
        assert!(xml.contains(&format!(" tests=\"{tests}\"")), "{xml}");
        assert_eq!(xml.matches("classname=\"test_it\" name=\"test_passes\"").count(), 1, "{xml}");
    }
    assert_eq!(Junit::parse(&text).cases.len(), 7);
    // What failed anywhere failed.
    let failed = fs::read_to_string(suite.path(".pytest_cache/v/cache/lastfailed")).unwrap();
    assert!(failed.contains("test_it.py::test_fails_there"), "{failed}");
}

/// The figures of progress, in order.
fn percents(text: &str) -> Vec<u32> {
    text.split('[').filter_map(|part| part.split_once("%]")?.0.trim().parse().ok()).collect()
}

#[test]
fn a_plugin_host_shows_results_by_environment_too() {
    let suite = Suite::one(SUITE);
    for (env, args) in
        [("py311-pytest92", &["-v"][..]), ("py311-pytest92", &["--plugin-host=always"]), ("py311-pytest74", &["-v"])]
    {
        let outcome =
            Invocation::xdist(&Env::named(env), &suite).args(SPECS).arg("--plugin-host=always").args(args).run();
        outcome.expect_code(1).expect_no_survivors();
        let numbers = ["passed", "failed", "skipped"].map(|name| outcome.counts().get(name));
        assert_eq!(numbers, [5, 1, 1], "{}", outcome.describe());
        for text in [
            "2 workers in 2 environments [4 items, 7 runs]\n",
            "= results by environment =",
            "\n       failed  passed  skipped\nhere        -       2        1\nthere       1       3        -\n",
            "\ntest_it.py::test_fails_there PASSED (here) FAILED (there)\n",
            "\ntest_it.py::test_skipped_here SKIPPED (here) PASSED (there)\n",
            "\nFAILED test_it.py::test_fails_there [there] - ",
        ] {
            assert_eq!(outcome.occurrences(text), 1, "{text:?}\n{}", outcome.describe());
        }
        let above = outcome.stdout.lines().find(|line| line.starts_with("[gw1] ") && line.contains(" -- Python "));
        assert!(above.is_some_and(|line| line.ends_with(" [there]")), "{above:?}\n{}", outcome.describe());
        let figures = percents(&outcome.stdout);
        assert_eq!(figures.iter().filter(|percent| **percent == 100).count(), 1, "{figures:?}\n{}", outcome.describe());
        assert_eq!(figures.iter().max(), Some(&100), "{}", outcome.describe());
    }
    let outcome = Invocation::xdist(&Env::usual(), &suite).args(SPECS).args(["--plugin-host=always", "-x"]).run();
    outcome.expect_code(1).expect_text("results by environment");
}

#[test]
fn several_workers_of_one_environment() {
    let suite = Suite::one("import pytest\n@pytest.mark.parametrize('n', range(5))\ndef test_it(n): pass\n");
    for (fork, args) in
        [("collected", ["-n", "2"]), ("imported", ["--tx", "2*popen"]), ("never", ["--tx", "2*popen//env:A=1"])]
    {
        let outcome = Invocation::xdist(&Env::usual(), &suite).args(["--dist=each", "--fork", fork]).args(args).run();
        outcome.expect_code(0).expect_text("2 workers [5 items, 10 runs]").expect_text("\ngw0       5\ngw1       5\n");
        assert_eq!(outcome.counts().get("passed"), 10, "{fork}\n{}", outcome.describe());
    }
    assert_eq!(suite.truth().ids().len(), 30);
}

#[test]
fn crashes_and_limits_count_for_each() {
    let suite = Suite::one(
        "import os\ndef test_a(): pass\ndef test_b(worker_id):\n    if worker_id == 'gw1': os._exit(3)\n\
         def test_c(): pass\ndef test_d(): pass\n",
    );
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).arg("--dist=each").arg("-v").run();
    outcome.expect_code(1).expect_no_survivors();
    outcome.expect_text("test_it.py::test_b PASSED (gw0) FAILED (gw1)").expect_text("exit code 3");
    assert_eq!((outcome.counts().get("passed"), outcome.counts().get("failed")), (7, 1), "{}", outcome.describe());
    assert_eq!(started(&suite)["test_b"], ["gw0", "gw1"], "{}", outcome.describe());
    assert_eq!(started(&suite)["test_d"], ["gw0", "gw1"], "{}", outcome.describe());

    // The rest of one that is not replaced is nobody else's.
    let outcome =
        Invocation::xdist(&Env::usual(), &suite).n(2).args(["--dist=each", "-v", "--max-worker-restart=0"]).run();
    outcome.expect_code(1).expect_text("2 of 8 tests did not run").expect_text("test_d PASSED (gw0) NO RESULT (gw1)");
    assert_eq!((outcome.counts().get("passed"), outcome.counts().get("failed")), (5, 1), "{}", outcome.describe());

    let failing =
        Suite::one("import time\ndef test_a(): assert 0\ndef test_b(): time.sleep(0.3)\ndef test_c(): pass\n");
    let outcome = Invocation::xdist(&Env::usual(), &failing).n(2).args(["--dist=each", "-x"]).run();
    outcome.expect_code(1).expect_text("stopping after");
    let ran = failing.truth();
    assert!(ran.ids().iter().all(|id| !id.ends_with("test_c")), "{}", outcome.describe());
}
