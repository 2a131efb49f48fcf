//! What counts as a change.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ignore::gitignore::Gitignore;
use proptest::prelude::*;

use crate::looponfail::own_writes::{OwnWrites, Verdict};
use crate::looponfail::rules::{Rules, is_ignored_name};
use crate::looponfail::snapshot::{Change, Difference, Snapshot};

struct Tree {
    root: tempfile::TempDir,
    rules: Rules,
    snapshot: Snapshot,
    entered: Vec<PathBuf>,
}

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().canonicalize().unwrap();
        let rules = Rules::new(vec![path.clone()], vec![path.join("out")], Gitignore::empty());
        let mut tree = Self { root, rules, snapshot: Snapshot::default(), entered: Vec::new() };
        for (name, text) in files {
            tree.write(name, text);
        }
        tree.look("");
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        let root = self.root.path().canonicalize().unwrap();
        if name.is_empty() { root } else { root.join(name) }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What changed there, in short: `+new`, `-gone`, `contents`.
    fn look(&mut self, name: &str) -> Vec<String> {
        let path = self.path(name);
        let (root, Self { snapshot, rules, entered, .. }) = (self.path(""), self);
        let mut changes = snapshot.look(&path, rules, &mut |directory| entered.push(directory.to_owned()));
        changes.sort_by(|one, other| one.path.cmp(&other.path));
        let shown = changes.iter().map(|change| {
            let sign = match change.difference {
                Difference::New => "+",
                Difference::Gone => "-",
                Difference::Contents => "",
            };
            format!("{sign}{}", change.path.strip_prefix(&root).unwrap().display())
        });
        shown.collect()
    }
}

#[test]
fn contents_count_and_nothing_else() {
    let mut tree = Tree::new(&[("a.py", "1"), ("pkg/b.py", "2")]);
    assert_eq!(tree.look(""), [""; 0]);
    tree.write("a.py", "1");
    assert_eq!(tree.look("a.py"), [""; 0], "written again as it was");
    tree.write("a.py", "3");
    assert_eq!(tree.look("a.py"), ["a.py"]);
    assert_eq!(tree.look("a.py"), [""; 0], "told once");
    fs::rename(tree.path("a.py"), tree.path("pkg/a.py")).unwrap();
    assert_eq!((tree.look("a.py"), tree.look("pkg/a.py")), (vec!["-a.py".to_owned()], vec!["+pkg/a.py".to_owned()]));
    fs::remove_dir_all(tree.path("pkg")).unwrap();
    assert_eq!(tree.look("pkg"), ["-pkg/a.py", "-pkg/b.py"]);
}

#[test]
fn directories_are_entered_when_they_come_and_when_they_come_back() {
    let mut tree = Tree::new(&[("a.py", "1")]);
    tree.write("new/deep/b.py", "1");
    tree.entered.clear();
    assert_eq!(tree.look("new"), ["+new/deep/b.py"]);
    assert_eq!(tree.entered, [tree.path("new"), tree.path("new/deep")]);
    // Another one in its place, before anybody looked.
    fs::rename(tree.path("new"), tree.path("old")).unwrap();
    tree.write("new/deep/b.py", "2");
    tree.entered.clear();
    assert_eq!(tree.look("new"), ["new/deep/b.py"]);
    assert_eq!(tree.entered, [tree.path("new"), tree.path("new/deep")]);
}

#[test]
fn links_in_circles_have_an_end() {
    let mut tree = Tree::new(&[("pkg/a.py", "1")]);
    std::os::unix::fs::symlink(tree.path("pkg"), tree.path("pkg/again")).unwrap();
    std::os::unix::fs::symlink(tree.path(""), tree.path("pkg/up")).unwrap();
    std::os::unix::fs::symlink("nowhere", tree.path("pkg/broken")).unwrap();
    assert_eq!(tree.look(""), [""; 0]);
}

#[test]
fn what_version_control_ignores() {
    let mut tree = Tree::new(&[(".gitignore", "*.log\n/build/\n!keep.log\n"), ("sub/.gitignore", "!wanted.log\n")]);
    for (name, ignored) in [
        ("run.log", true),
        ("keep.log", false),
        ("sub/run.log", true),
        ("sub/wanted.log", false),
        ("build/x.py", true),
        ("sub/build/x.py", false),
        ("out/junit.xml", true),
        ("out2/junit.xml", false),
        ("a.py", false),
    ] {
        let path = tree.path(name);
        assert_eq!(tree.rules.ignores_anywhere(&path, false), ignored, "{name}");
    }
    assert!(tree.rules.ignores_anywhere(Path::new("/elsewhere/a.py"), false), "nobody watches there");
}

#[test]
fn names_that_say_enough() {
    for name in [".a.py.swp", "a.py~", "4913", "a.pyc", ".#a.py", "#a.py#", ".coverage", ".coverage.host.1.2", "x.tmp"]
    {
        assert!(is_ignored_name(name.as_ref(), false), "{name}");
    }
    for name in ["__pycache__", ".git", ".pytest_cache", "node_modules", ".mypy_cache"] {
        assert!(is_ignored_name(name.as_ref(), true), "{name}");
    }
    for name in ["a.py", "conftest.py", "#", "data.json", ".env", "pytest.ini", "build"] {
        assert!(!is_ignored_name(name.as_ref(), false) && !is_ignored_name(name.as_ref(), true), "{name}");
    }
}

