//! Manifests and their differences: what is read is a tree, within its limits, and is written as the same again.

use super::path::is_harmless;
use crate::codec::{Put, Take};
use crate::digest::Digest;
use crate::manifest::{Builder, Limits, Manifest, Node, apply, difference};
use crate::stat::Time;

pub(super) const LIMITS: Limits = Limits { entries: 2000, memory: 1 << 20, file: 1 << 40 };

fn is_a_tree(tree: &Manifest) {
    assert!(tree.entries().len() <= LIMITS.entries);
    assert!(tree.entries().is_sorted_by(|one, other| one.path < other.path));
    let mut memory = 0;
    for entry in tree.entries() {
        is_harmless(&entry.path);
        memory += entry.path.as_bytes().len();
        let parent = entry.path.parent();
        let directory = |path| tree.find(path).is_some_and(|entry| matches!(entry.node, Node::Directory { .. }));
        assert!(parent.is_root() || directory(&parent), "`{}` lies in no directory", entry.path);
        assert_eq!(tree.find(&entry.path), Some(entry));
        match &entry.node {
            Node::Directory { mode } => assert_eq!(mode & !0o777, 0),
            Node::File { mode, size, modified, .. } => {
                assert_eq!(mode & !0o777, 0);
                assert!(*size <= LIMITS.file && modified.nanos < 1_000_000_000);
            }
            Node::Link { target, .. } => {
                memory += target.len();
                assert!(!target.is_empty() && target.len() < 4096 && !target.contains(&0));
            }
        }
    }
    assert!(memory <= LIMITS.memory);
    let bytes = tree.encode();
    assert_eq!(tree.root(), Digest::of(&bytes));
    assert_eq!(Manifest::decode(&bytes, &LIMITS).as_ref(), Ok(tree));
}

pub(super) fn check(input: &[u8]) {
    let mut take = Take::new(input);
    let (one, other) = (take.bytes().unwrap_or(input), take.bytes().unwrap_or_default());
    let trees = [one, other].map(|bytes| Manifest::decode(bytes, &LIMITS));
    trees.iter().flatten().for_each(is_a_tree);
    if let [Ok(one), Ok(other)] = &trees {
        for (from, to) in [(one, other), (other, one), (one, one)] {
            let difference = difference(from, to);
            assert_eq!(apply(from, &difference, &LIMITS).as_ref(), Ok(to));
            assert!(from != to || difference.len() <= 11, "{} bytes for no difference", difference.len());
        }
        // What is left is a difference as another end might send it.
        if let Ok(made) = apply(one, take.rest(), &LIMITS) {
            is_a_tree(&made);
        }
    }
}

/// A small tree whose files have the contents and sizes of `files`.
fn tree(files: &[(&[u8], u64)], seconds: i64) -> Manifest {
    let mut builder = Builder::new(LIMITS);
    let modified = Time { seconds, nanos: 5 };
    let file = |size| Node::File { mode: 0o644, size, modified, content: Digest::of(&[7; 3]) };
    let link = Node::Link { target: (*b"../conftest.py").into(), modified };
    let _ = builder.push(0, b"conftest.py", file(10));
    let _ = builder.push(0, b"tests", Node::Directory { mode: 0o755 });
    let _ = builder.push(1, b"link", link);
    let _ = builder.push(1, b"sub", Node::Directory { mode: 0o700 });
    for (name, size) in files {
        let _ = builder.push(2, name, file(*size));
    }
    builder.finish()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let one = tree(&[(b"test_a.py", 5), (b"test_b.py", 700)], 1_700_000_000);
    let other = tree(&[(b"test_a.py", 6), (b"test_c.py", 700), (b"\xff.txt", 0)], 1_700_000_100);
    let seed = |one: &Manifest, other: &Manifest, difference: &[u8]| {
        let mut bytes = Vec::new();
        bytes.put_bytes(&one.encode());
        bytes.put_bytes(&other.encode());
        [&bytes, difference].concat()
    };
    let empty = Builder::new(LIMITS).finish();
    let wide: Vec<_> = (0..60_u8).map(|at| [b'a' + at / 10, b'0' + at % 10]).collect();
    let wide: Vec<_> = wide.iter().map(|name| (&name[..], 1)).collect();
    vec![
        one.encode(),
        seed(&one, &other, &difference(&one, &other)),
        seed(&other, &one, &difference(&other, &one)),
        seed(&empty, &one, &difference(&empty, &one)),
        seed(&one, &empty, &difference(&one, &empty)),
        seed(&one, &tree(&wide, 9), &difference(&one, &tree(&wide, 9))),
    ]
}
