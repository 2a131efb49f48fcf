//! What tests leave running, what does not come to its end, and signals that the user's shell has ignored.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use xdist_tests::{Env, Invocation, Suite};

use super::expect_clean;

#[test]
fn background_processes_end_with_the_run_and_daemons_stay() {
    let suite = Suite::one(
        "
import os, subprocess
def sleep(seconds, **how): subprocess.Popen(['sleep', seconds], **how)
def test_daemon(): sleep('301', start_new_session=True)
def test_background(): sleep('302')
def test_own_group(): sleep('303', preexec_fn=os.setpgrp)
def test_orphan():
    if os.fork() == 0:
        if os.fork() == 0:
            os.setpgrp()
            os.execv('/bin/sleep', ['sleep', '304'])
        os._exit(0)
",
    );
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).run();
    outcome.expect_code(0);
    let left = outcome.survivors(Duration::ZERO);
    for process in &left {
        kill_process(Pid::from_raw(process.pid).unwrap(), Signal::KILL).ok();
    }
    let commands: Vec<_> = left.iter().map(|process| process.command.trim()).collect();
    assert_eq!(commands, ["sleep 301"], "{}", outcome.describe());
    expect_clean(&suite, &outcome);
}

#[test]
fn what_one_worker_started_lives_until_all_are_done() {
    let suite = Suite::one(
        "
import os, subprocess, time, pytest
from pathlib import Path
def wait(condition):
    deadline = time.time() + 30
    while not condition():
        assert time.time() < deadline
        time.sleep(0.01)
def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
def test_starts():
    server = subprocess.Popen(['sleep', '300'])
    Path('new').write_text(f'{os.getpid()} {server.pid}')
    os.rename('new', 'started')
    wait(Path('seen').exists)
@pytest.mark.parametrize('n', range(10))
def test_between(n): pass
def test_uses():
    wait(Path('started').exists)
    worker, server = map(int, Path('started').read_text().split())
    assert worker != os.getpid()
    Path('seen').touch()
    wait(lambda: not alive(worker))
    assert alive(server)
",
    );
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).run();
    outcome.expect_code(0);
    expect_clean(&suite, &outcome);
}

#[test]
fn a_process_that_stays_after_its_session_is_ended_and_named() {
    let suite = Suite::one(
        "
import atexit, threading, time
def test_thread(): threading.Thread(target=time.sleep, args=(300,)).start()
def test_handler(): atexit.register(time.sleep, 300)
",
    );
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).junit().run();
    expect_clean(&suite, &outcome);
    outcome.expect_code(1);
    assert_eq!(outcome.counts().get("passed"), 2, "{}", outcome.describe());
    outcome.expect_text("a thread or an exit handler held it");
    assert_eq!(suite.junit().verdicts().len(), 2);
}

#[test]
fn a_session_that_does_not_finish_is_named_and_can_be_interrupted() {
    let suite = Suite::of(&[
        ("test_it.py", "def test_one(): pass\ndef test_two(): pass\n"),
        ("conftest.py", "import time\npytest_plugins = ['truth_log']\ndef pytest_sessionfinish(): time.sleep(300)\n"),
    ]);
    let mut run = Invocation::xdist(&Env::usual(), &suite).n(1).junit().start();
    run.wait_for("the wait to be told", |run| run.stdout().contains("waiting for gw0"));
    run.signal(Signal::INT);
    let outcome = run.finish();
    expect_clean(&suite, &outcome);
    outcome.expect_code(2);
    assert_eq!(outcome.counts().get("passed"), 2, "{}", outcome.describe());
    assert_eq!(suite.junit().verdicts().len(), 2);
}

const WAITS: &str = "
import signal, time
from pathlib import Path
def test_waits():
    Path('waits').touch()
    deadline = time.time() + 30
    while not Path('go').exists():
        assert time.time() < deadline
        time.sleep(0.01)
";

#[test]
fn ignored_signals_stay_ignored() {
    for (args, signal, trap) in [
        (&["-n2"][..], Signal::HUP, "trap '' HUP"),
        (&["-n2"], Signal::INT, "trap '' INT"),
        (&["-n0"], Signal::HUP, "trap '' HUP"),
        (&["-n0"], Signal::INT, "trap '' INT"),
    ] {
        let suite = Suite::one(WAITS);
        let mut run = Invocation::xdist(&Env::usual(), &suite).args(args).after(trap).start();
        run.wait_for("the test to wait", |_| suite.path("waits").exists());
        run.signal(signal);
        if args == ["-n0"] {
            for process in run.processes() {
                kill_process(Pid::from_raw(process.pid).unwrap(), signal).ok();
            }
        }
        suite.write("go", "");
        let outcome = run.finish();
        expect_clean(&suite, &outcome);
        outcome.expect_code(0).expect_text("1 passed");
    }
}
