//! Where a run may lie: temporary directories and homes that are missing, closed, long, or strangely named.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use xdist_tests::{Invocation, Suite};

use super::{expect_all_passed, suite, xdist};

/// Runs of the program in other directories than the suite's `TMPDIR` leave nothing there.
fn check(prepare: impl FnOnce(&Suite, Invocation) -> Invocation) {
    let suite = suite();
    let outcome = prepare(&suite, xdist(&suite, 2)).run();
    expect_all_passed(&suite, &outcome, 20);
}

fn temp(name: impl Into<OsString>) {
    let name = name.into();
    check(|suite, run| {
        let place = suite.root().join(&name);
        fs::create_dir(&place).unwrap();
        run.var("TMPDIR", place)
    });
}

#[test]
fn a_temporary_directory_with_spaces_and_accents() {
    temp("two words é");
}

#[test]
fn a_temporary_directory_that_is_too_long_for_a_socket() {
    temp("x".repeat(120));
}

#[test]
fn a_temporary_directory_that_is_no_text() {
    temp(OsString::from_vec(b"\xff\xfe".to_vec()));
}

#[test]
fn a_temporary_directory_that_is_missing_or_cannot_be_written() {
    check(|suite, run| run.var("TMPDIR", suite.path("nowhere")));
    // Nobody can make anything there, not even root.
    check(|_, run| run.var("TMPDIR", "/proc"));
    // Where pytest makes its own, which no test of this suite asks for.
    check(|_, run| run.var("PYTEST_DEBUG_TEMPROOT", "/proc"));
}

#[test]
fn a_home_that_is_missing_or_cannot_be_written() {
    check(|suite, run| run.var("HOME", suite.path("nowhere/at/all")).var("XDG_CACHE_HOME", ""));
    check(|_, run| run.var("HOME", "/proc").var("XDG_CACHE_HOME", ""));
    check(|_, run| run.after("unset HOME XDG_CACHE_HOME"));
    let suite = suite();
    let outcome = xdist(&suite, 2).var("HOME", "home").var("XDG_CACHE_HOME", "").run();
    expect_all_passed(&suite, &outcome, 20);
    assert!(!suite.path("home").exists(), "what is relative is nowhere");
}

#[test]
fn a_cache_directory_that_others_can_write() {
    check(|suite, run| {
        let cache = suite.path("cache");
        fs::create_dir(&cache).unwrap();
        fs::set_permissions(&cache, Permissions::from_mode(0o777)).unwrap();
        run.var("XDG_CACHE_HOME", cache)
    });
}

#[test]
fn two_runs_that_fill_an_empty_cache() {
    let (one, other) = (suite(), suite());
    let cache = one.path("cache");
    let start = |suite: &Suite| xdist(suite, 2).var("XDG_CACHE_HOME", &cache).start();
    let (first, second) = (start(&one), start(&other));
    expect_all_passed(&one, &first.finish(), 20);
    expect_all_passed(&other, &second.finish(), 20);
    let made: Vec<_> = fs::read_dir(cache.join("xdist")).unwrap().collect();
    assert_eq!(made.len(), 1, "{made:?}");
}

#[test]
fn a_project_with_a_long_path_and_spaces() {
    let within = format!("a b/{}", "y".repeat(120));
    check(|suite, run| {
        let deep = suite.path(&within);
        fs::create_dir_all(&deep).unwrap();
        for name in ["conftest.py", "test_faults.py", "pytest.ini", "truth_log.py", "truth_file.py"] {
            fs::copy(suite.path(name), deep.join(Path::new(name))).unwrap();
        }
        run.within(&within)
    });
}
