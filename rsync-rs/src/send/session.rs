//! The sender's side of one conversation with one receiver.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::parts::{self, Part};
use super::supply::{Lack, Supply};
use super::{Event, SendError};
use crate::chunk::{DELTA_FROM, DELTA_TO};
use crate::codec::Put;
use crate::digest::Digest;
use crate::link::{MessageReader, MessageWriter};
use crate::manifest::Entry;
use crate::message::{Summary, ToReceiver, ToSender, VERSION, Want};
use crate::path::RelPath;
use crate::scan::Kept;

/// Messages on their way to a receiver.
const AHEAD: usize = 2;
/// Most bytes of recipes that a receiver may send in one turn.
const MAX_RECIPES: usize = 256 << 20;
/// What is surely missing is sent without being asked for up to this many bytes.
const UNASKED: usize = 4 << 20;

/// How an offer ended.
pub(super) enum Ended {
    Done(Summary),
    /// The source is not any more what was offered.
    Stale(RelPath),
}

/// Offers the supply's tree and sees it through.
pub(super) fn offer(
    supply: &Supply<'_>,
    reader: &mut dyn MessageReader,
    writer: &mut dyn MessageWriter,
    observe: &dyn Fn(Event),
) -> Result<Ended, SendError> {
    std::thread::scope(|scope| {
        let (out, queue) = sync_channel::<Arc<[u8]>>(AHEAD);
        let (heard, incoming) = sync_channel(AHEAD);
        let writing = scope.spawn(move || write_on(&queue, writer));
        scope.spawn(move || read_on(reader, &heard));
        let mut session = Session { supply, out, incoming, observe, whole: HashSet::new() };
        let mut result = session.run();
        if result.is_err() && !matches!(result, Err(SendError::Receiver(_) | SendError::Ended | SendError::Link(_))) {
            // The other end has to end its turn, or the reading thread would wait for ever.
            session.end();
        }
        drop(session);
        let written = writing.join().unwrap_or(Ok(()));
        if let (Err(SendError::Ended), Err(error)) = (&result, written) {
            result = Err(SendError::Link(error));
        }
        result
    })
}

fn write_on(queue: &Receiver<Arc<[u8]>>, writer: &mut dyn MessageWriter) -> io::Result<()> {
    for message in queue {
        writer.send(&message)?;
    }
    Ok(())
}

/// Reads to the message that ends the receiver's turn.
fn read_on(reader: &mut dyn MessageReader, heard: &SyncSender<Result<ToSender, SendError>>) {
    loop {
        let message = match reader.receive() {
            Ok(Some(message)) => ToSender::decode(&message).map_err(SendError::from),
            Ok(None) => Err(SendError::Ended),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(SendError::Ended),
            Err(error) => Err(SendError::Link(error)),
        };
        let last = matches!(message, Ok(ToSender::Done(_) | ToSender::Failed(_) | ToSender::Dropped) | Err(_));
        let _ = heard.send(message);
        if last {
            return;
        }
    }
}

struct Session<'o> {
    supply: &'o Supply<'o>,
    out: SyncSender<Arc<[u8]>>,
    incoming: Receiver<Result<ToSender, SendError>>,
    observe: &'o dyn Fn(Event),
    /// Files that were sent whole. One that is asked for again did not have the contents that were hashed.
    whole: HashSet<u32>,
}

