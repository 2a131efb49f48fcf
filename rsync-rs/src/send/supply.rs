//! The contents that travel, for all receivers of one push: each part is read and compressed once, by whoever needs it
//! first, and waits in an unnamed file for the others. So a slow receiver holds nobody up and costs no memory.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::parts::{Key, Part, PartStep};
use crate::digest::Digest;
use crate::error::is_absent;
use crate::manifest::{self, Manifest};
use crate::message::ToReceiver;
use crate::pack::{Item, PACK, Pack, PackStep};
use crate::path::RelPath;
use crate::scan::{Kept, Reader, Snapshot};
use crate::stat::Stat;

/// Bytes of a compressed tree in one message.
const TREE_PART: usize = 1 << 20;
/// Files of one pack.
const FILES: usize = 4096;

/// Why a part cannot be had.
#[derive(Debug)]
pub(super) enum Lack {
    /// The file is not any more what was hashed.
    Changed(RelPath),
    /// It cannot be read, or the spool not be used.
    Failed(RelPath, io::Error),
}

type Messages = Arc<Vec<Vec<u8>>>;

/// What all receivers of one snapshot share.
#[derive(Debug)]
pub(super) struct Supply<'s> {
    pub(super) snapshot: &'s Snapshot,
    /// More than one receiver is served.
    shared: bool,
    table: Mutex<Table>,
    wake: Condvar,
    kept: Mutex<HashMap<Digest, Option<Arc<Kept>>>>,
    /// Messages of the tree, by base.
    trees: Mutex<HashMap<Option<Digest>, Messages>>,
}

#[derive(Debug, Default)]
struct Table {
    slots: HashMap<Key, Slot>,
    packs: Vec<Spooled>,
    spool: Option<File>,
    end: u64,
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    /// Somebody reads it, and waits for nobody meanwhile.
    Making,
    /// In this pack.
    Made(usize),
}

/// A message in the spool.
#[derive(Debug)]
struct Spooled {
    offset: u64,
    length: usize,
    keys: Vec<Key>,
}

