//! What a source remembers between scans: hashes by identity and times of files, recipes of large files, and the last
//! manifests, so that an unchanged tree costs a walk and a changed one travels as a difference.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::chunk::{DELTA_FROM, Recipe};
use crate::codec::{Malformed, Put, Take};
use crate::digest::Digest;
use crate::manifest::{Entry, Limits, Manifest};
use crate::path::RelPath;
use crate::sealed;
use crate::stat::Stat;

/// Manifests that are kept.
const KEPT: usize = 8;
const FILES: [u8; 8] = *b"rsscan01";
const TREE: [u8; 8] = *b"rstree01";

type KnownFile = (Box<[u8]>, Stat, Digest);

/// Identity, times and hash of files, by directory and, sorted, by name.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    directories: HashMap<Box<[u8]>, Vec<KnownFile>>,
    count: usize,
}

impl Cache {
    /// The files of one directory.
    pub(crate) fn directory(&self, path: &RelPath) -> Known<'_> {
        Known(self.directories.get(path.as_bytes()).map_or(&[], Vec::as_slice))
    }

    /// Number of files.
    pub(crate) fn len(&self) -> usize {
        self.count
    }
}

/// What is known of the files of one directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'c>(&'c [KnownFile]);

impl Known<'_> {
    /// The hash of `name`, if it is still the file that was hashed.
    pub(crate) fn content(self, name: &[u8], stat: &Stat) -> Option<Digest> {
        let at = self.0.binary_search_by(|(known, ..)| (**known).cmp(name)).ok()?;
        let (_, known, content) = &self.0[at];
        (known == stat).then_some(*content)
    }
}

/// Chunks of large files, by hash.
pub(crate) type Recipes = HashMap<Digest, Recipe>;

/// A manifest that was kept, with the chunks of its large files.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) manifest: Manifest,
    pub(crate) recipes: Recipes,
}

/// The directory of one source's memory.
#[derive(Clone, Debug)]
pub(crate) struct Memory(PathBuf);

impl Memory {
    /// The memory, in `state`, of the source that is made of `mounts`.
    pub(crate) fn open<'m>(state: &Path, mounts: impl Iterator<Item = (&'m Path, &'m RelPath)>) -> io::Result<Self> {
        let mut name = Vec::new();
        for (from, at) in mounts {
            name.put_bytes(from.as_os_str().as_bytes());
            name.put_bytes(at.as_bytes());
        }
        let directory = state.join(&Digest::of(&name).to_string()[..32]);
        fs::create_dir_all(directory.join("trees"))?;
        Ok(Self(directory))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// What was remembered; nothing if that cannot be read.
    pub(crate) fn load(&self) -> Cache {
        let bytes = sealed::read(&self.0.join("scan"), FILES).unwrap_or_default();
        decode(&bytes).unwrap_or_default()
    }

    /// Remembers files.
    pub(crate) fn save<'c>(&self, files: impl Iterator<Item = (&'c RelPath, &'c Stat, Digest)>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (path, stat, digest) in files {
            bytes.put_bytes(path.as_bytes());
            stat.put(&mut bytes);
            bytes.put_digest(&digest);
        }
        sealed::write(&self.0.join("scan"), FILES, &bytes)
    }

    /// Keeps a manifest with the recipes of its large files; those of `recipes` that are missing come from the manifest
    /// before. Forgets the oldest manifests.
    pub(crate) fn keep(&self, manifest: &Manifest, recipes: &mut Recipes) -> io::Result<()> {
        let path = self.tree(&manifest.root());
        if let Ok(known) = fs::File::options().append(true).open(&path) {
            return known.set_modified(SystemTime::now());
        }
        let mut trees = Vec::new();
        for entry in fs::read_dir(self.0.join("trees"))? {
            let entry = entry?;
            // Another scan of the same source may have removed it meanwhile.
            if let Some(metadata) = found(entry.metadata())? {
                trees.push((metadata.modified()?, entry.path()));
            }
        }
        trees.sort();
        let large = |entry: &Entry| entry.file().filter(|(size, _)| *size > DELTA_FROM).map(|(_, content)| content);
        if let Some((_, latest)) = trees.last()
            && manifest.entries().iter().filter_map(large).any(|content| !recipes.contains_key(&content))
            && let Some(latest) = read_kept(latest)
        {
            let wanted: HashSet<_> = manifest.entries().iter().filter_map(large).collect();
            recipes.extend(latest.recipes.into_iter().filter(|(content, _)| wanted.contains(content)));
        }
        let mut bytes = Vec::new();
        bytes.put_bytes(&zstd::encode_all(&manifest.encode()[..], 1)?);
        for (content, recipe) in recipes {
            bytes.put_digest(content);
            recipe.put(&mut bytes);
        }
        sealed::write(&path, TREE, &bytes)?;
        for (_, old) in trees.iter().rev().skip(KEPT - 1) {
            found(fs::remove_file(old))?;
        }
        Ok(())
    }

    /// A manifest that was kept.
    pub(crate) fn recall(&self, root: &Digest) -> Option<Kept> {
        read_kept(&self.tree(root)).filter(|kept| kept.manifest.root() == *root)
    }

    fn tree(&self, root: &Digest) -> PathBuf {
        self.0.join("trees").join(root.to_string())
    }
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_kept(path: &Path) -> Option<Kept> {
    let bytes = sealed::read(path, TREE)?;
    let mut take = Take::new(&bytes);
    let manifest = zstd::decode_all(take.bytes().ok()?).ok()?;
    let manifest = Manifest::decode(&manifest, &Limits::default()).ok()?;
    let mut recipes = Recipes::new();
    while !take.is_empty() {
        recipes.insert(take.digest().ok()?, Recipe::take(&mut take).ok()?);
    }
    Some(Kept { manifest, recipes })
}

fn decode(bytes: &[u8]) -> Result<Cache, Malformed> {
    let mut cache = Cache::default();
    let mut take = Take::new(bytes);
    // Files stand in the order of a walk: those of a directory by name, with what lies deeper in between.
    let mut here: Option<(&[u8], Vec<_>)> = None;
    while !take.is_empty() {
        let path = take.bytes()?;
        let slash = path.iter().rposition(|byte| *byte == b'/');
        let (directory, name) = slash.map_or((&path[..0], path), |at| (&path[..at], &path[at + 1..]));
        let file = (name.into(), Stat::take(&mut take)?, take.digest()?);
        cache.count += 1;
        match &mut here {
            Some((current, files)) if *current == directory => files.push(file),
            _ => {
                let mut files = cache.directories.remove(directory).unwrap_or_default();
                files.push(file);
                if let Some((done, files)) = here.replace((directory, files)) {
                    cache.directories.insert(done.into(), files);
                }
            }
        }
    }
    if let Some((done, files)) = here {
        cache.directories.insert(done.into(), files);
    }
    Ok(cache)
}
