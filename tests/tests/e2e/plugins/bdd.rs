//! pytest-bdd, which writes a file and draws in a way of its own.

use super::{By, Plugged};

#[test]
fn bdd_writes_its_file_as_under_pytest_xdist() {
    let plugged = Plugged::new("bdd", &["pytest-bdd"]).args(["--cucumberjson=cucumber.json"]);
    let (ours, serial, peer) = (plugged.run(By::Ours), plugged.run(By::Serial), plugged.run(By::Peer));
    ours.expect_like(&serial).expect_like(&peer).expect_host("pytest-bdd", "collected");
    // What the plugin knows of steps is bound to the report object of the worker: with workers the list stays empty.
    assert_eq!(ours.json("cucumber.json"), peer.json("cucumber.json"));
}

#[test]
fn bdd_refuses_to_draw_what_workers_do() {
    let plugged = Plugged::new("bdd", &["pytest-bdd"]).args(["-v", "--gherkin-terminal-reporter"]);
    let (ours, peer) = (plugged.run(By::Ours), plugged.run(By::Peer));
    assert_eq!((ours.outcome.code(), peer.outcome.code()), (4, 4), "{}", ours.outcome.describe());
    ours.outcome.expect_text("gherkin-terminal-reporter is not compatible with 'xdist' plugin");
    let usual = Plugged::new("bdd", &["pytest-bdd"]).run(By::Ours);
    usual.expect_no_host("collected").outcome.expect_code(1);
}
