//! `pytest_xdist_make_scheduler`, and conftests that import the modules of pytest-xdist.

use xdist_tests::{Env, Invocation, Outcome, Suite};

const ENVS: [&str; 4] = ["py311-pytest92", "py311-pytest74", "py311-xdist", "pypy39-pytest84"];

fn run(env: &str, conftest: &str, args: &[&str]) -> Outcome {
    let suite = Suite::of(&[("conftest.py", conftest), ("test_a.py", "def test_a(): pass\ndef test_b(): pass\n")]);
    Invocation::xdist(&Env::named(env), &suite).n(2).args(args).run()
}

#[test]
fn a_scheduler_that_cannot_be_followed_is_a_usage_error_with_its_place() {
    for (imported, returned, named) in [
        ("from xdist.scheduler import LoadScheduling as Base", "Mine(config, log)", "a Mine based on LoadScheduling"),
        ("from xdist.scheduler.each import EachScheduling as Base", "Base(config, log)", "a EachScheduling"),
        ("Base = object", "Mine()", "a Mine,"),
    ] {
        let conftest = format!(
            "{imported}
class Mine(Base):
    def schedule(self): pass
def pytest_xdist_make_scheduler(config, log):
    return {returned}
"
        );
        for env in ENVS {
            let outcome = run(env, &conftest, &[]);
            outcome.expect_code(4).expect_text(named).expect_no_survivors().expect_no_text("passed");
            assert_eq!(
                outcome.occurrences("conftest.py:4: pytest_xdist_make_scheduler returns"),
                1,
                "{}",
                outcome.describe()
            );
        }
    }
}

#[test]
fn a_scheduler_says_what_stays_together() {
    let tests = "
import pytest
@pytest.fixture
def told(worker_id, request):
    (request.config.rootpath / request.node.name).write_text(worker_id)
@pytest.mark.parametrize('n', range(20))
@pytest.mark.parametrize('unit', [
    pytest.param('a', marks=pytest.mark.xdist_group('one')), pytest.param('b', marks=pytest.mark.xdist_group('two')),
])
def test_it(unit, n, told): pass
";
    // By parameter, which no mode does, and by groups, which stand behind node ids.
    for (base, split, env) in [
        ("loadscope import LoadScopeScheduling", "nodeid.partition('[')[2].rpartition('-')[0]", "py311-pytest92"),
        ("loadgroup import LoadGroupScheduling", "nodeid.rpartition('@')[2].upper()", "py311-xdist"),
    ] {
        let conftest = format!(
            "from xdist.scheduler.{base} as Base
class Mine(Base):
    def _split_scope(self, nodeid): return {split}
def pytest_xdist_make_scheduler(config, log): return Mine(config, log)
"
        );
        let suite = Suite::of(&[("conftest.py", &conftest), ("test_a.py", tests)]);
        let outcome = Invocation::xdist(&Env::named(env), &suite).n(2).run();
        outcome.expect_code(0).expect_text("40 passed");
        let workers = |unit: &str| {
            let worker = |n| std::fs::read_to_string(suite.path(&format!("test_it[{unit}-{n}]"))).unwrap();
            (0..20).map(worker).collect::<std::collections::BTreeSet<_>>()
        };
        let (a, b) = (workers("a"), workers("b"));
        assert!(a.len() == 1 && b.len() == 1 && a != b, "{a:?} {b:?}\n{}", outcome.describe());
    }
}

#[test]
fn an_exception_in_a_scheduler_ends_the_run_with_its_traceback() {
    let conftest = "from xdist.scheduler import LoadScopeScheduling
class Mine(LoadScopeScheduling):
    def _split_scope(self, nodeid): return nodeid / 2
def pytest_xdist_make_scheduler(config, log): return Mine(config, log)
";
    let outcome = run("py311-pytest92", conftest, &[]);
    outcome.expect_code(3).expect_text("unsupported operand type").expect_no_survivors().expect_no_text("passed");
}

#[test]
fn a_hook_that_asks_for_nothing_else_changes_nothing() {
    for returned in ["None", "LoadScheduling(config, log)"] {
        let conftest = format!(
            "from xdist.scheduler import LoadScheduling
def pytest_xdist_make_scheduler(config, log):
    log('not to be seen')
    return {returned}
"
        );
        for env in ENVS {
            let outcome = run(env, &conftest, &[]);
            outcome.expect_code(0).expect_text("2 passed").expect_no_text("not to be seen");
        }
    }
}

#[test]
fn what_conftests_import_is_there() {
    let conftest = "
import xdist, xdist.newhooks
from importlib.metadata import version
from xdist import get_xdist_worker_id, is_xdist_controller, is_xdist_master, is_xdist_worker
from xdist.dsession import DSession
from xdist.newhooks import pytest_handlecrashitem
from xdist.plugin import is_xdist_worker as from_plugin
from xdist.remote import Producer
from xdist.scheduler import (
    EachScheduling, LoadFileScheduling, LoadGroupScheduling, LoadScheduling, LoadScopeScheduling, WorkStealingScheduling,
)
from xdist.scheduler.loadfile import LoadFileScheduling as same
from xdist.workermanage import NodeManager, WorkerController
NodeManager.EXIT_TIMEOUT = 20
assert same is LoadFileScheduling and version('pytest-xdist')
def pytest_sessionstart(session):
    worker = hasattr(session.config, 'workerinput')
    assert is_xdist_worker(session) == from_plugin(session) == worker
    assert is_xdist_controller(session) == is_xdist_master(session) == (not worker)
    assert (get_xdist_worker_id(session) == 'master') == (not worker)
    assert session.config.pluginmanager.hasplugin('xdist')
    assert session.config.pluginmanager.hasplugin('dsession') == (not worker)
    assert worker or session.config.option.dist == 'load'
";
    for env in ENVS {
        for choice in ["--plugin-host=always", "--plugin-host=never", "--fork=never"] {
            run(env, conftest, &[choice]).expect_code(0).expect_text("2 passed");
        }
    }
}

#[test]
fn a_module_that_is_not_provided_is_missing_as_ever() {
    let outcome = run("py311-pytest92", "import xdist.no_such_module\n", &[]);
    outcome.expect_code(4).expect_text("No module named 'xdist.no_such_module'");
}
