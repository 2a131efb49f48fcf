//! How a loop ends, and in what state it leaves the terminal.

use rustix::process::{Pid, kill_process};
use xdist_tests::{Signal, Suite, Terminal, until};

use super::{Looped, invocation, is_program, two};

const STUCK: &str = "
import time
from pathlib import Path
def test_stuck():
    Path('running').touch()
    time.sleep(60)
";

/// The program itself, among what runs on the terminal.
fn program(terminal: &Terminal) -> Pid {
    let all = terminal.processes();
    let own = all.iter().find(|process| is_program(process)).unwrap();
    Pid::from_raw(own.pid).unwrap()
}

fn waiting(suite: &Suite) -> Looped {
    let mut looped = Looped::start(invocation(suite));
    looped.waits(&["1 failing"]);
    assert!(!looped.0.is_cooked());
    looped
}

#[test]
fn ctrl_c_while_it_waits() {
    let suite = two();
    let mut looped = waiting(&suite);
    looped.press("\x03");
    assert!(looped.ends(2).is_cooked());
}

#[test]
fn ctrl_c_while_tests_run() {
    let suite = Suite::one(STUCK);
    let mut looped = Looped::start(invocation(&suite));
    looped.0.wait_for("the test to run", |_| suite.path("running").exists());
    let _ = looped.0.is_cooked();
    looped.press("\x03");
    assert!(looped.ends(2).is_cooked());
}

#[test]
fn signals_that_end_programs() {
    for signal in [Signal::TERM, Signal::HUP] {
        let suite = two();
        let looped = waiting(&suite);
        kill_process(program(&looped.0), signal).unwrap();
        assert!(looped.ends(2).is_cooked(), "{signal:?}");
    }
}

#[test]
fn a_signal_that_ends_programs_while_tests_run() {
    let suite = Suite::one(STUCK);
    let mut looped = Looped::start(invocation(&suite));
    looped.0.wait_for("the test to run", |_| suite.path("running").exists());
    assert!(until(std::time::Duration::from_secs(10), || !looped.0.is_cooked()));
    kill_process(program(&looped.0), Signal::TERM).unwrap();
    assert!(looped.ends(2).is_cooked());
}

#[test]
fn a_fault_of_the_program_leaves_the_terminal_as_it_was() {
    // The built program has such a key where assertions are checked.
    if !cfg!(debug_assertions) {
        return;
    }
    let while_it_waits = two();
    let mut looped = Looped::start(invocation(&while_it_waits).var("XDIST_BREAK_DOWN", "1"));
    looped.waits(&["1 failing"]);
    assert!(!looped.0.is_cooked());
    looped.press("!");
    expect_fault(looped);

    let while_tests_run = Suite::one(STUCK);
    let mut looped = Looped::start(invocation(&while_tests_run).var("XDIST_BREAK_DOWN", "1"));
    looped.0.wait_for("the test to run", |_| while_tests_run.path("running").exists());
    assert!(until(std::time::Duration::from_secs(10), || !looped.0.is_cooked()));
    looped.press("!");
    expect_fault(looped);
}

#[track_caller]
fn expect_fault(looped: Looped) {
    let seen = looped.ends(101);
    assert!(seen.is_cooked(), "{}", seen.outcome.describe());
    seen.outcome.expect_text("a fault that was asked for");
}

#[test]
fn ctrl_z_leaves_the_terminal_to_the_shell() {
    let suite = two();
    let mut looped = waiting(&suite);
    looped.press("\x1a");
    assert!(until(std::time::Duration::from_secs(10), || looped.0.is_cooked()), "the shell has its terminal back");
    suite.write("mod.py", "value = 1\n");
    kill_process(program(&looped.0), Signal::CONT).unwrap();
    looped.waits(&["all tests pass"]);
    assert!(!looped.0.is_cooked());
    assert!(looped.quits(0).is_cooked());
}

#[test]
fn ctrl_z_while_tests_run() {
    let suite = Suite::one(STUCK);
    let mut looped = Looped::start(invocation(&suite));
    looped.0.wait_for("the test to run", |_| suite.path("running").exists());
    assert!(until(std::time::Duration::from_secs(10), || !looped.0.is_cooked()));
    looped.press("\x1a");
    assert!(until(std::time::Duration::from_secs(10), || looped.0.is_cooked()), "the shell has its terminal back");
    kill_process(program(&looped.0), Signal::CONT).unwrap();
    assert!(until(std::time::Duration::from_secs(10), || !looped.0.is_cooked()));
    looped.press("\x03");
    assert!(looped.ends(2).is_cooked());
}

#[test]
fn it_ends_when_all_tests_pass() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite).arg("--stop-when-green"));
    looped.waits(&["1 failing"]);
    suite.write("mod.py", "value = 1\n");
    let seen = looped.ends(0);
    assert!(seen.screen.iter().any(|line| line.contains("2 passed in")), "{}", seen.screen.join("\n"));
}
