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

#[test]
fn a_file_that_is_dear_to_set_up_goes_whole_and_first_under_auto() {
    let plain = "
import time, pytest
@pytest.mark.parametrize('n', range(20))
def test_plain(n): time.sleep(0.02)
";
    let dear = "
import time, pytest
@pytest.fixture(scope='module')
def base(): time.sleep(0.15)
@pytest.mark.parametrize('n', range(4))
def test_dear(n, base): time.sleep(0.01)
";
    let files: Vec<String> = (0..8).map(|number| format!("test_{number}.py")).collect();
    let plain_files = files.iter().map(|name| (name.as_str(), plain));
    let suite = Suite::of(&plain_files.chain([("test_x.py", dear)]).collect::<Vec<_>>());
    let run = || Invocation::xdist(&Env::usual(), &suite).n(2).arg("--dist=auto").run();
    run().expect_code(0).expect_no_text("order:");
    suite.forget();
    // On a busy machine a plain test may have taken long, too.
    let outcome = run();
    outcome
        .expect_code(0)
        .expect_text("order: 1 file with dear fixtures ")
        .expect_text("first (--no-history: as collected)");
    let started = suite.truth().started();
    let dear: Vec<_> = (0..).zip(&started).filter(|(_, ran)| ran.id.starts_with("test_x.py")).collect();
    assert!(dear.len() == 4 && dear.iter().all(|(at, ran)| *at < 12 && ran.worker == dear[0].1.worker), "{started:?}");
}
