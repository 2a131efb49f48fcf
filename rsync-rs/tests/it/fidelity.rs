//! Random trees, random changes at both ends: afterwards both are equal.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use rsync_rs::{Mount, RelPath, Rules};

use crate::random::{apply, changes};
use crate::support::{Pair, mode, noise, walk};

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn trees_become_equal(steps in prop::collection::vec((changes(), changes()), 1..4), restart: bool) {
        // Links of the test may lead anywhere inside; what leads out is another test's.
        let pair = Pair::new();
        let mut pair = Pair { source: rsync_rs::Source { links: rsync_rs::Links::Skip, ..pair.source.clone() }, ..pair };
        for (here, there) in steps {
            for change in &here {
                apply(&pair.from("").canonicalize().unwrap(), change);
            }
            if pair.to("").exists() {
                for change in &there {
                    apply(&pair.to("").canonicalize().unwrap(), change);
                }
            }
            let outcome = pair.run();
            prop_assert!(outcome.sent.is_ok() || format!("{:?}", outcome.received).contains("InTheWay"), "{:?}", outcome);
            if outcome.sent.is_err() {
                // A directory with files of the host's own stands where a file should be.
                return Ok(());
            }
            let (from, to) = (walk(&pair.from("")), walk(&pair.to("")));
            let skipped: Vec<_> = outcome.snapshot.skipped().iter().map(|skipped| skipped.path.clone()).collect();
            for (path, what) in from {
                prop_assert!(skipped.contains(&path) || to.get(&path) == Some(&what), "{:?}: {:?}", path, to.get(&path));
            }
            if restart {
                // Without what the sender remembers, everything still comes out right.
                pair.source.state = None;
            }
        }
    }
}

#[test]
fn nothing_of_the_destination_goes_that_was_not_put_there() {
    let pair = Pair::new();
    fs::create_dir_all(pair.from("pkg/data")).unwrap();
    fs::write(pair.from("pkg/a.py"), "a").unwrap();
    fs::write(pair.from("pkg/data/x"), "x").unwrap();
    fs::create_dir_all(pair.to("pkg/__pycache__")).unwrap();
    fs::write(pair.to("pkg/__pycache__/a.pyc"), "code").unwrap();
    fs::write(pair.to("own"), "own").unwrap();
    pair.run().sent.unwrap();
    fs::remove_dir_all(pair.from("pkg")).unwrap();
    fs::write(pair.to("pkg/data/written by a test"), "log").unwrap();
    let summary = pair.run().sent.unwrap();
    assert_eq!(summary.removed, 2, "{summary:?}");
    assert_eq!(summary.notices.len(), 2, "{summary:?}");
    assert!(pair.to("own").exists() && pair.to("pkg/__pycache__/a.pyc").exists());
    assert!(pair.to("pkg/data/written by a test").exists());
    assert!(!pair.to("pkg/a.py").exists() && !pair.to("pkg/data/x").exists());
}

