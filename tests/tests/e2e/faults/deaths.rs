//! The processes that run no tests are killed: the fork server, the collector.

use super::{expect_all_passed, expect_clean, suite, xdist};

const LEVELS: [&str; 3] = ["--fork=collected", "--fork=imported", "--fork=never"];

#[test]
fn a_fork_server_killed_before_it_says_hello() {
    let suite = suite();
    let outcome = xdist(&suite, 2).var("FAULT", "server:start").run();
    expect_clean(&suite, &outcome);
    outcome.expect_code(10).expect_text("signal 9 (SIGKILL)");
}

#[test]
fn a_fork_server_killed_later_is_missed_by_nobody() {
    for level in LEVELS {
        for stage in ["import", "configure", "collection", "collected", "test", "end"] {
            let suite = suite();
            let outcome = xdist(&suite, 3).arg(level).var("FAULT", format!("server:{stage}")).run();
            expect_all_passed(&suite, &outcome, 20);
        }
    }
}

#[test]
fn a_collector_killed_before_it_has_collected_ends_the_run() {
    for level in LEVELS {
        for (stage, doing) in [
            ("import", "while its arguments were parsed"),
            ("configure", "during collection"),
            ("collection", "during collection"),
            ("collected", "during collection"),
        ] {
            let suite = suite();
            let outcome = xdist(&suite, 3).arg(level).var("FAULT", format!("collector:{stage}")).run();
            expect_clean(&suite, &outcome);
            outcome.expect_code(3).expect_text("signal 9 (SIGKILL)").expect_text(doing);
            assert!(suite.truth().ids().is_empty(), "{level} {stage}\n{}", outcome.describe());
        }
    }
}

#[test]
fn a_collector_killed_while_workers_run_takes_no_result_along() {
    for stage in ["test", "end"] {
        let suite = suite();
        let outcome = xdist(&suite, 3).var("FAULT", format!("collector:{stage}")).run();
        expect_all_passed(&suite, &outcome, 20);
    }
}

#[test]
fn a_replacement_is_made_although_its_origin_is_dead() {
    for level in LEVELS {
        for victim in ["server", "collector"] {
            // Without fork after collection the collector is a worker itself: killing it is a crash of its own.
            if victim == "collector" && level != "--fork=collected" {
                continue;
            }
            let suite = suite();
            let run = xdist(&suite, 1).arg(level).var("DIES", "1").var("FAULT", format!("{victim}:replacement"));
            let outcome = run.run();
            expect_clean(&suite, &outcome);
            outcome.expect_code(1);
            let counts = outcome.counts();
            assert_eq!(
                (counts.get("passed"), counts.get("failed")),
                (19, 1),
                "{level} {victim}\n{}",
                outcome.describe()
            );
            assert_eq!(suite.truth().ids().len(), 20, "{}", outcome.describe());
        }
    }
}

#[test]
fn a_session_killed_while_plugins_configure_the_workers_ends_the_run() {
    let suite = suite();
    let conftest = "
import os, signal, time
pytest_plugins = ['truth_log']
PARENT = os.getpid()
def pytest_configure_node(node):
    if node.gateway.id == 'gw0':
        os.kill(PARENT, signal.SIGKILL)
    until = time.monotonic() + 20
    while os.path.exists(f'/proc/{PARENT}') and time.monotonic() < until:
        time.sleep(0.01)
";
    std::fs::write(suite.path("conftest.py"), conftest).expect("the suite is writable");
    let outcome = xdist(&suite, 2).arg("--plugin-host=always").run();
    expect_clean(&suite, &outcome);
    outcome.expect_code(3).expect_text("signal 9 (SIGKILL)");
}
