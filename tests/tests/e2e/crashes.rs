//! Tests that take their worker down: one verdict each, the right test blamed, everything else still runs.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use xdist_tests::{Env, Invocation, Outcome, Suite};

/// Fails unless a line of the output names both the test and how its process ended.
#[track_caller]
fn expect_blamed(outcome: &Outcome, id: &str, how: &str) {
    let found = outcome.stdout.lines().any(|line| line.contains(id) && line.contains(how));
    assert!(found, "nothing says that {id} ended by {how}\n{}", outcome.describe());
}

fn check_model(env: &Env, n: u32, args: &[&str]) {
    let suite = Suite::named("crashes");
    let model = suite.model();
    let run = Invocation::xdist(env, &suite).n(n).args(["-p", "no:cacheprovider", "--max-worker-restart=100"]);
    let outcome = run.args(args).junit().run();
    outcome.expect_code(model.exit).expect_no_survivors();
    assert_eq!(suite.truth().ids(), model.ids(), "each test starts once\n{}", outcome.describe());
    assert_eq!(suite.truth().outcomes(), model.tests, "{}", outcome.describe());
    for (id, how) in &model.how {
        expect_blamed(&outcome, id, how);
    }
    assert_eq!(outcome.counts(), model.counts, "{}", outcome.describe());
    let junit = suite.junit();
    // As pytest does it, a test that failed before its teardown went wrong has a test case for each.
    let names = |bad: bool| -> BTreeSet<_> {
        let verdicts = junit.verdicts().into_iter().filter(|(_, _, tags)| !bad || !tags.is_empty());
        verdicts.map(|(class, name, _)| (class, name)).collect()
    };
    assert_eq!(names(false).len(), model.tests.len(), "a test case for each test\n{}", outcome.describe());
    assert_eq!(names(true).len(), model.how.len(), "a failure for each crash\n{}", outcome.describe());
    let ids: Vec<_> = suite.truth().workers().into_iter().collect();
    let allowed: Vec<_> = (0..n).map(|number| format!("gw{number}")).collect();
    assert!(ids.iter().all(|id| allowed.contains(id)), "a replacement takes the id of the dead: {ids:?}");
}

#[test]
fn what_a_crashed_test_wrote_is_shown() {
    for capture in ["--capture=fd", "--capture=sys", "--capture=no"] {
        let suite = Suite::named("crashes");
        let run = Invocation::xdist(&Env::usual(), &suite).n(1).args(["-k", "test_exit_with_output", capture]);
        run.run().expect_code(1).expect_text("written to fd 2 before the end");
    }
}

#[test]
fn what_a_dying_test_wrote_to_pytests_terminal_is_shown() {
    let suite = Suite::one(
        "
import os, sys, threading, pytest

def last_words(config):
    writer = config.get_terminal_writer()
    writer.sep('+', 'Timeout')
    for number in range(2000):
        writer.line(f'frame {number} of the stack')
    writer.sep('+', 'End')
    writer.flush()
    os._exit(1)

def test_fine(request):
    request.config.get_terminal_writer().line('of no interest')

def test_hangs(request):
    print('the test printed this')
    sys.stdout.flush()
    threading.Thread(target=last_words, args=[request.config], daemon=True).start()
    threading.Event().wait(60)

def test_dies_without_a_word():
    os._exit(2)
",
    );
    for args in [&[][..], &["-s"], &["--fork=imported"], &["--fork=never"]] {
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(1).args(args).run();
        outcome.expect_code(1).expect_text("the test printed this").expect_text("frame 1999 of the stack");
        assert_eq!(outcome.stdout.matches(" End +").count(), 1, "{}", outcome.describe());
        assert!(!outcome.stdout.contains("of no interest"), "{}", outcome.describe());
        assert!(!outcome.stdout.contains("frame 1 of the stack"), "only the end is kept\n{}", outcome.describe());
    }
}

#[test]
fn every_way_to_die_on_one_worker() {
    check_model(&Env::usual(), 1, &[]);
}

#[test]
fn every_way_to_die_on_two_workers() {
    check_model(&Env::usual(), 2, &[]);
}

#[test]
fn every_way_to_die_on_eight_workers() {
    check_model(&Env::usual(), 8, &["-v"]);
}

#[test]
fn every_way_to_die_at_the_other_fork_levels() {
    check_model(&Env::usual(), 2, &["--fork=imported"]);
    check_model(&Env::usual(), 2, &["--fork=never"]);
}

#[test]
fn every_way_to_die_with_pytest_74() {
    check_model(&Env::named("py311-pytest74"), 2, &[]);
}

