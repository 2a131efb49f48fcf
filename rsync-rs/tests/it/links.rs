//! Links that lead out of the tree, and things that are neither files nor directories.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rsync_rs::{Links, Reason, ReceiveError};

use crate::support::{Pair, walk};

fn outward() -> Pair {
    let pair = Pair::new();
    fs::create_dir_all(pair.base.path().join("shared/deep")).unwrap();
    fs::write(pair.base.path().join("shared/deep/data"), "data").unwrap();
    symlink("../shared", pair.from("directory")).unwrap();
    symlink(pair.base.path().join("shared/deep/data"), pair.from("file")).unwrap();
    symlink("file", pair.from("inside")).unwrap();
    pair
}

#[test]
fn they_are_refused_by_name() {
    let error = outward().source.scan().unwrap_err().to_string();
    assert!(error.contains("`directory`: a link that leads out of the tree, to `../shared`"), "{error}");
    assert!(error.contains("`file`") && !error.contains("`inside`") && error.contains("hint: "), "{error}");
}

#[test]
fn they_are_skipped_with_a_word() {
    let mut pair = outward();
    pair.source.links = Links::Skip;
    let outcome = pair.run();
    outcome.sent.unwrap();
    assert_eq!(walk(&pair.to("")).len(), 1);
    let reasons: Vec<_> = outcome.snapshot.skipped().iter().map(|skipped| &skipped.reason).collect();
    assert!(matches!(reasons[..], [Reason::Link(_), Reason::Link(_)]), "{reasons:?}");
}

#[test]
fn they_are_kept_if_both_ends_agree() {
    let mut pair = outward();
    pair.source.links = Links::Keep;
    let refused = pair.run();
    assert!(matches!(refused.received, Err(ReceiveError::OutwardLink(_))), "{refused:?}");
    assert!(walk(&pair.to("")).is_empty());
    pair.options.outward_links = true;
    pair.sync();
}

#[test]
fn what_they_lead_to_is_copied() {
    let mut pair = outward();
    pair.source.links = Links::Copy;
    let outcome = pair.run();
    outcome.sent.unwrap();
    assert!(outcome.snapshot.skipped().is_empty(), "{:?}", outcome.snapshot.skipped());
    assert_eq!(fs::read_to_string(pair.to("directory/deep/data")).unwrap(), "data");
    assert_eq!(fs::read_to_string(pair.to("file")).unwrap(), "data");
    assert!(!pair.to("file").is_symlink() && !pair.to("directory").is_symlink() && pair.to("inside").is_symlink());
    symlink("..", pair.base.path().join("shared/up")).unwrap();
    symlink(pair.base.path(), pair.base.path().join("shared/round")).unwrap();
    let error = pair.source.scan().unwrap_err().to_string();
    assert!(error.contains("a link to a directory that it lies in"), "{error}");
}

#[test]
fn special_files_are_skipped_with_a_word() {
    let pair = Pair::new();
    fs::write(pair.from("file"), "").unwrap();
    let _listener = UnixListener::bind(pair.from("socket")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(pair.from("pipe")).status().unwrap();
    assert!(made.success());
    fs::create_dir(pair.from(".rsync-rs")).unwrap();
    let snapshot = pair.run().snapshot;
    let skipped: Vec<_> = snapshot.skipped().iter().map(|skipped| skipped.reason.clone()).collect();
    assert_eq!(skipped, [Reason::Reserved, Reason::Special("named pipe"), Reason::Special("socket")]);
    assert_eq!(walk(&pair.to("")).len(), 1);
}
