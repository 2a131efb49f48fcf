//! Who takes a dead worker's place and collects for itself is compared like any worker: it runs what it has, under the
//! names that its tests have there.

use std::collections::BTreeMap;

use xdist_tests::{Env, Invocation, Outcome, Suite};

/// Once a worker has died, another test is collected in the place of one, and all that follow stand elsewhere.
const SUITE: &str = "
import glob, os, pytest, time

CAME_BEFORE = os.path.exists('died')
open(f'collected-{os.getpid()}', 'w').close()

def await_files(pattern, number):
    until = time.monotonic() + 30
    while len(glob.glob(pattern)) < number:
        assert time.monotonic() < until
        time.sleep(0.01)

@pytest.mark.parametrize('n', range(4))
def test_before(n): pass

def test_dies():
    await_files('collected-*', 2)
    open('died', 'w').close()
    os._exit(3)

if CAME_BEFORE:
    def test_is_new(): pass
else:
    def test_is_gone(): pass

@pytest.mark.parametrize('n', sorted(range(12), reverse=CAME_BEFORE))
def test_after(n):
    # The other worker is still there by then.
    await_files('died', 1)
";

const TESTS: usize = 18;

fn xdist(suite: &Suite) -> Invocation {
    Invocation::xdist(&Env::usual(), suite).n(2)
}

/// How often each test began.
fn begun(suite: &Suite) -> BTreeMap<String, usize> {
    let mut begun = BTreeMap::new();
    for id in suite.truth().ids() {
        *begun.entry(id).or_default() += 1;
    }
    begun
}

/// What is said of the test that the replacement lacks is one of these.
fn expect_told(outcome: &Outcome, fates: &[&str]) {
    let lacks = |fate: &&str| format!(" lacks 1 of the tests of gw0, {fate}, and has 1 others, which do not run");
    let lacks: Vec<String> = fates.iter().map(lacks).collect();
    let told = outcome.stdout.lines().filter(|line| line.starts_with("xdist: different tests were collected: "));
    let told =
        told.filter(|line| line.contains("the replacement of gw") && lacks.iter().any(|end| line.ends_with(end)));
    assert_eq!(told.count(), 1, "{}", outcome.describe());
    outcome.expect_text("test_it.py::test_is_new: only in the replacement of gw");
}

#[test]
fn what_it_lacks_is_left_to_others() {
    for level in ["imported", "never"] {
        let suite = Suite::one(SUITE);
        let outcome = xdist(&suite).args(["--fork", level]).run();
        outcome.expect_code(1).expect_no_survivors();
        let begun = begun(&suite);
        assert!(begun.len() == TESTS && begun.values().all(|times| *times == 1), "{begun:?}\n{}", outcome.describe());
        assert!(!begun.contains_key("test_it.py::test_is_new"), "{}", outcome.describe());
        let counts = outcome.counts();
        assert_eq!((counts.get("passed"), counts.get("failed")), (17, 1), "{level}\n{}", outcome.describe());
        // The other worker may have been quick.
        expect_told(&outcome, &["which are left to others", "which have run"]);
    }
}

#[test]
fn where_everybody_has_tests_of_its_own_nobody_else_runs_them() {
    let dies = "    if os.environ['PYTEST_XDIST_WORKER'] == 'gw1': os._exit(3)";
    let suite = Suite::one(&SUITE.replace("    os._exit(3)", dies));
    let outcome = xdist(&suite).args(["--dist=each", "--fork=imported", "-v"]).run();
    outcome.expect_code(1).expect_no_survivors().expect_text("1 of 36 tests did not run");
    let begun = begun(&suite);
    let elsewhere = |(id, times): (&String, &usize)| *times == if id.ends_with("gone") { 1 } else { 2 };
    assert!(begun.len() == TESTS && begun.iter().all(elsewhere), "{begun:?}\n{}", outcome.describe());
    outcome.expect_text("test_it.py::test_is_gone PASSED (gw0) NO RESULT (gw1)");
    outcome.expect_text("test_it.py::test_dies PASSED (gw0) FAILED (gw1)");
    expect_told(&outcome, &["which do not run there"]);
}

#[test]
fn what_the_last_worker_lacks_does_not_run() {
    let suite = Suite::one(&SUITE.replace("await_files('collected-*', 2)", "pass"));
    let outcome = xdist(&suite).args(["-n1", "--fork=never"]).run();
    outcome.expect_code(1).expect_no_survivors().expect_text("1 of 18 tests did not run");
    assert!(!begun(&suite).contains_key("test_it.py::test_is_gone"), "{}", outcome.describe());
    expect_told(&outcome, &["which do not run: nobody else takes tests any more"]);
}

#[test]
fn a_strict_collection_is_strict_with_replacements() {
    let suite = Suite::one(SUITE);
    let outcome = xdist(&suite).args(["--strict-collection", "--fork=never"]).run();
    outcome.expect_code(15).expect_no_survivors().expect_text("different tests were collected");
    assert!(!begun(&suite).contains_key("test_it.py::test_is_new"), "{}", outcome.describe());
}
