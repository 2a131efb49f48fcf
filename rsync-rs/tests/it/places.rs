//! Destinations that cannot be written: of other users, full, read-only. What cannot be done is named, nothing is half
//! done, and the next run completes the tree.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rsync_rs::link::stream::{StreamReader, StreamWriter};
use rsync_rs::{Target, push};

use crate::support::{Pair, mode, noise, program, walk};

/// A user who is neither root nor, usually, anybody else.
const NOBODY: u32 = 65534;

/// Somewhere that others see, with a program that they can run.
fn shared() -> (Pair, PathBuf) {
    let pair = Pair::new();
    mode(pair.base.path(), 0o755);
    let copy = pair.base.path().join("sync");
    // Not written here: what another test starts meanwhile would have it open for writing for a moment, and a program that
    // is written to cannot be started.
    assert!(Command::new("cp").args([program(), copy.clone()]).status().unwrap().success());
    (pair, copy)
}

/// Only root has two users to be.
fn is_root(pair: &Pair) -> bool {
    fs::metadata(pair.base.path()).unwrap().uid() == 0
}

/// Sends to a receiver that belongs to nobody; what its error says.
fn send_to_nobody(pair: &Pair, sync: &Path, destination: &Path, state: &Path) -> Result<(), String> {
    let mut receiver = Command::new(sync)
        .args([Path::new("--receive"), destination, state])
        .uid(NOBODY)
        .gid(NOBODY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let reader = Box::new(StreamReader::new(receiver.stdout.take().unwrap()));
    let writer = Box::new(StreamWriter::new(receiver.stdin.take().unwrap()));
    let snapshot = pair.source.scan().unwrap();
    let (_, mut results) = push(&pair.source, snapshot, &mut [Target { reader, writer }], &|_, _| ());
    receiver.wait().unwrap();
    results.remove(0).map(drop).map_err(|error| error.to_string())
}

#[test]
fn what_belongs_to_another_user_is_named_and_left_alone() {
    let (pair, sync) = shared();
    if !is_root(&pair) {
        return;
    }
    let of_nobody = |path: &Path| chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    let state = pair.base.path().join("state");
    fs::create_dir(&state).unwrap();
    of_nobody(&state);
    for name in ["a", "theirs/file", "theirs/new", "z"] {
        fs::create_dir_all(pair.from("theirs")).unwrap();
        fs::write(pair.from(name), name).unwrap();
    }
    fs::create_dir_all(pair.to("theirs")).unwrap();
    fs::write(pair.to("theirs/file"), "theirs").unwrap();
    of_nobody(&pair.to(""));
    let error = send_to_nobody(&pair, &sync, &pair.to(""), &state).unwrap_err();
    assert!(error.contains("`theirs/") && error.contains("Permission denied"), "{error}");
    assert_eq!(fs::read_to_string(pair.to("theirs/file")).unwrap(), "theirs");
    assert!(!pair.to("theirs/new").exists());
    for path in ["theirs", "theirs/file"] {
        of_nobody(&pair.to(path));
    }
    send_to_nobody(&pair, &sync, &pair.to(""), &state).unwrap();
    assert_eq!(walk(&pair.to("")), walk(&pair.from("")));
}

#[test]
fn a_folder_in_which_nothing_can_be_made_is_named() {
    let (pair, sync) = shared();
    if !is_root(&pair) {
        return;
    }
    fs::write(pair.from("file"), "x").unwrap();
    let (locked, state) = (pair.base.path().join("locked"), pair.base.path().join("state"));
    for path in [&locked, &state, &locked.join("inner")] {
        fs::create_dir(path).unwrap();
    }
    chown(&state, Some(NOBODY), Some(NOBODY)).unwrap();
    for (destination, state, named) in [
        (locked.join("new"), state.clone(), locked.join("new")),
        (locked.join("inner"), state.clone(), locked.join("inner")),
        (state.join("to"), locked.clone(), locked.clone()),
    ] {
        let error = send_to_nobody(&pair, &sync, &destination, &state).unwrap_err();
        assert!(error.contains(&named.display().to_string()) && error.contains("Permission denied"), "{error}");
    }
    assert!(walk(&locked).len() == 1, "{:?}", walk(&locked));
}

#[test]
fn sources_of_another_user_are_named_all_at_once() {
    let (pair, sync) = shared();
    if !is_root(&pair) {
        return;
    }
    fs::create_dir(pair.from("locked")).unwrap();
    for name in ["fine", "secret", "locked/file"] {
        fs::write(pair.from(name), name).unwrap();
    }
    mode(&pair.from("secret"), 0o600);
    mode(&pair.from("locked"), 0o700);
    let state = pair.base.path().join("state");
    fs::create_dir(&state).unwrap();
    chown(&state, Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = Command::new(sync);
    command.arg("--state").arg(&state).args([pair.from(""), state.join("to")]);
    let output = command.uid(NOBODY).gid(NOBODY).output().unwrap();
    let errors = text(&output);
    assert!(!output.status.success(), "{errors}");
    for name in ["secret", "locked"] {
        assert!(errors.contains(&format!("`{name}`: Permission denied")), "{errors}");
    }
    assert!(!errors.contains("fine") && !state.join("to/fine").exists(), "{errors}");
}

/// Runs a script with the program and a directory that has `from` in it, where file systems can be mounted: it goes well,
/// and the program says `told`.
fn with_mounts(pair: &Pair, told: &str, script: &str) {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-euc", script]);
    let output = command.arg(program()).arg(pair.base.path()).output().unwrap();
    let errors = text(&output);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert!(errors.contains(told), "{errors}");
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn without_room_nothing_is_half_done_and_with_room_all_is() {
    let pair = Pair::new();
    fs::create_dir(pair.to("")).unwrap();
    for at in 0..20u64 {
        fs::write(pair.from(format!("{at}")), noise(at, 100_000)).unwrap();
    }
    with_mounts(
        &pair,
        "No space left on device",
        r#"
        sync() { "$0" --all --state "$1/state" "$1/from" "$1/to"; }
        mount -t tmpfs -o size=1m none "$1/to"
        if sync "$1"; then exit 71; fi
        test -z "$(find "$1/to" -type f)" || exit 72
        mount -o remount,size=9m "$1/to"
        sync "$1" || exit 73
        diff -r "$1/from" "$1/to" || exit 74
        "#,
    );
}

#[test]
fn a_read_only_destination_is_fine_as_long_as_nothing_changes() {
    let pair = Pair::new();
    fs::create_dir_all(pair.to("")).unwrap();
    fs::create_dir(pair.from("directory")).unwrap();
    fs::write(pair.from("directory/file"), "old").unwrap();
    with_mounts(
        &pair,
        "Read-only file system",
        r#"
        sync() { "$0" --all --state "$1/state" "$1/from" "$1/to"; }
        mount -t tmpfs none "$1/to"
        sync "$1" || exit 71
        mount -o remount,ro "$1/to"
        sync "$1" || exit 72
        echo newer > "$1/from/directory/file"
        if sync "$1"; then exit 73; fi
        test "$(cat "$1/to/directory/file")" = old || exit 74
        mount -o remount,rw "$1/to"
        sync "$1" || exit 75
        diff -r "$1/from" "$1/to" || exit 76
        "#,
    );
}
