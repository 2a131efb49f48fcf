//! The system refuses to make processes: from the first one on, later, for replacements, or for a while.

use super::{expect_all_passed, expect_clean, suite, xdist};

/// Forks for so many processes asked for at once: they come from one in between, so that xdist is their parent.
const fn forks_of(processes: u32) -> u32 {
    processes + 1
}

#[test]
fn no_process_for_pytest_itself() {
    for allowed in 0..forks_of(1) {
        let suite = suite();
        let outcome = xdist(&suite, 2).var("FORKS", allowed.to_string()).run();
        expect_clean(&suite, &outcome);
        outcome.expect_code(11).expect_text("Resource temporarily unavailable").expect_text("ulimit -u");
    }
}

#[test]
fn no_process_for_any_worker() {
    for error in ["EAGAIN", "ENOMEM"] {
        let suite = suite();
        let run = xdist(&suite, 2).var("FORKS", forks_of(1).to_string()).var("FORK_ERROR", error);
        let outcome = run.run();
        expect_clean(&suite, &outcome);
        let text = if error == "EAGAIN" { "Resource temporarily unavailable" } else { "Cannot allocate memory" };
        outcome.expect_code(11).expect_text(text).expect_text("ulimit -u").expect_text("20 of 20 tests did not run");
        assert!(suite.truth().ids().is_empty(), "{}", outcome.describe());
    }
}

#[test]
fn those_workers_that_could_be_made_do_the_work() {
    // After collection all workers are forked at once; before, each by itself, and the collector becomes the first.
    for (level, forks) in [("--fork=collected", [3, 4]), ("--fork=imported", [0, 1])] {
        for more in forks {
            let suite = suite();
            let forks = forks_of(1) + more;
            let outcome = xdist(&suite, 4).arg(level).var("FORKS", forks.to_string()).run();
            expect_all_passed(&suite, &outcome, 20);
            outcome.expect_text("the system refuses to make a process for gw").expect_text("giving it up");
        }
    }
}

#[test]
fn a_refusal_that_passes_is_tried_again() {
    let suite = suite();
    let outcome = xdist(&suite, 2).var("FORKS", format!("{}+1", forks_of(1) + 2)).run();
    expect_all_passed(&suite, &outcome, 20);
    outcome.expect_no_text("giving it up");
}

#[test]
fn no_process_for_a_replacement() {
    for (n, passed) in [(1, 5..=6), (2, 19..=19)] {
        let suite = suite();
        let forks = forks_of(1) + forks_of(n);
        let outcome = xdist(&suite, n).var("DIES", "1").var("FORKS", forks.to_string()).run();
        expect_clean(&suite, &outcome);
        outcome.expect_code(1).expect_text("Resource temporarily unavailable");
        let counts = outcome.counts();
        assert_eq!(counts.get("failed"), 1, "{}", outcome.describe());
        assert!(passed.contains(&counts.get("passed")), "{}", outcome.describe());
        assert_eq!(suite.junit().verdicts().len() as u64, counts.get("passed") + 1, "{}", outcome.describe());
    }
}

#[test]
fn no_process_for_the_plugin_host() {
    for more in 0..forks_of(1) {
        let suite = suite();
        let run = xdist(&suite, 2).arg("--plugin-host=always").var("FORKS", (forks_of(1) + more).to_string());
        let outcome = run.run();
        expect_clean(&suite, &outcome);
        outcome.expect_code(3).expect_text("plugin host");
    }
}
