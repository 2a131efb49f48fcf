//! Agents that can be sent to hosts: the `socketserver` beside the running program, and those of other platforms.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use ring::digest::{SHA256, digest};

use super::bootstrap::Offer;

/// Names a directory with agents, `socketserver-linux-x86_64` and the like.
pub const AGENT_DIR: &str = "XDIST_AGENT_DIR";

/// Where `make install` puts agents, from the program's directory.
const INSTALLED: &str = "../lib/xdist/agents";

/// Architectures as file names say them (Rust's words), and what `uname -sm` says there.
const PLATFORMS: [(&str, &str); 8] = [
    ("linux-x86_64", "Linux x86_64"),
    ("linux-aarch64", "Linux aarch64"),
    ("linux-x86", "Linux i686"),
    ("linux-arm", "Linux armv7l"),
    ("linux-riscv64", "Linux riscv64"),
    ("linux-s390x", "Linux s390x"),
    ("linux-powerpc64le", "Linux ppc64le"),
    ("linux-loongarch64", "Linux loongarch64"),
];

/// Where agents are.
#[derive(Clone, Debug, Default)]
pub struct Agents {
    directories: Vec<PathBuf>,
    own: Option<PathBuf>,
    known: Arc<Mutex<HashMap<PathBuf, Known>>>,
}

/// A file that was hashed before, and what it looked like.
#[derive(Clone, Debug)]
struct Known {
    changed: Option<SystemTime>,
    size: u64,
    hash: String,
}

/// An agent and its bytes.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub(super) offer: Offer,
    pub(super) path: PathBuf,
}

impl Agents {
    /// Those that the environment names, those in `../lib/xdist/agents` as the running program sees it, and the
    /// `socketserver` beside it.
    pub fn of_this_program() -> Self {
        let beside = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
        let named = std::env::var_os(AGENT_DIR).map(PathBuf::from);
        Self {
            directories: named.into_iter().chain(beside.as_ref().map(|beside| beside.join(INSTALLED))).collect(),
            own: beside.map(|beside| beside.join("socketserver")),
            ..Self::default()
        }
    }

    /// An agent for hosts like this one; before all others.
    #[must_use]
    pub fn with_own(mut self, path: impl Into<PathBuf>) -> Self {
        self.own = Some(path.into());
        self
    }

    /// A directory with agents, before those that are known.
    #[must_use]
    pub fn with_directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directories.insert(0, path.into());
        self
    }

    /// What there is, one for a platform, read and hashed.
    pub(super) fn find(&self) -> Vec<Agent> {
        PLATFORMS.iter().filter_map(|(name, platform)| self.find_for(name, platform)).collect()
    }

    fn find_for(&self, name: &str, platform: &'static str) -> Option<Agent> {
        let here = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        let in_directories = self.directories.iter().map(|directory| directory.join(format!("socketserver-{name}")));
        let own = self.own.clone().filter(|_| here == name);
        in_directories.chain(own).find_map(|path| {
            let (hash, size) = self.hash(&path)?;
            Some(Agent { offer: Offer { platform, hash, size }, path })
        })
    }

    fn hash(&self, path: &Path) -> Option<(String, u64)> {
        let about = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        let (changed, size) = (about.modified().ok(), about.len());
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(path)
            && (known.changed, known.size) == (changed, size)
        {
            return Some((known.hash.clone(), size));
        }
        let bytes = std::fs::read(path).ok()?;
        let hash = hexadecimal(digest(&SHA256, &bytes).as_ref());
        lock().insert(path.to_owned(), Known { changed, size, hash: hash.clone() });
        Some((hash, bytes.len() as u64))
    }

    /// Where to put an agent that is missing, for people.
    pub(super) fn advice(platform: &str) -> String {
        let name = PLATFORMS.iter().find(|(_, said)| *said == platform).map_or("PLATFORM", |(name, _)| *name);
        format!(
            "put `socketserver-{name}` of this version into the directory that {AGENT_DIR} names, or install it there"
        )
    }
}

/// As `sha256sum` prints it.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_found_by_platform_and_hashed_once_they_change() {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join("socketserver");
        std::fs::write(&own, "abc").unwrap();
        std::fs::write(directory.path().join("socketserver-linux-s390x"), "other").unwrap();
        let agents = Agents::default().with_own(&own).with_directory(directory.path());
        let found = agents.find();
        let here = found.iter().find(|agent| agent.path == own).unwrap();
        assert_eq!(here.offer.hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(here.offer.size, 3);
        assert!(found.iter().any(|agent| agent.offer.platform == "Linux s390x" && agent.offer.size == 5));
        assert_eq!(found.len(), 2);
        std::fs::write(&own, "abcd").unwrap();
        assert_eq!(agents.find().iter().filter(|agent| agent.offer.size == 4).count(), 1);
        assert!(Agents::default().find().is_empty());
        assert!(Agents::advice("Linux aarch64").contains("`socketserver-linux-aarch64`"));
    }
}
