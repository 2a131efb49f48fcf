//! What goes where, from facts: roots, and what pytest needs beside them; pytest's arguments as a copy has them. Looks at
//! which files exist, and reads none.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rsync_rs::{Links, Mount, RelPath, Rules, Source};

use super::super::hosts::FOLDER;
use super::places::{Places, is_below, joined};
use crate::facts::{Facts, IniWords, TreeFacts, Written};
use crate::protocol::Argument;

/// What pytest reads, or imports, in the directories between rootdir and a root.
const BETWEEN: [&str; 9] = [
    "conftest.py",
    "__init__.py",
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
];

/// Words of a command line, each with the path in it: what stands before it, the path, what stands behind it.
type Words = Vec<(String, String, String)>;

/// What a run brings to other hosts.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// What is brought.
    pub(super) source: Source,
    pub(super) dry_run: bool,
    /// What users asked to be brought.
    pub(super) roots: Vec<PathBuf>,
    places: Places,
    rootdir: PathBuf,
    configfile: Option<PathBuf>,
    words: Words,
    addopts: Words,
    environment: Words,
    inis: Vec<IniWords>,
    /// Where pytest starts, seen from the copy.
    folder: PathBuf,
}

impl Plan {
    /// The plan that facts ask for; an error is a usage error's text.
    pub(super) fn of(facts: &Facts, trees: &TreeFacts, state: Option<PathBuf>) -> Result<Self, String> {
        let rootdir = PathBuf::from(&facts.rootdir);
        let mut roots: Vec<PathBuf> = Vec::new();
        for root in trees.roots.iter().map(PathBuf::from) {
            if let Err(error) = root.metadata() {
                return Err(format!("`--rsyncdir {}`: {error}", root.display()));
            }
            let root = lexically(&root, &rootdir);
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        let places = Places::new(&rootdir, &roots)?;
        for named in &trees.named {
            let path = lexically(Path::new(named), &rootdir);
            if !roots.iter().any(|root| path.starts_with(root)) {
                return Err(outside(&path));
            }
        }
        let mut mounts = Vec::new();
        for root in &roots {
            mount(&mut mounts, root, places.of(root))?;
        }
        for file in roots.iter().flat_map(|root| between(&rootdir, root)) {
            let at = places.of(&file);
            mount(&mut mounts, &file, at)?;
        }
        let configfile = (!trees.configfile.is_empty()).then(|| PathBuf::from(&trees.configfile));
        let configfile = match configfile {
            Some(file) => Some(bring_config(&mut mounts, &places, &rootdir, &file)?),
            None => None,
        };
        for file in &trees.files {
            let file = Path::new(file);
            if let Some(place) = places.of(&lexically(file, &rootdir)) {
                mount(&mut mounts, file, Some(place))?;
            }
        }
        for (before, path, _) in &trees.words {
            let cut = before.starts_with("--confcutdir") && !path.is_empty();
            if cut && places.of(&lexically(Path::new(path), &rootdir)).is_none() {
                return Err(outside(Path::new(path)));
            }
        }
        let mut rules = Rules {
            ignore: trees.ignore.iter().map(OsString::from).collect(),
            include: trees.include.iter().map(OsString::from).collect(),
            gitignore: trees.gitignore,
            ..Rules::default()
        };
        rules.defaults.push(FOLDER.into());
        let links = match trees.links.as_str() {
            "skip" => Links::Skip,
            "keep" => Links::Keep,
            "copy" => Links::Copy,
            _ => Links::Refuse,
        };
        let invocation = lexically(Path::new(&facts.invocation_dir), &rootdir);
        let folder = places.of(&invocation).filter(|folder| is_below(folder)).unwrap_or_default();
        let (words, addopts, environment) = (trees.words.clone(), trees.addopts.clone(), trees.environment.clone());
        let source = Source { mounts, rules, links, state };
        let (dry_run, inis) = (trees.dry_run, trees.inis.clone());
        Ok(Self { source, dry_run, roots, places, rootdir, configfile, words, addopts, environment, inis, folder })
    }

    /// Leaves a directory out.
    pub(super) fn leave_out(&mut self, directory: &Path) {
        // Whatever name it has here.
        let real = directory.canonicalize().ok();
        for path in [Some(directory.to_owned()), real].into_iter().flatten() {
            let pattern = path.to_string_lossy().replace('[', "[[]").replace('*', "[*]").replace('?', "[?]");
            self.source.rules.ignore.push(pattern.into());
        }
    }

    /// Where pytest starts in a copy, seen from it.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// pytest's arguments in the copy at `copy`, an absolute path.
    pub(super) fn arguments(&self, copy: &str) -> Vec<Argument> {
        let there = |path: &Path| self.in_copy(copy, path).display().to_string();
        let mut words: Vec<String> = Vec::new();
        let mut options = vec![format!("--rootdir={}", there(&self.rootdir))];
        if let Some(file) = &self.configfile {
            options.extend(["-c".to_owned(), joined(Path::new(copy), file).display().to_string()]);
        }
        if let Some(addopts) = self.mapped(copy, &self.addopts, Written::Words) {
            options.extend(["-o".to_owned(), format!("addopts={addopts}")]);
        }
        for IniWords(name, written, words) in &self.inis {
            if let Some(value) = self.mapped(copy, words, *written) {
                options.extend(["-o".to_owned(), format!("{name}={value}")]);
            }
        }
        for word in &self.words {
            if word.0 == "--" && word.1.is_empty() {
                words.append(&mut options);
            }
            words.push(self.word(copy, word));
        }
        words.append(&mut options);
        words.into_iter().map(Argument::Text).collect()
    }

    /// `PYTEST_ADDOPTS` in the copy at `copy`, if that is another than here.
    pub(super) fn environment(&self, copy: &str) -> Option<String> {
        self.mapped(copy, &self.environment, Written::Words)
    }

    /// Words as one value; nothing if it is the same as here.
    fn mapped(&self, copy: &str, words: &Words, written: Written) -> Option<String> {
        if !words.iter().any(|(_, path, _)| self.is_brought(Path::new(path))) {
            return None;
        }
        let words: Vec<_> = words.iter().map(|word| self.word(copy, word)).collect();
        match written {
            // A word with a NUL byte cannot have come from anywhere.
            Written::Words => shlex::try_join(words.iter().map(String::as_str)).ok(),
            Written::Lines | Written::Text => Some(words.join("\n")),
        }
    }

    fn word(&self, copy: &str, (before, path, behind): &(String, String, String)) -> String {
        let path = match Path::new(path) {
            path if self.is_brought(path) => self.in_copy(copy, path),
            path => path.to_owned(),
        };
        format!("{before}{}{behind}", path.display())
    }

    /// Whether something stands at the path's place in every copy, or below it.
    fn is_brought(&self, path: &Path) -> bool {
        let place = self.places.of(&lexically(path, &self.rootdir));
        let of = |mount: &Mount| {
            place.as_deref().is_some_and(|place| {
                let at = mount.at.as_path();
                at.as_os_str().is_empty() || place.starts_with(at) || at.starts_with(place)
            })
        };
        !path.as_os_str().is_empty() && self.source.mounts.iter().any(of)
    }

    /// Where a path is in the copy at `copy`; the path itself, if it has no place there.
    pub(super) fn in_copy(&self, copy: &str, path: &Path) -> PathBuf {
        let place = self.places.of(&lexically(path, &self.rootdir));
        place.map_or_else(|| path.to_owned(), |place| joined(Path::new(copy), &place))
    }

    /// Directories in the copy at `copy`, and what they are copies of.
    pub(super) fn translations(&self, copy: &str) -> Vec<(String, String)> {
        self.places.translations(copy)
    }
}

/// A path as seen from rootdir: where another name for the same directory leads into it, by rootdir's name.
fn lexically(path: &Path, rootdir: &Path) -> PathBuf {
    if path.starts_with(rootdir) {
        return path.to_owned();
    }
    let (Ok(real), Ok(base)) = (path.canonicalize(), rootdir.canonicalize()) else { return path.to_owned() };
    real.strip_prefix(&base).map_or_else(|_| path.to_owned(), |below| joined(rootdir, below))
}

fn outside(path: &Path) -> String {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    format!(
        "`{}` lies in no directory that other hosts get\nhint: `--rsyncdir {}` brings it there",
        path.display(),
        folder.display()
    )
}

fn mount(mounts: &mut Vec<Mount>, from: &Path, at: Option<PathBuf>) -> Result<(), String> {
    let at = at.unwrap_or_default();
    let at = RelPath::parse(&at)
        .map_err(|error| format!("`{}` cannot be brought to other hosts: {error}", from.display()))?;
    if !mounts.iter().any(|known: &Mount| known.at == at) {
        mounts.push(Mount { from: from.to_owned(), at });
    }
    Ok(())
}

/// Files that pytest looks for in rootdir and on the way from there to a root in it.
fn between(rootdir: &Path, root: &Path) -> Vec<PathBuf> {
    let above = root.ancestors().skip(1).take_while(|above| above.starts_with(rootdir));
    above.flat_map(|folder| BETWEEN.map(|name| folder.join(name))).filter(|file| file.is_file()).collect()
}

/// Has the configuration file go along; returns its place in the copy.
fn bring_config(mounts: &mut Vec<Mount>, places: &Places, rootdir: &Path, file: &Path) -> Result<PathBuf, String> {
    if let Some(place) = places.of(&lexically(file, rootdir)) {
        mount(mounts, file, Some(place.clone()))?;
        return Ok(place);
    }
    let name = PathBuf::from(file.file_name().unwrap_or_default());
    if rootdir.join(&name).exists() {
        return Err(format!(
            "`{}` lies outside of rootdir, which has a `{}` of its own\nhint: `--rsyncdir {}`",
            file.display(),
            name.display(),
            file.parent().unwrap_or(file).display()
        ));
    }
    mount(mounts, file, Some(name.clone()))?;
    Ok(name)
}
