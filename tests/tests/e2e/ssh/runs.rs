//! `xdist` on hosts that are reached by ssh.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use xdist_tests::{Env, Face, Invocation, Outcome, Sshd, Suite, until, xdist_binary};

use super::{CLIENTS, small_agent};

const MANY: &str = "
import os, pytest

@pytest.mark.parametrize('number', range(40))
def test_tells(number, worker_id):
    print(f'{worker_id} at {os.environ[\"HOME\"]}')
";

/// Tests of which one on a host, where `FAR` is set, waits until it is killed.
const WAITING: &str = "
import os, pathlib, pytest, time

@pytest.mark.parametrize('number', range(40))
def test_it(number):
    if os.environ.get('FAR') and number:
        # Word of the start needs a moment to get away before the host is lost.
        time.sleep(1)
        pathlib.Path(os.environ['E2E_TRUTH']).with_name('waits').touch()
        time.sleep(600)
    time.sleep(0.01)
";

/// Tests that take long enough to be stopped among them.
const SLOW: &str = "
import os, pathlib, pytest, time

@pytest.mark.parametrize('number', range(20))
def test_it(number):
    pathlib.Path(os.environ['E2E_TRUTH']).with_name('runs').touch()
    time.sleep(0.2)
";

/// Workers on a host, in a folder there, whose tests put on record what they do as those of this host do.
fn spec(sshd: &Sshd, suite: &Suite, far: &Suite) -> String {
    let (python, folder, truth) = (Env::usual().python(), far.root(), suite.truth_path());
    let tail = format!("python={}//chdir={}//env:E2E_TRUTH={}", python.display(), folder.display(), truth.display());
    format!("{}//{tail}", sshd.spec())
}

fn xdist(suite: &Suite) -> Invocation {
    let agents = small_agent().parent().unwrap();
    Invocation::xdist(&Env::usual(), suite).var("XDIST_AGENT_DIR", agents)
}

/// Nothing is left of a run, here and there.
#[track_caller]
fn expect_clean(outcome: &Outcome, hosts: &[&Sshd]) {
    outcome.expect_no_survivors();
    for sshd in hosts {
        let quiet = until(Duration::from_secs(20), || sshd.processes().is_empty() && sshd.servers().is_empty());
        assert!(quiet, "{:?} {:?}\n{}", sshd.processes(), sshd.servers(), outcome.describe());
    }
}

#[test]
fn sources_are_brought_to_a_host() {
    let (sshd, suite) = (Sshd::start(), Suite::one(MANY));
    let copy = sshd.home().join("copies/one");
    let (python, truth) = (Env::usual().python(), suite.truth_path());
    let tail = format!("python={}//env:E2E_TRUTH={}//chdir={}", python.display(), truth.display(), copy.display());
    let spec = format!("2*{}//{tail}", sshd.spec());
    let cache = sshd.path("here");
    let run = || xdist(&suite).args(["-v", "--rsyncdir=.", "--tx", &spec]).var("XDG_CACHE_HOME", &cache).run();
    for said in ["written", "nothing had changed"] {
        let outcome = run();
        outcome.expect_code(0).expect_text("sources brought to `box:").expect_text(said);
        assert_eq!(outcome.counts().get("passed"), 40, "{}", outcome.describe());
        expect_clean(&outcome, &[&sshd]);
    }
    assert!(copy.join("test_it.py").exists());
}

