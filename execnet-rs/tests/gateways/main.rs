//! Gateways at work: real interpreters, real processes, real links.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what goes wrong in a test fails it")]

mod channels;
mod descendants;
mod faults;
mod groups;
mod peers;
mod processes;
mod sources;

use std::future::Future;
use std::time::Duration;

use execnet_rs::agent::Program;
use execnet_rs::gateway::Gateway;
use execnet_rs::group::Group;

/// Nothing here takes longer, on a busy machine either.
const LIMIT: Duration = Duration::from_mins(1);

/// Runs a test in a runtime of its own.
fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, test).await.expect("the test took too long") });
}

/// Runs a test with a group of one gateway to this host, whose interpreter the environment may choose.
fn with_popen<F: Future<Output = ()>>(test: impl FnOnce(Gateway) -> F) {
    match std::env::var("EXECNET_TEST_PYTHON") {
        Ok(python) => with_spec(&format!("popen//python={python}"), test),
        Err(_) => with_spec("popen", test),
    }
}

/// Runs a test with a group of one gateway.
fn with_spec<F: Future<Output = ()>>(spec: &str, test: impl FnOnce(Gateway) -> F) {
    run(async {
        let group = Group::new();
        let gateway = group.make_gateway(spec).await.unwrap();
        test(gateway).await;
        group.terminate(Duration::from_secs(1)).await;
    });
}

/// Makes this program an agent, see [`agent`].
const AGENT: &str = "EXECNET_TEST_AGENT";

/// A command that leads to an agent: this program, as one test of its own. What the test harness prints comes first.
fn agent() -> String {
    format!("env {AGENT}=1 {} --exact serves_an_agent --nocapture", std::env::current_exe().unwrap().display())
}

#[test]
fn serves_an_agent() {
    if std::env::var_os(AGENT).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let end = runtime.block_on(async { Program::begin(None).unwrap().serve_stdio().await });
        std::process::exit(i32::from(end.is_err()));
    }
}

/// Waits until a process is gone, by the system's word.
async fn gone(pid: u32) {
    let entry = format!("/proc/{pid}/stat");
    loop {
        match tokio::fs::read_to_string(&entry).await {
            Err(_) => return,
            Ok(stat) if stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z')) => return,
            // There is no event for the end of a process that is not a child.
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}
