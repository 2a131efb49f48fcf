//! The receiver's side of the conversation.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::plan::Plan;
use super::stage::Stage;
use super::state::{Applied, remember};
use super::store::Store;
use super::{Destination, ReceiveError, Summary, Wanted, apply};
use crate::chunk::{DELTA_FROM, DELTA_TO};
use crate::codec::Malformed;
use crate::confined::{Cursor, Held};
use crate::digest::Digest;
use crate::error::Named;
use crate::link::{MessageReader, MessageWriter};
use crate::manifest::{self, Entry, Manifest, Node};
use crate::message::{ToReceiver, ToSender, VERSION, Want};
use crate::pack::Pack;
use crate::path::RESERVED;
use crate::scan::{contents, stays_inside};

/// Messages that are read ahead.
const AHEAD: usize = 4;
/// How often the same contents are asked for.
const ROUNDS: usize = 3;
/// Bytes of one part of a list of what is missing.
const PART: usize = 256 << 10;

/// What came of a conversation.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// The root of the tree that is there now, if one was offered.
    pub root: Option<Digest>,
    /// What was done for the last offer.
    pub summary: Summary,
}

type Incoming = Receiver<io::Result<Option<Vec<u8>>>>;

/// Why an offer ends without a tree.
enum Halt {
    /// The sender took the offer back.
    Stale,
    Failed(ReceiveError),
}

