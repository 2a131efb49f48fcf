//! What happens to the tree that is watched: bursts, other branches, directories that go and come.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use xdist_tests::Suite;

use super::{Looped, TWO, invocation, started, two};

#[test]
fn a_thousand_files_at_once_are_one_change() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["1 failing"]);
    for number in 0..1000 {
        suite.write(&format!("data/{}/part_{number}.py", number % 20), &format!("x = {number}\n"));
    }
    suite.write("mod.py", "value = 1\n");
    looped.waits(&["all tests pass", "2 passed"]);
    let runs = started(&suite, "test_one");
    assert!((3..=8).contains(&runs), "{runs} runs for one burst");
    // All of them are watched.
    suite.write("data/19/part_999.py", "x = 0\n");
    looped.waits(&["changed: data/19/part_999.py", "all tests pass"]);
    looped.quits(0);
}

#[test]
fn another_branch_is_checked_out() {
    let suite = two();
    let git = |words: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false"];
        let done = Command::new("git").args(identity).args(words).current_dir(suite.root()).output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    suite.write(".gitignore", "__pycache__\n.pytest_cache\n");
    git(&["init", "-q", "-b", "first"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "first"]);
    git(&["checkout", "-q", "-b", "second"]);
    suite.write("mod.py", "value = 1\n");
    suite.write("test_more.py", "def test_more(): pass\n");
    git(&["add", "-A"]);
    git(&["commit", "-qm", "second"]);
    git(&["checkout", "-q", "first"]);
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["1 failing", "1 failed, 1 passed"]);
    git(&["checkout", "-q", "second"]);
    looped.waits(&["all tests pass", "3 passed"]);
    git(&["checkout", "-q", "first"]);
    looped.waits(&["1 failing", "1 failed, 1 passed"]);
    looped.quits(1);
}

#[test]
fn a_directory_that_is_deleted_is_watched_when_it_is_back() {
    let suite = Suite::of(&[
        ("tests/test_it.py", TWO),
        ("src/mod.py", "value = 2\n"),
        ("pytest.ini", "[pytest]\npythonpath = src\nlooponfailroots = src tests\n"),
    ]);
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["1 failing", "1 failed, 1 passed"]);
    suite.write("elsewhere.py", "x = 1\n");
    fs::remove_dir_all(suite.path("src")).unwrap();
    looped.waits(&["changed: src/mod.py", "No module named 'mod'"]);
    suite.write("src/mod.py", "value = 1\n");
    looped.waits(&["all tests pass", "2 passed"]);
    suite.write("src/mod.py", "value = 3\n");
    looped.waits(&["changed: src/mod.py; running all tests", "1 failing"]);
    looped.quits(1);
}

#[test]
fn everything_is_deleted() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["1 failing"]);
    fs::remove_dir_all(suite.root()).unwrap();
    looped.waits(&["changed: "]);
    let seen = looped.quits(1);
    assert!(!seen.outcome.stdout.contains("panicked"));
}

#[test]
fn links_lead_to_what_is_watched() {
    let suite = two();
    let real = suite.temp().join("real");
    fs::create_dir(&real).unwrap();
    fs::write(real.join("linked.py"), "value = 2\n").unwrap();
    symlink(&real, suite.path("linked")).unwrap();
    suite.write("mod.py", "from linked.linked import value\n");
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["1 failing"]);
    fs::write(real.join("linked.py"), "value = 1\n").unwrap();
    looped.waits(&["2 passed", "all tests pass"]);
    looped.quits(0);
}

#[test]
fn what_is_imported_from_elsewhere_is_watched() {
    let suite = two();
    let elsewhere = suite.temp().join("elsewhere");
    fs::create_dir_all(elsewhere.join("pkg")).unwrap();
    fs::write(elsewhere.join("pkg/__init__.py"), "value = 2\n").unwrap();
    suite.write("mod.py", "from pkg import value\n");
    let mut looped = Looped::start(invocation(&suite).var("PYTHONPATH", &elsewhere));
    looped.waits(&["1 failing"]);
    fs::write(elsewhere.join("pkg/__init__.py"), "value = 1\n").unwrap();
    looped.waits(&["2 passed", "all tests pass"]);
    looped.quits(0);
}

/// Nobody watches there before the run has told of it.
#[test]
fn what_is_imported_from_elsewhere_may_change_while_the_first_run_is_on() {
    let suite = two();
    let elsewhere = suite.temp().join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::write(elsewhere.join("afar.py"), "value = 2\n").unwrap();
    suite.write("mod.py", "from afar import value\n");
    suite.write(
        "test_last.py",
        "import afar, pathlib\ndef test_last():\n    while not pathlib.Path('go').exists(): pass\n",
    );
    let mut looped = Looped::start(invocation(&suite).var("PYTHONPATH", &elsewhere));
    looped.0.wait_for("the last test", |_| started(&suite, "test_last") == 1);
    fs::write(elsewhere.join("afar.py"), "value = 1\n").unwrap();
    fs::write(suite.path("go"), "").unwrap();
    looped.waits(&["all tests pass", "3 passed"]);
    looped.quits(0);
}

#[test]
fn without_events_it_is_looked_for() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite).arg("--poll=0.1"));
    looped.waits(&["1 failing"]);
    suite.write("mod.py", "value = 1\n");
    looped.waits(&["all tests pass"]);
    suite.write("deep/er/new.py", "x = 1\n");
    looped.waits(&["changed: deep/er/new.py", "all tests pass"]);
    looped.quits(0);
}
