//! Plugins that write one file of the whole run: pytest-html, pytest-json-report, pytest-reportlog, and pytest's own junit.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{By, Plugged, Ran, by_id};

/// What the page of pytest-html holds.
fn page(ran: &Ran) -> Value {
    let text = ran.text("report.html");
    let blob = text.split("data-jsonblob=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut json = blob.to_owned();
    for (escaped, letter) in
        [("&#34;", "\""), ("&quot;", "\""), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
    {
        json = json.replace(escaped, letter);
    }
    serde_json::from_str(&json).unwrap()
}

/// Result, extras and whether there is a log, of every row of every test.
fn rows(page: &Value) -> BTreeSet<(String, String, usize, bool)> {
    let tests = page["tests"].as_object().unwrap();
    let row = |test: &String, row: &Value| {
        let result = row["result"].as_str().unwrap().to_owned();
        let extras = row["extras"].as_array().map_or(0, Vec::len);
        (test.clone(), result, extras, row["log"].as_str().is_some_and(|log| !log.is_empty()))
    };
    tests.iter().flat_map(|(test, all)| all.as_array().unwrap().iter().map(move |one| row(test, one))).collect()
}

#[test]
fn html_shows_every_test_with_its_extras() {
    let extras = "
import pytest, pytest_html
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == 'call': report.extras = [pytest_html.extras.text('said ' + item.name, name='said')]
def pytest_html_report_title(report): report.title = 'the title'
";
    let plugged = Plugged::new("mixed", &["metadata", "html", "html_fixtures"]).file("conftest.py", extras).args([
        "--html=report.html",
        "--self-contained-html",
        "--metadata",
        "key",
        "value",
    ]);
    let (ours, serial, peer) = (plugged.run(By::Ours), plugged.run(By::Serial), plugged.run(By::Peer));
    ours.expect_like(&serial).expect_like(&peer).expect_host("pytest-html", "collected");
    ours.outcome.expect_text("Generated html report");
    assert!(ours.text("report.html").contains("the title"));
    let (page, expected) = (page(&ours), page(&serial));
    assert_eq!(rows(&page), rows(&expected));
    assert!(rows(&page).iter().any(|row| row.2 == 1), "no extras: {page}");
    let keys = |page: &Value| page["environment"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&page), keys(&expected));
    assert_eq!(page["environment"]["key"], "value");
    let beside = plugged.run(By::OursBesidePeer);
    assert_eq!(rows(&self::page(&beside)), rows(&expected));
}

/// A test's entry without times, texts and what depends on the folder's name.
fn entry(mut test: Value) -> Value {
    let fields = test.as_object_mut().unwrap();
    fields.remove("keywords");
    for phase in ["setup", "call", "teardown"] {
        if let Some(phase) = fields.get_mut(phase).and_then(Value::as_object_mut) {
            phase.retain(|name, _| matches!(name.as_str(), "outcome" | "crash" | "stderr" | "metadata"));
            phase.get_mut("crash").and_then(Value::as_object_mut).map(|crash| crash.remove("path"));
        }
    }
    test
}

#[test]
fn json_report_has_every_test_and_the_summary() {
    let metadata = "
import pytest
@pytest.fixture(autouse=True)
def noted(json_metadata, request): json_metadata['name'] = request.node.name
def pytest_json_modifyreport(json_report): json_report['modified'] = True
";
    let plugged = Plugged::new("mixed", &["metadata", "pytest_jsonreport"])
        .file("conftest.py", metadata)
        .args(["--json-report", "--json-report-file=report.json"]);
    let (ours, serial, peer) = (plugged.run(By::Ours), plugged.run(By::Serial), plugged.run(By::Peer));
    ours.expect_like(&serial).expect_like(&peer).expect_host("pytest-jsonreport", "collected");
    let (found, expected, other) = (ours.json("report.json"), serial.json("report.json"), peer.json("report.json"));
    assert_eq!(found["modified"], true);
    for key in ["exitcode", "summary"] {
        assert_eq!(found[key], expected[key], "{key}");
        assert_eq!(found[key], other[key], "{key}");
    }
    let tests = |report: &Value| -> BTreeMap<String, Value> {
        by_id(&report["tests"], "nodeid").into_iter().map(|(id, test)| (id, entry(test))).collect()
    };
    assert_eq!(tests(&found), tests(&expected));
    assert_eq!(found["warnings"].as_array().map(Vec::len), expected["warnings"].as_array().map(Vec::len));
}

#[test]
fn reportlog_has_every_report() {
    let plugged = Plugged::new("mixed", &["pytest_reportlog"]).args(["--report-log=log.jsonl"]);
    let (ours, peer) = (plugged.run(By::Ours), plugged.run(By::Peer));
    ours.expect_like(&peer).expect_host("pytest-reportlog", "collected");
    let lines = |ran: &Ran| {
        let text = ran.text("log.jsonl");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut found: Vec<_> = lines
            .map(|line| {
                let mut fields = line.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
                fields.sort();
                let said = ["$report_type", "nodeid", "when", "outcome", "keywords", "user_properties"];
                let said: Vec<_> = said.iter().map(|name| without_root(&line[name])).collect();
                (said, fields)
            })
            // pytest-xdist sends what a module was skipped for once a worker.
            .filter(|(said, _)| !said[0].contains("CollectReport"))
            .collect();
        found.sort();
        found
    };
    assert_eq!(lines(&ours), lines(&peer));
    assert!(ours.text("log.jsonl").contains("CollectReport"));
}

/// Keywords name the folder that the suite was copied to.
fn without_root(value: &Value) -> String {
    value.to_string().replace("\"suite\":1,", "")
}

#[test]
fn junit_by_the_plugin_host_is_serial_pytests() {
    // In serial pytest the reporter's letter for a subtest stands in that test's captured output.
    let plain = "import unittest\nclass TestUnit(unittest.TestCase):\n    def test_one(self): self.fail('one')\n";
    let plugged = Plugged::new("mixed", &[]).file("test_unit.py", plain).file(
        "test_recorded.py",
        "def test_recorded(record_xml_attribute, record_testsuite_property, record_property):\n\
         \x20   record_xml_attribute('extra', 'attribute'); record_testsuite_property('whole', 'suite')\n\
         \x20   record_property('a', 'property'); print('out')\n",
    );
    for options in [
        vec!["-o", "junit_family=xunit1", "-o", "junit_logging=all"],
        vec!["-o", "junit_family=xunit2", "-o", "junit_suite_name=named", "--junit-prefix=prefix"],
        vec!["-o", "junit_family=legacy", "-o", "junit_log_passing_tests=false", "-o", "junit_duration_report=call"],
    ] {
        let plugged = plugged.clone().args(options.clone());
        let (suite, expected) = (plugged.copy(), plugged.copy());
        let path = format!("--junitxml={}", expected.junit_path().display());
        let serial = plugged.on(By::Serial, &expected, &[&path]);
        let path = format!("--junitxml={}", suite.junit_path().display());
        let ours = plugged.on(By::Ours, &suite, &[&path, "--plugin-host=always"]);
        ours.expect_code(1).expect_text("generated xml file");
        assert_eq!(suite.junit(), expected.junit(), "{options:?}\n{}\n{}", ours.describe(), serial.describe());
    }
}
