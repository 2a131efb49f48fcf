//! Command lines that cannot be meant so: one error that says what is wrong and what to do, pytest's code, no test run.

use xdist_tests::{Env, Invocation, Suite};

const GOOD: (&str, &str) = ("test_it.py", "def test_a(): pass\ndef test_b(): pass\n");

#[test]
fn options_that_make_no_sense() {
    for (args, text) in [
        (&["--fork=sometimes"][..], "collected, imported, never"),
        (&["-n", "-1"], "must not be negative"),
        (&["-n", "abc"], "'abc' is neither a number nor 'auto' or 'logical'"),
        (&["-n"], "-n/--numprocesses"),
        (&["-n", "99999"], "from 1 to 4096"),
        (&["-n2", "--dist=sideways"], "invalid choice: 'sideways'"),
        (&["--tx", "popen", "--tx", "popen//via=other"], "no gateway `other` to go through"),
        (&["--tx", "many*popen"], "`--tx many*popen`"),
        (&["--tx", "popen//nice=much"], "`nice` takes a whole number"),
        (&["--tx", "popen//id=a", "--tx", "popen//id=a"], "`id=a`"),
        (&["-n2", "--px=popen"], "`--px popen` has no `id=…`"),
        (&["-n2", "--pdb"], "add -n 0 to debug"),
        (&["-n2", "--maxprocesses=few"], "invalid int value: 'few'"),
        (&["-n2", "--max-worker-restart=often"], "not a number: 'often'"),
        (&["-n2", "-o", "xdist_fork=sometimes"], "`sometimes` is no fork level"),
        (&["-n2", "-o", "xdist_slow_after=soon"], "`soon` is no number of seconds"),
        (&["-n2", "nowhere/at_all.py"], "file or directory not found: nowhere/at_all.py"),
        (&["-n2", "--junitxml=."], "--junitxml must be a filename"),
        (&["-n2", "--rootdir=nowhere"], "nowhere"),
        (&["-n2", "-c", "absent.ini"], "absent.ini"),
    ] {
        let suite = Suite::of(&[GOOD]);
        let outcome = Invocation::xdist(&Env::usual(), &suite).args(args).run();
        outcome.expect_code(4).expect_text(text).expect_no_text("Traceback").expect_no_text("panicked");
        assert_eq!(outcome.occurrences(text), 1, "once: {text:?}\n{}", outcome.describe());
        assert!(suite.truth().started().is_empty(), "no test runs\n{}", outcome.describe());
    }
}

#[test]
fn a_log_is_written_where_asked_for() {
    let suite = Suite::of(&[GOOD]);
    let run = |level: &str| Invocation::xdist(&Env::usual(), &suite).n(1).var("XDIST_LOG", level).run();
    let logged = run("debug");
    logged.expect_code(0);
    for text in ["trying ", "distributed", "gw0 ended with exit code 0"] {
        assert!(logged.stderr.contains(text), "{text}\n{}", logged.describe());
    }
    assert_eq!(run("off").expect_code(0).stderr, "");
    run("loudly").expect_code(4).expect_text("one of off, error, warn, info, debug, trace");
}

#[test]
fn no_workers_rule_over_the_way_to_distribute() {
    let suite = Suite::of(&[GOOD]);
    let outcome = Invocation::xdist(&Env::usual(), &suite).args(["-n", "0", "-d"]).run();
    outcome.expect_code(0).expect_no_text("workers");
}

#[test]
fn distributing_without_a_number_is_like_auto() {
    let suite = Suite::of(&[GOOD]);
    let run = Invocation::xdist(&Env::usual(), &suite).arg("-d").var("PYTEST_XDIST_AUTO_NUM_WORKERS", "2");
    run.run().expect_code(0).expect_text("2 workers [2 items]");
}

#[test]
fn results_that_cannot_be_written_are_no_success() {
    let suite = Suite::of(&[GOOD]);
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).arg("--junitxml=/dev/full").run();
    outcome.expect_code(1).expect_text("error: could not write `/dev/full`: No space left on device");
    assert_eq!(outcome.counts().get("passed"), 2);
    // In the quiet form nothing is written before the first results are.
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).arg("-q").after("exec > /dev/full").run();
    outcome.expect_code(1);
    let told = outcome.stderr.contains("error: cannot write to stdout: No space left on device");
    assert!(told, "{}", outcome.describe());
}
