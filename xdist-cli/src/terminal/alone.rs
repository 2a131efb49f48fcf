//! The command that runs one test, or one file, alone, from where the user stands.
//!
//! pytest finds root directory and configuration by the paths it is given, so that one path may lead it elsewhere than
//! those of the run did. This looks at the disk to tell.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use xdist_core::event::Configured;

use super::names::{Names, best_relative, normal, relative_path, split};

/// Files that make pytest take their folder for a root directory, if what they say is for it.
const CONFIGURATION: [&str; 7] =
    ["pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"];
/// One that does so where there is none of the others.
const SETUP: &str = "setup.py";

/// Makes commands of node ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alone {
    /// The command without a test.
    words: Vec<String>,
    /// What this run was asked to collect.
    args: Vec<String>,
    /// The configuration file, if there is one.
    config: Option<PathBuf>,
}

impl Alone {
    pub(crate) fn new(configured: &Configured) -> Self {
        let facts = &configured.facts;
        let config = Some(&facts.configfile).filter(|file| !file.is_empty());
        Self {
            words: configured.alone.clone(),
            args: facts.args.clone(),
            config: config.map(|file| Path::new(&facts.rootdir).join(file)),
        }
    }

    /// The command for this node id, for a shell; begun as in another environment, if it is `there`.
    pub(crate) fn command(&self, names: &Names, nodeid: &str, there: Option<&[String]>) -> String {
        let (path, rest) = split(nodeid);
        let path = self.locate(names, path);
        let mut words = there.map_or_else(|| self.words.clone(), <[String]>::to_vec);
        words.extend(self.settled(names, &path));
        let path = relative_path(&names.invoked, &path);
        // A file name may look like an option, and need not be text.
        let dot = if path.as_os_str().as_bytes().starts_with(b"-") { "./" } else { "" };
        let mut test = [dot.as_bytes(), path.as_os_str().as_bytes()].concat();
        if let Some(rest) = rest {
            test.extend_from_slice(b"::");
            test.extend_from_slice(rest.as_bytes());
        }
        let words = words.iter().map(String::as_bytes).chain([test.as_slice()]);
        words.map(quoted).collect::<Vec<_>>().join(" ")
    }

    /// Where a node id's file is. Those outside the root directory are called by their way from the argument that led
    /// to them.
    fn locate(&self, names: &Names, path: &str) -> PathBuf {
        let usual = names.rootdir.join(path);
        if usual.exists() {
            return usual;
        }
        if let Some(found) = unescaped(path).map(|path| names.rootdir.join(path)).filter(|found| found.exists()) {
            return found;
        }
        let places = self.args.iter().map(|arg| names.invoked.join(split(arg).0));
        let places = places.flat_map(|place| [place.join(path), place.with_file_name(path)]);
        places.into_iter().find(|place| place.exists()).unwrap_or(usual)
    }

    /// Options that keep root directory and configuration as they are, where this path alone would change them.
    fn settled(&self, names: &Names, path: &Path) -> Vec<String> {
        let root = normal(&names.rootdir);
        let folders = path.ancestors().skip(1).take_while(|folder| normal(folder).len() > root.len());
        let mut folders = folders.filter(|folder| normal(folder).starts_with(&root));
        let marks = |folder: &Path| {
            CONFIGURATION.iter().any(|name| folder.join(name).exists())
                || (self.config.is_none() && folder.join(SETUP).exists())
        };
        let misled = folders.any(marks);
        // Without a configuration file the root is what working directory and arguments have in common.
        let narrowed = self.config.is_none()
            && normal(&names.invoked).len() > root.len()
            && normal(path).starts_with(&normal(&names.invoked));
        if !misled && !narrowed {
            return Vec::new();
        }
        let root = format!("--rootdir={}", best_relative(&names.invoked, &names.rootdir));
        match &self.config {
            Some(config) => vec!["-c".to_owned(), best_relative(&names.invoked, config), root],
            None if misled => vec!["-c".to_owned(), "/dev/null".to_owned(), root],
            None => vec![root],
        }
    }
}

/// The name behind one that Python could not decode: bytes that are no UTF-8, in a locale without UTF-8 all above 127, come
/// as `\udcc3`. `None` for one without such bytes.
fn unescaped(name: &str) -> Option<PathBuf> {
    let mut pieces = name.split("\\udc");
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    (bytes != name.as_bytes()).then(|| PathBuf::from(OsString::from_vec(bytes)))
}

/// A word as a POSIX shell reads it, always in one line and without control characters.
fn quoted(word: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(word)
        && !text.contains(char::is_control)
    {
        // Only a NUL cannot be quoted, and that is a control character.
        return shlex::try_quote(text).map_or_else(|_| text.to_owned(), Into::into);
    }
    let mut out = String::from("\"$(printf '");
    for chunk in word.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '%' => out.push_str("%%"),
                '\\' | '\'' => put!(out, "\\{:03o}", u32::from(character)),
                _ if character.is_control() => octal(character.encode_utf8(&mut [0; 4]).as_bytes(), &mut out),
                _ => out.push(character),
            }
        }
        octal(chunk.invalid(), &mut out);
    }
    out.push_str("')\"");
    out
}

fn octal(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        put!(*out, "\\{byte:03o}");
    }
}
