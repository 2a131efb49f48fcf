//! The modes that keep tests together do, whatever the tests are called, however workers start, and whoever dies.

use std::collections::{BTreeMap, BTreeSet};

use xdist_tests::{Env, Face, Invocation, Outcome, Ran, Suite};

/// Parameters that look like the parts of a node id.
const ODD: &str = "['a::b', 'c@d', '[e]', ']::f@[', '@one', 'g::h[i]@j']";

/// Two modules with two classes each and tests outside of them; groups over both.
fn suite() -> Suite {
    let module = format!(
        "
import pytest
class TestX:
    @pytest.mark.parametrize('v', {ODD})
    def test_p(self, v): pass
class TestY:
    @pytest.mark.xdist_group('one')
    def test_q(self): pass
    class TestInner:
        def test_i(self): pass
        def test_j(self): pass
    def test_r(self): pass
@pytest.mark.xdist_group(name='one')
@pytest.mark.parametrize('v', {ODD})
def test_s(v): pass
@pytest.mark.xdist_group('two')
@pytest.mark.xdist_group('three')
def test_t(): pass
@pytest.mark.xdist_group('three_two')
def test_u(): pass
@pytest.mark.xdist_group
def test_v(): pass
def test_w(): pass
"
    );
    // Serial pytest knows the mark by the ini file alone.
    let ini = "[pytest]\nmarkers = xdist_group: a group\n";
    Suite::of(&[("pytest.ini", ini), ("test_a.py", &module), ("sub@dir/test_b.py", &module)])
}

/// The class or module of a test of `suite`.
fn scope(id: &str) -> String {
    let bare = id.split('[').next().unwrap();
    bare.rsplit_once("::").unwrap().0.to_owned()
}

fn file(id: &str) -> String {
    id.split("::").next().unwrap().to_owned()
}

/// The group of a test of `suite`, or the test.
fn group(id: &str) -> String {
    match id.split('[').next().unwrap().rsplit("::").next().unwrap() {
        "test_q" | "test_s" => "one".to_owned(),
        "test_t" | "test_u" => "three_two".to_owned(),
        "test_v" => "default".to_owned(),
        _ => id.to_owned(),
    }
}

/// Fails unless the tests of each unit ran on one worker one after another; returns units in the order they began.
#[track_caller]
fn expect_together(suite: &Suite, outcome: &Outcome, unit: impl Fn(&str) -> String) -> Vec<String> {
    let mut by_worker: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut order = Vec::new();
    for ran in suite.truth().started() {
        let unit = unit(&ran.id);
        if !order.contains(&unit) {
            order.push(unit.clone());
        }
        by_worker.entry(ran.worker).or_default().push(unit);
    }
    let mut seen = BTreeSet::new();
    for units in by_worker.values_mut() {
        units.dedup();
        for unit in units {
            assert!(seen.insert(unit.clone()), "{unit} was split\n{}", outcome.describe());
        }
    }
    order
}

type UnitOf = fn(&str) -> String;

/// Modes, what they keep together in `suite`, and how many units that makes.
const MODES: [(&str, UnitOf, usize); 4] =
    [("loadscope", scope, 8), ("loadfile", file, 2), ("loadgroup", group, 23), ("auto", group, 23)];

#[test]
fn what_belongs_together_runs_on_one_worker_and_everything_is_as_in_serial() {
    let serial = Face::serial(&Env::usual(), suite, &[]);
    assert_eq!(serial.ids.len(), 40);
    for (mode, unit, count) in MODES {
        let chosen = format!("--dist={mode}");
        for (n, level) in [(1, "collected"), (2, "collected"), (4, "collected"), (2, "imported"), (2, "never")] {
            let made = suite();
            let outcome = Invocation::xdist(&Env::usual(), &made).n(n).args([&chosen, "--fork", level]).junit().run();
            outcome.expect_code(0).expect_no_survivors();
            Face::of(&made, &outcome).expect_same(&serial, &outcome);
            let units = expect_together(&made, &outcome, unit);
            assert_eq!(units.len(), count, "{units:?}\n{}", outcome.describe());
        }
    }
}

#[test]
fn all_versions_of_pytest_keep_groups_and_scopes_together() {
    for env in ["py311-pytest74", "py311-pytest84", "pypy39-pytest84"] {
        for (mode, unit, count) in MODES {
            let made = suite();
            let outcome = Invocation::xdist(&Env::named(env), &made).n(2).arg(format!("--dist={mode}")).run();
            outcome.expect_code(0);
            assert_eq!(expect_together(&made, &outcome, unit).len(), count, "{}", outcome.describe());
        }
    }
}

