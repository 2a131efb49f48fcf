//! Connections that end: everybody knows at once.

use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};
use xdist_tests::{Cut, Env, Invocation, Machine, Server, Signal, Suite, until};

use super::{Scene, TESTS, Way, tell_at_once};

/// Longer than it takes on a busy machine, shorter than any silence that is waited for.
const AT_ONCE: Duration = Duration::from_secs(10);

#[test]
fn a_connection_that_is_reset() {
    tell_at_once([
        ("for both", || reset(Way::Socket, Cut::Both)),
        ("for the controller", || reset(Way::Socket, Cut::ToMachine)),
        ("for the machine", || reset(Way::Socket, Cut::FromMachine)),
        ("for ssh", || reset(Way::Ssh("openssh"), Cut::Both)),
        ("for ssh in this process", || reset(Way::Ssh("ssh2"), Cut::Both)),
    ]);
}

fn reset(way: Way, cut: Cut) {
    let scene = Scene::begin(way);
    let fault = Instant::now();
    scene.machine.reset(cut);
    // Whoever learns of it first, nothing runs there when it is done here.
    assert!(until(AT_ONCE, || scene.is_given_up()), "not given up: {}", scene.run.stdout());
    assert!(scene.is_idle(), "there run {:?}", scene.machine.processes());
    scene.expect_one_lost(fault, AT_ONCE);
}

#[test]
fn a_session_that_is_killed() {
    let scene = Scene::begin(Way::Socket);
    let session = Pid::from_raw(i32::try_from(scene.session()).unwrap()).unwrap();
    let fault = Instant::now();
    kill_process(session, Signal::KILL).unwrap();
    scene.expect_idle(fault, AT_ONCE);
    scene.expect_one_lost(fault, AT_ONCE);
}

#[test]
fn a_controller_that_is_killed() {
    let scene = Scene::begin(Way::Socket);
    let fault = Instant::now();
    scene.run.signal(Signal::KILL);
    scene.expect_idle(fault, AT_ONCE);
    let outcome = scene.run.finish();
    assert_eq!(outcome.signal(), Some(9));
    outcome.expect_no_survivors();
}

#[test]
fn two_of_three_machines_are_lost() {
    let (suite, far) = (Suite::one(TESTS), Suite::one(TESTS));
    let machines: Vec<_> = (0..3).map(|_| Machine::start()).collect();
    let servers: Vec<_> = machines.iter().map(|machine| Server::on(machine, &suite, &far)).collect();
    let config = tempfile::tempdir().unwrap();
    let tokens = config.path().join("xdist/tokens");
    std::fs::create_dir_all(&tokens).unwrap();
    let mut run = Invocation::xdist(&Env::usual(), &suite).args(["--tx", "popen"]).junit().limit(90);
    for server in &servers {
        // As `xdist --trust` keeps it, for its owner alone.
        std::fs::copy(server.token(), tokens.join(server.address())).unwrap();
        run = run.args(["--tx", &server.spec()]);
    }
    let mut run = run.var("XDG_CONFIG_HOME", config.path()).start();
    let waiting: Vec<_> = (0..4).map(|number| suite.truth_path().with_file_name(format!("waits-gw{number}"))).collect();
    run.wait_for("four tests to wait", |_| waiting.iter().all(|file| file.exists()));
    machines[0].reset(Cut::Both);
    kill_process(Pid::from_raw(i32::try_from(servers[1].sessions()[0]).unwrap()).unwrap(), Signal::KILL).unwrap();
    run.wait_for("the loss of two machines", |run| run.stdout().matches(" is lost: ").count() == 2);
    for name in ["go-here", "go-there"] {
        std::fs::write(suite.truth_path().with_file_name(name), "").unwrap();
    }
    let outcome = run.finish();
    outcome.expect_code(1).expect_no_survivors();
    assert_eq!((outcome.counts().get("failed"), outcome.counts().get("passed")), (2, 38), "{}", outcome.describe());
    let mut ids = suite.truth().ids();
    ids.dedup();
    assert_eq!((ids.len(), suite.truth().ids().len()), (40, 40), "{}", outcome.describe());
    servers.iter().for_each(Server::expect_idle);
}
