//! What must be the same wherever tests run: outcomes, reports, crashes, output, fork levels.

use xdist_tests::{Env, Face, NO_JUNIT, Suite};

use super::{expect_clean, spec, spec_with, xdist};

fn check(name: &str, env: &Env, args: &[&str]) {
    // Each version of pytest writes the file in its own way.
    let junit = env.name() == Env::usual().name();
    let serial = Face::serial(env, || Suite::named(name), if junit { &[] } else { &[NO_JUNIT] });
    let (suite, far) = (Suite::named(name), Suite::named(name));
    let run = xdist(&suite).args(["--tx", &format!("3*{}", spec_with(&far, env))]).args(args);
    let outcome = if junit { run.junit() } else { run }.run();
    expect_clean(&suite, &outcome);
    serial.expect_same(&Face::of(&suite, &outcome), &outcome);
}

#[test]
fn outcomes_are_those_of_a_serial_run() {
    check("outcomes", &Env::usual(), &[]);
}

#[test]
fn outcomes_with_another_pytest_than_the_controllers() {
    check("outcomes", &Env::named("py311-pytest74"), &["--fork=imported"]);
}

#[test]
fn reports_that_do_not_encode_arrive() {
    check("reports", &Env::usual(), &["--fork=never"]);
}

#[test]
fn subtests_are_counted() {
    check("subtests", &Env::usual(), &[]);
}

#[test]
fn crashes_are_blamed_on_their_tests_with_the_signal() {
    let (suite, far) = (Suite::named("crashes"), Suite::named("crashes"));
    let model = suite.model();
    let run = xdist(&suite).args(["-p", "no:cacheprovider", "--max-worker-restart=100"]);
    let outcome = run.args(["--tx", &format!("2*{}", spec(&far))]).junit().run();
    outcome.expect_code(model.exit);
    expect_clean(&suite, &outcome);
    assert_eq!(suite.truth().ids(), model.ids(), "each test starts once\n{}", outcome.describe());
    assert_eq!(suite.truth().outcomes(), model.tests, "{}", outcome.describe());
    assert_eq!(outcome.counts(), model.counts, "{}", outcome.describe());
    for (id, how) in &model.how {
        let blamed = outcome.stdout.lines().any(|line| line.contains(id.as_str()) && line.contains(how.as_str()));
        assert!(blamed, "nothing says that {id} ended by {how}\n{}", outcome.describe());
    }
    // Where in its test it was, and what it had captured and written, comes from files on that host.
    outcome.expect_text("in the call").expect_text("in set-up").expect_text("written to fd 2 before the end");
    outcome.expect_text("last words on fd 1 from exit3");
}

#[test]
fn output_is_shown_while_tests_run() {
    let tests = "import os, time\ndef test_it():\n    os.write(1, b'spoken early\\n')\n    \
                 while not os.path.exists('go'): time.sleep(0.01)\n";
    let (suite, far) = (Suite::one(tests), Suite::one(tests));
    let mut run = xdist(&suite).args(["-s", "--tx", &spec(&far)]).start();
    run.wait_for("its output", |run| run.stdout().contains("[gw0] spoken early"));
    far.write("go", "");
    let outcome = run.finish();
    outcome.expect_code(0);
    expect_clean(&suite, &outcome);
}

#[test]
fn a_worker_stops_at_the_first_failure_of_another() {
    let tests = "import pytest, time\n@pytest.mark.parametrize('n', range(200))\ndef test_it(n):\n    time.sleep(0.01)\n    \
                 assert n != 3\n";
    let (suite, far) = (Suite::one(tests), Suite::one(tests));
    let outcome = xdist(&suite).args(["-x", "--tx", &format!("2*{}", spec(&far))]).run();
    outcome.expect_code(1).expect_text("stopping after 1 failures");
    expect_clean(&suite, &outcome);
    // The other one may begin one more in the instant between the record and the stop mark.
    let later = suite.truth().started_after_first_failure().len();
    assert!(later < 2, "{later} tests started after the failure\n{}", outcome.describe());
}

#[test]
fn plugins_of_the_controller_see_gateways_and_interpreters() {
    let tests = [
        ("test_it.py", "def test_a(): pass\n"),
        (
            "conftest.py",
            "def pytest_testnodedown(node, error):\n    \
             spec, info = node.gateway.spec, node.workerinfo\n    \
             print(f'{node.gateway.id}: {spec.command!r} in {spec.chdir}, popen {spec.popen}, {info[\"cwd\"]}, \
             {node.gateway._rinfo().cwd}')\n",
        ),
    ];
    let (suite, far) = (Suite::of(&tests), Suite::of(&tests));
    let outcome = xdist(&suite).args(["--tx", &spec(&far)]).run();
    outcome.expect_code(0);
    expect_clean(&suite, &outcome);
    let far = far.root().display().to_string();
    outcome.expect_text(&format!("--stdio' in {far}, popen None, {far}, {far}"));
}

#[test]
fn clocks_that_jump_change_no_outcome_and_no_duration() {
    let conftest = "
import itertools, os, time
import _pytest.timing

if os.environ.get('FAR'):
    true, jumps = time.time, itertools.cycle([3600, -3600, 0, 86400])
    time.time = _pytest.timing.time = lambda: true() + next(jumps)
";
    let tests = "import pytest, time\n@pytest.mark.parametrize('n', range(12))\ndef test_it(n):\n    time.sleep(0.02)\n    \
                 assert n != 3\n";
    let suite_with = || {
        let suite = Suite::one(tests);
        let usual = std::fs::read_to_string(suite.path("conftest.py")).unwrap();
        suite.write("conftest.py", &format!("{usual}\n{conftest}"));
        suite
    };
    let (suite, far) = (suite_with(), suite_with());
    let outcome =
        xdist(&suite).args(["--tx", &format!("2*{}//env:FAR=1", spec(&far)), "--durations=3", "-vv"]).junit().run();
    outcome.expect_code(1);
    expect_clean(&suite, &outcome);
    let counts = outcome.counts();
    assert_eq!((counts.get("failed"), counts.get("passed")), (1, 11), "{}", outcome.describe());
    let junit = std::fs::read_to_string(suite.junit_path()).unwrap();
    let times: Vec<f64> =
        junit.split(" time=\"").skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect();
    assert!(times.len() >= 12 && times.iter().all(|seconds| (0.0..60.0).contains(seconds)), "{junit}");
}
