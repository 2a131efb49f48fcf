//! The limits of a box: over one of them, the verdict says over which.

use xdist_tests::Suite;

use super::boxed;

#[test]
fn over_a_limit() {
    let suite = Suite::one(
        "
import signal, time

def test_sleeps():
    time.sleep(60)

def test_sleeps_and_will_not_be_woken():
    signal.signal(signal.SIGABRT, signal.SIG_IGN)
    time.sleep(60)

def test_takes():
    bytearray(600 << 20)

def test_takes_and_copes():
    try:
        bytearray(600 << 20)
    except MemoryError:
        return
    raise AssertionError('there was no limit')

def test_within():
    bytearray(20 << 20)
",
    );
    let outcome = boxed(&suite).args(["-n2", "--box-timeout=0.7", "--box-memory=300M", "--tb=short"]).run();
    outcome.expect_code(1).expect_no_survivors();
    outcome.expect_text("test_sleeps: over --box-timeout 0.7: signal 6 (SIGABRT) in call");
    outcome.expect_text("in test_sleeps\n");
    outcome.expect_text("over --box-timeout 0.7: signal 9 (SIGKILL) in call");
    outcome.expect_text("::test_takes - MemoryError (over --box-memory 300M)");
    let counts = outcome.counts();
    assert_eq!((counts.get("passed"), counts.get("failed")), (2, 3), "{}", outcome.describe());
}

#[test]
fn over_the_limit_of_processor_time() {
    let suite = Suite::one(
        "
import signal

def test_spins():
    while True:
        pass

def test_fine():
    pass
",
    );
    let outcome = boxed(&suite).arg("--box-cpu=1").run();
    outcome.expect_code(1).expect_text("over --box-cpu 1: signal 24 (SIGXCPU) in call").expect_text("in test_spins\n");
    assert_eq!(outcome.counts().get("passed"), 1, "{}", outcome.describe());
}

#[test]
fn limits_that_are_none() {
    let suite = Suite::one("def test_a(): pass\n");
    for arg in ["--box-timeout=0", "--box-cpu=-1", "--box-memory=much", "--box-timeout=nan"] {
        boxed(&suite).arg(arg).run().expect_code(4).expect_text("is not a");
    }
    boxed(&suite).arg("--pdb").run().expect_code(4).expect_text("--pdb is incompatible with --boxed");
}
