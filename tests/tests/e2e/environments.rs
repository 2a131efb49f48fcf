//! Several environments in one run: who runs what where, what is said of them, and of those that do not come up.

use std::path::Path;
use std::time::{Duration, Instant};

use xdist_tests::{Env, Invocation, Signal, Suite};

/// Tests that say on stdout which pytest ran them, in which environment.
const TELLING: &str = "
import os, pytest

@pytest.mark.parametrize('number', range(6))
def test_tells(number, worker_id):
    print(f'MARK={os.environ.get(\"MARK\")} pytest={pytest.__version__[:3]} cwd={os.path.basename(os.getcwd())}')

def test_niceness():
    assert os.environ.get('MARK') != 'nice' or os.nice(0) >= 5
";

/// `popen//python=…` of an environment of the tests.
fn python(env: &str) -> String {
    format!("popen//python={}", Env::named(env).python().display())
}

fn stem(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn every_test_runs_once_somewhere() {
    let suite = Suite::one(TELLING);
    let old = python("py311-pytest74");
    let outcome = Invocation::xdist(&Env::usual(), &suite)
        .args(["-rP", "--tx", "popen//env:MARK=home", "--tx"])
        .arg(format!("2*{old}//env:MARK=old"))
        .run();
    outcome.expect_code(0).expect_no_survivors().expect_text("3 workers in 2 environments [7 items]");
    outcome.expect_text("py311-pytest92: CPython 3.11").expect_text("py311-pytest74: CPython 3.11");
    outcome.expect_text("pytest-7.4.4, 2 workers (");
    assert_eq!(outcome.counts().get("passed"), 7, "{}", outcome.describe());
    let truth = suite.truth();
    assert_eq!(truth.ids().len(), 7, "{}", outcome.describe());
    for ran in truth.started() {
        let shown = if ran.worker == "gw0" { "MARK=home pytest=9.2" } else { "MARK=old pytest=7.4" };
        outcome.expect_text(shown);
    }
    outcome.expect_no_text("MARK=home pytest=7.4").expect_no_text("MARK=None");
}

#[test]
fn surroundings_are_those_of_the_spec() {
    let suite = Suite::one(TELLING);
    suite.write("elsewhere/keep.txt", "");
    let root = stem(&suite.root());
    let outcome = Invocation::xdist(&Env::usual(), &suite)
        .args(["-rP", "--tx", "popen//chdir=elsewhere//env:MARK=nice//nice=5//dont_write_bytecode//id=far", &root])
        .run();
    outcome.expect_code(0).expect_no_survivors();
    assert_eq!(outcome.counts().get("passed"), 7, "{}", outcome.describe());
    outcome.expect_text("MARK=nice pytest=9.2 cwd=elsewhere").expect_no_text("MARK=None");
    let missing = Invocation::xdist(&Env::usual(), &suite).args(["--tx", "popen//chdir=a/b"]).run();
    missing.expect_code(11).expect_text("environment `popen//chdir=a/b` cannot run tests").expect_text("No such file");
}

#[test]
fn environments_that_do_not_come_up_are_named() {
    let suite = Suite::of(&[
        ("test_it.py", "def test_a(): pass\n"),
        (
            "conftest.py",
            "import os, sys\nif os.environ.get('BROKEN') == 'import':\n    raise RuntimeError('broken there')\n\
             def pytest_configure():\n    if os.environ.get('BROKEN') == 'exit':\n        os._exit(9)\n",
        ),
    ]);
    let bare = format!("{} -I -S", python("py311-pytest92"));
    for (spec, texts) in [
        ("popen//python=no-such-python", &["`no-such-python` cannot be started", "No such file"][..]),
        ("popen//python=sh", &["its interpreter ended with exit code"]),
        (bare.as_str(), &["No module named 'pytest'"]),
        ("popen//env:BROKEN=import", &["broken there"]),
        ("popen//env:BROKEN=exit", &["exit code 9"]),
    ] {
        let outcome = Invocation::xdist(&Env::usual(), &suite).args(["--tx", "popen", "--tx", spec]).run();
        outcome.expect_code(11).expect_text(&format!("environment `{spec}` cannot run tests: ")).expect_no_survivors();
        for text in texts {
            assert!(outcome.stderr.contains(text), "{text:?}\n{}", outcome.describe());
        }
        assert!(suite.truth().started().is_empty(), "no test runs\n{}", outcome.describe());
    }
    // All of them are named.
    let both = ["--tx", "popen//python=no-such-python", "--tx", "popen//python=nor-this"];
    let outcome = Invocation::xdist(&Env::usual(), &suite).args(both).run();
    outcome.expect_code(11).expect_text("`no-such-python`").expect_text("`nor-this`");
}

#[test]
fn usage_errors_of_all_environments_are_those_of_a_serial_run() {
    let suite = Suite::one("def test_a(): pass\n");
    let specs = ["--tx", "popen//env:A=1", "--tx", "popen//env:A=2", "nowhere.py"];
    let outcome = Invocation::xdist(&Env::usual(), &suite).args(specs).run();
    outcome.expect_code(4).expect_text("file or directory not found: nowhere.py").expect_no_survivors();
    let empty = Suite::one("x = 1\n");
    Invocation::xdist(&Env::usual(), &empty).args(&specs[..4]).run().expect_code(5);
    let broken = Suite::one("1 / 0\n");
    let outcome = Invocation::xdist(&Env::usual(), &broken).args(&specs[..4]).run();
    outcome.expect_code(2).expect_text("1 error during collection");
    assert_eq!(outcome.occurrences("E   ZeroDivisionError"), 1, "{}", outcome.describe());
}

/// Tests that only some environments have.
const DIFFERING: &str = "
import os, pytest

def test_both(): pass

@pytest.mark.parametrize('letter', ['a', os.environ['MARK']])
def test_letter(letter): pass

if os.environ['MARK'] == 'b':
    def test_only_b(): assert os.environ['MARK'] == 'b'

def test_last(): pass
";

#[test]
fn tests_go_to_environments_that_have_them() {
    let suite = Suite::one(DIFFERING);
    let specs = ["--tx", "popen//env:MARK=c//id=first", "--tx", "2*popen//env:MARK=b"];
    for mode in ["load", "worksteal", "loadscope", "loadgroup"] {
        let outcome = Invocation::xdist(&Env::usual(), &suite).args(specs).arg(format!("--dist={mode}")).run();
        outcome.expect_code(0).expect_no_survivors();
        assert_eq!(outcome.counts().get("passed"), 6, "{mode}\n{}", outcome.describe());
        assert_eq!(outcome.occurrences("xdist: different tests were collected: first lacks 2 of 6, "), 2);
        for text in ["test_it.py::test_only_b: only in py311", "test_it.py::test_letter[c]: only in first"] {
            assert_eq!(outcome.occurrences(text), 1, "{text}\n{}", outcome.describe());
        }
        outcome.expect_text("parameters of `test_it.py::test_letter` made of");
        let only = suite.truth().started().into_iter().filter(|ran| ran.id.ends_with("only_b")).map(|ran| ran.worker);
        assert!(only.into_iter().all(|worker| worker != "gw0"), "{}", outcome.describe());
    }
    let ran = suite.truth().ids().len();
    let strict = Invocation::xdist(&Env::usual(), &suite).args(specs).arg("--strict-collection").run();
    strict.expect_code(15).expect_text("error: different tests were collected").expect_no_survivors();
    assert_eq!(suite.truth().ids().len(), ran, "no test runs\n{}", strict.describe());
}

#[test]
fn workers_that_die_are_replaced_in_their_environment() {
    let suite = Suite::one(
        "import os, pytest\n@pytest.mark.parametrize('number', range(8))\ndef test_it(number):\n    \
         mark = os.environ['MARK']\n    assert os.environ['PYTEST_XDIST_WORKER'] == {'a': 'gw0', 'b': 'gw1'}[mark]\n    \
         if number % 4 == 1: os._exit(7)\n",
    );
    for fork in ["collected", "imported", "never"] {
        let outcome = Invocation::xdist(&Env::usual(), &suite)
            .args(["--tx", "popen//env:MARK=a", "--tx", "popen//env:MARK=b", "--fork", fork])
            .run();
        outcome.expect_code(1).expect_no_survivors();
        let counts = outcome.counts();
        assert_eq!((counts.get("failed"), counts.get("passed")), (2, 6), "{fork}\n{}", outcome.describe());
        outcome.expect_text("exit code 7");
    }
}

#[test]
fn plugins_of_the_controller_see_each_worker_as_it_is() {
    let suite = Suite::of(&[
        ("test_it.py", "import os\ndef test_a(): pass\nif os.environ.get('MARK'):\n    def test_b(): pass\n"),
        (
            "conftest.py",
            "import pytest\n\
             def pytest_xdist_node_collection_finished(node, ids): node.config.seen[node.gateway.id] = len(ids)\n\
             def pytest_configure(config): config.seen = {}\n\
             def pytest_terminal_summary(terminalreporter, config):\n    \
             for name, number in sorted(config.seen.items()):\n        \
             terminalreporter.write_line(f'{name} has {number}')\n\
             def pytest_testnodedown(node, error):\n    \
             spec, info = node.gateway.spec, node.workerinfo\n    \
             print(f'{node.gateway.id} is {spec}, mark {spec.env.get(\"MARK\")}, in {info[\"executable\"]}')\n",
        ),
    ]);
    let old = format!("{}//env:MARK=old", python("py311-pytest84"));
    let outcome = Invocation::xdist(&Env::usual(), &suite).args(["--dist=each", "--tx", "popen", "--tx", &old]).run();
    outcome.expect_code(0).expect_text("gw0 has 1").expect_text("gw1 has 2");
    outcome.expect_text("gw0 is popen, mark None, in ").expect_text(&format!("gw1 is {old}, mark old, in "));
    let place = stem(&Env::named("py311-pytest84").python());
    outcome.expect_text(&format!("mark old, in {place}")).expect_no_survivors();
    assert_eq!(outcome.counts().get("passed"), 3, "{}", outcome.describe());
}

#[test]
fn an_interrupt_does_not_wait_for_environments_that_come_up() {
    let suite = Suite::one("def test_a(): pass\n");
    suite.write("slow.sh", "echo > began; exec sleep 50\n");
    let mut run =
        Invocation::xdist(&Env::usual(), &suite).args(["--tx", "popen", "--tx", "popen//python=sh slow.sh"]).start();
    run.wait_for("the interpreter to start", |_| suite.path("began").exists());
    let began = Instant::now();
    run.signal(Signal::INT);
    let outcome = run.finish();
    outcome.expect_code(2).expect_no_survivors();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}\n{}", began.elapsed(), outcome.describe());
    assert!(suite.truth().started().is_empty(), "{}", outcome.describe());
}
