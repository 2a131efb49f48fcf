//! Senders that break the rules: whatever they say, nothing outside of the destination changes, nothing of it is half
//! changed, and the receiver ends with an error in words.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::codec::Put;
use crate::digest::Digest;
use crate::link::{MessageReader, MessageWriter};
use crate::manifest::{self, Manifest, Node};
use crate::message::{ToReceiver, ToSender, VERSION};
use crate::pack::{Item, Pack, PackStep};
use crate::stat::Time;

struct Reading(Receiver<Vec<u8>>);
struct Writing(Sender<Vec<u8>>);

impl MessageReader for Reading {
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.recv().ok())
    }
}

impl MessageWriter for Writing {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.send(message.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// A destination `to` beside a `canary`.
struct Scene {
    base: TempDir,
    options: Options,
}

impl Scene {
    fn new() -> Self {
        let base = TempDir::new().unwrap();
        fs::create_dir(base.path().join("canary")).unwrap();
        fs::write(base.path().join("canary/file"), "alive").unwrap();
        fs::create_dir(base.path().join("to")).unwrap();
        fs::write(base.path().join("to/own"), "own").unwrap();
        let mut options = Options::new(base.path().join("to"), base.path().join("state"));
        options.limits.memory = 1 << 20;
        Self { base, options }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    /// Says all at once, whatever the receiver answers.
    fn say(&self, messages: &[Vec<u8>]) -> (Result<Received, ReceiveError>, Vec<ToSender>) {
        let (out, incoming) = channel();
        let (answer, answers) = channel();
        for message in messages {
            out.send(message.clone()).unwrap();
        }
        drop(out);
        let mut destination = Destination::open(self.options.clone(), Duration::ZERO, || ()).unwrap();
        let result = destination.receive(&mut Reading(incoming), &mut Writing(answer));
        let answers = answers.iter().map(|answer| ToSender::decode(&answer).unwrap()).collect();
        (result, answers)
    }

    fn check(&self) {
        assert_eq!(fs::read_to_string(self.path("canary/file")).unwrap(), "alive");
        assert_eq!(fs::read_dir(self.path("canary")).unwrap().count(), 1);
        let mut beside: Vec<_> =
            fs::read_dir(self.base.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        beside.sort();
        assert_eq!(beside, ["canary", "state", "to"]);
        assert_eq!(fs::read_to_string(self.path("to/own")).unwrap(), "own");
    }

    /// Says what must be refused, and change nothing.
    fn refused(&self, what: &str, messages: &[Vec<u8>]) -> ReceiveError {
        let (result, answers) = self.say(messages);
        let error = result.expect_err(what);
        assert!(matches!(answers.last(), Some(ToSender::Failed(text)) if *text == error.to_string()), "{what}");
        self.check();
        assert_eq!(tree_of(&self.path("to")), ["own"], "{what}");
        error
    }
}

fn tree_of(path: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.as_bytes() != crate::path::RESERVED);
    names.sort();
    names
}

fn file(content: &[u8]) -> Node {
    let size = content.len() as u64;
    Node::File { mode: 0o644, size, modified: Time::default(), content: Digest::of(content) }
}

fn tree(entries: &[(&str, Node)]) -> Manifest {
    let parse = |path: &str| RelPath::parse(Path::new(path)).unwrap();
    manifest::tests::build(entries.iter().map(|(path, node)| (parse(path), node.clone())).collect::<BTreeMap<_, _>>())
}

fn offer(root: Digest) -> Vec<u8> {
    ToReceiver::Offer { version: VERSION, root }.encode()
}

fn tree_message(base: Option<Digest>, bytes: &[u8]) -> Vec<u8> {
    ToReceiver::Tree { base, last: true, data: zstd::encode_all(bytes, 1).unwrap() }.encode()
}

fn pack(items: &[(u32, PackStep)], data: &[u8]) -> Vec<u8> {
    let items: Vec<_> = items.iter().map(|(entry, step)| Item { entry: *entry, step: *step }).collect();
    ToReceiver::Pack(Pack::encode(&items, data).unwrap()).encode()
}

/// A tree of raw entries, with the root that it would have.
fn raw(entries: &[(u64, &[u8])]) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    for (depth, name) in entries {
        bytes.put_number(*depth);
        bytes.put_bytes(name);
        // An empty file.
        bytes.extend([1]);
        bytes.put_number(0o644);
        bytes.put_number(0);
        bytes.extend([0, 0]);
        bytes.put_digest(&Digest::of(b""));
    }
    vec![offer(Digest::of(&bytes)), tree_message(None, &bytes)]
}

#[test]
fn names_that_lead_out_are_refused() {
    let scene = Scene::new();
    let canary = scene.path("canary/file");
    for name in [&b".."[..], b".", b"", b"../canary/new", b"a/b", canary.to_str().unwrap().as_bytes(), b".rsync-rs"] {
        let error = scene.refused("a name", &raw(&[(0, name)]));
        assert!(matches!(error, ReceiveError::Manifest(ManifestError::Path(_))), "{error}");
    }
    scene.refused("twice the same", &raw(&[(0, b"a"), (0, b"a")]));
    scene.refused("below a file", &raw(&[(0, b"a"), (1, b"b")]));
    for target in ["/etc", "../canary", "a/../../canary"] {
        let link = Node::Link { target: target.as_bytes().into(), modified: Time::default() };
        let tree = tree(&[("l", link)]);
        let error = scene.refused(target, &[offer(tree.root()), tree_message(None, &tree.encode())]);
        assert!(matches!(error, ReceiveError::OutwardLink(_)), "{error}");
    }
}

#[test]
fn wrong_messages_are_refused() {
    let scene = Scene::new();
    let (small, large) = (vec![1; 10], vec![2; 1000]);
    let tree = tree(&[("d", Node::Directory { mode: 0o755 }), ("d/a", file(&small)), ("d/b", file(&large))]);
    let begin = [offer(tree.root()), tree_message(None, &tree.encode())];
    let data = |length| PackStep::Data { length };
    let copy = |offset, length| PackStep::Copy { offset, length };
    let sent = ToReceiver::Sent.encode();
    let then = |messages: &[Vec<u8>]| [&begin[..], messages].concat();
    for (what, messages) in [
        ("nothing", vec![]),
        ("an empty message", vec![vec![]]),
        ("an unknown message", vec![vec![77]]),
        ("another version", vec![ToReceiver::Offer { version: 99, root: tree.root() }.encode()]),
        ("contents before an offer", vec![pack(&[(0, data(1))], b"x")]),
        ("contents instead of a tree", vec![offer(tree.root()), sent.clone()]),
        ("another tree", vec![offer(Digest::of(b"")), tree_message(None, &tree.encode())]),
        ("no tree", vec![offer(tree.root()), tree_message(None, b"junk")]),
        (
            "no compression",
            vec![offer(tree.root()), ToReceiver::Tree { base: None, last: true, data: vec![1] }.encode()],
        ),
        ("a bomb", vec![offer(tree.root()), tree_message(None, &vec![0; 64 << 20])]),
        ("an unknown base", vec![offer(tree.root()), tree_message(Some(Digest::of(b"?")), &[])]),
        ("goodbye in the middle", then(&[ToReceiver::Bye.encode()])),
        ("the end of the link", then(&[])),
        ("a tree again", then(&begin[1..])),
        ("contents of a directory", then(&[pack(&[(0, data(1))], b"x")])),
        ("contents of nothing", then(&[pack(&[(9, data(1))], b"x")])),
        ("too many bytes", then(&[pack(&[(1, data(11))], &[1; 11])])),
        ("the end in a file", then(&[pack(&[(1, data(9))], &[1; 9]), sent.clone()])),
        ("a file in a file", then(&[pack(&[(1, data(9)), (2, data(1000))], &[1; 1009])])),
        ("a copy of too much", then(&[pack(&[(1, copy(0, u64::MAX))], b"")])),
        ("a copy of nothing", then(&[pack(&[(1, copy(5, 10))], b""), sent.clone()])),
        (
            "wrong contents for ever",
            then(
                &std::iter::repeat_n([pack(&[(1, data(10)), (2, data(1000))], &[3; 1010]), sent.clone()], 9)
                    .flatten()
                    .collect::<Vec<_>>(),
            ),
        ),
    ] {
        scene.refused(what, &messages);
    }
    // After all of that, the right messages.
    let all = [&small[..], &large].concat();
    let done = [pack(&[(1, data(10)), (2, data(1000))], &all), sent, ToReceiver::Bye.encode()];
    let (result, answers) = scene.say(&then(&done));
    assert_eq!(result.unwrap().summary.written, 2);
    assert!(matches!(answers.last(), Some(ToSender::Done(_))), "{answers:?}");
    scene.check();
    assert_eq!(fs::read(scene.path("to/d/b")).unwrap(), large);
}

#[test]
fn what_arrived_before_the_link_broke_is_not_asked_for_again() {
    let scene = Scene::new();
    let tree = tree(&[("a", file(b"first")), ("b", file(b"second"))]);
    let data = |length| PackStep::Data { length };
    let begin = [offer(tree.root()), tree_message(None, &tree.encode())];
    let (broken, _) = scene.say(&[&begin[..], &[pack(&[(0, data(5))], b"first")]].concat());
    assert!(matches!(broken, Err(ReceiveError::Ended)));
    let rest = [ToReceiver::Sent.encode(), pack(&[(1, data(6))], b"second"), ToReceiver::Sent.encode()];
    let (result, answers) = scene.say(&[&begin[..], &rest, &[ToReceiver::Bye.encode()]].concat());
    assert_eq!(result.unwrap().summary.reused, 1);
    let asked = answers.iter().find_map(|answer| match answer {
        ToSender::Need { files, .. } => Some(files.iter().map(|want| want.entry).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(asked, Some(vec![1]));
    // What lies about with the right name and wrong contents is not taken.
    fs::create_dir_all(scene.path("to/.rsync-rs")).unwrap();
    fs::write(scene.path("to/.rsync-rs").join(Digest::of(b"third").to_string()), "THIRD").unwrap();
    let tree = self::tree(&[("a", file(b"third"))]);
    let messages = [
        offer(tree.root()),
        tree_message(None, &tree.encode()),
        ToReceiver::Sent.encode(),
        pack(&[(0, data(5))], b"third"),
        ToReceiver::Sent.encode(),
        ToReceiver::Bye.encode(),
    ];
    scene.say(&messages).0.unwrap();
    assert_eq!(fs::read_to_string(scene.path("to/a")).unwrap(), "third");
    assert!(!scene.path("to/b").exists() && scene.path("to/own").exists());
}

#[test]
fn a_directory_that_somebody_makes_meanwhile_becomes_part_of_the_tree() {
    let scene = Scene::new();
    let tree = tree(&[("d", Node::Directory { mode: 0o750 }), ("d/a", file(b"first"))]);
    let (out, incoming) = channel();
    let (answer, answers) = channel();
    let mut destination = Destination::open(scene.options.clone(), Duration::ZERO, || ()).unwrap();
    let receiver = std::thread::spawn(move || destination.receive(&mut Reading(incoming), &mut Writing(answer)));
    let say = |message: Vec<u8>| out.send(message).unwrap();
    [offer(tree.root()), tree_message(None, &tree.encode()), ToReceiver::Sent.encode()].into_iter().for_each(say);
    // What is missing is asked for when it is decided what has to be made.
    while !matches!(ToSender::decode(&answers.recv().unwrap()).unwrap(), ToSender::Need { .. }) {}
    fs::create_dir(scene.path("to/d")).unwrap();
    let data = pack(&[(1, PackStep::Data { length: 5 })], b"first");
    [data, ToReceiver::Sent.encode(), ToReceiver::Bye.encode()].into_iter().for_each(say);
    receiver.join().unwrap().unwrap();
    assert_eq!(fs::read_to_string(scene.path("to/d/a")).unwrap(), "first");
    let mode = fs::metadata(scene.path("to/d")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o750);
}

#[test]
fn another_run_keeps_its_lock() {
    let scene = Scene::new();
    let first = Destination::open(scene.options.clone(), Duration::ZERO, || ()).unwrap();
    let mut asked = 0;
    let second = Destination::open(scene.options.clone(), Duration::from_millis(1), || asked += 1);
    assert!(matches!(second, Err(ReceiveError::Busy(_))));
    assert_eq!(asked, 1);
    drop(first);
    Destination::open(scene.options.clone(), Duration::ZERO, || ()).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_is_said_nothing_outside_changes(
        choice in prop::collection::vec((0..8u8, any::<u32>(), prop::collection::vec(any::<u8>(), 0..40)), 0..12)
    ) {
        let scene = Scene::new();
        let tree = tree(&[("a", file(b"12345")), ("b", file(&[7; 300]))]);
        let messages: Vec<_> = choice.into_iter().map(|(kind, number, bytes)| match kind {
            0 => offer(tree.root()),
            1 => tree_message(None, &tree.encode()),
            2 => tree_message(None, &bytes),
            3 => pack(&[(number % 3, PackStep::Data { length: u32::try_from(bytes.len()).unwrap() })], &bytes),
            4 => pack(&[(number % 3, PackStep::Copy { offset: 0, length: u64::from(number % 400) })], &[]),
            5 => ToReceiver::Sent.encode(),
            6 => pack(&[(0, PackStep::Data { length: 5 })], b"12345"),
            _ => bytes,
        }).collect();
        let _ = scene.say(&messages);
        scene.check();
    }
}