impl<E: Into<ReceiveError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Destination {
    /// Takes offers from the other end until it says goodbye. Blocks.
    ///
    /// After an error the other end was told, and every file of the destination is old or new as a whole. The destination
    /// stays locked either way.
    pub fn receive(
        &mut self,
        reader: &mut (dyn MessageReader + '_),
        writer: &mut (dyn MessageWriter + '_),
    ) -> Result<Received, ReceiveError> {
        std::thread::scope(|scope| {
            let (sender, incoming) = sync_channel(AHEAD);
            scope.spawn(move || read_ahead(reader, sender));
            let mut received = Received::default();
            // Dropping `incoming` lets the reader throw away what still comes, to the goodbye.
            let result = self.offers(&incoming, writer, &mut received);
            drop(incoming);
            if let Err(error) = &result {
                // Whoever does not listen any more has its own error.
                let _ = writer.send(&ToSender::Failed(error.to_string()).encode());
            }
            result.map(|()| received)
        })
    }

    /// Says that this end waits for another run; for use while [`Destination::open`] waits.
    pub fn say_waiting(writer: &mut dyn MessageWriter) -> io::Result<()> {
        writer.send(&ToSender::Waiting.encode())
    }

    /// Tells the other end why there is no destination, and waits for its goodbye.
    pub fn refuse(
        error: &ReceiveError,
        reader: &mut dyn MessageReader,
        writer: &mut dyn MessageWriter,
    ) -> io::Result<()> {
        writer.send(&ToSender::Failed(error.to_string()).encode())?;
        while let Some(message) = reader.receive()? {
            if message == ToReceiver::Bye.encode() {
                break;
            }
        }
        Ok(())
    }

    fn offers(
        &mut self,
        incoming: &Incoming,
        writer: &mut dyn MessageWriter,
        received: &mut Received,
    ) -> Result<(), ReceiveError> {
        let mut applied = self.memory.applied();
        // Looked at before the offer is here: while it travels.
        let mut intact = Some(applied.intact(&self.root));
        loop {
            let root = match next(incoming)? {
                ToReceiver::Offer { version, .. } if version != VERSION => return Err(ReceiveError::Version(version)),
                ToReceiver::Offer { root, .. } => root,
                ToReceiver::Bye => {
                    // An offer that was taken back may have left something.
                    clear(&self.root);
                    return Ok(());
                }
                ToReceiver::Stale => {
                    send(writer, &ToSender::Dropped)?;
                    continue;
                }
                _ => return Err(ReceiveError::Protocol("contents before an offer")),
            };
            let intact = intact.take().unwrap_or_else(|| applied.intact(&self.root));
            match Offer::new(self, incoming, writer, &applied, &intact)?.run(root) {
                Ok((now, summary)) => {
                    applied = now.unwrap_or(applied);
                    send(writer, &ToSender::Done(summary.clone()))?;
                    *received = Received { root: Some(root), summary };
                }
                Err(Halt::Stale) => send(writer, &ToSender::Dropped)?,
                Err(Halt::Failed(error)) => {
                    // Make room again where there may be none; what a broken connection left serves the next attempt.
                    if !matches!(error, ReceiveError::Ended | ReceiveError::Link(_)) {
                        clear(&self.root);
                    }
                    return Err(error);
                }
            }
        }
    }
}

/// Removes what an offer that came to nothing has left in the staging area.
fn clear(root: &Held) {
    let cleared = root.enter(RESERVED).and_then(|stage| stage.clear());
    let _ = cleared.and_then(|()| root.remove_directory(RESERVED));
}

fn read_ahead(reader: &mut (dyn MessageReader + '_), sender: SyncSender<io::Result<Option<Vec<u8>>>>) {
    let mut sender = Some(sender);
    let bye = ToReceiver::Bye.encode();
    loop {
        let message = reader.receive();
        let last = !matches!(&message, Ok(Some(message)) if *message != bye);
        if sender.as_ref().is_some_and(|sender| sender.send(message).is_err()) {
            sender = None;
        }
        if last {
            return;
        }
    }
}

fn next(incoming: &Incoming) -> Result<ToReceiver, ReceiveError> {
    match incoming.recv() {
        Ok(Ok(Some(message))) => Ok(ToReceiver::decode(&message)?),
        Ok(Ok(None)) | Err(_) => Err(ReceiveError::Ended),
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Err(ReceiveError::Ended),
        Ok(Err(error)) => Err(ReceiveError::Link(error)),
    }
}

fn send(writer: &mut dyn MessageWriter, message: &ToSender) -> Result<(), ReceiveError> {
    writer.send(&message.encode()).map_err(ReceiveError::Link)
}

/// One offer on its way to a tree.
struct Offer<'o> {
    destination: &'o Destination,
    incoming: &'o Incoming,
    writer: &'o mut dyn MessageWriter,
    applied: &'o Applied,
    intact: &'o [bool],
    journal: Option<Manifest>,
    store: Option<Store>,
    summary: Summary,
}

impl<'o> Offer<'o> {
    fn new(
        destination: &'o Destination,
        incoming: &'o Incoming,
        writer: &'o mut dyn MessageWriter,
        applied: &'o Applied,
        intact: &'o [bool],
    ) -> Result<Self, ReceiveError> {
        let journal = destination.memory.journal();
        let options = &destination.options;
        let store = match options.store {
            0 => None,
            limit => Some(Store::open(&options.state, limit).named("use", options.state.display())?),
        };
        Ok(Self { destination, incoming, writer, applied, intact, journal, store, summary: Summary::default() })
    }

    /// Makes the destination the tree of `root`. Returns what is there now, unless nothing had to be done.
    fn run(mut self, root: Digest) -> Result<(Option<Applied>, Summary), Halt> {
        let there = self.applied.manifest.root() == root && self.applied.roots.front() == Some(&root);
        if there && self.journal.is_none() && self.intact.iter().all(|intact| *intact) {
            clear(&self.destination.root);
            return Ok((None, self.summary));
        }
        let known = if there { Some(self.applied.manifest.clone()) } else { self.destination.memory.recall(&root) };
        let inline = known.is_none();
        let target = match known {
            Some(target) => target,
            None => self.ask_for_tree(root)?,
        };
        self.check(&target)?;
        let held = &self.destination.root;
        let mut plan = Plan::new(held, self.applied, self.intact, self.journal.as_ref(), &target)?;
        let mut stage = Stage::open(held, self.destination.path())?;
        if stage.ignores_case()? {
            check_case(&target)?;
        }
        if inline {
            self.flight(&plan, &target, &mut stage)?;
        }
        self.gather(&plan, &target, &mut stage)?;
        let mut asked: HashMap<Digest, usize> = HashMap::new();
        loop {
            let missing = missing(&plan, &stage);
            if missing.is_empty() {
                break;
            }
            self.ask_for_contents(&missing, &mut asked, &plan, &target)?;
            self.flight(&plan, &target, &mut stage)?;
        }
        self.retire(&plan);
        let memory = &self.destination.memory;
        let state = self.destination.options.state.display();
        if !plan.is_empty() {
            memory.begin(&target).named("write in", &state)?;
        }
        let stats = apply::apply(held, &mut plan, &target, &mut stage, &mut self.summary)?;
        stage.close()?;
        let applied = Applied { manifest: target, stats, roots: remember(&self.applied.roots, root) };
        memory.finish(&applied).named("write in", &state)?;
        if let Some(store) = &mut self.store {
            store.prune().named("prune the store in", &state)?;
        }
        Ok((Some(applied), self.summary))
    }

    fn ask_for_tree(&mut self, root: Digest) -> Result<Manifest, Halt> {
        let empty = || {
            let names = self.destination.root.names().named("read", self.destination.path().display())?;
            Ok::<_, ReceiveError>(names.iter().all(|name| **name == *RESERVED))
        };
        let blank = self.store.as_ref().is_none_or(Store::is_empty) && empty()?;
        let roots: Vec<_> = self.applied.roots.iter().copied().collect();
        send(self.writer, &ToSender::Unknown { roots: roots.clone(), blank })?;
        let limits = &self.destination.options.limits;
        let mut whole = Vec::new();
        loop {
            let ToReceiver::Tree { base, last, data } = self.next()? else {
                return Err(ReceiveError::Protocol("no tree after it was asked for").into());
            };
            // Compressed, a tree is smaller than in memory.
            if whole.len() + data.len() > limits.memory {
                return Err(ReceiveError::from(manifest::ManifestError::TooLarge("memory")).into());
            }
            whole.extend_from_slice(&data);
            if !last {
                continue;
            }
            let mut bytes = Vec::new();
            let decoder = zstd::Decoder::new(&whole[..]).map_err(|_| Malformed("a tree that cannot be decompressed"));
            let cap = limits.memory as u64;
            let read = decoder?.take(cap + 1).read_to_end(&mut bytes);
            read.map_err(|_| Malformed("a tree that cannot be decompressed"))?;
            if bytes.len() as u64 > cap {
                return Err(ReceiveError::from(manifest::ManifestError::TooLarge("memory")).into());
            }
            let tree = match base {
                None => Manifest::decode(&bytes, limits),
                Some(base) if base == self.applied.manifest.root() => {
                    manifest::apply(&self.applied.manifest, &bytes, limits)
                }
                Some(base) => {
                    let base = self.destination.memory.recall(&base).filter(|_| roots.contains(&base));
                    let base = base.ok_or(ReceiveError::Protocol("a difference to a tree that is not known"))?;
                    manifest::apply(&base, &bytes, limits)
                }
            }
            .map_err(ReceiveError::from)?;
            return if tree.root() == root { Ok(tree) } else { Err(manifest::ManifestError::WrongRoot.into()) };
        }
    }

    fn check(&self, target: &Manifest) -> Result<(), ReceiveError> {
        let outward = target.entries().iter().find(|entry| match &entry.node {
            Node::Link { target, .. } => target.first() == Some(&b'/') || !stays_inside(&entry.path, target),
            _ => false,
        });
        match outward {
            Some(entry) if !self.destination.options.outward_links => {
                Err(ReceiveError::OutwardLink(entry.path.clone()))
            }
            _ => Ok(()),
        }
    }

    /// The next message of a flight or tree; the end of the offer is an error.
    fn next(&self) -> Result<ToReceiver, Halt> {
        match next(self.incoming)? {
            ToReceiver::Stale => Err(Halt::Stale),
            ToReceiver::Bye => Err(ReceiveError::Ended.into()),
            message => Ok(message),
        }
    }

    /// Takes packs until the sender has sent all.
    fn flight(&self, plan: &Plan, target: &Manifest, stage: &mut Stage<'_>) -> Result<(), Halt> {
        loop {
            match self.next()? {
                ToReceiver::Pack(bytes) => {
                    let pack = Pack::decode(&bytes)?;
                    let wanted = |content: &Digest| plan.wanted.get(content).copied();
                    stage.unpack(&pack, target, wanted, |content| self.basis(plan, content))?;
                }
                ToReceiver::Sent if stage.is_idle() => return Ok(()),
                ToReceiver::Sent => return Err(ReceiveError::Protocol("the end in the middle of a file").into()),
                _ => return Err(ReceiveError::Protocol("an unexpected message").into()),
            }
        }
    }

    /// Contents that are at hand, for a delta to build on.
    fn basis(&self, plan: &Plan, content: &Digest) -> Option<File> {
        let found = plan.find(&self.destination.root, content);
        found.or_else(|| self.store.as_ref().and_then(|store| store.get(content)))
    }

    /// Takes what is missing and at hand: in what an earlier run left, elsewhere in the tree, in the store.
    fn gather(&mut self, plan: &Plan, target: &Manifest, stage: &mut Stage<'_>) -> Result<(), ReceiveError> {
        for (content, wanted) in missing(plan, stage) {
            let entry = &target.entries()[wanted.entry as usize];
            let mut found = stage.adopt(&content, &wanted, entry)?;
            if !found && let Some(mut file) = plan.find(&self.destination.root, &content) {
                found = stage.take(&content, &wanted, entry, &mut file)?;
            }
            if !found && let Some(store) = &self.store {
                found = stage.take_stored(&content, &wanted, entry, store)?;
            }
            self.summary.reused += u64::from(found);
        }
        Ok(())
    }

    fn ask_for_contents(
        &mut self,
        missing: &[(Digest, Wanted)],
        asked: &mut HashMap<Digest, usize>,
        plan: &Plan,
        target: &Manifest,
    ) -> Result<(), ReceiveError> {
        let mut cursor = Cursor::new(&self.destination.root);
        let mut files = Vec::new();
        let mut size = 0;
        for (content, wanted) in missing {
            let entry = &target.entries()[wanted.entry as usize];
            let rounds = asked.entry(*content).or_default();
            *rounds += 1;
            let basis = match *rounds {
                1 => basis_of(&mut cursor, entry),
                // A delta that did not come out right is not tried again.
                2..=ROUNDS => None,
                _ => return Err(ReceiveError::Contents(entry.path.clone())),
            };
            size += 8 + basis.as_ref().map_or(0, |(_, recipe)| recipe.size_on_wire() + 32);
            let mut want = Want { entry: wanted.entry, basis: None };
            // The sender must be able to name it: by what stands in `places`, or there is nothing to copy from.
            want.basis = basis.filter(|(content, _)| self.basis(plan, content).is_some());
            files.push(want);
            if size > PART {
                send(self.writer, &ToSender::Need { files: std::mem::take(&mut files), last: false })?;
                size = 0;
            }
        }
        send(self.writer, &ToSender::Need { files, last: true })
    }

    /// Copies what is going to leave the destination to the store.
    fn retire(&mut self, plan: &Plan) {
        let Some(store) = &mut self.store else { return };
        for (content, size) in &plan.leaving {
            if store.wants(content, *size)
                && let Some(mut file) = plan.find(&self.destination.root, content)
            {
                // The store is a help: without room for it, the tree still has to come.
                if store.add(content, &mut file).is_err() {
                    return;
                }
            }
        }
    }
}

/// What stands at the path of `entry`, if a delta can build on it.
fn basis_of(cursor: &mut Cursor<'_>, entry: &Entry) -> Option<(Digest, crate::chunk::Recipe)> {
    let (size, _) = entry.file()?;
    let parent = cursor.parent(&entry.path).ok()?;
    let stat = parent.stat(entry.path.name()).ok().filter(crate::stat::Stat::is_file)?;
    let fits = |size: u64| size > DELTA_FROM && size <= DELTA_TO;
    if !fits(size) || !fits(stat.size) {
        return None;
    }
    let (content, _, recipe) = contents(parent.open(entry.path.name()).ok()?, stat.size).ok()?;
    Some((content, recipe?))
}

fn missing(plan: &Plan, stage: &Stage<'_>) -> Vec<(Digest, Wanted)> {
    let absent = plan.wanted.iter().filter(|(content, _)| !stage.has(content));
    let mut missing: Vec<_> = absent.map(|(content, wanted)| (*content, *wanted)).collect();
    missing.sort_by_key(|(_, wanted)| wanted.entry);
    missing
}

/// Refuses a tree with names that would be one name here.
fn check_case(target: &Manifest) -> Result<(), ReceiveError> {
    let mut seen = HashMap::new();
    for entry in target.entries() {
        let folded = String::from_utf8_lossy(entry.path.as_bytes()).to_lowercase();
        if let Some(other) = seen.insert(folded, &entry.path) {
            return Err(ReceiveError::Case(other.clone(), entry.path.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_only_are_found() {
        let tree = |names: &[&str]| {
            let mut builder = manifest::Builder::new(manifest::Limits::default());
            for name in names {
                builder.push(0, name.as_bytes(), Node::Directory { mode: 0o755 }).unwrap();
            }
            builder.finish()
        };
        assert!(check_case(&tree(&["A", "b"])).is_ok());
        assert!(matches!(check_case(&tree(&["A", "a"])), Err(ReceiveError::Case(..))));
    }
}