#[test]
fn hosts_share_the_work_and_one_connection_each_is_enough() {
    let (one, two) = (Sshd::start(), Sshd::start());
    let (suite, far) = (Suite::one(MANY), Suite::one(MANY));
    let run = xdist(&suite).args(["-rP", "--tx", &format!("3*{}", spec(&one, &suite, &far))]);
    let outcome = run.args(["--tx", &spec(&two, &suite, &far), "--tx", "popen"]).run();
    outcome.expect_code(0).expect_text("5 workers in 3 environments [40 items]");
    assert_eq!(outcome.counts().get("passed"), 40, "{}", outcome.describe());
    assert_eq!(suite.truth().ids().len(), 40, "{}", outcome.describe());
    let homes = [one.home(), one.home(), one.home(), two.home()];
    for ran in suite.truth().started() {
        let number: usize = ran.worker.trim_start_matches("gw").parse().unwrap();
        if let Some(home) = homes.get(number) {
            outcome.expect_text(&format!("{} at {}", ran.worker, home.display()));
        }
    }
    for sshd in [&one, &two] {
        assert_eq!(sshd.log().matches("Accepted publickey").count(), 1, "{}", sshd.log());
    }
    expect_clean(&outcome, &[&one, &two]);
}

#[test]
fn outcomes_are_those_of_a_serial_run() {
    let sshd = Sshd::start();
    let serial = Face::serial(&Env::usual(), || Suite::named("outcomes"), &[]);
    let (suite, far) = (Suite::named("outcomes"), Suite::named("outcomes"));
    let outcome = xdist(&suite).args(["--tx", &format!("2*{}", spec(&sshd, &suite, &far))]).junit().run();
    serial.expect_same(&Face::of(&suite, &outcome), &outcome);
    expect_clean(&outcome, &[&sshd]);
}

#[test]
fn a_connection_that_is_cut_costs_the_test_that_ran() {
    for client in CLIENTS {
        let sshd = Sshd::start();
        let (suite, far) = (Suite::one(WAITING), Suite::one(WAITING));
        let tx = format!("{}//env:FAR=1//ssh_client={client}", spec(&sshd, &suite, &far));
        let mut run = xdist(&suite).args(["--tx", "popen", "--tx", &tx]).start();
        let waits = suite.truth_path().with_file_name("waits");
        run.wait_for("a test to wait", |_| waits.exists());
        sshd.kill_servers();
        let outcome = run.finish();
        outcome.expect_code(1).expect_text("the loss of its host");
        let counts = outcome.counts();
        assert_eq!((counts.get("failed"), counts.get("passed")), (1, 39), "{}", outcome.describe());
        assert_eq!(suite.truth().ids().len(), 40, "each test starts once\n{}", outcome.describe());
        expect_clean(&outcome, &[&sshd]);
    }
}

#[test]
fn nothing_is_left_on_the_host_when_xdist_is_killed() {
    for client in CLIENTS {
        let sshd = Sshd::start();
        let (suite, far) = (Suite::one(WAITING), Suite::one(WAITING));
        let tx = format!("{}//env:FAR=1//ssh_client={client}", spec(&sshd, &suite, &far));
        let mut run = xdist(&suite).args(["--tx", &format!("2*{tx}")]).start();
        let waits = suite.truth_path().with_file_name("waits");
        run.wait_for("a test to wait", |_| waits.exists());
        run.signal(Signal::KILL);
        expect_clean(&run.finish(), &[&sshd]);
    }
}

#[test]
fn a_host_that_lets_nobody_in_is_named_and_left_out() {
    let (good, unknown) = (Sshd::start(), Sshd::start());
    std::fs::write(unknown.path("known_hosts"), "").unwrap();
    let (suite, far) = (Suite::one(MANY), Suite::one(MANY));
    let run = xdist(&suite).args(["--tx", &spec(&unknown, &suite, &far), "--tx", &spec(&good, &suite, &far)]);
    let outcome = run.run();
    outcome.expect_code(0).expect_text("Host key verification failed").expect_text("1 worker [40 items] (2 asked for)");
    expect_clean(&outcome, &[&good, &unknown]);
}

