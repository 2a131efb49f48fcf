//! Data bases: pytest-django with one in a file for each worker, named after it and kept where that is asked for;
//! pytest-postgresql with a server for each worker, whose programs are stand-ins.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;

use serde_json::Value;
use xdist_tests::{Outcome, Suite};

use super::{By, Plugged};

fn plugged() -> Plugged {
    Plugged::new("django", &["django"]).var("PYTHONPATH", ".")
}

/// Outcome, data bases that tests saw, data bases that are left.
fn run(by: By, suite: &Suite, more: &[&str]) -> (Outcome, BTreeSet<String>, Vec<String>) {
    let junit = format!("--junitxml={}", suite.junit_path().display());
    let outcome = plugged().on(by, suite, &[&[junit.as_str()], more].concat());
    let cases = suite.junit().cases;
    let seen = cases.iter().flat_map(|case| case.children.iter().filter_map(|child| child.1.get("value").cloned()));
    let entries = std::fs::read_dir(suite.root()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut left: Vec<_> = names.filter(|name| name.contains("sqlite3")).collect();
    left.sort();
    (outcome, seen.collect(), left)
}

#[test]
fn django_gives_every_worker_its_own_data_base() {
    let (ours, seen, left) = run(By::Ours, &plugged().copy(), &["-v"]);
    let (serial, serially, _) = run(By::Serial, &plugged().copy(), &[]);
    let (peer, _, _) = run(By::Peer, &plugged().copy(), &[]);
    assert_eq!(ours.counts(), serial.counts(), "{}", ours.describe());
    assert_eq!((ours.code(), serial.code(), peer.code()), (1, 1, 1));
    assert_eq!(ours.counts().get("passed"), peer.counts().get("passed"));
    ours.expect_text("fork: collected").expect_text("RuntimeError: Database access not allowed");
    assert_eq!(serially.into_iter().collect::<Vec<_>>(), ["tests.sqlite3"]);
    assert!(!seen.is_empty());
    assert!(seen.iter().all(|name| matches!(name.as_str(), "tests.sqlite3_gw0" | "tests.sqlite3_gw1")), "{seen:?}");
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn django_keeps_and_reuses_data_bases() {
    let suite = plugged().copy();
    for _ in 0..2 {
        let (ours, _, left) = run(By::Ours, &suite, &["--reuse-db", "--dist=load", "--maxschedchunk=1"]);
        assert_eq!((ours.code(), ours.counts().get("passed")), (1, 12), "{}", ours.describe());
        assert!(left.iter().all(|name| name.starts_with("tests.sqlite3_gw")) && !left.is_empty(), "{left:?}");
    }
}

/// What each of two workers found of its server, with a word for the port.
fn servers(by: By, level: &str) -> Vec<Value> {
    let plugged = Plugged::new("postgresql", &["pytest_postgresql"]).args(["--dist=each"]);
    let suite = plugged.copy();
    let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let ports = free.map(|listener| listener.local_addr().unwrap().port());
    suite.write("ports", &format!("{} {}", ports[0], ports[1]));
    for place in ["first", "second"] {
        assert!(Command::new("mkfifo").arg(suite.path(place)).status().unwrap().success());
    }
    let fork = if level == "imported" { &["--fork=imported"][..] } else { &[] };
    let outcome = plugged.on(by, &suite, fork);
    assert_eq!((outcome.code(), outcome.counts().get("passed")), (0, 2), "{}", outcome.describe());
    if by == By::Ours {
        // Its code asks whether it is in a worker, and has no part on the controller's side.
        outcome.expect_no_text("plugin host:").expect_text(&format!("fork: {level}"));
    }
    let taken: Vec<_> = ports.iter().map(|port| format!("postgresql-{port}.port")).collect();
    let mut seen = BTreeSet::new();
    let layout = |worker: &str| {
        let text = std::fs::read_to_string(suite.path(&format!("layout-{worker}.json"))).unwrap();
        let mut found: Value = serde_json::from_str(&text).unwrap();
        let names = found["taken"].take();
        assert!(taken.iter().all(|name| names.as_array().unwrap().contains(&Value::from(name.as_str()))), "{names}");
        let port = found["port"].take().to_string();
        let found = found.to_string().replace(&port, "PORT");
        assert!(seen.insert(port), "each has a port of its own");
        serde_json::from_str(&found).unwrap()
    };
    ["gw0", "gw1"].map(layout).to_vec()
}

#[test]
fn postgresql_gives_every_worker_its_own_server() {
    let peer = servers(By::Peer, "");
    for level in ["collected", "imported"] {
        assert_eq!(servers(By::Ours, level), peer, "--fork={level}");
    }
    assert_eq!(peer[1]["datadir"], "popen-gw1/pytest-postgresql-server0/data-PORT");
    assert_eq!(peer[1]["names"], serde_json::json!(["tests", "tests_tmpl", "testsgw1", "testsgw1_tmpl"]));
    assert_eq!(peer[0]["running"], true);
}
