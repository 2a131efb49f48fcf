//! The keyboard.

use super::{Looped, has, invocation, started, two};

#[test]
fn every_key() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["1 failing", "Enter runs what fails, a all", "q leaves"]);
    assert!(!looped.0.is_cooked(), "keys come one by one");
    looped.press("?");
    let help = looped.shows(&["show the last run once more"]);
    assert!(help.contains(&"  Enter  run what fails again".to_owned()), "in columns\n{}", help.join("\n"));
    looped.press("\r");
    looped.waits(&["running 1 that failed", "1 failed in"]);
    looped.press("a");
    looped.waits(&["running all tests", "1 failed, 1 passed in"]);
    looped.press("o");
    let twice = |screen: &[String]| screen.iter().filter(|line| line.contains("1 failed, 1 passed in")).count() == 2;
    looped.0.wait_for("the last run once more", twice);
    looped.press("f");
    looped.shows(&["waiting for changes, failing tests only"]);
    suite.write("test_it.py", "def test_one(): pass\ndef test_two(): pass\n");
    let screen = looped.waits(&["changed: test_it.py; running 1 that failed", "1 passed in", "all tests pass"]);
    assert!(!has(&screen, "running all"), "{}", screen.join("\n"));
    looped.press("f");
    looped.press("p");
    looped.shows(&["paused - "]);
    suite.write("test_it.py", "def test_one(): assert 0\n");
    looped.shows(&["paused, files have changed"]);
    looped.press("p");
    looped.waits(&["changed: test_it.py; running all tests", "1 failing"]);
    assert_eq!((started(&suite, "test_one"), started(&suite, "test_two")), (5, 2));
    looped.quits(1);
}

#[test]
fn earlier_runs_stay_if_that_is_asked_for() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite).args(["--no-clear", "--bell"]));
    looped.waits(&["1 failed, 1 passed in"]);
    suite.write("mod.py", "value = 1\n");
    looped.waits(&["1 failed, 1 passed in", "1 passed in", "2 passed in", "all tests pass"]);
    let seen = looped.quits(0);
    assert!(seen.outcome.stdout.contains('\x07'), "{:?}", seen.outcome.stdout);
}

#[test]
fn windows_change_their_size() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["1 failing"]);
    looped.0.resize(70, 50);
    suite.write("mod.py", "value = 3\n");
    let screen = looped.waits(&["assert 3 == 1", "1 failing"]);
    let rule = screen.iter().find(|line| line.contains("= FAILURES ="));
    assert_eq!(rule.unwrap().len(), 70, "as wide as the window\n{}", screen.join("\n"));
    looped.quits(1);
}
