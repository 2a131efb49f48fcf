//! A whole receiver beside a sender that says anything: nothing outside of the destination changes, nothing that was not put
//! there goes, and what counts as done is the tree that was offered.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use tempfile::TempDir;

use super::super::{Destination, Options};
use super::{contents, file, steps};
use crate::codec::{Put, Take};
use crate::digest::Digest;
use crate::link::{MessageReader, MessageWriter};
use crate::manifest::{Builder, Limits, Manifest, Node, difference};
use crate::message::{ToReceiver, ToSender, VERSION};
use crate::pack::{Item, Pack, PackStep};
use crate::path::RelPath;
use crate::stat::Time;

const LIMITS: Limits = Limits { entries: 500, memory: 1 << 20, file: 1 << 20 };

/// A file of the host's own, in the destination.
const OWN: &str = "not put there by us";

struct Saying(std::vec::IntoIter<Vec<u8>>);

impl MessageReader for Saying {
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.next())
    }
}

#[derive(Default)]
struct Hearing(Vec<Vec<u8>>);

impl MessageWriter for Hearing {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.push(message.to_vec());
        Ok(())
    }
}

/// A tree that decisions make, with the contents of its files by entry.
struct Tree {
    manifest: Manifest,
    files: Vec<(u32, Vec<u8>)>,
}

impl Tree {
    fn made(take: &mut Take<'_>) -> Self {
        let (mut builder, mut files, mut count) = (Builder::new(LIMITS), Vec::new(), 0);
        for _ in 0..take.choice(10) {
            let (depth, name) = (take.choice(3), [b'a' + take.choice(12), b'0' + take.choice(3)]);
            let name = if take.choice(8) == 0 { take.part() } else { &name };
            let (kind, length) = (take.choice(4), usize::try_from(take.amount(400)).unwrap_or(0));
            let contents = contents(take.choice(5), length);
            let node = match kind {
                0 => Node::Directory { mode: 0o700 + u32::from(take.choice(0o100)) },
                1 => Node::Link { target: take.part().into(), modified: Time::default() },
                _ => file(&contents, 0o600 + u32::from(take.choice(0o200))),
            };
            if builder.push(depth.into(), name, node).is_ok() {
                if kind > 1 {
                    files.push((count, contents));
                }
                count += 1;
            }
        }
        Self { manifest: builder.finish(), files }
    }

    fn offer(&self) -> Vec<u8> {
        ToReceiver::Offer { version: VERSION, root: self.manifest.root() }.encode()
    }

    /// Everything that there is to say about it.
    fn all(&self) -> Vec<Vec<u8>> {
        let mut said = vec![self.offer(), tree(None, &self.manifest.encode())];
        for (entry, contents) in &self.files {
            let step = PackStep::Data { length: u32::try_from(contents.len()).unwrap_or(0) };
            said.extend(pack(&[Item { entry: *entry, step }], contents));
        }
        said.push(ToReceiver::Sent.encode());
        said
    }

    /// The destination is this tree, and nothing else but what was there before.
    fn is_at(&self, destination: &Path) -> io::Result<()> {
        let mut found = BTreeSet::new();
        walk(destination, &RelPath::root(), &mut found)?;
        assert!(found.remove(OWN.as_bytes()), "what was not put there is gone");
        let expected: BTreeSet<_> =
            self.manifest.entries().iter().map(|entry| entry.path.as_bytes().to_vec()).collect();
        assert_eq!(found, expected);
        for entry in self.manifest.entries() {
            let path = destination.join(entry.path.as_path());
            let kind = fs::symlink_metadata(&path)?.file_type();
            match &entry.node {
                Node::Directory { .. } => assert!(kind.is_dir()),
                Node::File { content, .. } => assert!(kind.is_file() && Digest::of(&fs::read(&path)?) == *content),
                Node::Link { target, .. } => {
                    assert_eq!(fs::read_link(&path)?.as_os_str().as_bytes(), &**target);
                }
            }
        }
        Ok(())
    }
}

fn walk(directory: &Path, path: &RelPath, found: &mut BTreeSet<Vec<u8>>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        // The receiver's own area is there after an offer that broke off.
        if let Ok(path) = path.child(name.as_bytes()) {
            found.insert(path.as_bytes().to_vec());
            if entry.file_type()?.is_dir() {
                walk(&entry.path(), &path, found)?;
            }
        }
    }
    Ok(())
}

fn tree(base: Option<Digest>, bytes: &[u8]) -> Vec<u8> {
    ToReceiver::Tree { base, last: true, data: zstd::encode_all(bytes, 1).unwrap_or_default() }.encode()
}

fn pack(items: &[Item], data: &[u8]) -> Option<Vec<u8>> {
    Some(ToReceiver::Pack(Pack::encode(items, data).ok()?).encode())
}

