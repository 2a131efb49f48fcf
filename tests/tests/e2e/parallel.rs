//! Many runs at the same time do not meet, not even on the same suite.

use std::thread;

use xdist_tests::{Env, Invocation, Suite};

#[test]
fn eight_runs_at_once() {
    let env = Env::usual();
    let shared = Suite::named("fixtures");
    let own: Vec<_> = (0..4).map(|_| Suite::named("outcomes")).collect();
    thread::scope(|scope| {
        let mut runs = Vec::new();
        for suite in own.iter().chain([&shared, &shared, &shared, &shared]) {
            let env = &env;
            runs.push(scope.spawn(move || Invocation::xdist(env, suite).n(2).limit(120).run()));
        }
        for (number, run) in runs.into_iter().enumerate() {
            let outcome = run.join().unwrap();
            outcome.expect_code(i32::from(number < 4)).expect_no_survivors();
            let (passed, failed) = if number < 4 { (79, 17) } else { (54, 0) };
            let counts = outcome.counts();
            assert_eq!((counts.get("passed"), counts.get("failed")), (passed, failed), "{}", outcome.describe());
        }
    });
    assert_eq!(shared.left_behind(), Vec::<String>::new());
}
