//! Plugins that measure, repeat or watch over tests.

use std::fs;

use serde_json::Value;
use xdist_tests::{Env, Invocation, Outcome, Suite, workspace};

fn run(suite: &Suite, serial: bool, args: &[&str]) -> Outcome {
    let env = Env::named("py311-many");
    let run = if serial { Invocation::pytest(&env, suite) } else { Invocation::xdist(&env, suite).arg("--boxed") };
    run.args(args).var("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1").run()
}

#[test]
fn coverage_has_the_numbers_of_serial_pytest() {
    let measured = |serial: bool, more: &[&str]| {
        let suite = Suite::foreign(&workspace().join("tests/suites/plugins/cov"));
        suite.write("pytest.ini", "[pytest]\n");
        let args = ["-p", "pytest_cov", "--cov=pkg", "--cov-branch", "--cov-report=json"];
        let outcome = run(&suite, serial, &[&args, more].concat());
        outcome.expect_no_text("is lost");
        let text = fs::read_to_string(suite.path("coverage.json")).unwrap_or_else(|_| panic!("{}", outcome.describe()));
        let mut found: Value = serde_json::from_str(&text).unwrap();
        (found["files"].take(), found["totals"].take(), outcome.counts(), outcome.code())
    };
    let serial = measured(true, &[]);
    for more in [&[][..], &["-n3"], &["--fork=never"], &["--cov-context=test"]] {
        assert_eq!(measured(false, more), serial, "{more:?}");
    }
}

#[test]
fn tests_are_repeated_and_timed_out_in_their_boxes() {
    let suite = Suite::one(
        "
import time
import pytest

@pytest.fixture(scope='module')
def slow():
    time.sleep(60)

def test_third_time(tmp_path_factory):
    place = tmp_path_factory.getbasetemp() / 'times'
    times = len(place.read_text()) if place.exists() else 0
    place.write_text('x' * (times + 1))
    assert times == 2

@pytest.mark.flaky(reruns=0)
@pytest.mark.timeout(1)
def test_slow():
    time.sleep(60)

@pytest.mark.flaky(reruns=0)
@pytest.mark.timeout(1)
def test_of_slow(slow): pass
",
    );
    let plugins = ["-p", "pytest_rerunfailures", "-p", "pytest_timeout", "--reruns=3"];
    let (ours, serial) = (run(&suite, false, &plugins), {
        let other = Suite::foreign(&suite.root());
        run(&other, true, &plugins)
    });
    ours.expect_code(1).expect_text("Failed: Timeout (>1.0s)").expect_no_survivors();
    assert_eq!(ours.counts(), serial.counts(), "{}", ours.describe());
    assert_eq!(ours.counts().get("rerun"), 2);
}
