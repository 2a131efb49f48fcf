//! What an edit starts.

use xdist_tests::Suite;

use super::{Looped, has, invocation};

const TWO: &str = "import mod\ndef test_one(): assert mod.value == 1\ndef test_two(): assert True\n";

#[test]
fn what_fails_runs_again_and_all_of_it_once_that_passes() {
    let suite = Suite::of(&[("test_it.py", TWO), ("mod.py", "value = 2\n")]);
    let mut looped = Looped::start(invocation(&suite));
    looped.waits(&["1 failing", "assert 2 == 1", "1 failed, 1 passed"]);
    suite.write("mod.py", "value = 3\n");
    let screen = looped.waits(&["changed: mod.py; running 1 that failed", "assert 3 == 1", "1 failed in"]);
    assert!(!has(&screen, "assert 2 == 1"), "{}", screen.join("\n"));
    suite.write("mod.py", "value = 1\n");
    looped.waits(&["running all tests", "2 passed in", "all tests pass"]);
    let ran: Vec<String> = suite.truth().started().iter().map(|ran| ran.id.clone()).collect();
    let named = |name: &str| ran.iter().filter(|id| id.ends_with(name)).count();
    assert_eq!((named("test_one"), named("test_two")), (4, 2), "{ran:?}");
    looped.quits(0);
}
