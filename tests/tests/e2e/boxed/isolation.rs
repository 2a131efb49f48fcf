//! What a test changes in memory is gone afterwards, and what it starts is.

use xdist_tests::{Env, Invocation, Suite};

use super::boxed;

/// A test changes something; each of the next two finds it as it was.
const CHANGES: &str = "
import os, resource, signal, sys, threading
import pytest

STATE = []
START = os.getcwd()

def look():
    return {
        'globals': list(STATE),
        'environment': os.environ.get('LEFT'),
        'cwd': os.getcwd() == START,
        'modules': 'left_behind' in sys.modules,
        'limits': resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 64,
        'signals': signal.getsignal(signal.SIGUSR1),
        'threads': threading.active_count(),
        'umask': os.umask(0o077) and None,
        'descriptors': (os.fstat(NULL).st_ino, os.fstat(1).st_ino),
    }

NULL = os.open(os.devnull, os.O_WRONLY)

def test_what_there_is(tmp_path_factory):
    (tmp_path_factory.getbasetemp() / 'fresh').write_text(repr(sorted(look().items(), key=str)))

@pytest.mark.parametrize('again', range(2))
def test_changes(again, tmp_path, tmp_path_factory):
    assert (tmp_path_factory.getbasetemp() / 'fresh').read_text() == repr(sorted(look().items(), key=str))
    STATE.append(1)
    os.environ['LEFT'] = '1'
    os.chdir(tmp_path)
    sys.modules['left_behind'] = sys
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    os.dup2(NULL, 1)
    os.close(NULL)
";

#[test]
fn what_a_test_changes_is_gone() {
    for args in [&[][..], &["-n0"], &["-n1", "--fork=never"]] {
        let suite = Suite::one(CHANGES);
        let outcome = boxed(&suite).args(args).run();
        outcome.expect_code(0).expect_no_survivors();
        assert_eq!(outcome.counts().get("passed"), 3, "{}", outcome.describe());
    }
    // Without boxes the same suite fails.
    let suite = Suite::one(CHANGES);
    Invocation::xdist(&Env::usual(), &suite).n(1).run().expect_code(1);
}

#[test]
fn processes_that_a_test_leaves_are_killed_and_named() {
    let suite = Suite::one(
        "
import os, subprocess

def test_child():
    subprocess.Popen(['sleep', '71'])

def test_daemon():
    source, sink = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp('sleep', ['sleep', '72'])
        os._exit(0)
    os.wait()
    os.close(sink)
    os.read(source, 1)  # Ends when the program has begun.

def test_crash():
    subprocess.Popen(['sleep', '73'])
    os.abort()

def test_none():
    assert subprocess.run(['true']).returncode == 0
",
    );
    let outcome = boxed(&suite).run();
    outcome.expect_code(1).expect_no_survivors();
    for seconds in 71..=73 {
        outcome.expect_text(&format!("left a process behind, killed: sleep {seconds} (process "));
    }
    let counts = outcome.counts();
    assert_eq!((counts.get("passed"), counts.get("failed"), counts.get("warning")), (3, 1, 3));
}

#[test]
fn single_tests_by_the_mark() {
    let suite = Suite::one(
        "
import os, warnings
import pytest

STATE = []

@pytest.fixture(scope='module')
def parent():
    return os.getpid()

@pytest.mark.forked
def test_boxed(parent):
    warnings.warn('from the box')
    STATE.append(1)
    assert os.getppid() == parent

@pytest.mark.forked
def test_dies():
    os._exit(0)

def test_not_boxed(parent):
    assert os.getpid() == parent and not STATE
",
    );
    for args in [&["--strict-markers"][..], &["-n1"]] {
        let outcome = Invocation::xdist(&Env::usual(), &suite).args(args).run();
        outcome.expect_code(1).expect_text("exit code 0 in call").expect_text("from the box");
        let counts = outcome.counts();
        assert_eq!((counts.get("passed"), counts.get("failed"), counts.get("warning")), (2, 1, 1), "{args:?}");
    }
}