impl Session<'_> {
    fn run(&mut self) -> Result<Ended, SendError> {
        let root = self.supply.snapshot.manifest().root();
        self.send(&ToReceiver::Offer { version: VERSION, root })?;
        let mut wants = Vec::new();
        let mut said = 0;
        loop {
            let parts = match self.hear()? {
                ToSender::Done(summary) => return Ok(Ended::Done(summary)),
                ToSender::Waiting => {
                    (self.observe)(Event::Waiting);
                    continue;
                }
                ToSender::Unknown { roots, blank } => self.tree(&roots, blank)?,
                ToSender::Need { files, last } => {
                    if wants.len() + files.len() > self.supply.snapshot.manifest().entries().len() {
                        return Err(SendError::Protocol("more files asked for than there are"));
                    }
                    let recipes = files.iter().filter_map(|want| want.basis.as_ref());
                    said += recipes.map(|(_, recipe)| recipe.size_on_wire()).sum::<usize>();
                    if said > MAX_RECIPES {
                        return Err(SendError::Protocol("more about its files than can be read"));
                    }
                    wants.extend(files);
                    if !last {
                        continue;
                    }
                    said = 0;
                    match self.wanted(std::mem::take(&mut wants))? {
                        Ok(parts) => parts,
                        Err(path) => return self.stale(path),
                    }
                }
                ToSender::Failed(_) | ToSender::Dropped => return Err(SendError::Protocol("an unexpected message")),
            };
            (self.observe)(Event::Sending {
                files: parts.iter().filter(|part| part.is_first()).count() as u64,
                bytes: parts.iter().map(|part| part.bytes as u64).sum(),
            });
            let mut failure = None;
            let served = self.supply.serve(&parts, |message| {
                failure = self.pass(message).err();
                failure.is_none()
            });
            match (failure, served) {
                (Some(failure), _) => return Err(failure),
                (None, Ok(())) => self.send(&ToReceiver::Sent)?,
                (None, Err(Lack::Changed(path))) => return self.stale(path),
                (None, Err(Lack::Failed(path, error))) => return Err(SendError::Read(path, error)),
            }
        }
    }

    fn hear(&self) -> Result<ToSender, SendError> {
        match self.incoming.recv() {
            Ok(Ok(ToSender::Failed(text))) => Err(SendError::Receiver(text)),
            Ok(message) => message,
            Err(_) => Err(SendError::Ended),
        }
    }

    fn send(&self, message: &ToReceiver) -> Result<(), SendError> {
        self.pass(message.encode().into())
    }

    /// Queues a message; an end that failed meanwhile is noticed.
    fn pass(&self, message: Arc<[u8]>) -> Result<(), SendError> {
        let length = message.len() as u64;
        // Before the message: after the last one of a turn comes the answer.
        match self.incoming.try_recv() {
            Ok(Ok(ToSender::Failed(text))) => return Err(SendError::Receiver(text)),
            Ok(Ok(ToSender::Waiting)) => (self.observe)(Event::Waiting),
            Ok(Ok(_)) => return Err(SendError::Protocol("an answer to what was not asked yet")),
            Ok(Err(error)) => return Err(error),
            Err(_) => {}
        }
        if self.out.send(message).is_err() {
            // The link broke under the writing thread. What the other end said before is the better reason.
            return Err(self.hear().err().unwrap_or(SendError::Ended));
        }
        (self.observe)(Event::Sent(length));
        Ok(())
    }

    /// Takes the offer back.
    fn stale(&self, path: RelPath) -> Result<Ended, SendError> {
        self.send(&ToReceiver::Stale)?;
        match self.hear()? {
            ToSender::Dropped => Ok(Ended::Stale(path)),
            _ => Err(SendError::Protocol("an unexpected message")),
        }
    }

    /// Ends the receiver's turn after an error of this end.
    fn end(&self) {
        let _ = self.out.send(ToReceiver::Bye.encode().into());
    }

    /// Sends the tree. Returns what is surely missing, if it is worth sending unasked.
    fn tree(&self, roots: &[Digest], blank: bool) -> Result<Vec<Part>, SendError> {
        let base = roots.iter().find_map(|root| self.supply.recall(root));
        let manifest = base.as_ref().map(|base| &base.manifest);
        let messages = self.supply.tree(manifest).map_err(|error| SendError::Read(RelPath::root(), error))?;
        for message in messages.iter() {
            self.pass(message.as_slice().into())?;
        }
        let parts = match &base {
            Some(base) => self.changed(base, roots),
            None if blank => {
                let target = self.supply.snapshot.manifest();
                let files = parts::new_contents(None, target).into_iter();
                let sized = files.filter_map(|index| Some((index, target.entries()[index as usize].file()?.0)));
                sized.flat_map(|(index, size)| parts::whole(index, size)).collect()
            }
            None => Vec::new(),
        };
        let bytes: usize = parts.iter().map(|part| part.bytes).sum();
        Ok(if blank || bytes <= UNASKED { parts } else { Vec::new() })
    }

    /// What no tree had that the receiver knows, as deltas to the base where both are known. Contents that are not in the
    /// base but in another tree the receiver may well have in its store: it asks if not.
    fn changed(&self, base: &Kept, roots: &[Digest]) -> Vec<Part> {
        let target = self.supply.snapshot.manifest();
        let mut new = parts::new_contents(Some(&base.manifest), target);
        for root in roots.iter().filter(|root| **root != base.manifest.root()) {
            if new.is_empty() {
                break;
            }
            if let Some(other) = self.supply.recall(root) {
                let contents = |entry: &Entry| entry.file().map(|(_, content)| content);
                let known: HashSet<_> = other.manifest.entries().iter().filter_map(contents).collect();
                new.retain(|index| {
                    contents(&target.entries()[*index as usize]).is_none_or(|content| !known.contains(&content))
                });
            }
        }
        let mut all = Vec::new();
        for index in new {
            let entry = &target.entries()[index as usize];
            let Some((size, content)) = entry.file() else { continue };
            let old = base.manifest.find(&entry.path).and_then(Entry::file).map(|(_, content)| content);
            let both = old.and_then(|old| {
                let old_recipe = base.recipes.get(&old)?;
                Some((old, old_recipe, self.supply.snapshot.recipe(&content)?))
            });
            match both {
                Some((old, old_recipe, new)) => all.extend(parts::delta(index, new, old_recipe, old, old)),
                None => all.extend(parts::whole(index, size)),
            }
        }
        all
    }

    /// The parts of what the receiver asks for, or the path of a file that is asked for in vain.
    fn wanted(&mut self, wants: Vec<Want>) -> Result<Result<Vec<Part>, RelPath>, SendError> {
        let target = self.supply.snapshot.manifest();
        let mut all = Vec::new();
        let mut seen = HashSet::new();
        for Want { entry: index, basis } in wants {
            let entry = target.entries().get(index as usize);
            let Some((entry, (size, content))) = entry.and_then(|entry| Some((entry, entry.file()?))) else {
                return Err(SendError::Protocol("a file asked for that is none"));
            };
            if !seen.insert(index) || size == 0 {
                return Err(SendError::Protocol("a file asked for in vain"));
            }
            let fits = size > DELTA_FROM && size <= DELTA_TO;
            let recipe = basis.filter(|_| fits).and_then(|basis| Some((basis, self.supply.snapshot.recipe(&content)?)));
            match recipe {
                Some(((basis, old), new)) => {
                    // Shared only with receivers that say the same of their basis.
                    let mut identity = Vec::new();
                    identity.put_digest(&basis);
                    old.put(&mut identity);
                    all.extend(parts::delta(index, new, &old, basis, Digest::of(&identity)));
                }
                None if self.whole.insert(index) => all.extend(parts::whole(index, size)),
                None => return Ok(Err(entry.path.clone())),
            }
        }
        Ok(Ok(all))
    }
}
