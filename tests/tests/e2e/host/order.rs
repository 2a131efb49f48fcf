//! Which hooks fire on the controller's side, and in which order.

use xdist_tests::{Env, Invocation, Outcome, Suite};

use super::{conftest, hosted, notes};

const HOOKS: &str = "
def controller(*words):
    if SIDE == 'controller':
        note(*words)
def configured(config): note(SIDE, 'configure', *(sorted(config.workerinput)[:1] if SIDE == 'worker' else ()))
def pytest_sessionstart(session): note(SIDE, 'sessionstart')
def pytest_report_header(config): controller('header')
def pytest_xdist_setupnodes(config, specs): controller('setupnodes', len(specs))
def pytest_xdist_newgateway(gateway): controller('newgateway', gateway.id)
def pytest_configure_node(node):
    controller('configure_node', node.gateway.id, node.workerinput['workerid'])
    node.workerinput['a note'] = 'for ' + node.gateway.id
def pytest_testnodeready(node):
    info = node.workerinfo
    assert info['id'] == node.gateway.id and info['version_info'] and info['sysplatform'] and info['executable']
    controller('testnodeready', node.gateway.id)
def pytest_xdist_node_collection_finished(node, ids): controller('node_collection_finished', node.gateway.id, len(ids))
def pytest_runtest_logstart(nodeid, location): controller('logstart', nodeid, location[0])
def pytest_runtest_logfinish(nodeid, location): controller('logfinish', nodeid, location[0])
def pytest_runtest_logreport(report):
    if SIDE == 'controller':
        node = report.node.gateway.id
        if report.when != '???' or hasattr(report, 'worker_id'):
            assert report.worker_id == node and report.testrun_uid and report.item_index >= 0
        controller('logreport', report.nodeid, report.when, report.outcome)
def pytest_collectreport(report): controller('collectreport', report.nodeid, report.outcome)
def pytest_warning_recorded(warning_message, when, nodeid, location):
    controller('warning', nodeid, when, warning_message.category.__name__, warning_message.message)
def pytest_handlecrashitem(crashitem, report, sched):
    assert sched.config is not None
    controller('handlecrashitem', crashitem, report.nodeid, report.outcome)
def pytest_testnodedown(node, error):
    output = getattr(node, 'workeroutput', {})
    controller('testnodedown', node.gateway.id, 'dead' if error else 'well', output.get('a note'))
def pytest_sessionfinish(session, exitstatus):
    if SIDE == 'worker':
        session.config.workeroutput['a note'] = 'back ' + session.config.workerinput['a note']
    controller('sessionfinish', int(exitstatus), session.testsfailed, session.testscollected)
def pytest_terminal_summary(terminalreporter, exitstatus, config):
    controller('terminal_summary', int(exitstatus), *sorted(name for name in terminalreporter.stats if name))
def pytest_unconfigure(config): controller('unconfigure')
";

const TESTS: &str = "
import os, signal, warnings, pytest
def test_pass(): pass
def test_fail(): assert 0
def test_skip(): pytest.skip('not now')
def test_warn(): warnings.warn('careful')
def test_crash(): os.kill(os.getpid(), signal.SIGKILL)
def test_last(): pass
";

fn suite() -> Suite {
    Suite::of(&[
        ("conftest.py", &conftest(HOOKS)),
        ("test_a.py", TESTS),
        ("test_b.py", "import pytest\npytest.skip('none of it', allow_module_level=True)\n"),
    ])
}

/// Lines of the controller, short of those whose place is nobody's business.
fn controllers(suite: &Suite) -> Vec<String> {
    let workers = |line: &String| line.starts_with("worker ");
    notes(suite).into_iter().filter(|line| !workers(line) && !line.starts_with("warning ")).collect()
}

const ORDER: &str = "\
controller configure
controller sessionstart
header
setupnodes 1
newgateway gw0
configure_node gw0 gw0
collectreport test_b.py skipped
testnodeready gw0
node_collection_finished gw0 6
logstart test_a.py::test_pass test_a.py
logreport test_a.py::test_pass setup passed
logreport test_a.py::test_pass call passed
logreport test_a.py::test_pass teardown passed
logfinish test_a.py::test_pass test_a.py
logstart test_a.py::test_fail test_a.py
logreport test_a.py::test_fail setup passed
logreport test_a.py::test_fail call failed
logreport test_a.py::test_fail teardown passed
logfinish test_a.py::test_fail test_a.py
logstart test_a.py::test_skip test_a.py
logreport test_a.py::test_skip setup passed
logreport test_a.py::test_skip call skipped
logreport test_a.py::test_skip teardown passed
logfinish test_a.py::test_skip test_a.py
logstart test_a.py::test_warn test_a.py
logreport test_a.py::test_warn setup passed
logreport test_a.py::test_warn call passed
logreport test_a.py::test_warn teardown passed
logfinish test_a.py::test_warn test_a.py
logstart test_a.py::test_crash test_a.py
testnodedown gw0 dead None
logreport test_a.py::test_crash setup passed
handlecrashitem test_a.py::test_crash test_a.py::test_crash failed
logreport test_a.py::test_crash ??? failed
logfinish test_a.py::test_crash test_a.py
newgateway gw0
configure_node gw0 gw0
testnodeready gw0
node_collection_finished gw0 6
logstart test_a.py::test_last test_a.py
logreport test_a.py::test_last setup passed
logreport test_a.py::test_last call passed
logreport test_a.py::test_last teardown passed
logfinish test_a.py::test_last test_a.py
testnodedown gw0 well back for gw0
sessionfinish 1 2 6
terminal_summary 1 failed passed skipped warnings
unconfigure";

