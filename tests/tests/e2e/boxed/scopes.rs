//! Fixtures wider than a test are set up and torn down in the worker, once, in the order of a serial run.

use xdist_tests::{Env, Invocation, Suite};

const SCOPES: &str = "
import os, unittest
import pytest
from truth_file import log

def made(name):
    log(name + ' up')
    yield os.getpid()
    log(name + ' down')

@pytest.fixture(scope='session')
def of_session():
    yield from made('session')

@pytest.fixture(scope='package')
def of_package(of_session):
    yield from made('package')

@pytest.fixture(scope='module')
def of_module(of_package):
    yield from made('module')

@pytest.fixture(scope='class')
def of_class(of_module):
    yield from made('class')

@pytest.fixture
def own(of_module):
    log('own up')
    yield os.getpid()
    log('own down')

@pytest.fixture(scope='module', params=['a', 'b'])
def wide(request):
    yield from made('param ' + request.param)

def setup_module():
    log('setup_module')

def teardown_module():
    log('teardown_module')

@pytest.fixture(scope='module')
def broken(of_session):
    log('broken')
    raise OSError('cannot be made')

class TestClass:
    @classmethod
    def setup_class(cls):
        log('setup_class')
        cls.parent = os.getpid()

    def setup_method(self):
        self.own = os.getpid()

    def test_one(self, of_class, own):
        assert own == os.getpid() == self.own
        assert of_class == os.getppid() == self.parent

    def test_two(self, of_class):
        assert of_class == os.getppid()

@pytest.mark.skip
def test_skipped(broken): pass

def test_wide(wide):
    assert wide == os.getppid()

def test_wide_too(wide, own):
    assert wide == os.getppid()

def test_broken(broken): pass

def test_broken_too(broken): pass

class Unit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        log('setUpClass')
        cls.parent = os.getpid()

    @classmethod
    def tearDownClass(cls):
        log('tearDownClass')

    def setUp(self):
        self.own = os.getpid()

    def test_unit(self):
        assert (self.own, self.parent) == (os.getpid(), os.getppid())
";

/// What fixtures put on record, and whether each line of one name came from one process.
fn logged(suite: &Suite) -> Vec<String> {
    suite.truth().logged().into_iter().map(|(text, _)| text).collect()
}

#[test]
fn fixtures_are_paid_once_in_the_order_of_a_serial_run() {
    for env in ["py311-pytest92", "py311-pytest84", "py311-pytest74"] {
        let env = Env::named(env);
        let make = || Suite::of(&[("test_it.py", SCOPES)]);
        // Serially, tests look for a parent that they have not.
        let serial = make();
        Invocation::pytest(&env, &serial).run();
        let ours = make();
        let outcome = Invocation::xdist(&env, &ours).arg("--boxed").run();
        outcome.expect_code(1).expect_text("cannot be made");
        let counts = outcome.counts();
        let found = (counts.get("passed"), counts.get("skipped"), counts.get("error"));
        assert_eq!(found, (7, 1, 2), "{}", outcome.describe());
        let (mut ours, mut serial) = (logged(&ours), logged(&serial));
        if env.name().ends_with("74") {
            // What is used last is torn down first there, and by tests in boxes nothing is used in the worker.
            ours.sort();
            serial.sort();
        }
        assert_eq!(ours, serial, "{}", outcome.describe());
    }
}

#[test]
fn a_fixture_that_only_a_running_test_asks_for_is_made_in_each_box() {
    let suite = Suite::one(
        "
import os
import pytest
from truth_file import log

@pytest.fixture(scope='session')
def asked_for():
    log('up')
    yield os.getpid()
    log('down')

@pytest.mark.parametrize('number', range(2))
def test_asks(request, number):
    assert request.getfixturevalue('asked_for') == os.getpid()

def test_names_it(asked_for):
    assert asked_for == os.getppid()

def test_asks_for_what_there_is(request):
    assert request.getfixturevalue('asked_for') == os.getppid()
",
    );
    for env in ["py311-pytest92", "py311-pytest74"] {
        suite.forget();
        let outcome = Invocation::xdist(&Env::named(env), &suite).arg("--boxed").run();
        outcome.expect_code(0);
        assert_eq!(logged(&suite), ["up", "down"].repeat(3), "{}", outcome.describe());
    }
}

#[test]
fn what_goes_wrong_in_the_workers_part_is_part_of_the_test() {
    let suite = Suite::one(
        "
import logging, warnings
import pytest

@pytest.fixture(scope='module')
def wide():
    print('printed while wide is set up')
    warnings.warn('warned while wide is set up')
    yield
    print('printed while wide is torn down')
    raise OSError('wide cannot be torn down')

@pytest.fixture
def own(wide):
    print('printed while own is set up')
    yield
    print('printed while own is torn down')

def test_fine(wide): pass

def test_fails(own):
    raise ValueError
",
    );
    let env = Env::usual();
    let seen = |run: Invocation| {
        let outcome = run.arg("--junitxml=j.xml").run();
        outcome.expect_code(1);
        let shown = outcome.stdout.lines();
        let shown: Vec<_> =
            shown.filter(|line| line.contains("wide") || line.contains("own is")).map(str::to_owned).collect();
        (shown, outcome.counts())
    };
    let serial = seen(Invocation::pytest(&env, &suite).arg("--tb=short"));
    let ours = seen(Invocation::xdist(&env, &suite).args(["--boxed", "--tb=short"]));
    assert_eq!(ours, serial);
    assert_eq!((ours.1.get("failed"), ours.1.get("error"), ours.1.get("warning")), (1, 1, 1));
}
