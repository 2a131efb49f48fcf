//! Tests that abuse their process: each has one verdict, which says what happened, and no other test suffers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use xdist_tests::{Counts, Env, Invocation, Suite};

use super::expect_clean;

/// How the tests that cannot survive end, in xdist's words.
const ENDS: [(&str, &str); 12] = [
    ("test_closes_every_descriptor", "loss of its connection"),
    ("test_replaces_descriptors", "loss of its connection"),
    ("test_writes_to_descriptors[likeness]", "a disturbed connection"),
    ("test_writes_to_descriptors[huge]", "a disturbed connection"),
    ("test_writes_to_descriptors[no-message]", "a disturbed connection"),
    ("test_writes_to_descriptors[promise]", "a disturbed connection"),
    ("test_writes_to_descriptors[one-byte]", "a disturbed connection"),
    ("test_writes_to_descriptors[two-bytes]", "a disturbed connection"),
    ("test_runs_another_program", "exit code 0"),
    ("test_runs_a_long_program", "loss of its connection"),
    ("test_signals_its_group", "signal 15 (SIGTERM)"),
    ("test_uses_up_its_time", "signal 24 (SIGXCPU)"),
];

const TESTS: usize = 30;

fn check(env: &Env, n: u32, args: &[&str]) {
    let suite = Suite::named("abuse");
    let run = Invocation::xdist(env, &suite).n(n).args(["--max-worker-restart=100", "-rfE"]).args(args);
    let outcome = run.var("COLUMNS", "300").junit().run();
    expect_clean(&suite, &outcome);
    outcome.expect_code(1);
    let mut started = suite.truth().ids();
    let again = started.len() - TESTS;
    started.dedup();
    assert_eq!(started.len(), TESTS, "each test starts\n{}", outcome.describe());
    // What a worker began after its connection was disturbed cannot be known.
    assert!(again <= 5, "{again} tests started again\n{}", outcome.describe());
    let mut verdicts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, name, tags) in suite.junit().verdicts() {
        verdicts.entry(name).or_default().extend(tags);
    }
    assert_eq!(verdicts.len(), TESTS, "a verdict for each\n{}", outcome.describe());
    let bad: Vec<_> = verdicts.iter().filter(|(_, tags)| !tags.is_empty()).map(|(name, _)| name.as_str()).collect();
    let mut wanted: Vec<_> = ENDS.iter().map(|(name, _)| *name).chain(["test_exits_in_a_finalizer"]).collect();
    wanted.sort_unstable();
    assert_eq!(bad, wanted, "{}", outcome.describe());
    for (name, how) in ENDS {
        let found = outcome.stdout.lines().any(|line| line.contains(name) && line.contains(how));
        assert!(found, "nothing says that {name} ended by {how}\n{}", outcome.describe());
    }
}

#[test]
fn on_two_workers() {
    check(&Env::usual(), 2, &[]);
}

#[test]
fn on_one_worker_with_pytest_74() {
    check(&Env::named("py311-pytest74"), 1, &[]);
}

#[test]
fn with_fresh_interpreters() {
    check(&Env::usual(), 3, &["--fork=never"]);
}

#[test]
fn limits_that_stay_do_what_they_do_serially() {
    for limit in ["RLIMIT_FSIZE, (0, 0)", "RLIMIT_NOFILE, (3, 3)"] {
        let text = format!(
            "import resource\ndef test_limits(): resource.setrlimit(resource.{limit})\ndef test_prints(): print('x' * 1000)\n\
             def test_fails(): assert 0\ndef test_passes(): pass\n"
        );
        let files = [("test_it.py", text.as_str()), ("conftest.py", "")];
        let serial = Invocation::pytest(&Env::usual(), &Suite::of(&files)).arg("-pno:cacheprovider").run();
        let suite = Suite::of(&files);
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(1).arg("-pno:cacheprovider").limit(30).run();
        expect_clean(&suite, &outcome);
        // Without descriptors pytest cannot clean the worker's temporary directory, which a serial run does not have.
        assert!([serial.code(), 3].contains(&outcome.code()), "{limit}\n{}", outcome.describe());
        // Serially pytest may not even come to its final line.
        if let Some(counts) = Counts::of_output(&serial.stdout) {
            assert_eq!(outcome.counts(), counts, "{limit}\n{}\n{}", outcome.describe(), serial.describe());
        }
    }
}

#[test]
fn a_test_that_kills_its_parent_leaves_nothing() {
    let suite = Suite::one("import os\ndef test_it(): os.kill(os.getppid(), 9)\n");
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).run();
    assert_eq!(outcome.signal(), Some(9));
    expect_clean(&suite, &outcome);
}

const STOPS: &str = "
import os, signal
def test_stops():
    os.kill(os.getpid(), signal.SIGSTOP)
def test_passes(): pass
def test_passes_too(): pass
";

#[test]
fn a_stopped_worker_is_named_and_goes_on() {
    let suite = Suite::one(STOPS);
    let mut run = Invocation::xdist(&Env::usual(), &suite).n(2).start();
    run.wait_for("the stop to be told", |run| run.stdout().contains("was stopped by a signal"));
    let pid = suite.truth().started().into_iter().find(|ran| ran.id.ends_with("test_stops")).unwrap().pid;
    assert!(run.stdout().contains(&format!("kill -CONT {pid}")));
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::CONT).unwrap();
    let outcome = run.finish();
    expect_clean(&suite, &outcome);
    outcome.expect_code(0);
}

#[test]
fn a_stopped_worker_is_interrupted_like_any() {
    let suite = Suite::one(STOPS);
    let mut run = Invocation::xdist(&Env::usual(), &suite).n(2).start();
    run.wait_for("the stop to be told", |run| run.stdout().contains("was stopped by a signal"));
    let sent = Instant::now();
    run.signal(Signal::INT);
    let outcome = run.finish();
    expect_clean(&suite, &outcome);
    outcome.expect_code(2);
    assert!(sent.elapsed() < Duration::from_secs(8), "{}", outcome.describe());
}
