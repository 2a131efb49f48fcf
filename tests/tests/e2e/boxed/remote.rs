//! Boxes on other hosts: who died there, of what, over which limit, and what was left running there.

use xdist_tests::{Env, Invocation, Outcome, Server, Sshd, Suite};

use crate::remote::spec;
use crate::ssh::small_agent;

const SUITE: &str = "
import ctypes, os, subprocess, time
import pytest

STATE = []

@pytest.fixture(scope='module')
def wide():
    assert os.environ['FAR'] == 'yes'
    return os.getpid()

def test_passes(wide):
    STATE.append(1)
    assert os.getppid() == wide

def test_fails(wide):
    print('said on the host')
    assert STATE

def test_crashes(wide):
    os.write(2, b'written before the end')
    ctypes.string_at(0)

def test_exits_with_zero(wide):
    os._exit(0)

def test_hangs(wide):
    time.sleep(60)

def test_takes(wide):
    bytearray(600 << 20)

def test_leaves(wide):
    subprocess.Popen(['sleep', '81'])

def test_leaves_a_daemon(wide):
    source, sink = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp('sleep', ['sleep', '82'])
        os._exit(0)
    os.wait()
    os.close(sink)
    os.read(source, 1)  # Ends when the program has begun.
";

/// A run there, by what leads there.
fn check(suite: &Suite, spec: &str, make: impl FnOnce(Invocation) -> Invocation) -> Outcome {
    let run = Invocation::xdist(&Env::usual(), suite).args(["--boxed", "--box-timeout=5", "--box-memory=300M"]);
    let run = run.args(["--tx", &format!("2*{spec}//env:FAR=yes")]).limit(60);
    let outcome = make(run).junit().run();
    outcome.expect_code(1).expect_no_survivors();
    for text in [
        "assert []",
        "said on the host",
        "::test_crashes - box on gw",
        ": signal 11 (SIGSEGV) in call",
        "Fatal Python error: Segmentation fault",
        "written before the end",
        "::test_exits_with_zero - box on gw",
        ": exit code 0 in call",
        "test_hangs: over --box-timeout 5: signal 6 (SIGABRT) in call",
        "in test_hangs\n",
        "::test_takes - MemoryError (over --box-memory 300M)",
        "left a process behind, killed: sleep 81 (process ",
        "left a process behind, killed: sleep 82 (process ",
    ] {
        outcome.expect_text(text);
    }
    // Workers outlive their boxes there, too.
    outcome.expect_no_text("replac").expect_no_text("worker gw");
    let counts = outcome.counts();
    let found = (counts.get("passed"), counts.get("failed"), counts.get("warning"));
    assert_eq!(found, (3, 5, 2), "{}", outcome.describe());
    let junit = suite.junit();
    assert_eq!((junit.number("tests"), junit.number("errors"), junit.number("failures")), (8, 3, 2));
    outcome
}

#[test]
fn behind_a_command() {
    let (suite, far) = (Suite::one(SUITE), Suite::one(SUITE));
    check(&suite, &spec(&far), |run| run);
    assert_eq!(suite.left_behind(), Vec::<String>::new());
}

#[test]
fn in_another_folder_of_this_host() {
    let (suite, far) = (Suite::one(SUITE), Suite::one(SUITE));
    let spec = format!("popen//python={}//chdir={}", Env::usual().python().display(), far.root().display());
    check(&suite, &spec, |run| run);
}

#[test]
fn behind_a_server() {
    let (suite, far) = (Suite::one(SUITE), Suite::one(SUITE));
    let server = Server::start(&suite, &far);
    check(&suite, &server.spec(), |run| run.var("XDIST_TOKEN_FILE", server.token()));
    server.expect_idle();
}

#[test]
fn behind_ssh() {
    let (sshd, suite, far) = (Sshd::start(), Suite::one(SUITE), Suite::one(SUITE));
    let (python, folder, truth) = (Env::usual().python(), far.root(), suite.truth_path());
    let tail = format!("python={}//chdir={}//env:E2E_TRUTH={}", python.display(), folder.display(), truth.display());
    let agents = small_agent().parent().unwrap();
    check(&suite, &format!("{}//{tail}", sshd.spec()), |run| run.var("XDIST_AGENT_DIR", agents));
}
