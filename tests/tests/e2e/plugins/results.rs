//! Plugins that leave results beside the tests: allure-pytest, syrupy.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{By, Plugged, Ran};

#[test]
fn allure_has_one_result_a_test() {
    let plugged = Plugged::new("allure", &["allure_pytest"]).args(["--alluredir=results"]);
    let (ours, serial, peer) = (plugged.run(By::Ours), plugged.run(By::Serial), plugged.run(By::Peer));
    ours.expect_like(&serial).expect_like(&peer).expect_no_host("collected");
    let results = |ran: &Ran| {
        let files = ran.files("results").into_iter().filter(|path| path.to_string_lossy().ends_with("-result.json"));
        let mut found: Vec<_> = files
            .map(|path| {
                let result: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
                let steps = result["steps"].as_array().map_or(0, Vec::len);
                (result["fullName"].to_string(), result["parameters"].to_string(), result["status"].to_string(), steps)
            })
            .collect();
        found.sort();
        found
    };
    assert_eq!(results(&ours), results(&serial));
    let kinds = |ran: &Ran| {
        let mut kinds = BTreeMap::new();
        for path in ran.files("results") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            *kinds.entry(name.rsplit('-').next().unwrap().to_owned()).or_insert(0) += 1;
        }
        kinds
    };
    assert_eq!(kinds(&ours), kinds(&serial));
    assert_eq!(results(&peer).len(), results(&ours).len());
}

const SUMMARY: &str = "--------------------------- snapshot report summary";

#[test]
fn syrupy_sums_up_what_all_workers_used() {
    let plugged = Plugged::new("syrupy", &["syrupy"]);
    let (ours, serial, peer) = (plugged.run(By::Ours), plugged.run(By::Serial), plugged.run(By::Peer));
    ours.expect_like(&serial).expect_like(&peer).expect_host("syrupy", "collected");
    ours.outcome.expect_text("1 snapshot failed. 2 snapshots passed. 1 snapshot unused.");
    assert_eq!(ours.lines(SUMMARY, "===="), serial.lines(SUMMARY, "===="));
}

#[test]
fn syrupy_updates_snapshots_as_serial_pytest_does() {
    let plugged = Plugged::new("syrupy", &["syrupy"]).args(["--snapshot-update"]);
    let (ours, serial) = (plugged.run(By::Ours), plugged.run(By::Serial));
    ours.expect_like(&serial).outcome.expect_code(0).expect_text("1 unused snapshot deleted");
    let file = "__snapshots__/test_syrupy.ambr";
    assert_eq!(ours.text(file), serial.text(file));
    assert!(!ours.text(file).contains("test_unused"));
}
