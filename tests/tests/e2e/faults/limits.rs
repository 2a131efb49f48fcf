//! Few descriptors, a small stack, no room on disk.

use xdist_tests::{Env, Invocation, Suite};

use super::{expect_all_passed, expect_clean, suite, xdist};

#[test]
fn a_low_soft_limit_is_raised_for_xdist_and_stays_for_tests() {
    for (limit, level) in [(16, "--fork=collected"), (32, "--fork=imported"), (64, "--fork=never")] {
        let suite = Suite::one(&format!(
            "
import resource, pytest
@pytest.mark.parametrize('n', range(20))
def test_limit(n): assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == {limit}
"
        ));
        let run = Invocation::xdist(&Env::usual(), &suite).n(8).arg(level).junit();
        let outcome = run.after(&format!("ulimit -Sn {limit}")).run();
        expect_all_passed(&suite, &outcome, 20);
        outcome.expect_no_text("open files");
    }
}

#[test]
fn a_low_hard_limit_ends_the_run_or_leaves_it_fewer_workers() {
    for limit in [10, 12, 14, 16, 18, 20, 22, 24, 28, 32] {
        let suite = suite();
        let outcome = xdist(&suite, 8).after(&format!("ulimit -n {limit}")).run();
        if outcome.code() == 0 {
            expect_all_passed(&suite, &outcome, 20);
        } else {
            expect_clean(&suite, &outcome);
            assert!([3, 10, 11].contains(&outcome.code()), "limit {limit}\n{}", outcome.describe());
            outcome.expect_text("Too many open files");
            assert!(suite.truth().ids().is_empty(), "limit {limit}\n{}", outcome.describe());
        }
        if limit == 32 {
            outcome.expect_code(0).expect_text("ulimit -n");
        }
    }
}

#[test]
fn no_room_for_any_file() {
    // Files of no length are a full disk for whoever writes one.
    let suite = suite();
    let run = xdist(&suite, 2).var("XDG_CACHE_HOME", suite.path("cache")).after("trap '' XFSZ; ulimit -f 0");
    let outcome = run.run();
    expect_clean(&suite, &outcome);
    outcome.expect_code(3).expect_text("cannot extract the Python side").expect_text("File too large");
}

#[test]
fn no_room_for_the_stop_page() {
    let suite = suite();
    // The Python side is in its place already, and what pytest writes is small: the page of so many workers is not.
    xdist(&suite, 2).arg("--collect-only").run().expect_code(0);
    let outcome = xdist(&suite, 64).after("trap '' XFSZ; ulimit -f 1").run();
    expect_clean(&suite, &outcome);
    outcome.expect_code(3).expect_text("cannot write `").expect_text("/page`: File too large");
}

#[test]
fn a_stack_of_128_kib() {
    let (suite, limit) = (Suite::one("def test_a(): pass\n"), "ulimit -s 128");
    // The futures of a loop are the deepest.
    let outcome = xdist(&suite, 2).args(["-f", "--stop-when-green"]).after(limit).run();
    outcome.expect_code(0).expect_text("1 passed").expect_no_survivors();
}