#[test]
fn a_passphrase_is_asked_for_on_the_terminal() {
    let sshd = Sshd::start();
    sshd.make_locked_key("locked", "ed25519", "open sesame");
    std::fs::copy(sshd.path("locked.pub"), sshd.path("authorized_keys")).unwrap();
    std::fs::remove_file(sshd.path("id")).unwrap();
    sshd.configure(&format!("IdentityFile {}", sshd.path("locked").display()));
    let (suite, far) = (Suite::one(MANY), Suite::one(MANY));
    let run = xdist(&suite).args(["--tx", &format!("2*{}", spec(&sshd, &suite, &far))]);
    let mut terminal = run.on_terminal(200, 50);
    terminal.wait_for("the question", |screen| screen.iter().any(|line| line.contains("Enter passphrase for key")));
    terminal.press("open sesame\n");
    let seen = terminal.finish();
    seen.outcome.expect_code(0).expect_no_text("open sesame");
    assert!(seen.screen.iter().any(|line| line.contains("40 passed")), "{:?}", seen.screen);
    expect_clean(&seen.outcome, &[&sshd]);
}

#[test]
fn a_host_of_the_command_line_is_connected_to_while_arguments_are_parsed() {
    let (sshd, suite, far) = (Sshd::start(), Suite::one(MANY), Suite::one(MANY));
    // Arguments are not parsed before the agent is there.
    suite.write(
        "conftest.py",
        &format!(
            "import glob, time\n\
             deadline = time.monotonic() + 20\n\
             while not glob.glob('{}/.cache/xdist/agents/*'):\n    \
                 assert time.monotonic() < deadline, 'nobody connects'\n    \
                 time.sleep(0.01)\n",
            sshd.home().display()
        ),
    );
    let spec = format!("2*{}", spec(&sshd, &suite, &far));
    let outcome = xdist(&suite).args(["--tx", &spec]).run();
    outcome.expect_code(0);
    assert_eq!(outcome.counts().get("passed"), 40, "{}", outcome.describe());
    expect_clean(&outcome, &[&sshd]);
    // It turns out that the run wants another host, too, or none.
    let addopts = format!("[pytest]\naddopts = --tx '{}//ssh_client=openssh'\n", spec.replace("2*", ""));
    for (ini, more, workers) in [(addopts.as_str(), &[][..], "3 workers"), ("[pytest]\n", &["--dist", "no"], "")] {
        suite.write("pytest.ini", ini);
        let outcome = xdist(&suite).args(["--tx", &spec]).args(more.iter().copied()).run();
        outcome.expect_code(0).expect_text(workers);
        assert_eq!(outcome.counts().get("passed"), 40, "{}", outcome.describe());
        expect_clean(&outcome, &[&sshd]);
    }
}

/// Whether a process stands still.
fn is_stopped(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
}

#[test]
fn ctrl_z_stops_a_run_here_and_there_and_leaves_the_terminal_to_others() {
    let sshd = Sshd::start();
    let program = xdist_binary().display().to_string();
    for client in CLIENTS {
        let (suite, far) = (Suite::one(SLOW), Suite::one(SLOW));
        let spec = format!("2*{}//ssh_client={client}", spec(&sshd, &suite, &far));
        let mut terminal =
            xdist(&suite).args(["-p", "no:cacheprovider", "--tx", &spec]).limit(60).on_terminal(100, 100);
        terminal.wait_for("a test to run", |_| suite.truth_path().with_file_name("runs").exists());
        let run = terminal.processes().into_iter().find(|one| one.command.starts_with(&program)).unwrap();
        terminal.press("\u{1a}");
        assert!(until(Duration::from_secs(10), || is_stopped(run.pid)), "{client}");
        assert!(terminal.is_cooked(), "{client}");
        let workers = || sshd.processes().into_iter().filter(|one| one.command.contains("python")).map(|one| one.pid);
        assert!(until(Duration::from_secs(10), || workers().filter(|pid| is_stopped(*pid)).count() >= 2), "{client}");
        kill_process(Pid::from_raw(run.pid).unwrap(), Signal::CONT).unwrap();
        let seen = terminal.finish();
        seen.outcome.expect_code(0).expect_no_text("is lost").expect_no_text("was stopped");
        assert_eq!(suite.truth().ids().len(), 20, "{client}\n{}", seen.outcome.describe());
        expect_clean(&seen.outcome, &[&sshd]);
    }
}
