//! Runs on hosts behind a `socketserver`, which is started beside them and knows nothing of a run.

use std::time::Duration;

use xdist_tests::{Env, Invocation, Server, Signal, Suite, until};

fn xdist(suite: &Suite, server: &Server) -> Invocation {
    Invocation::xdist(&Env::usual(), suite).limit(60).var("XDIST_TOKEN_FILE", server.token())
}

const TELLING: &str = "
import os, pytest

@pytest.mark.parametrize('number', range(30))
def test_tells(number):
    assert os.environ.get('ON_THE_HOST') == 'yes'
    assert not [name for name in os.environ if name.startswith('XDIST_TOKEN')]
";

#[test]
fn tests_run_on_the_host_of_a_server() {
    let (suite, far) = (Suite::one(TELLING), Suite::one(TELLING));
    let server = Server::start(&suite, &far);
    for _ in 0..2 {
        suite.forget();
        let outcome = xdist(&suite, &server).args(["--tx", &format!("2*{}", server.spec())]).junit().run();
        outcome.expect_code(0).expect_text("30 passed").expect_no_survivors();
        assert_eq!(suite.truth().ids().len(), 30, "{}", outcome.describe());
        assert_eq!(suite.truth().workers().len(), 2, "{}", outcome.describe());
        assert_eq!(suite.junit().verdicts().len(), 30, "{}", outcome.describe());
        assert_eq!(suite.left_behind(), Vec::<String>::new(), "{}", outcome.describe());
        server.expect_idle();
    }
}

#[test]
fn sources_are_brought_to_the_host_of_a_server() {
    let (suite, far) = (Suite::one(TELLING), Suite::one(TELLING));
    let server = Server::start(&suite, &far);
    let spec = server.spec().replace("//chdir=.", "");
    let args = ["-v", "--rsyncdir=.", "--tx", &format!("2*{spec}")];
    let outcome = xdist(&suite, &server).args(args).var("XDG_CACHE_HOME", server.place().join("here")).run();
    outcome.expect_code(0).expect_text("30 passed").expect_text("sources brought to `127.0.0.1:").expect_no_survivors();
    assert!(far.path("pyexecnetcache/test_it.py").exists(), "{}", outcome.describe());
    server.expect_idle();
}

#[test]
fn a_server_that_does_not_know_the_token_is_named_with_what_to_do() {
    let (suite, far) = (Suite::one(TELLING), Suite::one(TELLING));
    let (server, other) = (Server::start(&suite, &far), Server::start(&suite, &far));
    let spec = server.spec();
    let wrong = xdist(&suite, &other).args(["--tx", &spec]).run();
    wrong.expect_text("does not know the token").expect_text(server.address()).expect_no_survivors();
    let home = tempfile::tempdir().unwrap();
    let none = xdist(&suite, &server).var("XDIST_TOKEN_FILE", "").var("XDG_CONFIG_HOME", home.path());
    let none = none.args(["--tx", &spec]).run();
    none.expect_text(&format!("`xdist --trust {}`", server.address())).expect_no_survivors();
    for outcome in [wrong, none] {
        outcome.expect_code(13);
    }
    assert!(suite.truth().started().is_empty());
}

#[test]
fn a_killed_server_ends_what_runs_there_and_nothing_else() {
    let waiting = "
import os, pathlib, pytest, time

@pytest.mark.parametrize('number', range(40))
def test_it(number):
    if os.environ.get('ON_THE_HOST') and number:
        pathlib.Path(os.environ['E2E_TRUTH']).with_name('waits').write_text(str(os.getpid()))
        time.sleep(600)
    time.sleep(0.01)
";
    let (suite, far) = (Suite::one(waiting), Suite::one(waiting));
    let server = Server::start(&suite, &far);
    let mut run = xdist(&suite, &server).args(["--tx", "popen", "--tx", &server.spec()]).start();
    let waits = suite.truth_path().with_file_name("waits");
    let mut worker = None;
    run.wait_for("a test to wait", |_| {
        worker = std::fs::read_to_string(&waits).ok().and_then(|pid| pid.parse::<u32>().ok());
        worker.is_some()
    });
    server.signal(Signal::KILL);
    let outcome = run.finish();
    outcome.expect_code(1).expect_text("the loss of its host").expect_no_survivors();
    let counts = outcome.counts();
    assert_eq!((counts.get("failed"), counts.get("passed")), (1, 39), "{}", outcome.describe());
    let worker = format!("/proc/{}", worker.unwrap());
    assert!(until(Duration::from_secs(20), || !std::path::Path::new(&worker).exists()), "the worker goes on");
}