/// What a sender says, decided by bytes.
fn said(take: &mut Take<'_>, trees: &[Tree; 3]) -> Vec<Vec<u8>> {
    let mut said = Vec::new();
    while !take.is_empty() && said.len() < 200 {
        let (kind, which) = (take.choice(13), usize::from(take.choice(3)));
        let (one, other) = (&trees[which], &trees[(which + 1) % 3]);
        match kind {
            0..=2 => said.extend(one.all()),
            3 => said.push(one.offer()),
            4 => said.push(tree(None, &one.manifest.encode())),
            5 => said.push(tree(Some(other.manifest.root()), &difference(&other.manifest, &one.manifest))),
            6 => {
                let wild = take.part();
                said.push(ToReceiver::Offer { version: VERSION, root: Digest::of(wild) }.encode());
                said.push(tree(None, wild));
            }
            7 => said.push(tree(Some(other.manifest.root()), take.part())),
            8 => {
                let (items, data) = steps(take, &one.files);
                said.extend(pack(&items, &data));
            }
            9 => said.push(ToReceiver::Sent.encode()),
            10 => said.push(ToReceiver::Stale.encode()),
            11 => said.push(take.part().to_vec()),
            _ => said.push(ToReceiver::Bye.encode()),
        }
    }
    said.push(ToReceiver::Bye.encode());
    said
}

fn receives(take: &mut Take<'_>) -> io::Result<()> {
    let base = TempDir::new()?;
    let (canary, to) = (base.path().join("canary"), base.path().join("to"));
    fs::create_dir(&canary)?;
    fs::write(canary.join("file"), "alive")?;
    fs::create_dir(&to)?;
    fs::write(to.join(OWN), "own")?;
    let mut options = Options::new(&to, base.path().join("state"));
    options.limits = LIMITS;
    options.outward_links = take.choice(4) == 0;
    options.store = u64::from(take.choice(2)) << 20;
    let trees = [(); 3].map(|()| Tree::made(take));
    let said = said(take, &trees);

    let mut answers = Hearing::default();
    let opened = Destination::open(options, Duration::ZERO, || ());
    let received = opened.map(|mut destination| destination.receive(&mut Saying(said.into_iter()), &mut answers));
    let Ok(received) = received else { panic!("no destination") };

    assert_eq!(fs::read_to_string(canary.join("file"))?, "alive");
    assert_eq!(fs::read_dir(&canary)?.count(), 1);
    assert_eq!(fs::read_dir(base.path())?.count(), 3);
    assert_eq!(fs::read_to_string(to.join(OWN))?, "own");
    let last = answers.0.last().map(|answer| ToSender::decode(answer));
    match received {
        Ok(received) => {
            let done = trees.iter().find(|tree| Some(tree.manifest.root()) == received.root);
            done.map_or(Ok(()), |tree| tree.is_at(&to))
        }
        Err(error) => {
            assert_eq!(last, Some(Ok(ToSender::Failed(error.to_string()))));
            Ok(())
        }
    }
}

pub(crate) fn check(input: &[u8]) {
    if let Err(error) = receives(&mut Take::new(input)) {
        panic!("{error}");
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    // An entry: its depth, its name, no wild name, its kind, its length, its contents, its mode or target.
    let entry = |depth: u8, name: [u8; 2], kind: u8, length: u64, last: &[u8]| {
        let mut bytes = vec![depth, name[0], name[1], 1, kind];
        bytes.put_number(length);
        bytes.push(3);
        [&bytes, last].concat()
    };
    let files =
        [vec![3], entry(0, [0, 0], 2, 5, &[44]), entry(0, [1, 0], 0, 0, &[55]), entry(1, [0, 0], 3, 300, &[36])];
    let links = [vec![2], entry(0, [0, 0], 1, 0, b"\x02b0"), entry(0, [1, 0], 2, 90, &[0])];
    let outward = [vec![1], entry(0, [0, 0], 1, 0, b"\x09../canary")];
    let scene = [&[1, 1][..], &files.concat(), &links.concat(), &outward.concat()].concat();
    let deeds: [&[u8]; 7] = [
        &[0, 0, 12, 0],
        &[0, 0, 0, 1, 0, 0],
        &[0, 1, 0, 0, 3, 1, 5, 1, 9, 0],
        &[0, 2],
        &[3, 0, 4, 0, 10, 0, 0, 1],
        &[3, 0, 4, 0, 8, 0, 3, 0, 0, 0, 5, 1, 2, 2, 4, b'w', b'i', b'l', b'd', 1, 3, 0, 200, 1, 9, 0, 9, 0, 9, 0],
        &[6, 0, 9, 0, 2, b'.', b'.', 0, 0, 11, 0, 1, 77],
    ];
    deeds.map(|deeds| [&scene[..], deeds].concat()).to_vec()
}
