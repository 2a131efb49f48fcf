//! The fork level follows the evidence, is named with its reason, and can be overruled.

use xdist_tests::{Env, Invocation, Suite};

/// Tests that wait until each of three workers has one of them.
const SPREAD: &str = "
import time, pytest
from pathlib import Path
@pytest.mark.parametrize('n', range(40))
def test_spread(n, worker_id):
    Path('here-' + worker_id).touch()
    deadline = time.time() + 30
    while len(list(Path().glob('here-*'))) < 3 and time.time() < deadline:
        time.sleep(0.01)
";

/// Runs on three workers and expects `imported` for a reason at this place.
#[track_caller]
fn expect_imported(files: &[(&str, &str)], place: &str) {
    let mut all = vec![("test_spread.py", SPREAD)];
    all.extend_from_slice(files);
    let suite = Suite::of(&all);
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(3).run();
    outcome.expect_code(0).expect_text("imported").expect_text(place).expect_no_survivors();
    assert_eq!(suite.truth().workers().len(), 3, "{}", outcome.describe());
}

#[test]
fn reading_the_identity_at_import() {
    for read in [
        "os.environ['PYTEST_XDIST_WORKER']",
        "os.environ.get('PYTEST_XDIST_WORKER', 'master')",
        "os.getenv('PYTEST_XDIST_WORKER')",
        "os.environb[b'PYTEST_XDIST_WORKER']",
    ] {
        let module = format!(
            "import os\n\nDB = {read}\n\ndef test_db(worker_id):\n    \
             assert (DB if isinstance(DB, str) else DB.decode()) == worker_id == os.environ['PYTEST_XDIST_WORKER']\n"
        );
        expect_imported(&[("test_db.py", &module), ("test_db2.py", &module), ("test_db3.py", &module)], "test_db.py:3");
    }
}

#[test]
fn reading_the_identity_in_a_conftest() {
    let conftest = "
pytest_plugins = ['truth_log']
def pytest_configure(config):
    config.database = config.workerinput['workerid'] if hasattr(config, 'workerinput') else 'master'
";
    let tests =
        "import os\ndef test_db(pytestconfig): assert pytestconfig.database == os.environ['PYTEST_XDIST_WORKER']\n";
    expect_imported(&[("conftest.py", conftest), ("test_a.py", tests), ("test_b.py", tests)], "conftest.py:4");
}

#[test]
fn what_is_left_open_is_named_with_its_line() {
    for (module, place) in [
        ("import asyncio\n\nLOOP = asyncio.new_event_loop()\ndef test_it(): pass\n", "(made in test_open.py:3)"),
        ("import os\n\ndef test_it(): pass\n\nENDS = os.pipe()\n", "(made in test_open.py:5)"),
        (
            "import sqlite3\nDB = sqlite3.connect('db')\nDB.execute('create table if not exists t(a)')\n\
             def test_it(): pass\n",
            "(DB in test_open.py:2)",
        ),
    ] {
        expect_imported(&[("test_open.py", module)], place);
    }
}

#[test]
fn a_thread_started_at_import() {
    let module = "
import threading
started = threading.Event()
release = threading.Event()
thread = threading.Thread(target=lambda: (started.set(), release.wait()), daemon=True)
thread.start()
started.wait()
def test_thread(): assert thread.is_alive()
";
    expect_imported(&[("test_thread.py", module)], "thread");
}

#[test]
fn a_socket_opened_at_import() {
    let module = "
import os, socket
server = socket.socket()
server.bind(('127.0.0.1', 0))
OWNER = os.getpid()
def test_socket(): assert os.getpid() == OWNER
";
    expect_imported(&[("test_socket.py", module)], "socket");
}

#[test]
fn an_ordinary_suite_is_forked_after_collection_which_happens_once() {
    let suite = Suite::of(&[
        ("test_spread.py", &format!("from truth_file import log\nlog('imported the module')\n{SPREAD}")),
        (
            "conftest.py",
            "from truth_file import log\npytest_plugins = ['truth_log']\ndef pytest_configure(config): log('configure')\n\
             def pytest_collection_finish(session): log('collected')\n",
        ),
    ]);
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(3).run();
    outcome.expect_code(0);
    for once in ["imported the module", "configure", "collected"] {
        let count = suite.truth().logged().iter().filter(|(text, _)| text == once).count();
        assert_eq!(count, 1, "{once}\n{}", outcome.describe());
    }
}

#[test]
fn the_level_can_be_overruled() {
    let module = "import os\nDB = os.environ['PYTEST_XDIST_WORKER']\ndef test_db(): pass\n";
    let imports = |suite: &Suite| suite.truth().logged().len();
    let make = |ini: &str| {
        let module = format!("{module}from truth_file import log\nlog('import')\n");
        let suite = Suite::of(&[("test_spread.py", SPREAD), ("test_db.py", &module)]);
        suite.write("pytest.ini", &format!("[pytest]\n{ini}\n"));
        suite
    };
    let suite = make("");
    Invocation::xdist(&Env::usual(), &suite).n(3).arg("--fork=collected").run().expect_code(0);
    assert_eq!(imports(&suite), 1);
    let suite = make("xdist_fork = collected");
    Invocation::xdist(&Env::usual(), &suite).n(3).run().expect_code(0);
    assert_eq!(imports(&suite), 1);
    let suite = make("xdist_fork = never");
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(3).run();
    outcome.expect_code(0).expect_text("never");
    assert!(imports(&suite) >= 3, "{}", outcome.describe());
}

#[test]
fn the_hook_after_a_fork_lets_a_project_repair() {
    let suite = Suite::of(&[
        ("test_spread.py", SPREAD),
        ("test_db.py", "import os, db\ndef test_db(worker_id): assert db.NAME == worker_id\n"),
        ("db.py", "import os\nNAME = os.environ.get('PYTEST_XDIST_WORKER')\n"),
        (
            "conftest.py",
            "import db\npytest_plugins = ['truth_log']\ndef pytest_xdist_after_fork(config, worker_id):\n    db.NAME = worker_id\n",
        ),
    ]);
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(3).run();
    outcome.expect_code(0).expect_no_text("imported:");
    assert_eq!(suite.truth().workers().len(), 3);
}

#[test]
fn captured_output_stays_with_its_test() {
    let suite = Suite::one(
        "
import sys, os, pytest
@pytest.mark.parametrize('n', range(60))
def test_it(n):
    print('mine-%d-out' % n)
    os.write(2, b'mine-%d-err\\n' % n)
    assert 0
",
    );
    let outcome =
        Invocation::xdist(&Env::usual(), &suite).n(4).args(["--tb=no", "-o", "junit_logging=all"]).junit().run();
    outcome.expect_code(1);
    let junit = suite.junit();
    assert_eq!(junit.cases.len(), 60);
    for case in &junit.cases {
        let number = case.attributes["name"].trim_start_matches("test_it[").trim_end_matches(']').to_owned();
        let text: String = case.children.iter().map(|(_, _, text)| text.as_str()).collect();
        for wanted in [format!("mine-{number}-out"), format!("mine-{number}-err")] {
            assert!(text.contains(&wanted), "{wanted} in {case:#?}");
        }
        assert_eq!(text.matches("-out\n").count() + usize::from(text.ends_with("-out")), 1, "{case:#?}");
    }
}
