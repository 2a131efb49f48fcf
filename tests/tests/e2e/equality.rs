//! Outcomes, counts, junit and exit code equal serial pytest's, and both equal the model.

use xdist_tests::{Env, Face, NO_JUNIT, Suite};

/// Compares on a suite of the repository for several numbers of workers.
fn check(env: &Env, name: &str, args: &[&str], workers: &[u32]) -> Face {
    let make = || Suite::named(name);
    let serial = Face::serial(env, make, args);
    for n in workers {
        let (ours, outcome) = Face::distributed(env, make, *n, args);
        serial.expect_same(&ours, &outcome);
    }
    serial
}

fn check_model(name: &str, workers: &[u32]) {
    let serial = check(&Env::usual(), name, &[], workers);
    let model = Suite::named(name).model();
    assert_eq!(serial.outcomes, model.tests, "serial pytest does what the model says");
    assert_eq!(serial.counts, model.counts);
    assert_eq!(serial.code, model.exit);
}

#[test]
fn outcomes_with_current_pytest() {
    check_model("outcomes", &[1, 2, 8]);
}

#[test]
fn outcomes_with_pytest_84() {
    check(&Env::named("py311-pytest84"), "outcomes", &[], &[1, 2, 8]);
}

#[test]
fn outcomes_with_pytest_74() {
    check(&Env::named("py311-pytest74"), "outcomes", &[], &[1, 2, 8]);
}

#[test]
fn outcomes_where_pytest_xdist_is_installed() {
    check(&Env::named("py311-xdist"), "outcomes", &[], &[2]);
}

#[test]
fn outcomes_with_pypy() {
    check(&Env::named("pypy39-pytest84"), "outcomes", &[], &[2]);
}

#[test]
fn outcomes_at_each_fork_level() {
    for level in ["--fork=imported", "--fork=never"] {
        let make = || Suite::named("outcomes");
        let serial = Face::serial(&Env::usual(), make, &[]);
        let (ours, outcome) = Face::distributed(&Env::usual(), make, 2, &[level]);
        serial.expect_same(&ours, &outcome);
    }
}

#[test]
fn subtests() {
    check_model("subtests", &[1, 2]);
}

#[test]
fn subtests_where_they_are_shown() {
    check(&Env::usual(), "subtests", &["-v"], &[2]);
}

#[test]
fn reports_that_do_not_encode() {
    check_model("reports", &[1, 2, 8]);
}

#[test]
fn reports_that_do_not_encode_with_pytest_74() {
    check(&Env::named("py311-pytest74"), "reports", &[NO_JUNIT], &[2]);
}

#[test]
fn reports_that_do_not_encode_with_pypy() {
    check(&Env::named("pypy39-pytest84"), "reports", &[], &[2]);
}

#[test]
fn selection_by_keyword_and_mark() {
    for args in [
        &["-k", "test_many and not 13"][..],
        &["-m", "slow"],
        &["--deselect", "test_basic.py::test_fail", "test_basic.py"],
        &["-k", "no_such_test"],
        &["test_params.py::test_id[a b]", "test_params.py::test_id[p::q]", "pkg"],
        &["test_params.py::test_id[x[y]]"],
        &["--ignore=test_basic.py", "--ignore", "test_classes.py"],
        &["pkg/sub", "pkg"],
    ] {
        check(&Env::usual(), "outcomes", args, &[2]);
    }
}

#[test]
fn options_of_junit() {
    for args in [
        &["-o", "junit_family=xunit1", "-o", "junit_logging=all"][..],
        &["-o", "junit_family=legacy", "-o", "junit_suite_name=named", "--junitprefix=pre"],
        &["-o", "junit_logging=out-err", "-o", "junit_log_passing_tests=false", "-o", "junit_duration_report=call"],
    ] {
        check(&Env::usual(), "outcomes", args, &[2]);
    }
}

#[test]
fn a_suite_without_any_test() {
    let make = || Suite::of(&[("test_empty.py", "\n")]);
    let serial = Face::serial(&Env::usual(), make, &[]);
    assert_eq!(serial.code, 5);
    let (ours, outcome) = Face::distributed(&Env::usual(), make, 4, &[]);
    serial.expect_same(&ours, &outcome);
}

#[test]
fn doctests_and_text_files() {
    let make = || {
        Suite::of(&[
            (
                "code.py",
                "def add(a, b):\n    \"\"\"\n    >>> add(1, 2)\n    3\n    >>> add(2, 2)\n    5\n    \"\"\"\n    return a + b\n",
            ),
            ("doc.txt", ">>> 1 + 1\n2\n"),
            ("test_one.py", "def test_one(): pass\n"),
        ])
    };
    let args = ["--doctest-modules", "--doctest-glob=*.txt", "--ignore=conftest.py"];
    let serial = Face::serial(&Env::usual(), make, &args);
    let (ours, outcome) = Face::distributed(&Env::usual(), make, 2, &args);
    serial.expect_same(&ours, &outcome);
}
