//! The kernel kills a worker because no memory is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use xdist_tests::{Env, Invocation, Suite};

use super::expect_clean;

/// A cgroup with a limit, for as long as the test takes.
struct Limited(PathBuf);

impl Limited {
    /// `None` where no cgroup can be made.
    fn to(mebibytes: u64) -> Option<Self> {
        let bytes = (mebibytes << 20).to_string();
        let kinds = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", ["memory.memsw.limit_in_bytes", &bytes]),
            ("/sys/fs/cgroup", "memory.max", ["memory.swap.max", "0"]),
        ];
        kinds.into_iter().find_map(|(place, most, [swap, value])| {
            let made = Self(Path::new(place).join(format!("xdist-test-{}", process::id())));
            fs::create_dir(&made.0).ok()?;
            fs::write(made.0.join(most), &bytes).ok()?;
            // A machine without swap may have no such file.
            let _ = fs::write(made.0.join(swap), value);
            Some(made)
        })
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn the_test_that_took_it_has_crashed_and_the_verdict_says_why() {
    let Some(limited) = Limited::to(400) else { return eprintln!("no cgroup can be made here") };
    let suite = Suite::one(
        "
import pytest

@pytest.mark.parametrize('n', range(6))
def test_small(n): pass

def test_takes_all_there_is():
    kept = []
    while True:
        kept.append(b'x' * (8 << 20))
",
    );
    let enter = format!("echo $$ > '{}'", limited.0.join("cgroup.procs").display());
    for (args, how) in [
        (&[][..], "worker gw0 crashed: out of memory: signal 9 (SIGKILL) in the call"),
        (&["--boxed"], "box on gw0 crashed: out of memory: signal 9 (SIGKILL) in call"),
    ] {
        suite.forget();
        let run = Invocation::xdist(&Env::usual(), &suite).n(2).args(args).var("COLUMNS", "200");
        let outcome = run.after(&enter).run();
        expect_clean(&suite, &outcome);
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
}

#[test]
fn a_signal_from_elsewhere_is_not_the_kernels() {
    let suite = Suite::one("import os\ndef test_a(): os.kill(os.getpid(), 9)\ndef test_b(): pass\n");
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).run();
    outcome.expect_code(1).expect_text("signal 9 (SIGKILL) in the call").expect_no_text("memory");
}
