//! Fast tests, of which the controller hears in heaps: each keeps its own verdict, whatever ends their worker.

use std::collections::BTreeSet;

use xdist_tests::{Env, Invocation, Suite};

use super::expect_clean;

const FAST: &str = "
import os, signal, pytest

@pytest.mark.parametrize('n', range(600))
def test_it(n):
    if n == 150:
        os.kill(os.getpid(), signal.SIGKILL)
    if n == 300:
        os._exit(0)
    if n == 450:
        os.closerange(200, 1000)
    if n == 500:
        for fd in range(201, 260):
            try:
                os.write(fd, b'x')
            except OSError:
                pass
    if n == 550:
        os.kill(os.getpid(), signal.SIGSEGV)
    assert n != 580
";

/// Test number and what its report says.
const BAD: [(u32, &str); 6] = [
    (150, "signal 9 (SIGKILL)"),
    (300, "exit code 0"),
    (450, "loss of its connection"),
    (500, "a disturbed connection"),
    (550, "signal 11 (SIGSEGV)"),
    (580, "assert 580 != 580"),
];

/// The tests, in a suite that needs its rootdir for itself.
pub(crate) fn suite() -> Suite {
    Suite::of(&[("test_fast.py", FAST), ("conftest.py", "")])
}

fn check(env: &Env, n: u32, args: &[&str]) {
    let suite = suite();
    check_run(&suite, Invocation::xdist(env, &suite).n(n), args);
}

/// Each test has its verdict in a run with so many workers.
pub(crate) fn check_run(suite: &Suite, run: Invocation, args: &[&str]) {
    let run = run.args(["--max-worker-restart=100", "-pno:cacheprovider", "-rf"]);
    let outcome = run.args(args).var("COLUMNS", "300").junit().run();
    expect_clean(suite, &outcome);
    outcome.expect_code(1);
    let verdicts = suite.junit().verdicts();
    let names = |bad: bool| -> BTreeSet<String> {
        verdicts.iter().filter(|(_, _, tags)| !bad || !tags.is_empty()).map(|(_, name, _)| name.clone()).collect()
    };
    let wanted: BTreeSet<_> = BAD.iter().map(|(n, _)| format!("test_it[{n}]")).collect();
    assert_eq!((verdicts.len(), names(false).len()), (600, 600), "a verdict for each\n{}", outcome.describe());
    assert_eq!(names(true), wanted, "{}", outcome.describe());
    for (n, how) in BAD {
        let blamed = outcome.stdout.lines().any(|line| line.contains(&format!("test_it[{n}]")) && line.contains(how));
        assert!(blamed, "nothing says that {n} ended by {how}\n{}", outcome.describe());
    }
    outcome.expect_text("Fatal Python error: Segmentation fault");
}

#[test]
fn on_one_worker() {
    check(&Env::usual(), 1, &[]);
    check(&Env::named("py311-pytest74"), 1, &["--fork=imported"]);
}

#[test]
fn on_two_workers() {
    check(&Env::usual(), 2, &["-v"]);
    check(&Env::usual(), 2, &["--fork=never", "--dist=worksteal"]);
}

#[test]
fn with_pypy() {
    check(&Env::named("pypy39-pytest84"), 2, &[]);
}

#[test]
fn what_passed_before_the_last_failure_counts() {
    for (args, code) in [(&["-x"][..], 1), (&["--maxfail=1", "--fork=imported"], 1)] {
        let text = "import pytest\n@pytest.mark.parametrize('n', range(400))\ndef test_it(n): assert n < 250\n";
        let suite = Suite::of(&[("test_fast.py", text), ("conftest.py", "")]);
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(1).args(args).run();
        outcome.expect_code(code);
        assert_eq!(outcome.counts().get("passed"), 250, "{}", outcome.describe());
        assert_eq!(outcome.counts().get("failed"), 1, "{}", outcome.describe());
    }
}
