//! What plugins on the controller's side give to workers, and what they keep running for them.

use xdist_tests::{Env, Invocation, Suite};

use super::{conftest, hosted, notes};

/// Tests that wait until each of three workers has one of them.
const SPREAD: &str = "
import time, pytest
from pathlib import Path
@pytest.mark.parametrize('n', range(40))
def test_spread(n, worker_id, request):
    given = request.config.workerinput
    assert (given['database'], given['shared'], given['nested']) == ('db-' + worker_id, 'same', {'of': [worker_id]})
    Path('here-' + worker_id).touch()
    deadline = time.time() + 30
    while len(list(Path().glob('here-*'))) < 3 and time.time() < deadline:
        time.sleep(0.01)
";

const GIVE: &str = "
def pytest_configure_node(node):
    given = node.workerinput
    given['database'] = 'db-' + node.gateway.id
    given['nested'] = {'of': [node.gateway.id]}
    given['shared'] = 'same'
";

fn given(more: &str) -> (Suite, xdist_tests::Outcome) {
    let suite = Suite::of(&[("conftest.py", &conftest(&format!("{GIVE}{more}"))), ("test_a.py", SPREAD)]);
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(3).run();
    outcome.expect_code(0).expect_no_survivors();
    assert_eq!(suite.truth().workers().len(), 3, "{}", outcome.describe());
    (suite, outcome)
}

#[test]
fn values_that_differ_are_right_in_each_worker() {
    let (_, outcome) = given("");
    outcome.expect_text("fork: collected");
}

#[test]
fn values_that_do_not_differ_may_be_read_before_workers_are_forked() {
    let more = "
def configured(config):
    if hasattr(config, 'workerinput'):
        assert config.workerinput['shared'] == 'same'
";
    given(more).1.expect_text("fork: collected");
}

#[test]
fn a_value_that_differs_and_is_read_before_the_fork_names_its_reader() {
    let more = "
def configured(config):
    if hasattr(config, 'workerinput'):
        config.database = config.workerinput['database']
def pytest_runtest_setup(item):
    assert item.config.database == 'db-' + item.config.workerinput['workerid']
";
    let (suite, outcome) = given(more);
    let text = std::fs::read_to_string(suite.path("conftest.py")).unwrap();
    let line = text.lines().position(|line| line.contains("config.database =")).unwrap() + 1;
    outcome.expect_text("fork: imported").expect_text(&format!("conftest.py:{line}"));
}

#[test]
fn what_runs_only_on_the_controllers_side_is_there_before_the_workers_and_after_them() {
    let more = "
def configured(config):
    if not hasattr(config, 'workerinput'):
        note('service up')
        open('service', 'w').close()
    else:
        assert os.path.exists('service')
        note('worker configured')
def pytest_sessionfinish(session):
    if hasattr(session.config, 'workerinput'):
        assert os.path.exists('service')
        note('worker done')
def pytest_unconfigure(config):
    if not hasattr(config, 'workerinput'):
        note('service down')
        os.remove('service')
    else:
        assert os.path.exists('service')
        note('worker unconfigured')
";
    let tests = "
import os, pytest
@pytest.mark.parametrize('n', range(12))
def test_it(n): assert os.path.exists('service')
";
    for level in ["collected", "imported", "never"] {
        let suite = Suite::of(&[("conftest.py", &conftest(more)), ("test_a.py", tests)]);
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(3).arg(format!("--fork={level}")).run();
        outcome.expect_code(0).expect_no_survivors().expect_text("plugin host: conftest.py looks for workerinput");
        let notes = notes(&suite);
        assert_eq!(notes.first().map(String::as_str), Some("service up"), "{level}: {notes:#?}");
        assert_eq!(notes.last().map(String::as_str), Some("service down"), "{level}: {notes:#?}");
        assert_eq!(notes.iter().filter(|line| line.starts_with("service")).count(), 2, "{level}: {notes:#?}");
        assert_eq!(notes.iter().filter(|line| *line == "worker done").count(), 3, "{level}: {notes:#?}");
    }
}

#[test]
fn who_asked_for_a_host_is_named() {
    let header = |conftest: &str, args: &[&str]| {
        let suite = Suite::of(&[("conftest.py", conftest), ("test_a.py", "def test_it(): pass\n")]);
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).args(args).run();
        outcome.expect_code(0);
        let mut lines = outcome.stdout.lines().filter_map(|line| line.strip_prefix("plugin host: "));
        let first = lines.next().map(str::to_owned);
        assert_eq!(lines.next(), None, "{}", outcome.describe());
        first
    };
    let implements = "def pytest_testnodedown(node, error): pass\n";
    assert_eq!(header(implements, &[]).as_deref(), Some("conftest.py implements pytest_testnodedown"));
    assert_eq!(header(implements, &["--plugin-host=never"]), None);
    assert_eq!(header("", &[]), None);
    assert_eq!(header("", &["--plugin-host=always"]).as_deref(), Some("asked for: --plugin-host"));
    let looks = "import xdist\ndef pytest_sessionstart(session):\n    xdist.is_xdist_controller(session)\n";
    assert_eq!(header(looks, &[]).as_deref(), Some("conftest.py looks for is_xdist_controller"));
}

#[test]
fn summaries_of_conftests_appear_once_and_in_their_place() {
    let conftest = "
def pytest_report_header(config): return 'HEADER OF THE PROJECT'
def pytest_terminal_summary(terminalreporter):
    counts = {name: len(found) for name, found in terminalreporter.stats.items() if name}
    terminalreporter.write_line(f'SUMMARY OF THE PROJECT {counts}')
";
    let suite = || {
        Suite::of(&[
            ("conftest.py", conftest),
            ("test_a.py", "import pytest\n@pytest.mark.parametrize('n', range(9))\ndef test_it(n): assert n != 4\n"),
        ])
    };
    let (serial, ours) = (suite(), suite());
    let serial = Invocation::pytest(&Env::usual(), &serial).run();
    let outcome = Invocation::xdist(&Env::usual(), &ours).n(2).run();
    outcome.expect_code(1);
    let kept = |text: &str| -> Vec<_> {
        let telling = |line: &&str| {
            ["HEADER", "SUMMARY", "rootdir", "FAILURES", "short test summary", "FAILED", "1 failed"]
                .iter()
                .any(|word| line.contains(word))
        };
        let short = |line: &str| line.split(" in ").next().unwrap_or_default().trim_matches(['=', ' ']).to_owned();
        text.lines().filter(telling).filter(|line| !line.contains("rootdir")).map(short).collect()
    };
    assert_eq!(kept(&outcome.stdout), kept(&serial.stdout), "{}", outcome.describe());
    assert_eq!(outcome.occurrences("HEADER OF THE PROJECT"), 1);
}

#[test]
fn nobody_is_asked_without_a_host() {
    let conftest = "def pytest_configure_node(node): raise ValueError('asked')\n";
    let suite = Suite::of(&[("conftest.py", conftest), ("test_a.py", "def test_it(): pass\n")]);
    Invocation::xdist(&Env::usual(), &suite).n(2).arg("--plugin-host=never").run().expect_code(0);
    hosted(&suite, 2).run().expect_code(3).expect_text("ValueError: asked");
}
