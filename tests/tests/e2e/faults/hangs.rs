//! Tests that never end, where no Python code of their process can do anything about it.

use std::time::{Duration, Instant};

use xdist_tests::{Env, Invocation, Signal, Suite};

use super::expect_clean;

/// One waits in C, with the interpreter's lock in its hands, and signals do not wake it.
const HOLDS: &str = "
import ctypes, pytest

def test_holds_the_interpreter():
    library = ctypes.PyDLL(None)
    mutex = ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)

@pytest.mark.parametrize('n', range(4))
def test_fine(n): pass
";

#[test]
fn the_limit_of_pytests_fault_handler_ends_it() {
    let suite = Suite::one(HOLDS);
    let limit = ["-o", "faulthandler_timeout=0.5", "-o", "faulthandler_exit_on_timeout=true"];
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).args(limit).run();
    expect_clean(&suite, &outcome);
    outcome
        .expect_code(1)
        .expect_text("exit code 1 in the call")
        .expect_text(", line 8 in test_holds_the_interpreter\n");
    let counts = outcome.counts();
    assert_eq!((counts.get("failed"), counts.get("passed")), (1, 4), "{}", outcome.describe());
}

#[test]
fn the_limit_of_a_box_ends_it() {
    let suite = Suite::one(HOLDS);
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).args(["--boxed", "--box-timeout=0.5"]).run();
    expect_clean(&suite, &outcome);
    outcome
        .expect_code(1)
        .expect_text("test_holds_the_interpreter: over --box-timeout 0.5: signal 6 (SIGABRT) in call");
    let counts = outcome.counts();
    assert_eq!((counts.get("failed"), counts.get("passed")), (1, 4), "{}", outcome.describe());
}

#[test]
fn a_box_that_was_stopped_is_ended_too() {
    let suite = Suite::one("import os, signal\ndef test_stops(): os.kill(os.getpid(), signal.SIGSTOP)\n");
    let outcome = Invocation::xdist(&Env::usual(), &suite).args(["--boxed", "--box-timeout=0.5"]).run();
    expect_clean(&suite, &outcome);
    outcome.expect_code(1).expect_text("over --box-timeout 0.5: signal 9 (SIGKILL) in call");
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let suite = Suite::one(HOLDS);
    let mut run = Invocation::xdist(&Env::usual(), &suite).n(2).arg("-v").start();
    // One of the others is what follows it.
    run.wait_for("the others to be over", |run| run.stdout().matches(" PASSED").count() == 3);
    run.wait_for("it to begin", |_| suite.truth().ids().len() == 4);
    run.signal(Signal::INT);
    run.wait_for("the interrupt to be told", |run| run.stdout().contains("stopping (Ctrl-C)"));
    let sent = Instant::now();
    run.signal(Signal::INT);
    let outcome = run.finish();
    assert!(sent.elapsed() < Duration::from_secs(5), "{}", outcome.describe());
    expect_clean(&suite, &outcome);
    outcome.expect_code(2).expect_text("INTERRUPTED test_it.py::test_holds_the_interpreter");
    assert_eq!(outcome.counts().get("passed"), 3, "{}", outcome.describe());
}
