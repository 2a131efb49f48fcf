use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A random tree: nested maps of names, made into entries with every ancestor there.
pub(crate) fn manifests() -> impl Strategy<Value = Manifest> {
    let name = prop_oneof!["[a-c]{1,2}", "[a-c]\\.[a-c]", "[a-c]-"];
    let path = prop::collection::vec(name, 1..4);
    prop::collection::vec((path, nodes()), 0..24).prop_map(|items| {
        let mut tree: BTreeMap<RelPath, Node> = BTreeMap::new();
        for (names, node) in items {
            let mut path = RelPath::root();
            let count = names.len();
            for (index, name) in names.iter().enumerate() {
                path = path.child(name.as_bytes()).unwrap();
                if index + 1 < count {
                    let here = tree.entry(path.clone()).or_insert(Node::Directory { mode: 0o755 });
                    if !matches!(here, Node::Directory { .. }) {
                        break;
                    }
                } else {
                    tree.entry(path.clone()).or_insert_with(|| node.clone());
                }
            }
        }
        build(tree)
    })
}

fn nodes() -> impl Strategy<Value = Node> {
    let time = (any::<i64>(), 0..1_000_000_000u32).prop_map(|(seconds, nanos)| Time { seconds, nanos });
    prop_oneof![
        1 => (0..0o1000u32).prop_map(|mode| Node::Directory { mode }),
        4 => (0..0o1000u32, 0..9u64, time.clone(), 0..6u8).prop_map(|(mode, size, modified, content)| Node::File {
            mode, size, modified, content: Digest::of(&[content])
        }),
        1 => (time, "[a-z/.]{1,9}").prop_map(|(modified, target)| Node::Link { target: target.as_bytes().into(), modified }),
    ]
}

pub(crate) fn build(tree: BTreeMap<RelPath, Node>) -> Manifest {
    let mut builder = Builder::new(Limits::default());
    for (path, node) in tree {
        builder.push_entry(Entry { path, node }).unwrap();
    }
    builder.finish()
}

proptest! {
    #[test]
    fn a_manifest_survives_its_encoding(manifest in manifests()) {
        prop_assert_eq!(Manifest::decode(&manifest.encode(), &Limits::default()), Ok(manifest));
    }

    #[test]
    fn a_difference_makes_one_of_the_other(from in manifests(), to in manifests()) {
        let bytes = difference(&from, &to);
        prop_assert_eq!(apply(&from, &bytes, &Limits::default()), Ok(to.clone()));
        if from == to {
            prop_assert!(bytes.len() <= 4);
        }
    }

    #[test]
    fn whatever_arrives_is_a_valid_tree_or_an_error(base in manifests(), bytes: Vec<u8>) {
        for result in [Manifest::decode(&bytes, &Limits::default()), apply(&base, &bytes, &Limits::default())] {
            let Ok(manifest) = result else { continue };
            prop_assert!(manifest.entries().windows(2).all(|pair| pair[0].path < pair[1].path));
        }
    }

    #[test]
    fn a_damaged_manifest_is_another_tree_or_an_error(manifest in manifests(), at: prop::sample::Index, flip in 1..=255u8) {
        let mut bytes = manifest.encode();
        prop_assume!(!bytes.is_empty());
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(other) = Manifest::decode(&bytes, &Limits::default()) {
            prop_assert_ne!(other.root(), manifest.root());
        }
    }
}

fn raw(entries: &[(u64, &[u8], Node)]) -> Result<Manifest, ManifestError> {
    let mut bytes = Vec::new();
    for (depth, name, node) in entries {
        bytes.put_number(*depth);
        bytes.put_bytes(name);
        put_node(node, &mut bytes);
    }
    Manifest::decode(&bytes, &Limits { entries: 4, memory: 600, file: 10 })
}

#[test]
fn hostile_manifests_are_refused() {
    let file = |size| Node::File { mode: 0o644, size, modified: Time::default(), content: Digest::of(b"") };
    let directory = || Node::Directory { mode: 0o755 };
    let link = |target: &[u8]| Node::Link { target: target.into(), modified: Time::default() };
    let names: [&[u8]; 6] = [b"..", b".", b"", b"/etc", b"a/b", b".rsync-rs"];
    for name in names {
        assert!(matches!(raw(&[(0, name, file(0))]), Err(ManifestError::Path(_))), "{name:?}");
    }
    for (what, entries) in [
        ("below a link", vec![(0, &b"a"[..], link(b"/etc")), (1, &b"b"[..], file(0))]),
        ("below a file", vec![(0, b"a", file(0)), (1, b"b", file(0))]),
        ("no parent", vec![(1, b"a", file(0))]),
        ("twice", vec![(0, b"a", file(0)), (0, b"a", file(0))]),
        ("a directory again", vec![(0, b"a", directory()), (1, b"b", file(0)), (0, b"a", link(b"x"))]),
        ("out of order", vec![(0, b"b", file(0)), (0, b"a", file(0))]),
        ("set-user-ID", vec![(0, b"a", Node::Directory { mode: 0o4755 })]),
        ("a file too large", vec![(0, b"a", file(11))]),
        ("an empty link", vec![(0, b"a", link(b""))]),
        ("a link with NUL", vec![(0, b"a", link(b"x\0y"))]),
        ("too many", (0..5).map(|at| (0, &b"abcde"[at..=at], file(0))).collect()),
        ("too much", (0..3).map(|at| (0, &b"abc"[at..=at], link(&[b'x'; 99]))).collect()),
    ] {
        assert!(raw(&entries).is_err(), "{what}");
    }
    assert!(raw(&[(0, b"a", directory()), (1, b"b", file(10))]).is_ok());
}
