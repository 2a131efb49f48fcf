//! Plain pytest in the foreground, with our options still understood.

use xdist_tests::{Env, Invocation, Suite};

const TESTS: &str = "
import os, pytest
from truth_file import log
log('imported')
@pytest.mark.xdist_group('one')
def test_worker(worker_id, testrun_uid):
    assert worker_id == 'master'
    assert testrun_uid
    assert 'PYTEST_XDIST_WORKER' not in os.environ
def test_two(request):
    import xdist
    assert not xdist.is_xdist_worker(request)
    assert xdist.get_xdist_worker_id(request) == 'master'
";

const CONFTEST: &str = "
import pytest
from truth_file import log
pytest_plugins = ['truth_log']
def pytest_configure(config): log('configure')
def pytest_xdist_setupnodes(config, specs): pass
def pytest_handlecrashitem(crashitem, report, sched): pass
";

fn suite(ini: &str) -> Suite {
    Suite::of(&[("test_it.py", TESTS), ("conftest.py", CONFTEST), ("pytest.ini", &format!("[pytest]\n{ini}\n"))])
}

fn logged(suite: &Suite, text: &str) -> usize {
    suite.truth().logged().iter().filter(|(line, _)| line == text).count()
}

#[test]
fn without_n_and_with_n_0_it_is_plain_pytest() {
    for args in [&[][..], &["-n", "0"], &["-n0", "--dist=load"]] {
        let suite = suite("addopts = --strict-markers");
        let serial = Invocation::xdist(&Env::usual(), &suite).args(args).run();
        serial.expect_code(0).expect_text("collected 2 items").expect_no_text("gw0").expect_no_survivors();
        assert_eq!(logged(&suite, "configure"), 1, "configured once");
        assert_eq!(serial.counts().get("passed"), 2);
        assert_eq!(suite.left_behind(), Vec::<String>::new());
    }
}

#[test]
fn options_that_only_show_something_are_plain_although_addopts_asks_for_workers() {
    for (arg, text) in [
        ("--collect-only", "<Function test_worker>"),
        ("--fixtures", "worker_id"),
        ("--markers", "xdist_group"),
        ("--setup-plan", "test_it.py::test_two"),
        ("--cache-show", "cachedir"),
    ] {
        let suite = suite("addopts = -n auto --strict-markers --dist=load");
        let outcome = Invocation::xdist(&Env::usual(), &suite).arg(arg).run();
        outcome.expect_code(0).expect_text(text).expect_no_text("unrecognized");
        if arg != "--setup-plan" && arg != "--cache-show" {
            outcome.expect_no_text(" workers [");
        }
        assert!(logged(&suite, "configure") <= 1, "{arg}: configured once");
    }
}

#[test]
fn collect_only_prints_what_pytest_prints() {
    let suite = Suite::one(TESTS);
    let lines = |text: &str| text.lines().filter(|line| line.contains('<')).map(str::to_owned).collect::<Vec<_>>();
    let serial = Invocation::pytest(&Env::usual(), &suite).arg("--collect-only").run();
    let ours = Invocation::xdist(&Env::usual(), &suite).args(["-n", "3", "--collect-only"]).run();
    assert_eq!(lines(&serial.stdout), lines(&ours.stdout));
    assert!(!lines(&ours.stdout).is_empty());
}

#[test]
fn required_plugins_names_pytest_xdist() {
    for n in [0, 2] {
        let suite = Suite::one("def test_it(): pass\n");
        suite.write("pytest.ini", "[pytest]\nrequired_plugins = pytest-xdist>=2.0\n");
        Invocation::xdist(&Env::usual(), &suite).n(n).run().expect_code(0);
    }
}

#[test]
fn options_from_the_environment_count() {
    let suite = Suite::one("def test_it(worker_id): assert worker_id == 'gw0'\n");
    Invocation::xdist(&Env::usual(), &suite).var("PYTEST_ADDOPTS", "-n 1").run().expect_code(0);
}

