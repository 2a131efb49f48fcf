//! Outcomes, counts, junit and exit code equal serial pytest's.

use xdist_tests::{Env, Face, Suite};

fn check(env: &str, name: &str, workers: u32, args: &[&str]) {
    let env = Env::named(env);
    let make = || Suite::named(name);
    let serial = Face::serial(&env, make, args);
    let args: Vec<_> = args.iter().copied().chain(["--boxed"]).collect();
    let (ours, outcome) = Face::distributed(&env, make, workers, &args);
    serial.expect_same(&ours, &outcome);
}

#[test]
fn with_current_pytest() {
    check("py311-pytest92", "outcomes", 0, &["-o", "junit_logging=all"]);
    check("py311-pytest92", "outcomes", 4, &["-o", "junit_family=xunit1"]);
}

#[test]
fn with_pytest_84() {
    check("py311-pytest84", "outcomes", 1, &[]);
}

#[test]
fn with_pytest_74() {
    check("py311-pytest74", "outcomes", 1, &[]);
}

#[test]
fn with_pypy() {
    check("pypy39-pytest84", "outcomes", 2, &[]);
}

#[test]
fn at_each_fork_level_and_mode() {
    for args in [&["--fork=imported"][..], &["--fork=never", "--dist=loadscope"]] {
        let env = Env::usual();
        let make = || Suite::named("outcomes");
        let serial = Face::serial(&env, make, &[]);
        let args: Vec<_> = args.iter().copied().chain(["--boxed"]).collect();
        let (ours, outcome) = Face::distributed(&env, make, 2, &args);
        serial.expect_same(&ours, &outcome);
    }
}

#[test]
fn of_subtests_and_of_reports_that_do_not_encode() {
    check("py311-pytest92", "subtests", 1, &[]);
    check("py311-pytest92", "reports", 2, &[]);
}
