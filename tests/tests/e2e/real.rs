//! Suites that nobody here wrote: everything equals serial pytest's. They are fetched once and kept in `.cache`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use xdist_tests::{Counts, Env, Invocation, Junit, Outcome, Suite, workspace, xdist_binary};

/// Where the unpacked source package is, fetched if need be.
fn fetched(name: &str) -> PathBuf {
    let script = workspace().join("tests/real/fetch.py");
    let output = Command::new(Env::named("real").python()).arg(script).arg(name).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cannot fetch {name}: {errors}");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// Exit code, counts, and how often each test case came out how. Test cases of one name may exist several times.
#[derive(Debug, PartialEq)]
struct Face {
    code: i32,
    counts: Counts,
    verdicts: BTreeMap<(String, String, Vec<String>), usize>,
}

fn face(outcome: &Outcome, junit: &Junit) -> Face {
    let mut verdicts = BTreeMap::new();
    for case in &junit.cases {
        let tags = case.children.iter().map(|(tag, _, _)| tag.clone());
        let tags = tags.filter(|tag| matches!(tag.as_str(), "failure" | "error" | "skipped")).collect();
        let attribute = |name: &str| case.attributes.get(name).cloned().unwrap_or_default();
        *verdicts.entry((attribute("classname"), attribute("name"), tags)).or_default() += 1;
    }
    Face { code: outcome.code(), counts: outcome.counts(), verdicts }
}

fn check(name: &str) {
    let env = Env::named("real");
    let tree = fetched(name);
    let common = ["-p", "no:cacheprovider", "-p", "no:xdist", "-q"];
    let suite = Suite::foreign(&tree);
    let outcome = Invocation::pytest(&env, &suite).args(common).junit().limit(240).run();
    let serial = face(&outcome, &suite.junit());
    assert!(serial.counts.get("passed") > 100, "{}", outcome.describe());
    for n in [1, 2, 8] {
        let suite = Suite::foreign(&tree);
        let outcome = Invocation::xdist(&env, &suite).n(n).args(common).junit().limit(240).run();
        outcome.expect_no_survivors();
        let ours = face(&outcome, &suite.junit());
        for (test, times) in &serial.verdicts {
            assert_eq!(ours.verdicts.get(test), Some(times), "-n {n}: {test:?}\n{}", outcome.describe());
        }
        assert_eq!(ours.verdicts.len(), serial.verdicts.len(), "-n {n}");
        assert_eq!(ours.counts, serial.counts, "-n {n}");
        assert_eq!(ours.code, serial.code, "-n {n}");
    }
}

/// On a host that sees nothing of the sources but the copy that it is given.
fn check_brought(name: &str, args: &[&str]) {
    let env = Env::named("real");
    let common = ["-p", "no:cacheprovider", "-p", "no:xdist", "-q"];
    let suite = Suite::foreign(&fetched(name));
    let outcome = Invocation::pytest(&env, &suite).args(common).junit().limit(240).run();
    let serial = face(&outcome, &suite.junit());
    let far = tempfile::tempdir().unwrap();
    let (copy, agent) = (far.path().join("copy"), xdist_binary().with_file_name("socketserver"));
    // Over the sources lies an empty directory there.
    let hidden = format!("mount -t tmpfs none {}; exec {} --stdio", suite.root().display(), agent.display());
    let host = format!("command=unshare --user --map-root-user --mount sh -ec '{hidden}'");
    let spec = format!("2*{host}//python={}//chdir={}", env.python().display(), copy.display());
    let run = Invocation::xdist(&env, &suite).args(common).args(["--tx", &spec]).args(args.iter().copied());
    let outcome = run.var("XDG_CACHE_HOME", far.path().join("cache")).junit().limit(240).run();
    outcome.expect_no_survivors();
    assert_eq!(face(&outcome, &suite.junit()), serial, "{}", outcome.describe());
    assert!(serial.counts.get("passed") > 100 && copy.join("pyproject.toml").exists(), "{}", outcome.describe());
}

#[test]
fn packaging_on_another_host() {
    check_brought("packaging", &["--rsyncdir=src", "--rsyncdir=tests", "tests"]);
}

#[test]
fn toolz_on_another_host() {
    check_brought("toolz", &["--rsyncdir=toolz", "--rsyncdir=tlz"]);
}

#[test]
fn packaging() {
    check("packaging");
}

#[test]
fn toolz() {
    check("toolz");
}

#[test]
fn cachetools() {
    check("cachetools");
}

#[test]
fn more_itertools() {
    check("more-itertools");
}
