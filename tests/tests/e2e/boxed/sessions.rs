//! What ends a session from inside of a box, and plugins that look at sessions.

use xdist_tests::{Env, Invocation, Suite};

use super::boxed;

#[test]
fn a_box_that_ends_the_session() {
    for (body, code, text) in [
        ("pytest.exit('enough', returncode=7)", 7, "_pytest.outcomes.Exit: enough"),
        ("raise KeyboardInterrupt", 2, "test_it.py:14: KeyboardInterrupt"),
        ("request.session.shouldstop = 'of no use'", 2, "of no use"),
    ] {
        let suite = Suite::one(&format!(
            "
import pytest
from truth_file import log

@pytest.fixture(scope='module', autouse=True)
def wide():
    yield
    log('wide down')

def test_fine(): pass

def test_ends(request, record_property):
    record_property('a', 'b')
    {body}

def test_never(): pass
"
        ));
        let outcome = boxed(&suite).run();
        outcome.expect_code(code).expect_text(text).expect_text("1 of 3 tests did not run").expect_no_survivors();
        assert_eq!(suite.truth().logged().len(), 1, "{}", outcome.describe());
    }
}

#[test]
fn an_exception_in_a_plugin_is_an_internal_error() {
    let suite = Suite::of(&[
        ("test_it.py", "def test_a(): pass\n"),
        (
            "conftest.py",
            "
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport():
    raise RuntimeError('of a plugin')
",
        ),
    ]);
    boxed(&suite).run().expect_code(3).expect_text("RuntimeError: of a plugin");
}

#[test]
fn the_users_interrupt_reaches_box_and_worker() {
    let suite = Suite::one(
        "
import os, time
import pytest
from truth_file import log

@pytest.fixture(scope='module')
def wide():
    yield
    log('wide down')

@pytest.fixture
def own():
    yield
    log('own down')

def test_hangs(wide, own):
    open('started', 'w').close()
    time.sleep(60)

def test_never(): pass
",
    );
    let mut run = boxed(&suite).start();
    run.wait_for("the test", |_| suite.path("started").exists());
    run.signal(rustix::process::Signal::INT);
    let outcome = run.finish();
    outcome.expect_code(2).expect_text("KeyboardInterrupt").expect_no_survivors();
    let logged: Vec<_> = suite.truth().logged().into_iter().map(|(text, _)| text).collect();
    assert_eq!(logged, ["own down", "wide down"], "{}", outcome.describe());
}

#[test]
fn hooks_of_the_project_run_once_and_hear_of_every_report() {
    let suite = Suite::of(&[
        (
            "test_it.py",
            "
import pytest

@pytest.fixture(scope='module')
def wide():
    yield

def test_a(wide): pass
def test_b(wide): assert 0
def test_c(wide, record_property): record_property('name', object)
",
        ),
        (
            "conftest.py",
            "
import pytest
from truth_file import log

pytest_plugins = ['truth_log']

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    log(f'protocol {item.name}')
    yield
    log(f'protocol over {item.name}')

def pytest_runtest_setup(item):
    log(f'setup {item.name}')

def pytest_runtest_teardown(item, nextitem):
    log(f'teardown {item.name} before {nextitem and nextitem.name}')

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    outcome.get_result().remark = [call.when]

def pytest_runtest_logreport(report):
    log(f'{report.when} {report.outcome} {report.remark} {len(report.user_properties)}')
",
        ),
    ]);
    let of = |run: Invocation| {
        suite.forget();
        run.run().expect_code(1);
        let mut logged: Vec<_> = suite.truth().logged().into_iter().map(|(text, _)| text).collect();
        // Reports are told when the box is gone.
        let hooks: Vec<_> = logged.extract_if(.., |line| line.contains("test_")).collect();
        (hooks, logged)
    };
    let serial = of(Invocation::pytest(&Env::usual(), &suite));
    assert_eq!(of(boxed(&suite)), serial);
}

#[test]
fn pytest_forked_is_neither_needed_nor_loaded() {
    let suite = Suite::of(&[
        ("test_it.py", "import os\nSTATE = []\ndef test_a(): STATE.append(1)\ndef test_b(): assert not STATE\n"),
        ("pytest.ini", "[pytest]\nrequired_plugins = pytest-forked pytest-xdist\n"),
        ("pytest_forked.py", "def pytest_addoption(parser): parser.addoption('--forked', action='store_true')\n"),
    ]);
    let run = Invocation::xdist(&Env::usual(), &suite).args(["--forked", "-p", "pytest_forked"]);
    run.var("PYTHONPATH", suite.root()).run().expect_code(0).expect_text("1 worker [2 items]");
}

#[test]
fn each_worker_has_boxes_of_its_own() {
    let suite = Suite::one("import os\ndef test_a(): pass\ndef test_b(): os._exit(3)\n");
    let run = boxed(&suite).args(["--dist=each", "--tx=2*popen"]);
    let outcome = run.run();
    outcome.expect_code(1).expect_text("box on gw0 crashed").expect_text("box on gw1 crashed");
    assert_eq!((outcome.counts().get("passed"), outcome.counts().get("failed")), (2, 2), "{}", outcome.describe());
}