#[test]
fn the_command_line_overrules_addopts() {
    let suite = Suite::one("def test_it(worker_id): assert worker_id == 'master'\n");
    suite.write("pytest.ini", "[pytest]\naddopts = -n 4\n");
    Invocation::xdist(&Env::usual(), &suite).n(0).run().expect_code(0);
}

#[test]
fn pytest_xdist_that_is_switched_off_or_installed_is_no_trouble() {
    for env in ["py311-pytest92", "py311-xdist"] {
        let suite = Suite::one("def test_it(worker_id): assert worker_id.startswith('gw')\n");
        suite.write("pytest.ini", "[pytest]\naddopts = -p no:xdist -p no:xdist.looponfail\n");
        let outcome = Invocation::xdist(&Env::named(env), &suite).n(2).run();
        outcome.expect_code(0);
        assert_eq!(outcome.counts().get("passed"), 1);
    }
}

#[test]
fn help_and_version_are_ours() {
    let suite = Suite::one("");
    let help = Invocation::bare_xdist(&suite).arg("--help").run();
    help.expect_code(0).expect_text("--python").expect_text("--fork").expect_text("pytest");
    let version = Invocation::bare_xdist(&suite).arg("--version").run();
    version.expect_code(0).expect_text("xdist");
}

#[test]
fn pdb_under_auto_is_plain() {
    let suite = Suite::one("def test_it(worker_id): assert worker_id == 'master'\n");
    Invocation::xdist(&Env::usual(), &suite).args(["-n", "auto", "--pdb"]).run().expect_code(0);
}

#[test]
fn arguments_reach_pytest_untouched() {
    let suite = Suite::of(&[
        (
            "test_a.py",
            "import pytest\n@pytest.mark.parametrize('v', ['x y', 'z'])\ndef test_a(v): pass\ndef test_b(): pass\n",
        ),
        ("myplugin.py", "def pytest_addoption(parser): parser.addoption('--own', action='append')\n"),
        (
            "conftest.py",
            "pytest_plugins = ['truth_log']\ndef pytest_configure(config):\n    assert config.option.own == ['-n 9', 'b'], config.option.own\n",
        ),
    ]);
    let run = Invocation::xdist(&Env::usual(), &suite).args(["-k", "test_a and x", "--own=-n 9", "-n", "2"]);
    let run = run.args(["-p", "myplugin", "--own=b"]).var("PYTHONPATH", suite.root());
    let outcome = run.args(["--", "test_a.py"]).run();
    outcome.expect_code(0);
    assert_eq!(suite.truth().ids(), ["test_a.py::test_a[x y]"], "{}", outcome.describe());
}

#[test]
fn the_main_module_is_pytests_and_children_are_spawned_from_it() {
    let suite = Suite::one(
        "
import multiprocessing, os, sys, pytest
import __main__

def child(queue):
    queue.put((os.getpid(), __name__))

@pytest.mark.parametrize('method', ['spawn', 'forkserver', 'fork'])
def test_children(method):
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    pid, name = queue.get()
    process.join()
    assert (process.exitcode, pid, name) == (0, process.pid, __name__)

def test_pool():
    with multiprocessing.get_context('spawn').Pool(2) as pool:
        assert pool.map(abs, [-1, 2]) == [1, 2]

def test_main():
    assert __main__.__file__ == os.path.join(os.path.dirname(pytest.__file__), '__main__.py')
    assert (__main__.__name__, __main__.__package__) == ('__main__', 'pytest')
    assert __main__.__spec__.name == 'pytest.__main__'
    assert {'d', 'e', 'm', 's', 'w', 'main'}.isdisjoint(vars(__main__))
",
    );
    for args in [&[][..], &["-n", "0"], &["-n", "2"], &["-n", "2", "--fork=imported"], &["-n", "2", "--fork=never"]] {
        let outcome = Invocation::xdist(&Env::usual(), &suite).args(args).run();
        outcome.expect_code(0).expect_no_survivors();
        assert_eq!(outcome.counts().get("passed"), 5, "{}", outcome.describe());
    }
}
