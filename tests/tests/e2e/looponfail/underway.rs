//! Changes while a run is on.

use std::fs;

use xdist_tests::Suite;

use super::{Looped, has, invocation, started};

/// Waits for a file; deaf to interrupts if there is another one.
const SLOW: &str = "
import mod, signal, time
from pathlib import Path
def test_quick(): pass
def test_slow():
    if Path('deaf').exists():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    deadline = time.time() + 50
    while not Path('go').exists() and time.time() < deadline:
        time.sleep(0.01)
    assert mod.value == 1
";

fn slow() -> Suite {
    Suite::of(&[("test_it.py", SLOW), ("mod.py", "value = 2\n"), ("pytest.ini", "[pytest]\n")])
}

fn busy(suite: &Suite, looped: &mut Looped, times: usize) {
    looped.0.wait_for("the slow test to run", |_| started(suite, "test_slow") == times);
}

#[test]
fn a_run_that_is_out_of_date_is_stopped() {
    let suite = slow();
    let mut looped = Looped::start(invocation(&suite));
    busy(&suite, &mut looped, 1);
    suite.write("mod.py", "value = 1\n");
    busy(&suite, &mut looped, 2);
    fs::write(suite.path("go"), "").unwrap();
    let screen = looped.waits(&["changed: mod.py; running all tests", "2 passed in", "all tests pass"]);
    assert!(!has(&screen, "Interrupt"), "{}", screen.join("\n"));
    looped.quits(0);
}

#[test]
fn a_run_may_end_before_the_next_one() {
    let suite = slow();
    let mut looped = Looped::start(invocation(&suite).arg("--on-change=queue"));
    busy(&suite, &mut looped, 1);
    suite.write("mod.py", "value = 1\n");
    fs::write(suite.path("go"), "").unwrap();
    looped.waits(&["all tests pass", "2 passed"]);
    let finished = suite.truth().started().len();
    // The first run to its end, what failed in it, and all.
    assert_eq!((started(&suite, "test_slow"), finished), (3, 5));
    looped.quits(0);
}

#[test]
fn a_test_that_is_deaf_is_killed() {
    let suite = slow();
    suite.write("deaf", "");
    let mut looped = Looped::start(invocation(&suite));
    busy(&suite, &mut looped, 1);
    suite.write("mod.py", "value = 1\n");
    busy(&suite, &mut looped, 2);
    fs::write(suite.path("go"), "").unwrap();
    looped.waits(&["all tests pass"]);
    looped.quits(0);
}

#[test]
fn keys_while_tests_run() {
    let suite = slow();
    let mut looped = Looped::start(invocation(&suite));
    busy(&suite, &mut looped, 1);
    looped.press("a");
    busy(&suite, &mut looped, 2);
    looped.press("q");
    let seen = looped.ends(2);
    assert!(!has(&seen.screen, "Traceback"), "{}", seen.screen.join("\n"));
}