fn check(env: &Env, args: &[&str]) {
    let suite = suite();
    let run = Invocation::xdist(env, &suite).n(1).arg("-p").arg("no:cacheprovider").args(args);
    let outcome = run.run();
    outcome.expect_code(1).expect_no_survivors();
    assert_eq!(controllers(&suite), ORDER.lines().collect::<Vec<_>>(), "{}", outcome.describe());
    let warnings: Vec<_> = notes(&suite).into_iter().filter(|line| line.starts_with("warning ")).collect();
    assert_eq!(warnings, ["warning test_a.py::test_warn runtest UserWarning careful"]);
    expect_counts(&outcome);
}

fn expect_counts(outcome: &Outcome) {
    let counts = outcome.counts();
    for (category, number) in [("passed", 3), ("failed", 2), ("skipped", 2), ("warning", 1)] {
        assert_eq!(counts.get(category), number, "{category}\n{}", outcome.describe());
    }
}

#[test]
fn hooks_fire_in_order() {
    check(&Env::usual(), &[]);
}

#[test]
fn hooks_fire_in_order_at_each_fork_level() {
    check(&Env::usual(), &["--fork=imported"]);
    check(&Env::usual(), &["--fork=never"]);
}

#[test]
fn hooks_fire_in_order_with_other_versions_of_pytest() {
    check(&Env::named("py311-pytest84"), &[]);
    check(&Env::named("py311-pytest74"), &[]);
}

#[test]
fn hooks_fire_in_order_where_pytest_xdist_is_installed() {
    check(&Env::named("py311-xdist"), &[]);
}

#[test]
fn hooks_fire_in_order_with_pypy() {
    check(&Env::named("pypy39-pytest84"), &[]);
}

#[test]
fn the_order_is_that_of_pytest_xdist() {
    let suite = suite();
    let outcome = Invocation::pytest(&Env::named("py311-xdist"), &suite).args(["-n1", "-p", "no:cacheprovider"]).run();
    outcome.expect_code(1);
    expect_counts(&outcome);
    let mut theirs = controllers(&suite);
    // There the replacement gets an id of its own and tells again what it did not collect; the crash ends no test.
    let first = theirs.iter().position(|line| line.starts_with("collectreport")).unwrap();
    let mut ours: Vec<_> = ORDER.lines().filter(|line| *line != "logfinish test_a.py::test_crash test_a.py").collect();
    let (collected, ready) =
        (ours.iter().position(|line| line.starts_with("collectreport")).unwrap(), "testnodeready gw0");
    // Here the set-up of a test that crashed is told with the crash.
    let set_up = ours.iter().position(|line| *line == "logreport test_a.py::test_crash setup passed").unwrap();
    ours.swap(set_up - 1, set_up);
    // Here collecting comes before a worker is ready.
    let line = ours.remove(collected);
    let after = ours.iter().position(|line| *line == ready).unwrap();
    ours.insert(after + 1, line);
    let mut seen = 0;
    theirs.retain(|line| {
        seen += usize::from(line.starts_with("collectreport"));
        seen < 2 || !line.starts_with("collectreport")
    });
    assert!(first > 0);
    let theirs: Vec<_> = theirs.iter().map(|line| line.replace("gw1", "gw0")).collect();
    assert_eq!(theirs, ours, "{}", outcome.describe());
}

#[test]
fn plugins_configure_every_worker_before_it_configures_itself() {
    let more = "
import time
def pytest_configure_node(node): note('node', node.gateway.id)
def configured(config):
    if SIDE == 'worker':
        note('worker', ''.join(('worker', 'input')) and config.workerinput['workerid'])
";
    let tests = "
import os, signal, pytest
@pytest.mark.parametrize('n', range(30))
def test_it(n):
    if n in (3, 12, 20):
        os.kill(os.getpid(), signal.SIGKILL)
";
    let suite = Suite::of(&[("conftest.py", &conftest(more)), ("test_a.py", tests)]);
    let outcome = hosted(&suite, 3).arg("--fork=never").run();
    outcome.expect_code(1).expect_no_survivors();
    let notes = notes(&suite);
    for worker in ["gw0", "gw1", "gw2"] {
        let lines: Vec<_> = notes.iter().filter(|line| line.ends_with(worker)).collect();
        let expected = [format!("node {worker}"), format!("worker {worker}")];
        assert!(lines.len() >= 2 && lines.len().is_multiple_of(2), "{notes:#?}\n{}", outcome.describe());
        assert!(lines.chunks(2).all(|pair| pair == [&expected[0], &expected[1]]), "{worker}: {notes:#?}");
    }
    let configured = notes.iter().filter(|line| line.starts_with("node ")).count();
    assert!((4..=6).contains(&configured), "a replacement is configured like any worker: {notes:#?}");
}