impl<'s> Supply<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, receivers: usize) -> Self {
        Self {
            snapshot,
            shared: receivers > 1,
            table: Mutex::default(),
            wake: Condvar::new(),
            kept: Mutex::default(),
            trees: Mutex::default(),
        }
    }

    /// A tree that the source had before.
    pub(super) fn recall(&self, root: &Digest) -> Option<Arc<Kept>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry(*root).or_insert_with(|| self.snapshot.recall(root).map(Arc::new)).clone()
    }

    /// The messages of the tree: whole, or as the difference to `base`.
    pub(super) fn tree(&self, base: Option<&Manifest>) -> io::Result<Messages> {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        let root = base.map(Manifest::root);
        if let Some(messages) = trees.get(&root) {
            return Ok(Arc::clone(messages));
        }
        let target = self.snapshot.manifest();
        let bytes = base.map_or_else(|| target.encode(), |base| manifest::difference(base, target));
        let bytes = zstd::encode_all(&bytes[..], 3)?;
        let count = bytes.chunks(TREE_PART).count();
        let parts = bytes.chunks(TREE_PART).zip(1..);
        let messages: Vec<_> = parts
            .map(|(part, number)| ToReceiver::Tree { base: root, last: number == count, data: part.to_vec() }.encode())
            .collect();
        Ok(Arc::clone(trees.entry(root).or_insert(Arc::new(messages))))
    }

    /// Hands the messages for `parts` to `send`, which says whether to go on.
    pub(super) fn serve(&self, parts: &[Part], mut send: impl FnMut(Arc<[u8]>) -> bool) -> Result<(), Lack> {
        let mut reader = self.snapshot.reader();
        if !self.shared {
            let mut rest = parts;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(together(rest.iter()));
                if !send(self.make(&mut reader, now)?.into()) {
                    return Ok(());
                }
                rest = later;
            }
            return Ok(());
        }
        let places: HashMap<Key, usize> = parts.iter().enumerate().map(|(at, part)| (part.key, at)).collect();
        let mut sent = vec![false; parts.len()];
        for at in 0..parts.len() {
            if sent[at] {
                continue;
            }
            let (message, keys) = self.obtain(&mut reader, parts, at, &places, &sent)?;
            for place in keys.iter().filter_map(|key| places.get(key)) {
                sent[*place] = true;
            }
            if !send(message) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The message with the part `at`, and which parts are in it: from the spool, or made now.
    fn obtain(
        &self,
        reader: &mut Reader<'_>,
        parts: &[Part],
        at: usize,
        places: &HashMap<Key, usize>,
        sent: &[bool],
    ) -> Result<(Arc<[u8]>, Vec<Key>), Lack> {
        let path = || self.snapshot.manifest().entries()[parts[at].entry as usize].path.clone();
        let mut table = self.lock();
        loop {
            match table.slots.get(&parts[at].key) {
                Some(Slot::Making) => table = self.wake.wait(table).unwrap_or_else(PoisonError::into_inner),
                Some(Slot::Made(pack)) => {
                    let Spooled { offset, length, keys } = &table.packs[*pack];
                    let (offset, mut bytes, keys) = (*offset, vec![0; *length], keys.clone());
                    let spool = table.spool.as_ref().map(File::try_clone);
                    drop(table);
                    let read = spool.unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()));
                    let read = read.and_then(|spool| spool.read_exact_at(&mut bytes, offset));
                    read.map_err(|error| Lack::Failed(path(), error))?;
                    let wanted = |key: &Key| places.get(key).is_some_and(|place| !sent[*place]);
                    if keys.iter().all(wanted) {
                        return Ok((bytes.into(), keys));
                    }
                    let (bytes, keys) = subset(&bytes, &keys, wanted).map_err(|error| Lack::Failed(path(), error))?;
                    return Ok((bytes.into(), keys));
                }
                None => {
                    let free = parts[at..]
                        .iter()
                        .enumerate()
                        .take_while(|(further, part)| !sent[at + further] && !table.slots.contains_key(&part.key));
                    let now = &parts[at..at + together(free.map(|(_, part)| part))];
                    for part in now {
                        table.slots.insert(part.key, Slot::Making);
                    }
                    drop(table);
                    return self.make_shared(reader, now);
                }
            }
        }
    }

    fn make_shared(&self, reader: &mut Reader<'_>, parts: &[Part]) -> Result<(Arc<[u8]>, Vec<Key>), Lack> {
        let made = self.make(reader, parts);
        let keys: Vec<_> = parts.iter().map(|part| part.key).collect();
        let mut table = self.lock();
        let stored = made.and_then(|bytes| {
            let failed =
                |error| Lack::Failed(self.snapshot.manifest().entries()[parts[0].entry as usize].path.clone(), error);
            if table.spool.is_none() {
                table.spool = Some(tempfile::tempfile().map_err(failed)?);
            }
            let offset = table.end;
            if let Some(spool) = &table.spool {
                spool.write_all_at(&bytes, offset).map_err(failed)?;
            }
            table.end += bytes.len() as u64;
            table.packs.push(Spooled { offset, length: bytes.len(), keys: keys.clone() });
            Ok(bytes)
        });
        let pack = table.packs.len().saturating_sub(1);
        for key in &keys {
            match &stored {
                Ok(_) => drop(table.slots.insert(*key, Slot::Made(pack))),
                // Who waits for it tries by himself, and meets the same.
                Err(_) => drop(table.slots.remove(key)),
            }
        }
        drop(table);
        self.wake.notify_all();
        stored.map(|bytes| (bytes.into(), keys))
    }

    /// Reads parts and makes them one message.
    fn make(&self, reader: &mut Reader<'_>, parts: &[Part]) -> Result<Vec<u8>, Lack> {
        let entries = self.snapshot.manifest().entries();
        let mut items = Vec::with_capacity(parts.len());
        let mut data = Vec::with_capacity(parts.iter().map(|part| part.bytes).sum());
        let mut path = RelPath::root();
        for part in parts {
            path.clone_from(&entries[part.entry as usize].path);
            let begin = data.len();
            read(self.snapshot, reader, part, &path, &mut data)?;
            let young = self.snapshot.file(part.entry as usize).is_some_and(|state| state.young);
            let content = entries[part.entry as usize].file().map(|(_, content)| content);
            let complete = part.whole && matches!(part.steps[..], [PartStep::Data { .. }]);
            if young && complete && Some(Digest::of(&data[begin..])) != content {
                return Err(Lack::Changed(path));
            }
            items.extend(part.steps.iter().map(|step| {
                let step = match *step {
                    PartStep::Basis(digest) => PackStep::Basis(digest),
                    PartStep::Copy { offset, length } => PackStep::Copy { offset, length },
                    PartStep::Data { length, .. } => PackStep::Data { length },
                };
                Item { entry: part.entry, step }
            }));
        }
        let pack = Pack::encode(&items, &data).map_err(|error| Lack::Failed(path, error))?;
        Ok(ToReceiver::Pack(pack).encode())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many of the first parts travel in one pack: small files together, a piece of a large one alone.
fn together<'p>(parts: impl Iterator<Item = &'p Part>) -> usize {
    let mut bytes = 0;
    let mut count = 0;
    for part in parts {
        bytes += part.bytes;
        if count > 0 && (!part.whole || bytes > PACK || count >= FILES) {
            break;
        }
        count += 1;
        if !part.whole {
            break;
        }
    }
    count
}

