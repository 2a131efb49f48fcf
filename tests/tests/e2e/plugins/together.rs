//! All plugins of the environment at once, loaded as an installed plugin is.

use super::{By, Plugged, by_id};

#[test]
fn all_installed_plugins_get_along() {
    let plugged = Plugged::new("mixed", &[]).var("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "").args([
        "--html=report.html",
        "--cov=.",
        "--cov-report=json",
        "--json-report",
        "--json-report-file=report.json",
        "--report-log=log.jsonl",
        "--reruns=1",
        "--timeout=60",
        "--alluredir=results",
        "--randomly-seed=7",
    ]);
    let (ours, peer) = (plugged.run(By::Ours), plugged.run(By::Peer));
    ours.expect_like(&peer).outcome.expect_code(1).expect_text("pytest-cov").expect_text("pytest-html");
    for file in ["report.html", "coverage.json", "report.json", "log.jsonl"] {
        assert!(!ours.text(file).is_empty() && !peer.text(file).is_empty());
    }
    let (found, expected) = (ours.json("report.json"), peer.json("report.json"));
    assert_eq!(found["summary"], expected["summary"]);
    assert_eq!(by_id(&found["tests"], "nodeid").len(), by_id(&expected["tests"], "nodeid").len());
    assert_eq!(ours.json("coverage.json")["totals"], peer.json("coverage.json")["totals"]);
}
