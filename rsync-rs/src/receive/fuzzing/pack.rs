//! Packs and deltas: no file is ever longer than was announced, and what counts as there has the contents of its name.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::super::Wanted;
use super::super::stage::Stage;
use super::{contents, file, steps};
use crate::codec::{Put, Take};
use crate::confined::Held;
use crate::digest::Digest;
use crate::manifest::{Builder, Entry, Limits, Manifest, Node};
use crate::pack::{Item, PACK, Pack, PackStep};
use crate::path::RESERVED;

/// What a pack that arrives as bytes must be.
fn arrives(bytes: &[u8]) {
    let Ok(pack) = Pack::decode(bytes) else { return };
    let announced = pack.items.iter().map(|item| match item.step {
        PackStep::Data { length } => length as usize,
        PackStep::Copy { .. } | PackStep::Basis(_) => 0,
    });
    assert_eq!(pack.data.len(), announced.sum::<usize>());
    assert!(pack.data.len() <= PACK);
    let again = Pack::encode(&pack.items, &pack.data);
    assert!(again.is_ok_and(|bytes| Pack::decode(&bytes).as_ref() == Ok(&pack)));
}

/// A tree of a few files, a directory among them, and their contents by entry.
fn tree(take: &mut Take<'_>) -> (Manifest, Vec<(u32, Vec<u8>)>) {
    let limits = Limits { entries: 100, memory: 1 << 20, file: 1 << 20 };
    let (mut builder, mut files) = (Builder::new(limits), Vec::new());
    for (index, name) in (0..).zip(b"abcdefg".chunks(1).take(1 + usize::from(take.choice(6)))) {
        let contents = contents(take.choice(4), usize::try_from(take.amount(70_000)).unwrap_or(0));
        let node = if index == 3 { Node::Directory { mode: 0o755 } } else { file(&contents, 0o644) };
        assert!(builder.push(0, name, node).is_ok());
        if index != 3 {
            files.push((index, contents));
        }
    }
    (builder.finish(), files)
}

/// What lies in the staging area is no longer than announced, and is what it counts as.
fn is_in_order(directory: &Path, stage: &Stage<'_>, tree: &Manifest) -> std::io::Result<()> {
    for entry in fs::read_dir(directory.join(std::str::from_utf8(RESERVED).unwrap_or_default()))? {
        let entry = entry?;
        let content = Digest::parse(entry.file_name().as_encoded_bytes());
        let announced = tree.entries().iter().filter_map(Entry::file).find(|(_, of)| Some(*of) == content);
        let (Some(content), Some((size, _))) = (content, announced) else { panic!("{entry:?} was never announced") };
        assert!(entry.metadata()?.len() <= size, "{} bytes of {size}", entry.metadata()?.len());
        if stage.has(&content) {
            assert_eq!(Digest::of(&fs::read(entry.path())?), content);
        }
    }
    let all = tree.entries().iter().filter_map(Entry::file);
    for (_, content) in all.filter(|(_, content)| stage.has(content)) {
        assert!(directory.join(".rsync-rs").join(content.to_string()).exists());
    }
    Ok(())
}

fn unpacks(take: &mut Take<'_>) -> std::io::Result<()> {
    let (tree, files) = tree(take);
    let base = TempDir::new()?;
    fs::write(base.path().join("basis"), contents(9, 3000))?;
    let inside = base.path().join("to");
    fs::create_dir(&inside)?;
    let held = Held::root(&inside)?;
    let Ok(mut stage) = Stage::open(&held, &inside) else { return Ok(()) };
    while !take.is_empty() {
        let (items, data) = steps(take, &files);
        let Ok(bytes) = Pack::encode(&items, &data) else { break };
        let pack = match Pack::decode(&bytes) {
            Ok(pack) => pack,
            Err(error) => panic!("{error}: {items:?}"),
        };
        assert_eq!((&pack.items, &pack.data), (&items, &data));
        // The first of the files is there already.
        let nobodys = files.first().map(|(_, contents)| Digest::of(contents)).filter(|_| files.len() > 2);
        let wanted = |content: &Digest| (Some(*content) != nobodys).then(|| Wanted { uses: 1, ..Wanted::default() });
        let basis = |_: &Digest| fs::File::open(base.path().join("basis")).ok();
        let unpacked = stage.unpack(&pack, &tree, wanted, basis);
        is_in_order(&inside, &stage, &tree)?;
        if unpacked.is_err() {
            break;
        }
    }
    assert!(stage.close().is_ok());
    assert_eq!(fs::read_dir(&inside)?.count(), 0);
    Ok(())
}

pub(crate) fn check(input: &[u8]) {
    arrives(input);
    if let Err(error) = unpacks(&mut Take::new(input)) {
        panic!("{error}");
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let digest = Digest::of(b"x");
    let item = |entry, step| Item { entry, step };
    let delta = [
        item(0, PackStep::Basis(digest)),
        item(0, PackStep::Copy { offset: 4096, length: 8192 }),
        item(0, PackStep::Data { length: 5 }),
        item(1, PackStep::Data { length: 300 }),
    ];
    let mut seeds = Vec::new();
    seeds.extend(Pack::encode(&delta, &contents(1, 305)));
    seeds.extend(Pack::encode(&delta[2..], &[0; 305]));
    // Three files of 40, 200 and 3 000 bytes, of which the first is not wanted.
    let mut made = vec![2];
    for (seed, length) in [(1, 40), (2, 200), (3, 3000)] {
        made.push(seed);
        made.put_number(length);
    }
    // The second as a whole; of the third, pieces and a copy; the first beyond its length.
    let whole = |which: u8, length: u64| {
        let mut step = vec![which, 0];
        step.put_number(0);
        step.put_number(length);
        step
    };
    let copy = |which: u8, offset: u64, length: u64| {
        let mut step = vec![which, 3];
        step.put_number(offset);
        step.put_number(length);
        step
    };
    let steps = [whole(1, 200), vec![2, 5], whole(2, 1000), copy(2, 1000, 1500), whole(2, 500), whole(0, 40)];
    seeds.push([&made[..], &[6], &steps.concat()].concat());
    seeds.push([&made[..], &[1], &whole(1, 100), &[1], &whole(1, 200)].concat());
    seeds.push([&made[..], &[2, 2, 5], &copy(2, 2900, 3000), &[2], &copy(2, 0, 1), &copy(2, 0, u64::MAX - 1)].concat());
    seeds
}
