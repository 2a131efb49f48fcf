//! The system refuses to make processes: from the first one on, later, for replacements, or for a while.

use std::fs;
use std::path::{Path, PathBuf};

use xdist_tests::{Env, Invocation, Suite};

use super::{expect_all_passed, expect_clean, suite, xdist};

/// Forks for so many processes asked for at once: they come from one in between, so that xdist is their parent.
const fn forks_of(processes: u32) -> u32 {
    processes + 1
}

#[test]
fn no_process_for_pytest_itself() {
    for allowed in 0..forks_of(1) {
        let suite = suite();
        let outcome = xdist(&suite, 2).var("FORKS", allowed.to_string()).run();
        expect_clean(&suite, &outcome);
        outcome.expect_code(11).expect_text("Resource temporarily unavailable").expect_text("ulimit -u");
    }
}

#[test]
fn no_process_for_any_worker() {
    for error in ["EAGAIN", "ENOMEM"] {
        let suite = suite();
        let run = xdist(&suite, 2).var("FORKS", forks_of(1).to_string()).var("FORK_ERROR", error);
        let outcome = run.run();
        expect_clean(&suite, &outcome);
        let text = if error == "EAGAIN" { "Resource temporarily unavailable" } else { "Cannot allocate memory" };
        outcome.expect_code(11).expect_text(text).expect_text("ulimit -u").expect_text("20 of 20 tests did not run");
        assert!(suite.truth().ids().is_empty(), "{}", outcome.describe());
    }
}

#[test]
fn those_workers_that_could_be_made_do_the_work() {
    // After collection all workers are forked at once; before, each by itself, and the collector becomes the first.
    for (level, forks) in [("--fork=collected", [3, 4]), ("--fork=imported", [0, 1])] {
        for more in forks {
            let suite = suite();
            let forks = forks_of(1) + more;
            let outcome = xdist(&suite, 4).arg(level).var("FORKS", forks.to_string()).run();
            expect_all_passed(&suite, &outcome, 20);
            outcome.expect_text("the system refuses to make a process for gw").expect_text("giving it up");
        }
    }
}

#[test]
fn a_refusal_that_passes_is_tried_again() {
    let suite = suite();
    let outcome = xdist(&suite, 2).var("FORKS", format!("{}+1", forks_of(1) + 2)).run();
    expect_all_passed(&suite, &outcome, 20);
    outcome.expect_no_text("giving it up");
}

#[test]
fn no_process_for_a_replacement() {
    for (n, passed) in [(1, 5..=6), (2, 19..=19)] {
        let suite = suite();
        let forks = forks_of(1) + forks_of(n);
        let outcome = xdist(&suite, n).var("DIES", "1").var("FORKS", forks.to_string()).run();
        expect_clean(&suite, &outcome);
        outcome.expect_code(1).expect_text("Resource temporarily unavailable");
        let counts = outcome.counts();
        assert_eq!(counts.get("failed"), 1, "{}", outcome.describe());
        assert!(passed.contains(&counts.get("passed")), "{}", outcome.describe());
        assert_eq!(suite.junit().verdicts().len() as u64, counts.get("passed") + 1, "{}", outcome.describe());
    }
}

#[test]
fn no_process_for_the_plugin_host() {
    for more in 0..forks_of(1) {
        let suite = suite();
        let run = xdist(&suite, 2).arg("--plugin-host=always").var("FORKS", (forks_of(1) + more).to_string());
        let outcome = run.run();
        expect_clean(&suite, &outcome);
        outcome.expect_code(3).expect_text("plugin host");
    }
}

/// A run on another host, which makes so many processes and no more.
fn there(suite: &Suite, workers: u32, forks: &str) -> Invocation {
    let (agent, python) = (xdist_tests::socketserver_binary(), Env::usual().python());
    let (agent, python, folder) = (agent.display(), python.display(), suite.root());
    let end = format!("chdir={}//env:FORKS={forks}", folder.display());
    let spec = format!("{workers}*command={agent} --stdio//python={python}//{end}");
    let run = Invocation::xdist(&Env::usual(), suite).args(["--tx", &spec]).junit().limit(40);
    run.var("PYTHONPATH", suite.path("aids")).var("FAULT_PLACE", suite.root())
}

#[test]
fn another_host_that_makes_no_process_is_left_out_with_the_reason() {
    for allowed in 0..forks_of(1) {
        let suite = suite();
        let outcome = there(&suite, 2, &allowed.to_string()).run();
        expect_clean(&suite, &outcome);
        outcome.expect_code(12).expect_text("Resource temporarily unavailable").expect_text("ulimit -u");
        suite.forget();
        // Others do the work.
        let outcome = there(&suite, 2, &allowed.to_string()).args(["--tx", "popen"]).run();
        expect_all_passed(&suite, &outcome, 20);
        outcome.expect_text("2 workers do not take part").expect_text("Resource temporarily unavailable");
    }
}

#[test]
fn those_workers_that_could_be_made_on_another_host_do_the_work() {
    for more in [3, 4] {
        let suite = suite();
        let outcome = there(&suite, 4, &(forks_of(1) + more).to_string()).run();
        expect_all_passed(&suite, &outcome, 20);
        outcome.expect_text("the system refuses to make a process for gw");
    }
    let suite = suite();
    let outcome = there(&suite, 2, &format!("{}+1", forks_of(1) + 2)).run();
    expect_all_passed(&suite, &outcome, 20);
    outcome.expect_no_text("giving it up");
}

/// A cgroup that holds so many processes and threads, for as long as the test takes.
struct Limited(PathBuf);

impl Limited {
    fn to(processes: u32) -> Self {
        let places = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"];
        let made = places.into_iter().find_map(|place| {
            let made = Self(Path::new(place).join(format!("xdist-forks-{}", std::process::id())));
            fs::create_dir(&made.0).ok()?;
            fs::write(made.0.join("pids.max"), processes.to_string()).ok()?;
            Some(made)
        });
        made.unwrap_or_else(|| panic!("no cgroup can be made below /sys/fs/cgroup/pids or /sys/fs/cgroup: be root"))
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn however_few_processes_another_host_allows_a_run_ends_with_a_reason() {
    for allowed in [1, 3, 5, 7] {
        let (suite, limited) = (suite(), Limited::to(allowed));
        let (agent, python) = (xdist_tests::socketserver_binary(), Env::usual().python());
        let enter = suite.path("enter");
        let procs = limited.0.join("cgroup.procs");
        let script = format!("echo $$ > {}; exec {} --stdio", procs.display(), agent.display());
        fs::write(&enter, script).unwrap();
        let (enter, python, folder) = (enter.display(), python.display(), suite.root());
        let spec = format!("4*command=sh {enter}//python={python}//chdir={}", folder.display());
        let run = Invocation::xdist(&Env::usual(), &suite).args(["--tx", &spec]).junit().limit(40);
        let outcome = run.var("PYTHONPATH", suite.path("aids")).var("FAULT_PLACE", suite.root()).run();
        if outcome.code() == 0 {
            expect_all_passed(&suite, &outcome, 20);
            continue;
        }
        expect_clean(&suite, &outcome);
        assert!([11, 12].contains(&outcome.code()), "{allowed}\n{}", outcome.describe());
        outcome.expect_text("Resource temporarily unavailable");
        assert!(suite.truth().ids().is_empty(), "{allowed}\n{}", outcome.describe());
    }
}
