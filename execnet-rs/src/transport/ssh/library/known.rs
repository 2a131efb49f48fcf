//! What this host's files say of another one, and of the user's keys, before a connection is tried.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::super::known_hosts::{KnownHost, entry_name};
use super::super::plan::Plan;
use super::super::{Trouble, keys};

/// What is needed to get in.
#[derive(Debug)]
pub(super) struct Known {
    /// The host's keys.
    pub(super) host: KnownHost,
    /// Algorithms for which one of them is known, joined by commas.
    pub(super) algorithms: String,
    /// Files of private keys that can be read without asking anybody.
    pub(super) files: Vec<PathBuf>,
    /// The public keys of all files that are named, also of those that cannot be read.
    pub(super) named: Vec<Vec<u8>>,
}

/// Reads the files.
pub(super) fn look_up(plan: &Plan) -> Result<Known, Trouble> {
    let settings = &plan.settings;
    let home = std::env::home_dir().unwrap_or_default().to_string_lossy().into_owned();
    let name = settings
        .get("hostkeyalias")
        .map_or_else(|| entry_name(settings.host().unwrap_or_default(), settings.port()), str::to_ascii_lowercase);
    let mut host = KnownHost::default();
    for file in settings.words("userknownhostsfile").chain(settings.words("globalknownhostsfile")) {
        let path = keys::path(file, settings, &home);
        if let Some(text) = path.and_then(|path| fs::read(path).ok()) {
            host.read(&String::from_utf8_lossy(&text), &name);
        }
    }
    let algorithms = host.algorithms(settings.get("hostkeyalgorithms").unwrap_or_default().split(',')).join(",");
    if algorithms.is_empty() {
        return Err(Trouble::Beyond(format!(
            "the host key of `{}` ({name}) is not known: connect once with `ssh {}` and compare its fingerprint",
            plan.host(),
            plan.host()
        )));
    }
    let (mut files, mut named) = (Vec::new(), Vec::new());
    for file in settings.all("identityfile").filter_map(|file| keys::path(file, settings, &home)) {
        named.extend(fs::read_to_string(format!("{file}.pub")).ok().and_then(|text| keys::public(&text)));
        let Ok(text) = fs::read_to_string(&file) else { continue };
        // A key that others can read is no key: ssh says so, and does without it.
        let open = fs::metadata(&file)
            .is_ok_and(|about| about.uid() == rustix::process::getuid().as_raw() && about.mode() & 0o077 != 0);
        if !open && !keys::is_locked(&text) {
            files.push(PathBuf::from(file));
        }
    }
    Ok(Known { host, algorithms, files, named })
}
