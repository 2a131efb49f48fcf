//! Loops without a terminal, with a debugger, and command lines that make no loop.

use xdist_tests::{Env, Invocation, Signal, Suite};

use super::{Looped, TWO, invocation, two};

#[test]
fn without_a_terminal_there_are_lines() {
    let suite = two();
    let mut run = invocation(&suite).start();
    run.wait_for("the first run", |run| run.stdout().contains("waiting for changes\n"));
    suite.write("mod.py", "value = 1\n");
    run.wait_for("all to pass", |run| run.stdout().contains("all tests pass"));
    run.signal(Signal::INT);
    let outcome = run.finish();
    outcome.expect_code(2).expect_no_survivors();
    assert!(!outcome.stdout.contains('\x1b') && !outcome.stdout.contains("Enter"), "{}", outcome.describe());
    assert!(outcome.stdout.contains("changed: mod.py; running 1 that failed"), "{}", outcome.describe());
}

#[test]
fn the_debugger_has_the_terminal() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite).arg("--pdb"));
    looped.shows(&["(Pdb)", "assert 2 == 1"]);
    // Not while somebody looks at the values of this run.
    suite.write("mod.py", "value = 1\n");
    looped.press("mod.value + 40\r");
    looped.shows(&["42"]);
    looped.press("c\r");
    looped.waits(&["running all tests", "2 passed", "all tests pass"]);
    looped.quits(0);
}

#[test]
fn in_one_process() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite).args(["-n", "0"]));
    looped.waits(&["1 failed, 1 passed", "1 failing"]);
    suite.write("mod.py", "value = 1\n");
    looped.waits(&["running all tests", "2 passed", "all tests pass"]);
    looped.quits(0);
}

#[test]
fn the_ini_file_asks_for_a_loop() {
    let suite =
        Suite::of(&[("test_it.py", TWO), ("mod.py", "value = 1\n"), ("pytest.ini", "[pytest]\naddopts = -f\n")]);
    let run = Invocation::xdist(&Env::usual(), &suite).arg("--stop-when-green").run();
    run.expect_code(0).expect_text("2 passed").expect_no_survivors();
}

#[test]
fn what_runs_no_test_makes_no_loop() {
    for (option, text) in [("--collect-only", "2 tests collected"), ("--fixtures", "tmp_path"), ("--markers", "skipif")]
    {
        let suite = two();
        invocation(&suite).arg(option).run().expect_code(0).expect_text(text).expect_no_survivors();
    }
    let suite = two();
    invocation(&suite).arg("nowhere.py").run().expect_code(4).expect_text("nowhere.py").expect_no_survivors();
}