#[test]
fn what_failed_before_the_crash_is_shown() {
    let suite = Suite::named("crashes");
    let run = Invocation::xdist(&Env::usual(), &suite).n(1).args(["-k", "test_in_finalizer_after_failure"]);
    let outcome = run.run();
    outcome.expect_code(1).expect_text("failed before the crash").expect_text("signal 6 (SIGABRT)");
    assert_eq!(outcome.counts().get("failed"), 1, "one verdict\n{}", outcome.describe());
}

#[test]
fn phases_that_were_over_before_the_crash_keep_their_time() {
    let tests = "
import os, time, pytest

@pytest.fixture
def slow():
    time.sleep(0.2)
    yield
    os._exit(3)

def test_call(slow):
    os._exit(2)

def test_teardown(slow):
    time.sleep(0.3)
";
    for host in ["never", "always"] {
        let suite = Suite::one(tests);
        let run = Invocation::xdist(&Env::usual(), &suite).n(1).args(["--durations=0", "--durations-min=0.1"]);
        let outcome = run.arg(format!("--plugin-host={host}")).junit().run();
        let seconds = |when: &str, test: &str| {
            let lines = outcome.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            let found =
                lines.filter(|words| matches!(words[..], [_, phase, id] if phase == when && id.ends_with(test)));
            let found: Vec<f64> = found.map(|words| words[0].trim_end_matches('s').parse().unwrap()).collect();
            assert_eq!(found.len(), 1, "{when} {test}\n{}", outcome.describe());
            found[0]
        };
        assert!(seconds("setup", "::test_call") >= 0.2 && seconds("setup", "::test_teardown") >= 0.2);
        assert!(seconds("call", "::test_teardown") >= 0.3);
        let xml = std::fs::read_to_string(suite.junit_path()).unwrap();
        for (case, least) in [("test_call", 0.2), ("test_teardown", 0.5)] {
            let (_, rest) = xml.split_once(&format!("name=\"{case}\" time=\"")).unwrap_or_else(|| panic!("{xml}"));
            assert!(rest.split('"').next().unwrap().parse::<f64>().unwrap() >= least, "{case} in {xml}");
        }
    }
}

const ALL_DIE: &str = "
import os, pytest
@pytest.mark.parametrize('n', range(30))
def test_dies(n):
    os._exit(0)
";

#[test]
fn who_dies_before_the_first_report_or_after_the_last_has_one_verdict() {
    let files = [
        (
            "test_it.py",
            "import pytest\ndef test_dies_before(): pass\ndef test_passes_dies_after(): pass\n\
             def test_fails_dies_after(): assert 0, 'failed by itself'\n\
             @pytest.mark.parametrize('n', range(6))\ndef test_lives(n): pass\n",
        ),
        (
            "conftest.py",
            "import os\npytest_plugins = ['truth_log']\ndef in_worker(): return 'PYTEST_XDIST_WORKER' in os.environ\n\
             def pytest_runtest_logstart(nodeid):\n    if in_worker() and 'dies_before' in nodeid: os._exit(4)\n\
             def pytest_runtest_logfinish(nodeid):\n    if in_worker() and 'dies_after' in nodeid: os.kill(os.getpid(), 9)\n",
        ),
    ];
    for args in [&[][..], &["--dist=loadfile"], &["--dist=each"]] {
        let suite = Suite::of(&files);
        let n = if args.contains(&"--dist=each") { 1 } else { 2 };
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(n).args(args).junit().run();
        outcome.expect_code(1).expect_no_survivors().expect_text("failed by itself");
        let counts = outcome.counts();
        let numbers = ["failed", "passed", "error"].map(|name| counts.get(name));
        assert_eq!(numbers, [3, 6, 0], "{args:?}\n{}", outcome.describe());
        let names: BTreeSet<_> = suite.junit().verdicts().into_iter().map(|(_, name, _)| name).collect();
        assert_eq!(names.len(), 9, "{args:?}\n{}", outcome.describe());
        let ids = suite.truth().ids();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{args:?}\n{}", outcome.describe());
        expect_blamed(&outcome, "test_dies_before", "exit code 4");
        expect_blamed(&outcome, "test_passes_dies_after", "SIGKILL");
    }
}

#[test]
fn a_run_in_which_every_test_dies_ends_at_the_restart_limit() {
    let suite = Suite::one(ALL_DIE);
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).run();
    outcome.expect_code(1).expect_no_survivors();
    let started = suite.truth().ids();
    // Two workers and 4 x 2 replacements.
    assert_eq!(started.len(), 10, "{}", outcome.describe());
    assert_eq!(outcome.counts().get("failed"), 10, "{}", outcome.describe());
    outcome.expect_text("maximum crashed workers reached: 8").expect_text("20 of 30 tests did not run");
}