#[test]
fn classes_of_a_file_go_apart_under_loadscope_and_together_under_loadfile() {
    let waits = "
import time
from pathlib import Path
def meet(name):
    Path(name).touch()
    deadline = time.time() + 30
    while len(list(Path().glob('here-*'))) < 2 and time.time() < deadline:
        time.sleep(0.01)
class TestX:
    def test_1(self): meet('here-x')
    def test_2(self): pass
class TestY:
    def test_1(self): meet('here-y')
    def test_2(self): pass
";
    let apart = Suite::one(waits);
    let outcome = Invocation::xdist(&Env::usual(), &apart).n(2).arg("--dist=loadscope").run();
    outcome.expect_code(0).expect_text("2 workers [4 items]");
    expect_together(&apart, &outcome, scope);
    assert_eq!(apart.truth().workers().len(), 2, "{}", outcome.describe());
    let together = Suite::one(&waits.replace("meet(", "print("));
    let outcome = Invocation::xdist(&Env::usual(), &together).n(2).arg("--dist=loadfile").run();
    outcome.expect_code(0).expect_text("1 worker");
    assert_eq!(together.truth().workers().len(), 1, "{}", outcome.describe());
}

#[test]
fn bigger_units_first_unless_told_otherwise() {
    let module =
        |tests: usize| (0..tests).fold(String::new(), |text, number| text + &format!("def test_{number}(): pass\n"));
    for (args, wanted) in [
        (&[][..], ["test_b.py", "test_d.py", "test_a.py", "test_c.py"]),
        (&["--loadscope-reorder"], ["test_b.py", "test_d.py", "test_a.py", "test_c.py"]),
        (&["--no-loadscope-reorder"], ["test_a.py", "test_b.py", "test_c.py", "test_d.py"]),
    ] {
        for mode in ["loadscope", "loadfile"] {
            let suite = Suite::of(&[
                ("test_a.py", &module(2)),
                ("test_b.py", &module(5)),
                ("test_c.py", &module(1)),
                ("test_d.py", &module(4)),
            ]);
            let outcome = Invocation::xdist(&Env::usual(), &suite).n(1).arg(format!("--dist={mode}")).args(args).run();
            outcome.expect_code(0);
            assert_eq!(expect_together(&suite, &outcome, file), wanted, "{mode}\n{}", outcome.describe());
        }
    }
}

const DIES: &str = "
import os, pytest
@pytest.mark.xdist_group('all')
@pytest.mark.parametrize('n', range(9))
def test_it(n):
    if n in (3, 8):
        os.kill(os.getpid(), 9)
";

#[test]
fn a_crash_in_the_middle_of_a_unit() {
    for mode in ["loadscope", "loadfile", "loadgroup", "worksteal"] {
        for (n, level) in [(1, "collected"), (2, "collected"), (4, "imported")] {
            let suite = Suite::of(&[("test_a.py", DIES), ("test_b.py", &DIES.replace("'all'", "'b'"))]);
            let run = Invocation::xdist(&Env::usual(), &suite).n(n).args([&format!("--dist={mode}"), "--fork", level]);
            let outcome = run.run();
            outcome.expect_code(1).expect_no_survivors();
            let truth = suite.truth();
            let distinct: BTreeSet<_> = truth.ids().into_iter().collect();
            assert_eq!((truth.ids().len(), distinct.len()), (18, 18), "each starts once\n{}", outcome.describe());
            assert_eq!(outcome.counts().get("passed"), 14, "{}", outcome.describe());
            assert_eq!(outcome.counts().get("failed"), 4, "{}", outcome.describe());
            for blamed in ["test_a.py::test_it[3]", "test_a.py::test_it[8]", "test_b.py::test_it[3]"] {
                let line = outcome.stdout.lines().any(|line| line.contains(blamed) && line.contains("SIGKILL"));
                assert!(line, "{blamed}\n{}", outcome.describe());
            }
            if mode == "worksteal" {
                continue;
            }
            // Processes by file, in the order in which its tests started: before and after each death one.
            for name in ["test_a.py", "test_b.py"] {
                let ran: Vec<_> = truth.started().into_iter().filter(|ran| ran.id.starts_with(name)).collect();
                assert!(ran.is_sorted_by_key(|ran| ran.id.clone()), "in order\n{}", outcome.describe());
                let mut processes: Vec<_> = ran.iter().map(|ran| ran.pid).collect();
                processes.dedup();
                assert_eq!(processes.len(), 2, "the rest stays together\n{}", outcome.describe());
            }
        }
    }
}

#[test]
fn fixtures_of_a_module_are_set_up_once() {
    let module = "
import pytest, truth_file
@pytest.fixture(scope='module')
def costly(request):
    truth_file.log('up ' + request.node.name)
    yield
    truth_file.log('down ' + request.node.name)
@pytest.mark.parametrize('n', range(7))
def test_it(costly, n): pass
";
    let names: Vec<_> = (0..6).map(|number| format!("test_{number}.py")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), module)).collect();
    let suite = Suite::of(&files);
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(4).arg("--dist=loadfile").run();
    outcome.expect_code(0);
    let mut logged: Vec<_> = suite.truth().logged().into_iter().map(|(text, _)| text).collect();
    logged.sort();
    let mut wanted: Vec<_> = names.iter().flat_map(|name| [format!("down {name}"), format!("up {name}")]).collect();
    wanted.sort();
    assert_eq!(logged, wanted, "{}", outcome.describe());
}

