//! The difference of two manifests: a few bytes a changed entry, one number for a run of unchanged ones.

use std::collections::HashMap;

use super::{Builder, Entry, Limits, Manifest, ManifestError, Node, put_node, put_place, take_node};
use crate::codec::{Malformed, Put, Take};
use crate::digest::Digest;
use crate::stat::Time;

const KEEP: u8 = 0;
const DROP: u8 = 1;
const ADD: u8 = 2;
/// Adds a file with the contents that some entry of the base has.
const ADD_KNOWN: u8 = 3;
const CHANGE: u8 = 4;

const MODE: u8 = 1;
const SIZE: u8 = 2;
const MODIFIED: u8 = 4;
const CONTENT: u8 = 8;

/// What makes `to` of `from`.
pub(crate) fn difference(from: &Manifest, to: &Manifest) -> Vec<u8> {
    let mut known = HashMap::new();
    for (index, entry) in from.entries().iter().enumerate() {
        if let Some((_, content)) = entry.file() {
            known.entry(content).or_insert(index as u64);
        }
    }
    let mut writer = Writer { bytes: Vec::new(), run: (KEEP, 0), last: 0, known };
    let (mut old, mut new) = (from.entries().iter().peekable(), to.entries().iter().peekable());
    loop {
        match (old.peek(), new.peek()) {
            (Some(left), Some(right)) if left.path == right.path => {
                writer.pair(left, right);
                old.next();
                new.next();
            }
            (Some(left), right) if right.is_none_or(|right| left.path < right.path) => {
                writer.count(DROP);
                old.next();
            }
            (_, Some(right)) => {
                writer.add(right);
                new.next();
            }
            (_, None) => break,
        }
    }
    writer.flush();
    writer.bytes
}

struct Writer {
    bytes: Vec<u8>,
    /// Entries kept or dropped that are not written yet.
    run: (u8, u64),
    /// Seconds of the time written last: those of many files lie close together.
    last: i64,
    known: HashMap<Digest, u64>,
}

impl Writer {
    fn count(&mut self, operation: u8) {
        if self.run.0 != operation {
            self.flush();
            self.run.0 = operation;
        }
        self.run.1 += 1;
    }

    fn flush(&mut self) {
        if self.run.1 > 0 {
            self.bytes.push(self.run.0);
            self.bytes.put_number(self.run.1);
            self.run.1 = 0;
        }
    }

    fn pair(&mut self, old: &Entry, new: &Entry) {
        match (&old.node, &new.node) {
            (left, right) if left == right => self.count(KEEP),
            (
                Node::File { mode, size, modified, content },
                Node::File { mode: new_mode, size: new_size, modified: new_modified, content: new_content },
            ) => {
                self.flush();
                let flags = [(MODE, mode != new_mode), (SIZE, size != new_size), (MODIFIED, modified != new_modified)]
                    .iter()
                    .chain(&[(CONTENT, content != new_content)])
                    .fold(0, |flags, (bit, set)| if *set { flags | bit } else { flags });
                self.bytes.extend([CHANGE, flags]);
                if flags & MODE != 0 {
                    self.bytes.put_number(u64::from(*new_mode));
                }
                if flags & SIZE != 0 {
                    self.bytes.put_number(*new_size);
                }
                if flags & MODIFIED != 0 {
                    self.time(*new_modified);
                }
                if flags & CONTENT != 0 {
                    self.bytes.put_digest(new_content);
                }
            }
            _ => {
                self.count(DROP);
                self.add(new);
            }
        }
    }

    fn add(&mut self, entry: &Entry) {
        self.flush();
        match &entry.node {
            Node::File { mode, size, modified, content } if self.known.contains_key(content) => {
                self.bytes.push(ADD_KNOWN);
                put_place(&entry.path, &mut self.bytes);
                self.bytes.put_number(u64::from(*mode));
                self.bytes.put_number(*size);
                self.time(*modified);
                self.bytes.put_number(self.known[content]);
            }
            node => {
                self.bytes.push(ADD);
                put_place(&entry.path, &mut self.bytes);
                put_node(node, &mut self.bytes);
            }
        }
    }

    fn time(&mut self, time: Time) {
        self.bytes.put_signed(time.seconds.wrapping_sub(self.last));
        self.bytes.put_number(u64::from(time.nanos));
        self.last = time.seconds;
    }
}

/// The manifest that the difference `bytes` makes of `from`.
pub(crate) fn apply(from: &Manifest, bytes: &[u8], limits: &Limits) -> Result<Manifest, ManifestError> {
    let mut take = Take::new(bytes);
    let mut builder = Builder::new(*limits);
    let mut old = from.entries().iter();
    let mut last = 0i64;
    let mut time = |take: &mut Take<'_>| {
        let relative = Time::take(take)?;
        last = last.wrapping_add(relative.seconds);
        Ok::<_, Malformed>(Time { seconds: last, ..relative })
    };
    let beyond = Malformed("a difference beyond the end of its base");
    while !take.is_empty() {
        match take.byte()? {
            operation @ (KEEP | DROP) => {
                for _ in 0..take.number()? {
                    let entry = old.next().ok_or(beyond)?;
                    if operation == KEEP {
                        builder.push_entry(entry.clone())?;
                    }
                }
            }
            ADD => {
                let (depth, name) = (take.small()?, take.bytes()?);
                builder.push(depth as usize, name, take_node(&mut take)?)?;
            }
            ADD_KNOWN => {
                let (depth, name) = (take.small()?, take.bytes()?);
                let (mode, size, modified) = (take.small()?, take.number()?, time(&mut take)?);
                let known = from.entries().get(take.small()? as usize).and_then(Entry::file);
                let (_, content) = known.ok_or(Malformed("a reference to no file"))?;
                builder.push(depth as usize, name, Node::File { mode, size, modified, content })?;
            }
            CHANGE => {
                let mut entry = old.next().ok_or(beyond)?.clone();
                let flags = take.byte()?;
                let Node::File { mode, size, modified, content } = &mut entry.node else {
                    return Err(Malformed("a change of what is no file").into());
                };
                if flags & MODE != 0 {
                    *mode = take.small()?;
                }
                if flags & SIZE != 0 {
                    *size = take.number()?;
                }
                if flags & MODIFIED != 0 {
                    *modified = time(&mut take)?;
                }
                if flags & CONTENT != 0 {
                    *content = take.digest()?;
                }
                builder.push_entry(entry)?;
            }
            _ => return Err(Malformed("an unknown operation").into()),
        }
    }
    Ok(builder.finish())
}
