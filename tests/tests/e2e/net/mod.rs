//! Hosts that are machines of their own, in a network that fails in all the ways in which networks do.
//!
//! In every scene one worker here and one on the machine have begun a test each, and wait for a word: so it is known what
//! runs where when the fault comes. What ran is what the tests themselves have put on record.

mod cuts;
mod silence;
mod weather;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use xdist_tests::{Env, Invocation, Machine, Running, Server, Sshd, Suite, until};

use crate::ssh::small_agent;

const TESTS: &str = "
import os, pathlib, pytest, time

beside = pathlib.Path(os.environ['E2E_TRUTH'])
there = os.environ.get('ON_THE_HOST')

@pytest.mark.parametrize('number', range(40))
def test_it(number):
    beside.with_name('waits-' + os.environ['PYTEST_XDIST_WORKER']).touch()
    while not beside.with_name('go-there' if there else 'go-here').exists():
        time.sleep(0.02)
";

/// What happens to a run, and what must follow.
type Story = (&'static str, fn());

/// Tells stories at the same time: they are long, and nothing much happens in most of it.
fn tell_at_once<const N: usize>(stories: [Story; N]) {
    thread::scope(|scope| {
        let told: Vec<_> = stories.map(|(name, story)| (name, scope.spawn(story))).into();
        let failed: Vec<_> = told.into_iter().filter_map(|(name, told)| told.join().is_err().then_some(name)).collect();
        assert!(failed.is_empty(), "these went wrong: {failed:#?}");
    });
}

/// How a machine is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// By its `socketserver`.
    Socket,
    /// By its sshd and one of the clients.
    Ssh(&'static str),
}

/// Who lets runs in on a machine.
enum Door {
    Server(Server),
    Sshd(Sshd),
}

/// A run on this host and on a machine. What is dropped first stands first.
struct Scene {
    run: Running,
    door: Door,
    suite: Suite,
    machine: Machine,
    _far: Suite,
}

impl Scene {
    /// Starts a run, and waits until each worker is in a test.
    fn begin(way: Way) -> Self {
        let (machine, suite, far) = (Machine::start(), Suite::one(TESTS), Suite::one(TESTS));
        let (door, spec) = match way {
            Way::Socket => {
                let server = Server::on(&machine, &suite, &far);
                let spec = server.spec();
                (Door::Server(server), spec)
            }
            Way::Ssh(client) => {
                let sshd = Sshd::on(&machine);
                let (python, folder, truth) = (Env::usual().python(), far.root(), suite.truth_path());
                let spec = format!(
                    "{}//ssh_client={client}//python={}//chdir={}//env:E2E_TRUTH={}//env:ON_THE_HOST=yes",
                    sshd.spec(),
                    python.display(),
                    folder.display(),
                    truth.display()
                );
                (Door::Sshd(sshd), spec)
            }
        };
        let run = Invocation::xdist(&Env::usual(), &suite).args(["--tx", "popen", "--tx", &spec]).junit().limit(120);
        let run = match &door {
            Door::Server(server) => run.var("XDIST_TOKEN_FILE", server.token()),
            Door::Sshd(_) => run.var("XDIST_AGENT_DIR", small_agent().parent().unwrap()),
        };
        let mut scene = Self { run: run.start(), door, suite, machine, _far: far };
        let waiting = ["waits-gw0", "waits-gw1"].map(|name| scene.file(name));
        scene.run.wait_for("a test to wait on each side", |_| waiting.iter().all(|file| file.exists()));
        scene
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.suite.truth_path().with_file_name(name)
    }

    /// Lets tests go on: those here, or those there.
    fn let_go(&self, name: &str) {
        fs::write(self.file(name), "").unwrap();
    }

    /// The session that serves the run on the machine.
    fn session(&self) -> u32 {
        let Door::Server(server) = &self.door else { panic!("only a `socketserver` has sessions") };
        server.sessions()[0]
    }

    /// Whether nothing of the run is left on the machine.
    fn is_idle(&self) -> bool {
        match &self.door {
            Door::Server(server) => self.machine.processes() == [server.pid()],
            Door::Sshd(sshd) => sshd.processes().is_empty(),
        }
    }

    /// Whether the controller has given the machine up.
    fn is_given_up(&self) -> bool {
        self.run.stdout().contains("is lost: ")
    }

    /// Waits until what ran on the machine is gone there, since a fault.
    #[track_caller]
    fn expect_idle(&self, fault: Instant, limit: Duration) {
        let idle = until(limit.saturating_sub(fault.elapsed()), || self.is_idle());
        assert!(idle, "after {:?} there run {:?}\n{}", fault.elapsed(), self.machine.processes(), self.run.stdout());
    }

    /// Waits until the controller gives the machine up. The rest is done here then: one test has crashed, and each began once.
    #[track_caller]
    fn expect_one_lost(self, fault: Instant, limit: Duration) {
        let given_up = until(limit.saturating_sub(fault.elapsed()), || self.is_given_up());
        assert!(given_up, "not given up after {:?}\n{}", fault.elapsed(), self.run.stdout());
        self.let_go("go-here");
        let outcome = self.run.finish();
        outcome.expect_code(1).expect_text("the loss of its host").expect_no_survivors();
        let counts = outcome.counts();
        assert_eq!((counts.get("failed"), counts.get("passed")), (1, 39), "{}", outcome.describe());
        let mut ids = self.suite.truth().ids();
        assert_eq!(ids.len(), 40, "a test began twice\n{}", outcome.describe());
        ids.dedup();
        assert_eq!(ids.len(), 40, "{}", outcome.describe());
        assert_eq!(self.suite.junit().verdicts().len(), 40, "{}", outcome.describe());
        self.machine.heal();
        // Also what only the system keeps of a connection.
        self.door.expect_closed();
    }

    /// Lets all tests go on: nothing was lost, and nothing ran twice.
    #[track_caller]
    fn expect_none_lost(self) {
        self.let_go("go-there");
        self.let_go("go-here");
        let outcome = self.run.finish();
        outcome.expect_code(0).expect_text("40 passed").expect_no_text("is lost").expect_no_survivors();
        let mut ids = self.suite.truth().ids();
        ids.dedup();
        assert_eq!((ids.len(), self.suite.truth().ids().len()), (40, 40), "{}", outcome.describe());
        assert_eq!(self.suite.junit().verdicts().len(), 40, "{}", outcome.describe());
        self.door.expect_closed();
    }
}

impl Door {
    /// No connection is served any more.
    #[track_caller]
    fn expect_closed(&self) {
        match self {
            Self::Server(server) => server.expect_idle(),
            Self::Sshd(sshd) => {
                let closed = until(Duration::from_secs(20), || sshd.processes().is_empty());
                assert!(closed, "{:?}", sshd.processes());
            }
        }
    }
}
