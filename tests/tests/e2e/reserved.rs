//! Tests that run alone, or on a limited number of workers at a time.

use xdist_tests::{Env, Invocation, Suite, xdist_binary};

/// Every test says what it is while it runs, and looks at who else runs.
const SUITE: &str = "
import os, time
from pathlib import Path
import pytest
def run(kind, most):
    own = Path(f'runs-{kind}-{os.getpid()}')
    own.touch()
    try:
        for _ in range(5):
            others = [path.name for path in Path().glob('runs-*') if path != own]
            if kind == 'serial':
                assert not others
            assert not any('serial' in name for name in others)
            assert sum(kind in name for name in others) < most
            time.sleep(0.004)
    finally:
        own.unlink()
@pytest.mark.parametrize('n', range(12))
def test_plain(n):
    run('plain', 99)
@pytest.mark.xdist_serial
@pytest.mark.parametrize('n', range(3))
def test_serial(n):
    run('serial', 1)
@pytest.mark.xdist_resource('one')
@pytest.mark.parametrize('n', range(5))
def test_one(n):
    run('one', 1)
@pytest.mark.xdist_resource('two', limit=2)
@pytest.mark.xdist_group('g')
@pytest.mark.parametrize('n', range(8))
def test_two(n):
    run('two', 2)
@pytest.mark.xdist_serial
def test_dies():
    own = Path(f'runs-serial-{os.getpid()}')
    own.touch()
    if os.environ.get('DIES'):
        own.unlink()
        os.kill(os.getpid(), 9)
    own.unlink()
";

#[test]
fn nothing_runs_beside_a_serial_test_and_no_more_than_may_of_a_limited_one() {
    for (mode, n, level, dies) in [
        ("load", 4, "collected", false),
        ("load", 4, "collected", true),
        ("worksteal", 3, "never", true),
        ("loadgroup", 4, "collected", false),
        ("loadfile", 2, "collected", true),
        ("loadscope", 3, "imported", true),
    ] {
        let suite = Suite::of(&[("test_a.py", SUITE), ("test_b.py", SUITE)]);
        let run = Invocation::xdist(&Env::usual(), &suite).n(n).args([&format!("--dist={mode}"), "--fork", level]);
        let run = run.arg("--strict-markers");
        let outcome = if dies { run.var("DIES", "1") } else { run }.run();
        outcome.expect_code(i32::from(dies)).expect_no_survivors();
        let failed = if dies { 2 } else { 0 };
        let counts = outcome.counts();
        assert_eq!((counts.get("passed"), counts.get("failed")), (58 - failed, failed), "{}", outcome.describe());
        assert_eq!(suite.truth().ids().len(), 58, "each starts once\n{}", outcome.describe());
    }
}

#[test]
fn where_everybody_runs_all_tests_they_do_not_meet_either() {
    for dies in [false, true] {
        let suite = Suite::one(SUITE);
        // The other host is in the same folder, where tests look at who runs.
        let (agent, python, folder) =
            (xdist_binary().with_file_name("socketserver"), Env::usual().python(), suite.root());
        let (agent, python, folder) = (agent.display(), python.display(), folder.display());
        let host = format!("command={agent} --stdio//python={python}//chdir={folder}//id=far");
        let specs = ["--tx", "2*popen", "--tx", "popen//env:MARK=there//id=there", "--tx", &host];
        let run = Invocation::xdist(&Env::usual(), &suite).arg("--dist=each").args(specs);
        let outcome = if dies { run.var("DIES", "1") } else { run }.limit(60).run();
        outcome.expect_code(i32::from(dies)).expect_no_survivors();
        let failed = if dies { 4 } else { 0 };
        let counts = outcome.counts();
        assert_eq!((counts.get("passed"), counts.get("failed")), (116 - failed, failed), "{}", outcome.describe());
        assert_eq!(suite.truth().ids().len(), 116, "each starts once on each\n{}", outcome.describe());
    }
}

#[test]
fn marks_that_say_nonsense_are_usage_errors_that_name_the_test() {
    for (mark, text) in [
        ("xdist_serial(1)", "test_it.py:2: xdist_serial takes no arguments"),
        ("xdist_resource()", "test_it.py:2: xdist_resource needs the name of the resource first"),
        ("xdist_resource('db', limit=0)", "xdist_resource('db'): the limit must be a whole number from 1, not 0"),
        ("xdist_resource('db', most=1)", "xdist_resource has no argument 'most'"),
        (
            "xdist_resource('db', limit=3)",
            "test_it.py:2: xdist_resource('db'): the limit is 3 here and 2 at conf_test.py:3",
        ),
    ] {
        let module = format!("import pytest\n@pytest.mark.{mark}\ndef test_a(): pass\n");
        let other = "import pytest\n\n@pytest.mark.xdist_resource('db', limit=2)\ndef test_b(): pass\n";
        let suite = Suite::of(&[("conf_test.py", other), ("test_it.py", &module)]);
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).run();
        outcome.expect_code(4).expect_text(text).expect_text("test_it.py::test_a").expect_no_text("Traceback");
        assert!(suite.truth().started().is_empty(), "no test runs\n{}", outcome.describe());
    }
}
