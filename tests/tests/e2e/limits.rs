//! How many workers, how many tests at a time, how many warnings: options, variables and hooks that say so.

use xdist_tests::{Env, Invocation, Outcome, Suite};

const MANY: &str = "import pytest\n@pytest.mark.parametrize('n', range(30))\ndef test_it(n): pass\n";
const HOOK: &str = "def pytest_xdist_auto_num_workers(config): return 3\n";

fn workers(outcome: &Outcome) -> usize {
    let header = outcome.stdout.lines().find(|line| line.contains(" worker") && line.contains('['));
    let number = header.and_then(|line| line.split(' ').next()).and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no number of workers\n{}", outcome.describe()))
}

#[test]
fn the_number_of_workers() {
    for (args, vars, hook, expected) in [
        (&["-n", "4", "--maxprocesses=2"][..], &[][..], false, 2),
        (&["-n", "2", "--maxprocesses=4"], &[], false, 2),
        (&["-n", "auto"], &[("PYTEST_XDIST_AUTO_NUM_WORKERS", "4")], false, 4),
        (&["-n", "logical"], &[("PYTEST_XDIST_AUTO_NUM_WORKERS", "4")], false, 4),
        (&["-n", "auto", "--maxprocesses=2"], &[("PYTEST_XDIST_AUTO_NUM_WORKERS", "4")], false, 2),
        (&["-n", "2"], &[("PYTEST_XDIST_AUTO_NUM_WORKERS", "4")], true, 2),
        (&["-n", "auto"], &[], true, 3),
        (&["-n", "auto"], &[("PYTEST_XDIST_AUTO_NUM_WORKERS", "4")], true, 3),
        (&["--tx", "2*popen", "--tx", "popen"], &[], false, 3),
        (&["--dist=load"], &[("PYTEST_XDIST_AUTO_NUM_WORKERS", "2")], false, 2),
    ] {
        let conftest = format!("pytest_plugins = ['truth_log']\n{}", if hook { HOOK } else { "" });
        let suite = Suite::of(&[("test_it.py", MANY), ("conftest.py", &conftest)]);
        let run = Invocation::xdist(&Env::usual(), &suite).args(args);
        let outcome = vars.iter().fold(run, |run, (name, value)| run.var(name, *value)).run();
        outcome.expect_code(0);
        assert_eq!(workers(&outcome), expected, "{args:?} {vars:?} {hook}\n{}", outcome.describe());
        assert_eq!(outcome.counts().get("passed"), 30);
    }
}

#[test]
fn a_number_that_is_none_is_ignored_with_a_warning() {
    let suite = Suite::one(MANY);
    let run = Invocation::xdist(&Env::usual(), &suite).args(["-n", "auto", "--maxprocesses=1"]);
    let outcome = run.var("PYTEST_XDIST_AUTO_NUM_WORKERS", "several").run();
    outcome.expect_code(0).expect_text("PYTEST_XDIST_AUTO_NUM_WORKERS is not a number: 'several'");
    assert_eq!(workers(&outcome), 1);
}

#[test]
fn few_tests_at_a_time_run_as_all_do() {
    for chunk in ["1", "7", "1000"] {
        let suite = Suite::one(MANY);
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(3).arg(format!("--maxschedchunk={chunk}")).run();
        outcome.expect_code(0);
        assert_eq!(outcome.counts().get("passed"), 30, "{}", outcome.describe());
        assert_eq!(suite.truth().ids().len(), 30);
    }
}

#[test]
fn warnings_are_held_against_their_limit_as_serially() {
    let module = "import warnings, pytest\nwarnings.warn('at import')\n\
                  @pytest.mark.parametrize('n', range(4))\ndef test_it(n): warnings.warn('in %d' % n)\n";
    let failing = format!("{module}def test_fails(): assert 0\n");
    for (content, limit) in [(module, "5"), (module, "4"), (module, "0"), (failing.as_str(), "0")] {
        let args = [format!("--max-warnings={limit}")];
        let serial = Invocation::pytest(&Env::usual(), &Suite::one(content)).args(args.clone()).run();
        for level in ["collected", "imported"] {
            let suite = Suite::one(content);
            let run = Invocation::xdist(&Env::usual(), &suite).n(2).args(args.clone());
            let ours = run.arg(format!("--fork={level}")).run();
            ours.expect_code(serial.code());
            assert_eq!(ours.counts(), serial.counts(), "{}", ours.describe());
            let told = |outcome: &Outcome| outcome.stdout.contains("maximum allowed warnings exceeded");
            assert_eq!(told(&ours), told(&serial), "{}", ours.describe());
        }
    }
}