#[test]
fn what_tests_changed_at_the_destination_is_put_right() {
    let pair = Pair::new();
    for name in ["changed", "removed", "touched", "mode", "replaced"] {
        fs::write(pair.from(name), name).unwrap();
    }
    fs::create_dir(pair.from("directory")).unwrap();
    symlink("changed", pair.from("link")).unwrap();
    pair.sync();
    fs::write(pair.to("changed"), "CHANGED").unwrap();
    fs::remove_file(pair.to("removed")).unwrap();
    File::options().write(true).open(pair.to("touched")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    mode(&pair.to("mode"), 0o600);
    fs::remove_file(pair.to("replaced")).unwrap();
    fs::create_dir(pair.to("replaced")).unwrap();
    mode(&pair.to("directory"), 0o700);
    fs::remove_file(pair.to("link")).unwrap();
    symlink("removed", pair.to("link")).unwrap();
    let summary = pair.sync().sent.unwrap();
    assert_eq!((summary.written, summary.adjusted), (4, 3), "{summary:?}");
}

#[test]
fn read_only_directories_change_and_stay_read_only() {
    let pair = Pair::new();
    fs::create_dir_all(pair.from("locked/deep")).unwrap();
    fs::write(pair.from("locked/deep/file"), "old").unwrap();
    for path in ["locked/deep", "locked"] {
        mode(&pair.from(path), 0o555);
    }
    pair.sync();
    for bits in [0o755, 0o555] {
        mode(&pair.from("locked"), bits);
        mode(&pair.from("locked/deep"), 0o755);
        fs::write(pair.from("locked/deep/file"), "newer").unwrap();
        fs::write(pair.from(format!("locked/deep/{bits}")), "").unwrap();
        mode(&pair.from("locked/deep"), 0o555);
        pair.sync();
    }
    for root in [pair.from(""), pair.to("")] {
        mode(&root.join("locked"), 0o755);
        mode(&root.join("locked/deep"), 0o755);
    }
}

#[test]
fn a_tree_is_made_of_mounts() {
    let mut pair = Pair::new();
    fs::create_dir_all(pair.from("project/pkg/sub")).unwrap();
    for file in ["project/pkg/sub/m.py", "project/conftest.py", "project/other", "outside.ini"] {
        fs::write(pair.from(file), file).unwrap();
    }
    symlink(pair.from("project/pkg/sub/m.py"), pair.from("project/pkg/absolute")).unwrap();
    let at = |path: &str| RelPath::parse(Path::new(path)).unwrap();
    pair.source.mounts = vec![
        Mount { from: pair.from("project/pkg/sub"), at: at("pkg/sub") },
        Mount { from: pair.from("project/pkg"), at: at("pkg") },
        Mount { from: pair.from("project/conftest.py"), at: at("conftest.py") },
        Mount { from: pair.from("outside.ini"), at: at("etc/deep/pytest.ini") },
    ];
    let outcome = pair.run();
    outcome.sent.unwrap();
    let seen: Vec<_> = walk(&pair.to("")).into_keys().map(|path| path.to_string_lossy().into_owned()).collect();
    let expected =
        ["conftest.py", "etc", "etc/deep", "etc/deep/pytest.ini", "pkg", "pkg/absolute", "pkg/sub", "pkg/sub/m.py"];
    assert_eq!(seen, expected);
    assert_eq!(fs::read_link(pair.to("pkg/absolute")).unwrap(), Path::new("sub/m.py"));
    assert_eq!(fs::read_to_string(pair.to("etc/deep/pytest.ini")).unwrap(), "outside.ini");
}

#[test]
fn a_changed_part_of_a_large_file_travels_alone() {
    let pair = Pair::new();
    let mut bytes = noise(1, 2_500_000);
    fs::write(pair.from("large"), &bytes).unwrap();
    pair.sync();
    bytes.splice(1_000_000..1_000_000, *b"six by");
    fs::write(pair.from("large"), &bytes).unwrap();
    let outcome = pair.sync();
    assert!(outcome.bytes.0 < 30_000, "{:?} bytes", outcome.bytes);
    // A sender that remembers nothing asks for what the receiver has.
    bytes.drain(5000..5100);
    fs::write(pair.from("large"), &bytes).unwrap();
    let forgetful = Pair { source: rsync_rs::Source { state: None, ..pair.source.clone() }, ..pair };
    let outcome = forgetful.sync();
    assert!(outcome.bytes.0 < 30_000 && outcome.bytes.1 < 12_000, "{:?} bytes", outcome.bytes);
    // The basis was damaged at the destination.
    bytes.truncate(2_000_000);
    fs::write(forgetful.from("large"), &bytes).unwrap();
    fs::write(forgetful.to("large"), noise(2, 100_000)).unwrap();
    forgetful.sync();
}

#[test]
fn a_branch_seen_before_comes_from_the_store() {
    let pair = Pair::new();
    let write =
        |seed: u64| (0..50).for_each(|at| fs::write(pair.from(format!("{at}")), noise(seed + at, 2000)).unwrap());
    write(0);
    pair.sync();
    write(1000);
    pair.sync();
    write(0);
    let outcome = pair.sync();
    assert!(outcome.bytes.0 < 5000, "{:?} bytes", outcome.bytes);
    assert_eq!(outcome.sent.unwrap().reused, 50);
}

#[test]
fn an_unchanged_tree_is_one_small_message_each_way_and_no_file_is_read() {
    let pair = Pair::new();
    for at in 0..200 {
        fs::write(pair.from(format!("{at}")), noise(at, 500)).unwrap();
    }
    let then = SystemTime::now();
    let first = pair.sync();
    assert_eq!(first.snapshot.bytes_read(), 100_000);
    // Until the files are old enough for their times to be trusted.
    while then.elapsed().unwrap() < Duration::from_millis(60) {
        std::thread::yield_now();
    }
    pair.sync();
    let outcome = pair.sync();
    assert_eq!(outcome.snapshot.bytes_read(), 0);
    assert!(outcome.bytes.0 + outcome.bytes.1 < 200, "{:?} bytes", outcome.bytes);
}

#[test]
fn hidden_and_ignored_files_stay_and_are_named() {
    let mut pair = Pair::new();
    pair.source.rules = Rules { include: vec!["_version.py".into(), "build/x.so".into()], ..Rules::default() };
    fs::create_dir_all(pair.from("venv/bin")).unwrap();
    fs::create_dir_all(pair.from("cache")).unwrap();
    fs::create_dir_all(pair.from("build/more")).unwrap();
    fs::create_dir_all(pair.from("pkg/__pycache__")).unwrap();
    for (file, text) in [
        (".gitignore", "*.log\n_version.py\nbuild/\n"),
        ("pkg/.gitignore", "!keep.log\nsecret\n"),
        ("pkg/keep.log", ""),
        ("pkg/drop.log", ""),
        ("pkg/secret", ""),
        ("pkg/_version.py", "1"),
        ("pkg/__pycache__/x.pyc", ""),
        ("build/x.so", "so"),
        ("build/y.so", "so"),
        ("venv/pyvenv.cfg", ""),
        ("cache/CACHEDIR.TAG", ""),
        ("pkg/a.py", ""),
    ] {
        fs::write(pair.from(file), text).unwrap();
    }
    let snapshot = pair.run().snapshot;
    let seen: Vec<_> = walk(&pair.to("")).into_keys().map(|path| path.to_string_lossy().into_owned()).collect();
    assert_eq!(seen, ["build", "build/x.so", "pkg", "pkg/_version.py", "pkg/a.py", "pkg/keep.log"]);
    let skipped: Vec<_> =
        snapshot.skipped().iter().map(|skipped| skipped.path.to_string_lossy().into_owned()).collect();
    let expected =
        [".gitignore", "build", "cache", "pkg/.gitignore", "pkg/__pycache__", "pkg/drop.log", "pkg/secret", "venv"];
    assert_eq!(skipped, expected);
}