#[test]
fn the_restart_limit_counts_exactly() {
    for (limit, deaths) in [(0, 1), (1, 2), (5, 6)] {
        let suite = Suite::one(ALL_DIE);
        let run = Invocation::xdist(&Env::usual(), &suite).n(1).arg(format!("--max-worker-restart={limit}"));
        let outcome = run.run();
        outcome.expect_code(1).expect_no_survivors();
        assert_eq!(suite.truth().ids().len(), deaths, "limit {limit}\n{}", outcome.describe());
        assert_eq!(outcome.counts().get("failed"), deaths as u64, "limit {limit}\n{}", outcome.describe());
    }
}

#[test]
fn the_other_workers_finish_when_the_limit_is_reached() {
    let suite = Suite::one(
        "
import os, pytest
def test_dies():
    os._exit(3)
@pytest.mark.parametrize('n', range(20))
def test_passes(n):
    pass
",
    );
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).arg("--max-worker-restart=0").run();
    outcome.expect_code(1).expect_no_survivors();
    assert_eq!(outcome.counts().get("passed"), 20, "{}", outcome.describe());
    assert_eq!(suite.truth().ids().len(), 21, "{}", outcome.describe());
}

#[test]
fn a_crash_stops_a_run_that_stops_at_the_first_failure() {
    let suite = Suite::one(
        "
import os, time, pytest
def test_dies():
    os._exit(3)
@pytest.mark.parametrize('n', range(200))
def test_passes(n):
    time.sleep(0.02)
",
    );
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).arg("-x").run();
    outcome.expect_code(1);
    assert!(suite.truth().ids().len() < 100, "the run went on\n{}", outcome.describe());
}

#[test]
fn a_worker_killed_from_outside_costs_the_test_it_ran_and_no_other() {
    let suite = Suite::one(
        "
import os, time, pytest
@pytest.mark.parametrize('n', range(20))
def test_it(n):
    if n == 7:
        deadline = time.time() + 30
        while time.time() < deadline:
            time.sleep(0.01)
",
    );
    let mut run = Invocation::xdist(&Env::usual(), &suite).n(2).start();
    let victim = || suite.truth().started().into_iter().find(|ran| ran.id.ends_with("[7]"));
    run.wait_for("the test to start", |_| victim().is_some());
    let pid = i32::try_from(victim().unwrap().pid).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let outcome = run.finish();
    outcome.expect_code(1).expect_no_survivors();
    expect_blamed(&outcome, "test_it[7]", "signal 9 (SIGKILL)");
    assert_eq!(outcome.counts().get("passed"), 19, "{}", outcome.describe());
    assert_eq!(suite.truth().ids().len(), 20, "{}", outcome.describe());
}

#[test]
fn the_other_python_processes_may_die_without_taking_results_along() {
    let suite = Suite::one(
        "
import os, time, pytest
from pathlib import Path
@pytest.mark.parametrize('n', range(2))
def test_waits(n):
    deadline = time.time() + 30
    while not Path('go').exists() and time.time() < deadline:
        time.sleep(0.01)
",
    );
    let mut run = Invocation::xdist(&Env::usual(), &suite).n(2).start();
    run.wait_for("both tests to run", |_| suite.truth().ids().len() == 2);
    let workers: Vec<i64> = suite.truth().started().iter().map(|ran| ran.pid).collect();
    for process in run.processes() {
        if process.command.contains("python") && !workers.contains(&i64::from(process.pid)) && process.pid != run.pid()
        {
            kill_process(Pid::from_raw(process.pid).unwrap(), Signal::KILL).ok();
        }
    }
    suite.write("go", "");
    let outcome = run.finish();
    outcome.expect_no_survivors();
    assert_eq!(outcome.counts().get("passed"), 2, "finished tests keep their result\n{}", outcome.describe());
}

#[test]
fn a_process_that_dies_while_it_collects_ends_the_run_soon() {
    for n in [1, 3] {
        let suite =
            Suite::of(&[("test_dies.py", "import os\nos._exit(3)\n"), ("test_good.py", "def test_good(): pass\n")]);
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(n).limit(30).run();
        outcome.expect_no_survivors();
        assert!(![0, 5].contains(&outcome.code()), "{}", outcome.describe());
        outcome.expect_text("exit code 3");
    }
}

#[test]
fn a_replacement_is_there_at_once() {
    let suite = Suite::one(
        "
import os, pytest
@pytest.mark.parametrize('n', range(12))
def test_it(n):
    if n % 3 == 0:
        os.kill(os.getpid(), 9)
",
    );
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(1).run();
    outcome.expect_code(1);
    assert_eq!(outcome.counts().get("passed"), 8, "{}", outcome.describe());
    assert!(outcome.elapsed < Duration::from_secs(10), "{:?}\n{}", outcome.elapsed, outcome.describe());
}
