//! Plugins for writing tests: pytest-asyncio, anyio, pytest-benchmark, pytest-mock; unittest and doctest suites.

use super::{By, Plugged};

/// Three ways, one result.
fn check(plugged: &Plugged) -> super::Ran {
    let (ours, serial, peer) = (plugged.run(By::Ours), plugged.run(By::Serial), plugged.run(By::Peer));
    ours.expect_like(&serial).expect_like(&peer).expect_no_host("collected");
    ours
}

#[test]
fn asyncio() {
    let ours = check(&Plugged::new("asyncio", &["asyncio"]));
    assert_eq!(ours.counts().get("passed"), 5);
}

#[test]
fn anyio_with_both_back_ends() {
    let ours = check(&Plugged::new("anyio", &["anyio"]));
    assert_eq!((ours.counts().get("passed"), ours.counts().get("failed")), (6, 2));
}

#[test]
fn benchmark_is_off_and_says_so_once() {
    let plugged = Plugged::new("benchmark", &["benchmark"]);
    let (ours, peer) = (plugged.run(By::Ours), plugged.run(By::Peer));
    ours.expect_like(&peer).expect_no_host("collected");
    ours.outcome.expect_code(0).expect_no_text("Outliers");
    for ran in [&ours, &peer] {
        assert_eq!(ran.outcome.occurrences("Benchmarks are automatically disabled"), 1, "{}", ran.outcome.describe());
    }
}

#[test]
fn mock() {
    check(&Plugged::new("mock", &["pytest_mock"])).outcome.expect_text("expected call not found");
}

#[test]
fn unittest_and_doctest_suites() {
    let plugged = Plugged::new("doctest", &[]).args(["--doctest-modules", "--doctest-glob=*.txt"]);
    let ours = check(&plugged);
    assert_eq!((ours.counts().get("passed"), ours.counts().get("failed"), ours.counts().get("xfailed")), (4, 2, 1));
    let hosted = plugged.args(["--plugin-host=always"]).run(By::Ours);
    hosted.expect_like(&ours).outcome.expect_text("FAILED mod.py::mod.half").expect_text("Expected:\n    3\nGot:");
}
