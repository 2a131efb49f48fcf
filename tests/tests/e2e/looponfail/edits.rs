//! What an edit starts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use xdist_tests::{Env, socketserver_binary};

use super::{Looped, TWO, has, invocation, started, two};

#[test]
fn what_fails_runs_again_and_all_of_it_once_that_passes() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["1 failing", "assert 2 == 1", "1 failed, 1 passed"]);
    suite.write("mod.py", "value = 3\n");
    let screen = looped.waits(&["changed: mod.py; running 1 that failed", "assert 3 == 1", "1 failed in"]);
    assert!(!has(&screen, "assert 2 == 1"), "{}", screen.join("\n"));
    suite.write("mod.py", "value = 1\n");
    looped.waits(&["changed: mod.py; running all tests", "2 passed in", "all tests pass"]);
    assert_eq!((started(&suite, "test_one"), started(&suite, "test_two")), (4, 2));
    looped.quits(0);
}

/// Byte code is told from that of another version by size and second alone.
#[test]
fn edits_within_a_second_are_told_apart() {
    let suite = two();
    let same_second = |nanos| {
        let at = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, nanos);
        for name in ["mod.py", "test_it.py"] {
            fs::File::options().write(true).open(suite.path(name)).unwrap().set_modified(at).unwrap();
        }
    };
    same_second(1);
    let mut looped = Looped::start(invocation(&suite).var("PYTHONDONTWRITEBYTECODE", ""));
    looped.waits(&["assert 2 == 1"]);
    suite.write("mod.py", "value = 3\n");
    same_second(2);
    looped.waits(&["assert 3 == 1"]);
    suite.write("test_it.py", &TWO.replace("== 1", "== 4"));
    same_second(3);
    looped.waits(&["assert 3 == 4"]);
    looped.quits(1);
}

#[test]
fn with_workers() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite).n(2));
    looped.waits(&["1 failing", "1 failed, 1 passed"]);
    suite.write("mod.py", "value = 1\n");
    looped.waits(&["running all tests", "2 workers", "2 passed in", "all tests pass"]);
    looped.quits(0);
}

#[test]
fn with_a_plugin_host() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite).arg("--plugin-host=always"));
    looped.waits(&["1 failing", "1 failed, 1 passed"]);
    looped.press("o");
    looped.shows(&["nothing of it was kept"]);
    suite.write("mod.py", "value = 1\n");
    looped.waits(&["running all tests", "plugin host", "2 passed in", "all tests pass"]);
    looped.quits(0);
}

#[test]
fn with_workers_elsewhere() {
    let suite = two();
    let elsewhere = format!(
        "command={} --stdio//python={}//chdir={}",
        socketserver_binary().display(),
        Env::usual().python().display(),
        suite.root().display()
    );
    let mut looped = Looped::start(invocation(&suite).args(["--tx", &elsewhere]));
    looped.waits(&["1 failing", "1 failed, 1 passed"]);
    suite.write("mod.py", "value = 3\n");
    looped.waits(&["changed: mod.py; running 1 that failed", "assert 3 == 1"]);
    suite.write("mod.py", "value = 1\n");
    looped.waits(&["running all tests", "2 passed in", "all tests pass"]);
    looped.quits(0);
}

#[test]
fn what_changes_is_brought_to_workers_elsewhere() {
    let suite = two();
    let copy = suite.temp().join("copy");
    let elsewhere = format!(
        "command={} --stdio//python={}//chdir={}",
        socketserver_binary().display(),
        Env::usual().python().display(),
        copy.display()
    );
    let run = invocation(&suite).var("XDG_CACHE_HOME", suite.temp().join("cache"));
    let mut looped = Looped::start(run.args(["--rsyncdir=.", "--tx", &elsewhere]));
    looped.waits(&["1 failing", "1 failed, 1 passed"]);
    suite.write("mod.py", "value = 3\n");
    looped.waits(&["changed: mod.py; running 1 that failed", "assert 3 == 1"]);
    suite.write("mod.py", "value = 1\n");
    looped.waits(&["running all tests", "2 passed in", "all tests pass"]);
    assert_eq!(fs::read_to_string(copy.join("mod.py")).unwrap(), "value = 1\n");
    looped.quits(0);
}

