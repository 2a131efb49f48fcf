//! The staging area: a directory inside the destination, there during a run, in which contents are put together under
//! the name of their hash. What is in it when a run is interrupted serves the next one, after a check.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::Mode;
use rustix::io::Errno;

use super::store::{Store, copy};
use super::{ReceiveError, Wanted};
use crate::confined::{Held, timestamps};
use crate::digest::Digest;
use crate::error::{FileError, Named};
use crate::manifest::{Entry, Manifest, Node};
use crate::pack::{Item, Pack, PackStep};
use crate::path::RESERVED;

/// The staging area of one run.
#[derive(Debug)]
pub(super) struct Stage<'d> {
    root: &'d Held,
    directory: Held,
    /// Contents that are here and were checked.
    have: HashSet<Digest>,
    /// Contents that an earlier run left, unchecked.
    left: HashSet<Digest>,
    assembly: Option<Assembly>,
    copies: u64,
}

/// A file that is being put together.
#[derive(Debug)]
struct Assembly {
    entry: u32,
    content: Digest,
    size: u64,
    /// `None` if it is not wanted, or cannot be made.
    file: Option<File>,
    hasher: blake3::Hasher,
    written: u64,
    basis: Option<File>,
}

impl<'d> Stage<'d> {
    /// The staging area of the destination `root`, which is at `path`.
    pub(super) fn open(root: &'d Held, path: &Path) -> Result<Self, FileError> {
        match root.make_directory(RESERVED, 0o700) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).named("write in", path.display()),
        }
        let directory = root.enter(RESERVED).named("enter", "the staging area")?;
        let mut left = HashSet::new();
        for name in directory.names().named("read", "the staging area")? {
            match Digest::parse(&name) {
                Some(content) => drop(left.insert(content)),
                None => directory.remove_file(&name).named("clean", "the staging area")?,
            }
        }
        Ok(Self { root, directory, have: HashSet::new(), left, assembly: None, copies: 0 })
    }

    /// Whether file names that differ in case only are one name here.
    pub(super) fn ignores_case(&self) -> Result<bool, FileError> {
        self.directory.create(b"Case").named("write in", "the staging area")?;
        let folded = self.directory.stat(b"cASE").is_ok();
        self.directory.remove_file(b"Case").named("clean", "the staging area")?;
        Ok(folded)
    }

    pub(super) fn has(&self, content: &Digest) -> bool {
        self.have.contains(content)
    }

    /// Contents are missing in between, or not.
    pub(super) fn is_idle(&self) -> bool {
        self.assembly.is_none()
    }

    /// Takes what an earlier run left, if it is whole.
    pub(super) fn adopt(&mut self, content: &Digest, wanted: &Wanted, entry: &Entry) -> Result<bool, FileError> {
        if !self.left.remove(content) {
            return Ok(false);
        }
        let name = content.to_string();
        let adopted = self.directory.open(name.as_bytes()).is_ok_and(|mut file| {
            let found = copy(&mut file, &mut std::io::sink());
            found.is_ok_and(|(digest, _)| digest == *content) && self.dress(&file, wanted, entry).is_ok()
        });
        if adopted {
            self.have.insert(*content);
        } else {
            self.directory.remove_file(name.as_bytes()).named("clean", "the staging area")?;
        }
        Ok(adopted)
    }

    /// Copies `content` from `source`; `false` if that is not what the source holds.
    pub(super) fn take(
        &mut self,
        content: &Digest,
        wanted: &Wanted,
        entry: &Entry,
        source: &mut impl Read,
    ) -> Result<bool, FileError> {
        let mut file = self.create(content)?;
        let (found, _) = copy(source, &mut file).named("copy", &entry.path)?;
        if found != *content {
            self.discard(content)?;
            return Ok(false);
        }
        self.dress(&file, wanted, entry).named("write", &entry.path)?;
        self.have.insert(*content);
        Ok(true)
    }

    fn create(&mut self, content: &Digest) -> Result<File, FileError> {
        let name = content.to_string();
        match self.directory.create(name.as_bytes()) {
            Err(Errno::EXIST) => {
                self.left.remove(content);
                self.discard(content)?;
                self.directory.create(name.as_bytes())
            }
            result => result,
        }
        .named("write in", "the staging area")
    }

    fn discard(&self, content: &Digest) -> Result<(), FileError> {
        self.directory.remove_file(content.to_string().as_bytes()).named("clean", "the staging area")
    }

    /// Gives contents that are used once the mode and time that they will have.
    #[expect(clippy::unused_self, reason = "only what lies in a staging area is dressed")]
    fn dress(&self, file: &File, wanted: &Wanted, entry: &Entry) -> rustix::io::Result<()> {
        if let Node::File { mode, modified, .. } = entry.node
            && wanted.uses == 1
        {
            rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?;
            rustix::fs::futimens(file, &timestamps(modified))?;
        }
        Ok(())
    }

    /// Does what a pack says. `wanted` says what of it is needed; `basis` opens contents that are at hand.
    pub(super) fn unpack(
        &mut self,
        pack: &Pack,
        target: &Manifest,
        wanted: impl Fn(&Digest) -> Option<Wanted>,
        basis: impl Fn(&Digest) -> Option<File>,
    ) -> Result<(), ReceiveError> {
        let mut data = &pack.data[..];
        for Item { entry: index, step } in &pack.items {
            let entry = target.entries().get(*index as usize);
            let Some((entry, (size, content))) = entry.and_then(|entry| Some((entry, entry.file()?))) else {
                return Err(ReceiveError::Protocol("contents of what is no file"));
            };
            if self.assembly.is_none() {
                let needed = wanted(&content).is_some() && !self.has(&content);
                let file = if needed { Some(self.create(&content)?) } else { None };
                let hasher = blake3::Hasher::new();
                self.assembly = Some(Assembly { entry: *index, content, size, file, hasher, written: 0, basis: None });
            }
            let Some(assembly) = &mut self.assembly else { continue };
            if assembly.entry != *index {
                return Err(ReceiveError::Protocol("a file in the middle of another"));
            }
            match step {
                PackStep::Data { length } => {
                    let (head, rest) = data.split_at(*length as usize);
                    data = rest;
                    assembly.write(head).named("write", &entry.path)?;
                }
                PackStep::Basis(digest) => {
                    assembly.basis = basis(digest);
                    if assembly.basis.is_none() && assembly.file.take().is_some() {
                        self.directory
                            .remove_file(content.to_string().as_bytes())
                            .named("clean", "the staging area")?;
                    }
                }
                PackStep::Copy { offset, length } => {
                    if length.checked_add(assembly.written).is_none_or(|end| end > size) {
                        return Err(ReceiveError::Protocol("more of a file than its size"));
                    }
                    if !assembly.copy(*offset, *length).named("write", &entry.path)? {
                        self.directory
                            .remove_file(content.to_string().as_bytes())
                            .named("clean", "the staging area")?;
                    }
                }
            }
            match assembly.written.cmp(&assembly.size) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Greater => return Err(ReceiveError::Protocol("more of a file than its size")),
                std::cmp::Ordering::Equal => self.complete(entry, &wanted)?,
            }
        }
        Ok(())
    }

    fn complete(&mut self, entry: &Entry, wanted: impl Fn(&Digest) -> Option<Wanted>) -> Result<(), FileError> {
        let Some(assembly) = self.assembly.take() else { return Ok(()) };
        let Some(file) = assembly.file else { return Ok(()) };
        if Digest::finish(&assembly.hasher) != assembly.content {
            return self.discard(&assembly.content);
        }
        if let Some(wanted) = wanted(&assembly.content) {
            self.dress(&file, &wanted, entry).named("write", &entry.path)?;
        }
        self.have.insert(assembly.content);
        Ok(())
    }

    /// Moves the contents of `entry` to `name` in `directory`; copies if they are needed again. On another file system,
    /// which is mounted in the destination, the copy is made there.
    pub(super) fn place(&mut self, entry: &Entry, directory: &Held, wanted: &mut Wanted) -> Result<(), FileError> {
        let Node::File { mode, modified, size, content } = entry.node else { return Ok(()) };
        let name = content.to_string();
        let result = (|| {
            if size > 0 && wanted.uses == 1 {
                if wanted.shared {
                    self.directory.set_mode(name.as_bytes(), mode)?;
                    self.directory.set_modified(name.as_bytes(), modified)?;
                }
                match self.directory.rename(name.as_bytes(), directory, entry.path.name()) {
                    Err(Errno::XDEV) => {}
                    result => {
                        self.have.remove(&content);
                        return result.map_err(std::io::Error::from);
                    }
                }
            }
            wanted.uses = wanted.uses.saturating_sub(1);
            self.copies += 1;
            let temporary = format!("{}-{}", String::from_utf8_lossy(RESERVED), self.copies);
            let write_in = |place: &Held| -> std::io::Result<()> {
                let mut copied = place.create(temporary.as_bytes())?;
                if size > 0 {
                    let (found, _) = copy(&mut self.directory.open(name.as_bytes())?, &mut copied)?;
                    if found != content {
                        return Err(std::io::Error::other("it changed in the staging area"));
                    }
                }
                rustix::fs::fchmod(&copied, Mode::from_raw_mode(mode))?;
                rustix::fs::futimens(&copied, &timestamps(modified))?;
                Ok(place.rename(temporary.as_bytes(), directory, entry.path.name())?)
            };
            match write_in(&self.directory) {
                Err(error) if error.raw_os_error() == Some(Errno::XDEV.raw_os_error()) => {
                    // What a run that was killed here has left is ours by its name.
                    match directory.remove_file(temporary.as_bytes()) {
                        Ok(()) | Err(Errno::NOENT) => {}
                        Err(error) => return Err(error.into()),
                    }
                    write_in(directory)
                }
                result => result,
            }
        })();
        result.named("put in place", &entry.path)
    }

    /// Makes the link of `entry` and moves it to its place.
    pub(super) fn place_link(&mut self, entry: &Entry, directory: &Held) -> Result<(), FileError> {
        let Node::Link { target, modified } = &entry.node else { return Ok(()) };
        self.copies += 1;
        let temporary = format!("{}-{}", String::from_utf8_lossy(RESERVED), self.copies);
        let write_in = |place: &Held| {
            place.make_link(target, temporary.as_bytes())?;
            place.set_modified(temporary.as_bytes(), *modified)?;
            place.rename(temporary.as_bytes(), directory, entry.path.name())
        };
        match write_in(&self.directory) {
            Err(Errno::XDEV) => match directory.remove_file(temporary.as_bytes()) {
                Ok(()) | Err(Errno::NOENT) => write_in(directory),
                Err(error) => Err(error),
            },
            result => result,
        }
        .named("put in place", &entry.path)
    }

    /// Looks for `content` in the store.
    pub(super) fn take_stored(
        &mut self,
        content: &Digest,
        wanted: &Wanted,
        entry: &Entry,
        store: &Store,
    ) -> Result<bool, FileError> {
        let Some(mut file) = store.get(content) else { return Ok(false) };
        let taken = self.take(content, wanted, entry, &mut file)?;
        if !taken {
            store.reject(content);
        }
        Ok(taken)
    }

    /// Removes the staging area with everything in it.
    pub(super) fn close(self) -> Result<(), FileError> {
        self.directory.clear().named("clean", "the staging area")?;
        self.root.remove_directory(RESERVED).named("remove", "the staging area")
    }
}

impl Assembly {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.written += bytes.len() as u64;
        // The caller refuses more than the size; it is not written before.
        if self.written > self.size {
            return Ok(());
        }
        if let Some(file) = &mut self.file {
            self.hasher.update(bytes);
            file.write_all(bytes)?;
        }
        Ok(())
    }

    /// Copies from the basis; `false` if the basis is not as long.
    fn copy(&mut self, mut offset: u64, mut length: u64) -> std::io::Result<bool> {
        if self.file.is_none() {
            self.written += length;
            return Ok(true);
        }
        let mut buffer = vec![0; 64 << 10];
        while length > 0 {
            let part = usize::try_from(length).unwrap_or(usize::MAX).min(buffer.len());
            let read = match &self.basis {
                Some(basis) => basis.read_at(&mut buffer[..part], offset)?,
                None => 0,
            };
            if read == 0 {
                self.file = None;
                self.written += length;
                return Ok(false);
            }
            self.write(&buffer[..read])?;
            offset = offset.saturating_add(read as u64);
            length -= read as u64;
        }
        Ok(true)
    }
}