/// A run whose processes have left word of these.
fn on(directory: &Path, words: &[&str]) -> OwnWrites {
    let record = directory.join("record");
    fs::write(&record, words.join("\0") + "\0").unwrap();
    let mut own = OwnWrites::default();
    own.begin(record, SystemTime::now());
    own.catch_up();
    own
}

fn change(path: &str, difference: Difference, modified: SystemTime) -> Change {
    Change { path: path.into(), difference, modified: Some(modified) }
}

#[test]
fn what_processes_leave_word_of_is_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let mut own = on(directory.path(), &["/t/made.py", "/t/dir"]);
    let now = SystemTime::now();
    for (path, verdict) in [
        ("/t/made.py", Verdict::Own),
        ("/t/dir/deep/x.py", Verdict::Own),
        ("/t/dir2/x.py", Verdict::Counts),
        ("/t/edited.py", Verdict::Counts),
    ] {
        assert_eq!(own.judge(&change(path, Difference::Contents, now)), verdict, "{path}");
    }
    own.over(now);
    assert_eq!(own.judge(&change("/t/made.py", Difference::Contents, now)), Verdict::Own);
    let later = now + Duration::from_millis(1);
    assert_eq!(own.judge(&change("/t/made.py", Difference::Contents, later)), Verdict::Counts);
    own.end();
    assert_eq!(own.judge(&change("/t/made.py", Difference::Contents, now)), Verdict::Counts);
}

#[test]
fn what_other_programs_write() {
    let directory = tempfile::tempdir().unwrap();
    let mut own = on(directory.path(), &[]);
    let now = SystemTime::now();
    assert_eq!(own.judge(&change("/t/by_child.txt", Difference::New, now)), Verdict::Own);
    assert_eq!(own.judge(&change("/t/by_child.txt", Difference::Contents, now)), Verdict::Own);
    // There before: perhaps somebody edits it, but not in run after run.
    let mut verdicts = Vec::new();
    for _ in 0..6 {
        verdicts.push(own.judge(&change("/t/data.txt", Difference::Contents, now)));
        own.end();
        own.begin(directory.path().join("record"), now);
    }
    assert_eq!(verdicts, [[Verdict::Later; 3], [Verdict::Own; 3]].concat());
    own.end();
    assert_eq!(own.judge(&change("/t/data.txt", Difference::Contents, now)), Verdict::Counts, "nothing runs");
    // Source always counts, but does not stop run after run.
    let mut verdicts = Vec::new();
    for _ in 0..4 {
        own.begin(directory.path().join("record"), now);
        verdicts.push(own.judge(&change("/t/a.py", Difference::New, now + Duration::from_secs(1))));
        own.end();
    }
    assert_eq!(verdicts, [Verdict::Counts, Verdict::Counts, Verdict::Later, Verdict::Later]);
}

#[test]
fn whoever_edits_in_run_after_run_does_so_at_other_moments() {
    let directory = tempfile::tempdir().unwrap();
    let mut own = OwnWrites::default();
    let mut now = SystemTime::now();
    let mut verdicts = Vec::new();
    for tenths in [4_u64, 90, 40, 41, 7, 300, 12, 50, 90] {
        own.begin(directory.path().join("record"), now);
        now += Duration::from_millis(tenths * 100);
        verdicts.push(own.judge(&change("/t/a.py", Difference::Contents, now)));
        own.end();
    }
    let counts = verdicts.iter().take_while(|verdict| **verdict == Verdict::Counts).count();
    assert_eq!(counts, 7, "{verdicts:?}");
    assert_eq!(verdicts[7..], [Verdict::Later; 2]);
    // The habit is over with a run in which nothing happened to the file.
    own.begin(directory.path().join("record"), now);
    own.end();
    own.begin(directory.path().join("record"), now);
    assert_eq!(own.judge(&change("/t/a.py", Difference::Contents, now)), Verdict::Counts);
}

proptest! {
    #[test]
    fn word_may_come_in_any_pieces(names in prop::collection::vec("[a-z]{1,8}", 1..20), cut in 0..200_usize) {
        let directory = tempfile::tempdir().unwrap();
        let record = directory.path().join("record");
        let text: String = names.iter().flat_map(|name| ["/t/", name, "\0"]).collect();
        let mut own = OwnWrites::default();
        own.begin(record.clone(), SystemTime::now());
        for end in [cut.min(text.len()), text.len()] {
            fs::write(&record, &text[..end]).unwrap();
            own.catch_up();
        }
        for name in names {
            let found = change(&format!("/t/{name}"), Difference::Contents, SystemTime::now());
            prop_assert_eq!(own.judge(&found), Verdict::Own);
        }
    }
}
