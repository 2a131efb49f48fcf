//! What took long in an earlier run is started first, where that makes the run shorter.

use std::fs;

use xdist_tests::{Env, Invocation, Suite};

/// The last test takes as long as all others together.
const SUITE: &str = "
import time, pytest
@pytest.mark.parametrize('n', range(20))
def test_short(n):
    time.sleep(0.02)
def test_long():
    time.sleep(0.4)
";

const TOLD: &str = "that took long first (--no-history: as collected)";

/// How many tests started before the long one.
fn before_long(suite: &Suite) -> usize {
    let started = suite.truth().started();
    started.iter().take_while(|ran| !ran.id.ends_with("test_long")).count()
}

#[test]
fn what_took_long_is_started_first_in_the_next_run() {
    let run = |suite: &Suite, args: &[&str]| Invocation::xdist(&Env::usual(), suite).n(2).args(args).run();
    let suite = Suite::one(SUITE);
    run(&suite, &[]).expect_code(0).expect_no_text("order:");
    assert!(suite.path(".pytest_cache/v/xdist/history").is_file());
    for (args, first) in [
        (&[][..], true),
        (&["--dist=worksteal", "--fork=never"], true),
        (&["--no-history"], false),
        (&["-p", "no:cacheprovider"], false),
        (&["--sw"], false),
    ] {
        let again = Suite::one(SUITE);
        let history = suite.path(".pytest_cache/v/xdist/history");
        let copy = again.path(".pytest_cache/v/xdist/history");
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(history, copy).unwrap();
        let outcome = run(&again, args);
        outcome.expect_code(0);
        assert_eq!(outcome.stdout.contains(TOLD), first, "{args:?}\n{}", outcome.describe());
        assert_eq!(before_long(&again) < 4, first, "{args:?}\n{}", outcome.describe());
    }
}

#[test]
fn a_broken_history_is_replaced() {
    let suite = Suite::one(SUITE);
    let path = suite.path(".pytest_cache/v/xdist/history");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"\xff{").unwrap();
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).run();
    outcome.expect_code(0).expect_no_text("order:").expect_no_text("history");
    assert!(fs::read_to_string(&path).unwrap().contains("test_long"));
}