#[test]
fn a_mode_in_addopts_and_marks_that_a_conftest_adds() {
    let suite = Suite::of(&[
        ("pytest.ini", "[pytest]\naddopts = --dist=loadgroup -n 3\n"),
        (
            "conftest.py",
            "
import pytest
pytest_plugins = ['truth_log']
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.xdist_group(item.name.split('[')[0]))
",
        ),
        (
            "test_it.py",
            "
import pytest
@pytest.mark.parametrize('n', range(5))
def test_a(n): pass
@pytest.mark.parametrize('n', range(5))
def test_b(n): pass
",
        ),
    ]);
    let outcome = Invocation::xdist(&Env::usual(), &suite).arg("-v").run();
    outcome.expect_code(0).expect_text("2 workers").expect_text("test_it.py::test_b[4]").expect_no_text("]@");
    let name = |id: &str| id.split('[').next().unwrap().to_owned();
    assert_eq!(expect_together(&suite, &outcome, name).len(), 2, "{}", outcome.describe());
}

#[test]
fn everything_that_is_no_function_has_a_unit_too() {
    let suite = Suite::of(&[
        ("test_doc.txt", ">>> 1 + 1\n2\n"),
        (
            "test_it.py",
            "
import unittest
def double(x):
    '''
    >>> double(2)
    4
    '''
    return 2 * x
class TestCase(unittest.TestCase):
    def test_a(self): pass
    def test_b(self): pass
def test_c(): pass
",
        ),
        (
            "conftest.py",
            "
import pytest
pytest_plugins = ['truth_log']
class Item(pytest.Item):
    def runtest(self): pass
class File(pytest.File):
    def collect(self):
        return [Item.from_parent(self, name=name) for name in ('a::b', 'c', 'c')]
def pytest_collect_file(file_path, parent):
    if file_path.suffix == '.item':
        return File.from_parent(parent, path=file_path)
",
        ),
        ("some.item", ""),
    ]);
    for mode in ["loadscope", "loadfile", "loadgroup"] {
        suite.forget();
        let run = Invocation::xdist(&Env::usual(), &suite).n(3).args([&format!("--dist={mode}"), "--doctest-modules"]);
        let outcome = run.run();
        outcome.expect_code(0);
        assert_eq!(outcome.counts().get("passed"), 8, "{}", outcome.describe());
        if mode != "loadgroup" {
            let class = |id: &str| mode == "loadscope" && id.contains("TestCase");
            let unit = |id: &str| if class(id) { "class".to_owned() } else { file(id) };
            expect_together(&suite, &outcome, unit);
        }
    }
}

#[test]
fn workers_that_collected_for_themselves_and_otherwise() {
    // Another order in each worker, and one of them has no second half of each module.
    let module = "
import os, pytest
WORKER = os.environ.get('PYTEST_XDIST_WORKER', 'gw0')
NUMBERS = list(range(5 if WORKER == 'gw1' else 10))
if WORKER == 'gw2':
    NUMBERS.reverse()
@pytest.mark.parametrize('n', NUMBERS)
def test_it(n): pass
";
    let names: Vec<_> = (0..6).map(|number| format!("test_{number}.py")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), module)).collect();
    for level in ["imported", "never"] {
        for mode in ["loadscope", "loadgroup"] {
            let suite = Suite::of(&files);
            let run = Invocation::xdist(&Env::usual(), &suite).n(3).args([&format!("--dist={mode}"), "--fork", level]);
            let outcome = run.run();
            outcome.expect_code(0).expect_text("gw1 lacks 30 of the tests of gw0");
            let ids = suite.truth().ids();
            let distinct: BTreeSet<_> = ids.iter().collect();
            assert_eq!((ids.len(), distinct.len()), (60, 60), "{}", outcome.describe());
            let foreign =
                |ran: &Ran| ran.worker == "gw1" && ran.id.trim_end_matches(']').ends_with(['5', '6', '7', '8', '9']);
            assert!(!suite.truth().started().iter().any(foreign), "{}", outcome.describe());
        }
    }
}

#[test]
fn a_run_that_is_to_stop_at_the_first_failure_starts_nothing_of_the_unit_behind_it() {
    let failing = "
import pytest
@pytest.mark.parametrize('n', range(30))
def test_it(n): assert n != 2
";
    for mode in ["loadscope", "loadfile", "worksteal"] {
        let suite = Suite::of(&[("test_a.py", failing)]);
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(1).args(["-x", &format!("--dist={mode}")]).run();
        outcome.expect_code(1);
        assert_eq!(suite.truth().ids().len(), 3, "{}", outcome.describe());
    }
}
