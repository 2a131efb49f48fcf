//! A test that takes its box down is blamed for it; its worker goes on.

use xdist_tests::Suite;

use super::boxed;

const DEATHS: &str = "
import ctypes, os, signal, sys
import pytest

@pytest.fixture
def dies_in_setup():
    os.kill(os.getpid(), signal.SIGKILL)

@pytest.fixture
def dies_in_teardown():
    yield
    os._exit(5)

def test_first(): pass

def test_segfault():
    ctypes.string_at(0)

def test_exits_with_zero():
    print('printed before the end')
    sys.stdout.flush()
    os.write(2, b'written before the end')
    os._exit(0)

def test_setup(dies_in_setup): pass

def test_teardown(dies_in_teardown): pass

@pytest.mark.xfail(reason='a known one')
def test_expected():
    os.abort()

@pytest.mark.xfail(raises=ValueError)
def test_expected_otherwise():
    os.abort()

def test_last(): pass
";

#[test]
fn each_kind_of_death_has_its_words() {
    for args in [&[][..], &["-n4"], &["--capture=sys"]] {
        let suite = Suite::one(DEATHS);
        let outcome = boxed(&suite).args(args).args(["-v", "-rfx"]).junit().run();
        outcome.expect_code(1).expect_no_survivors();
        for text in [
            "::test_segfault - box on gw",
            ": signal 11 (SIGSEGV) in call",
            "Fatal Python error: Segmentation fault",
            ": exit code 0 in call",
            "written before the end",
            ": signal 9 (SIGKILL) in setup",
            ": exit code 5 in teardown",
            "a known one: the box died: signal 6 (SIGABRT) in call",
        ] {
            outcome.expect_text(text);
        }
        if args.is_empty() {
            outcome.expect_text("printed before the end");
        }
        // No worker was replaced.
        outcome.expect_no_text("replac").expect_no_text("worker gw");
        let counts = outcome.counts();
        let found = (counts.get("passed"), counts.get("failed"), counts.get("xfailed"));
        assert_eq!(found, (2, 5, 1), "{}", outcome.describe());
        let junit = suite.junit();
        assert_eq!((junit.number("tests"), junit.number("errors")), (8, 5), "{}", outcome.describe());
    }
}

#[test]
fn what_is_wider_is_torn_down_after_a_death_and_may_fail() {
    let suite = Suite::one(
        "
import os
import pytest

@pytest.fixture(scope='module')
def wide():
    yield
    raise OSError('cannot be torn down')

def test_a(wide):
    os._exit(3)
",
    );
    let outcome = boxed(&suite).run();
    outcome.expect_code(1).expect_text("exit code 3 in call").expect_text("OSError: cannot be torn down");
}

#[test]
fn a_crash_counts_for_maxfail_and_is_remembered() {
    let suite = Suite::one("import os\ndef test_a(): os._exit(1)\ndef test_b(): pass\n");
    let outcome = boxed(&suite).arg("-x").run();
    outcome.expect_code(1).expect_text("stopping after 1 failures").expect_text("1 of 2 tests did not run");
    let outcome = boxed(&suite).arg("--lf").run();
    outcome.expect_code(1);
    assert_eq!(outcome.counts().get("failed"), 1, "{}", outcome.describe());
    assert_eq!(outcome.counts().get("passed"), 0, "{}", outcome.describe());
}