/// Reads the bytes of a part, if the file is still the one that was hashed.
fn read(
    snapshot: &Snapshot,
    reader: &mut Reader<'_>,
    part: &Part,
    path: &RelPath,
    data: &mut Vec<u8>,
) -> Result<(), Lack> {
    let changed = || Lack::Changed(path.clone());
    let failed = |error: io::Error| Lack::Failed(path.clone(), error);
    let Some(state) = snapshot.file(part.entry as usize) else { return Err(changed()) };
    let file = match reader.open(path) {
        Ok(file) => file,
        Err(error) if is_absent(error) => return Err(changed()),
        Err(error) => return Err(failed(error.into())),
    };
    let same = || Stat::at(&file, b"").is_ok_and(|stat| stat == state.stat);
    if !same() {
        return Err(changed());
    }
    for step in &part.steps {
        if let PartStep::Data { offset, length } = *step {
            let begin = data.len();
            data.resize(begin + length as usize, 0);
            match file.read_exact_at(&mut data[begin..], offset) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(changed()),
                result => result.map_err(failed)?,
            }
        }
    }
    if same() { Ok(()) } else { Err(changed()) }
}

/// The message with some of the files of another.
fn subset(message: &[u8], keys: &[Key], wanted: impl Fn(&Key) -> bool) -> io::Result<(Vec<u8>, Vec<Key>)> {
    let invalid = |_| io::Error::from(io::ErrorKind::InvalidData);
    let Pack { items, data } = Pack::decode(&message[1..]).map_err(invalid)?;
    let mut groups = items.chunk_by(|left, right| left.entry == right.entry);
    let (mut kept, mut kept_items, mut kept_data) = (Vec::new(), Vec::new(), Vec::new());
    let mut at = 0;
    for key in keys {
        let Some(group) = groups.next() else { break };
        let sizes =
            group.iter().map(|item| if let PackStep::Data { length } = item.step { length as usize } else { 0 });
        let size = sizes.sum::<usize>();
        if wanted(key) {
            kept.push(*key);
            kept_items.extend_from_slice(group);
            kept_data.extend_from_slice(&data[at..at + size]);
        }
        at += size;
    }
    Ok((ToReceiver::Pack(Pack::encode(&kept_items, &kept_data)?).encode(), kept))
}