#[test]
fn changed_and_new_test_files_run_with_what_fails() {
    let suite = two();
    suite.write("test_other.py", "def test_other(): pass\n");
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["1 failing", "1 failed, 2 passed"]);
    suite.write("test_other.py", "def test_other(): assert True\n");
    looped.waits(&["changed: test_other.py; running 1 that failed", "1 failed, 1 passed in"]);
    suite.write("deep/test_new.py", "def test_new(): assert 0\n");
    looped.waits(&["changed: deep/test_new.py", "2 failing", "2 failed in"]);
    // No test is in these: what fails runs alone.
    suite.write("helper.py", "x = 1\n");
    looped.waits(&["changed: helper.py; running 2 that failed", "2 failed in"]);
    assert_eq!((started(&suite, "test_two"), started(&suite, "test_other"), started(&suite, "test_new")), (1, 2, 2));
    looped.quits(1);
}

#[test]
fn what_is_no_more_fails_no_more() {
    let suite = two();
    suite.write("test_more.py", "def test_more(): assert 0\n");
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["2 failing", "2 failed, 1 passed"]);
    suite.write("test_it.py", &TWO.replace("test_one", "test_uno"));
    let screen = looped.waits(&["2 failing", "test_it.py::test_uno", "2 failed, 1 passed"]);
    assert!(!has(&screen, "test_one"), "{}", screen.join("\n"));
    fs::remove_file(suite.path("test_more.py")).unwrap();
    let screen = looped.waits(&["1 failing", "changed: test_more.py"]);
    assert!(!has(&screen, "test_more.py::"), "{}", screen.join("\n"));
    looped.quits(1);
    // The next loop starts from pytest's cache, which has forgotten them too.
    let mut again = Looped::start(invocation(&suite));
    again.waits(&["1 failing", "1 failed in"]);
    again.quits(1);
}

#[test]
fn what_fails_is_known_to_the_next_loop() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["1 failing"]);
    looped.quits(1);
    suite.forget();
    let mut again = Looped::start(invocation(&suite));
    again.waits(&["1 failing", "1 failed in"]);
    assert_eq!((started(&suite, "test_one"), started(&suite, "test_two")), (1, 0));
    suite.write("mod.py", "value = 1\n");
    again.waits(&["all tests pass", "2 passed"]);
    again.quits(0);
}

#[test]
fn collectors_that_fail_come_first() {
    let suite = two();
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["1 failing"]);
    suite.write("test_broken.py", "import nothing_like_that\ndef test_b(): pass\n");
    looped.waits(&["2 failing", "ModuleNotFoundError", "  test_broken.py", "  test_it.py::test_one"]);
    suite.forget();
    suite.write("test_broken.py", "def test_b(): pass\n");
    // It passes, and what failed before is run at once.
    looped.waits(&["running 1 that failed", "1 failing", "  test_it.py::test_one"]);
    assert_eq!((started(&suite, "test_b"), started(&suite, "test_one"), started(&suite, "test_two")), (1, 1, 0));
    suite.write("mod.py", "value = 1\n");
    looped.waits(&["all tests pass", "3 passed"]);
    looped.quits(0);
}

#[test]
fn what_is_no_change_starts_nothing() {
    let suite = two();
    suite.write(".gitignore", "ignored/\n*.log\n");
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["1 failing"]);
    suite.write("mod.py", "value = 2\n");
    fs::set_permissions(suite.path("mod.py"), fs::Permissions::from_mode(0o600)).unwrap();
    for name in
        [".mod.py.swp", "mod.py~", "4913", "ignored/new.py", "run.log", "__pycache__/x.py", ".git/HEAD", ".#mod.py"]
    {
        suite.write(name, "anything");
    }
    // As editors save: another file takes the name.
    suite.write("mod.py.tmp", "value = 1\n");
    fs::rename(suite.path("mod.py.tmp"), suite.path("mod.py")).unwrap();
    looped.waits(&["all tests pass", "2 passed"]);
    // Twice for the failing one: before, and after this one edit; then all of them.
    assert_eq!((started(&suite, "test_one"), started(&suite, "test_two")), (3, 2));
    suite.write("new_directory/of_source.py", "x = 1\n");
    looped.waits(&["changed: new_directory/of_source.py; running all tests", "all tests pass"]);
    suite.write("new_directory/more.py", "x = 2\n");
    looped.waits(&["changed: new_directory/more.py; running all tests", "all tests pass"]);
    looped.quits(0);
}
