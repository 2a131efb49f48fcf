//! pytest's own cache is written, so that `--lf`, `--ff`, `--nf` and `--sw` work, ours and pytest's alike.

use std::fs;

use xdist_tests::{Env, Invocation, Outcome, Suite};

const TESTS: &str = "
import pytest
from pathlib import Path
@pytest.mark.parametrize('n', range(20))
def test_it(n):
    assert n not in (3, 11) or Path('cured').exists()
";

fn first_run(n: u32) -> Suite {
    let suite = Suite::one(TESTS);
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(n).run();
    outcome.expect_code(1);
    assert_eq!(outcome.counts().get("failed"), 2);
    suite.forget();
    suite
}

fn failing() -> Vec<String> {
    vec!["test_it.py::test_it[11]".to_owned(), "test_it.py::test_it[3]".to_owned()]
}

#[test]
fn last_failed_runs_the_failed_tests_only() {
    let suite = first_run(2);
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).arg("--lf").run();
    outcome.expect_code(1);
    assert_eq!(suite.truth().ids(), failing(), "{}", outcome.describe());
    suite.forget();
    suite.write("cured", "");
    Invocation::xdist(&Env::usual(), &suite).n(2).arg("--lf").run().expect_code(0);
    assert_eq!(suite.truth().ids(), failing());
    suite.forget();
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).arg("--lf").run();
    outcome.expect_code(0);
    assert_eq!(suite.truth().ids().len(), 20, "nothing failed last time\n{}", outcome.describe());
}

#[test]
fn pytest_and_xdist_read_each_others_cache() {
    let suite = first_run(2);
    Invocation::pytest(&Env::usual(), &suite).arg("--lf").run().expect_code(1);
    assert_eq!(suite.truth().ids(), failing());
    let suite = Suite::one(TESTS);
    Invocation::pytest(&Env::usual(), &suite).run().expect_code(1);
    suite.forget();
    Invocation::xdist(&Env::usual(), &suite).n(2).arg("--lf").run().expect_code(1);
    assert_eq!(suite.truth().ids(), failing());
}

#[test]
fn the_cache_files_equal_pytests() {
    let read = |suite: &Suite, name: &str| fs::read_to_string(suite.path(".pytest_cache/v/cache").join(name)).ok();
    let serial = Suite::named("outcomes");
    Invocation::pytest(&Env::usual(), &serial).run();
    let ours = Suite::named("outcomes");
    let outcome = Invocation::xdist(&Env::usual(), &ours).n(2).run();
    for name in ["lastfailed", "nodeids", "stepwise"] {
        assert_eq!(read(&serial, name), read(&ours, name), "{name}\n{}", outcome.describe());
    }
    for name in ["README.md", ".gitignore", "CACHEDIR.TAG"] {
        assert!(ours.path(".pytest_cache").join(name).exists(), "{name}");
    }
}

#[test]
fn failed_first_starts_with_the_failed_tests() {
    let suite = first_run(1);
    Invocation::xdist(&Env::usual(), &suite).n(1).arg("--ff").run().expect_code(1);
    let started: Vec<_> = suite.truth().started().into_iter().map(|ran| ran.id).collect();
    assert_eq!(started.len(), 20);
    assert_eq!(started[..2], ["test_it.py::test_it[3]", "test_it.py::test_it[11]"]);
}

#[test]
fn new_first_starts_with_new_files() {
    let suite = first_run(1);
    suite.write("test_new.py", "def test_new(): pass\n");
    Invocation::xdist(&Env::usual(), &suite).n(1).arg("--nf").run().expect_code(1);
    assert_eq!(suite.truth().started()[0].id, "test_new.py::test_new");
}

fn stepwise(suite: &Suite) -> Outcome {
    suite.forget();
    Invocation::xdist(&Env::usual(), suite).n(1).arg("--sw").run()
}

#[test]
fn stepwise_goes_on_where_it_stopped() {
    let suite = Suite::one(TESTS);
    let serial = Invocation::pytest(&Env::usual(), &Suite::one(TESTS)).arg("--sw").run();
    let outcome = stepwise(&suite);
    outcome.expect_code(serial.code());
    assert_eq!(suite.truth().ids().len(), 4, "{}", outcome.describe());
    suite.write("cured", "");
    let outcome = stepwise(&suite);
    outcome.expect_code(0);
    assert_eq!(suite.truth().ids().len(), 17, "{}", outcome.describe());
}

#[test]
fn without_the_cache_plugin_nothing_is_written() {
    let suite = Suite::one(TESTS);
    Invocation::xdist(&Env::usual(), &suite).n(2).args(["-p", "no:cacheprovider"]).run().expect_code(1);
    assert!(!suite.path(".pytest_cache").exists());
}

#[test]
fn a_cache_that_cannot_be_written_is_a_warning() {
    for env in [Env::usual(), Env::named("py311-pytest74")] {
        for args in [
            &[][..],
            &["--fork=imported"],
            &["-W", "ignore::pytest.PytestCacheWarning"],
            &["-W", "error::UserWarning:nobody"],
        ] {
            let suite =
                || Suite::of(&[("test_it.py", "def test_a(): pass\ndef test_b(): assert 0\n"), (".pytest_cache", "")]);
            let pytests: Vec<_> = args.iter().filter(|arg| !arg.starts_with("--fork")).copied().collect();
            let serial = Invocation::pytest(&env, &suite()).args(pytests).run();
            let ours = Invocation::xdist(&env, &suite()).n(2).args(args).run();
            ours.expect_code(serial.code());
            assert_eq!(ours.counts(), serial.counts(), "{args:?}\n{}", ours.describe());
            let told = |outcome: &Outcome| outcome.occurrences("PytestCacheWarning: ");
            assert_eq!(told(&ours), told(&serial), "{args:?}\n{}", ours.describe());
            assert_eq!(ours.stderr, "", "{args:?}\n{}", ours.describe());
            let summary = ours.stdout.find("warnings summary").unwrap_or(usize::MAX);
            assert!(ours.stdout.find("PytestCacheWarning: ").is_none_or(|at| at > summary), "{}", ours.describe());
        }
    }
}

#[test]
fn warnings_about_the_cache_count_against_a_limit() {
    let files = [("test_it.py", "def test_a(): pass\n"), (".pytest_cache", "")];
    let args = ["--max-warnings=0", "--lf"];
    let serial = Invocation::pytest(&Env::usual(), &Suite::of(&files)).args(args).run();
    let ours = Invocation::xdist(&Env::usual(), &Suite::of(&files)).n(1).args(args).run();
    serial.expect_code(6);
    ours.expect_code(6);
    assert_eq!(ours.counts(), serial.counts(), "{}", ours.describe());
}
