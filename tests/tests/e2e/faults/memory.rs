//! The kernel kills a worker because no memory is left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;

use xdist_tests::{Env, Invocation, Outcome, Suite, xdist_binary};

use super::expect_clean;

/// A cgroup with a limit, for as long as the test takes.
struct Limited(PathBuf);

impl Limited {
    fn to(name: &str, mebibytes: u64) -> Self {
        let bytes = (mebibytes << 20).to_string();
        let kinds = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", ["memory.memsw.limit_in_bytes", &bytes]),
            ("/sys/fs/cgroup", "memory.max", ["memory.swap.max", "0"]),
        ];
        let made = kinds.into_iter().find_map(|(place, most, [swap, value])| {
            let made = Self(Path::new(place).join(format!("xdist-test-{name}-{}", process::id())));
            fs::create_dir(&made.0).ok()?;
            fs::write(made.0.join(most), &bytes).ok()?;
            // A machine without swap may have no such file.
            let _ = fs::write(made.0.join(swap), value);
            Some(made)
        });
        made.unwrap_or_else(|| panic!("no cgroup can be made below /sys/fs/cgroup/memory or /sys/fs/cgroup: be root"))
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

const SUITE: &str = "
import pytest

@pytest.mark.parametrize('n', range(6))
def test_small(n): pass

def test_takes_all_there_is():
    kept = []
    while True:
        kept.append(b'x' * (8 << 20))
";

/// The two ways in which a test of theirs may be killed.
const WAYS: [(&[&str], &str); 2] = [
    (&[], "worker gw0 crashed: out of memory: signal 9 (SIGKILL) in the call"),
    (&["--boxed"], "box on gw0 crashed: out of memory: signal 9 (SIGKILL) in call"),
];

/// The run went as it should, and says why the test died.
#[track_caller]
fn expect_told(suite: &Suite, outcome: &Outcome, how: &str) {
    expect_clean(suite, outcome);
    // Which of the two runs it is chance.
    let told = outcome.stdout.replace("gw1", "gw0");
    assert!(told.contains(how), "{}", outcome.describe());
    // When it happens, and once more at the end.
    assert_eq!(outcome.occurrences("xdist: the kernel killed "), 2, "{}", outcome.describe());
    let counts = outcome.counts();
    assert_eq!((counts.get("failed"), counts.get("passed")), (1, 6), "{}", outcome.describe());
    assert_eq!(suite.truth().ids().len(), 7, "{}", outcome.describe());
    outcome.expect_code(1);
}

#[test]
fn the_test_that_took_it_has_crashed_and_the_verdict_says_why() {
    let limited = Limited::to("here", 400);
    let suite = Suite::one(SUITE);
    let enter = format!("echo $$ > '{}'", limited.0.join("cgroup.procs").display());
    for (args, how) in WAYS {
        suite.forget();
        let run = Invocation::xdist(&Env::usual(), &suite).n(2).args(args).var("COLUMNS", "200");
        expect_told(&suite, &run.after(&enter).run(), how);
    }
}

/// Only what the agent starts is in the cgroup: it is the agent that knows.
#[test]
fn the_agent_of_another_host_knows_as_well() {
    let limited = Limited::to("there", 400);
    let (suite, far) = (Suite::one(SUITE), Suite::one(SUITE));
    let agent = xdist_binary().with_file_name("socketserver");
    let script = far.path("agent");
    let procs = limited.0.join("cgroup.procs");
    let text = format!("#!/bin/sh\necho $$ > '{}'\nexec '{}' --stdio\n", procs.display(), agent.display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let python = Env::usual().python();
    let spec = format!("2*command={}//python={}//chdir={}", script.display(), python.display(), far.root().display());
    for (args, how) in WAYS {
        suite.forget();
        let run = Invocation::xdist(&Env::usual(), &suite).args(["--tx", &spec]).args(args).var("COLUMNS", "200");
        expect_told(&suite, &run.limit(60).run(), how);
    }
}

#[test]
fn a_signal_from_elsewhere_is_not_the_kernels() {
    let suite = Suite::one("import os\ndef test_a(): os.kill(os.getpid(), 9)\ndef test_b(): pass\n");
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).run();
    outcome.expect_code(1).expect_text("signal 9 (SIGKILL) in the call").expect_no_text("memory");
}
