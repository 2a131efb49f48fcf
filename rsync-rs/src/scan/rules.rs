//! Which paths of a source are taken, and why the others are not.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::fnmatch::Pattern;
use crate::path::{RelPath, escape};

/// Patterns that fit source trees: hidden names, byte code, backups.
pub const DEFAULT_PATTERNS: [&str; 5] = [".*", "__pycache__", "*.pyc", "*.pyo", "*~"];

/// What to leave out. Patterns are those of Python's `fnmatch`; each is tried on the bare name, on the path in the tree and
/// on the whole path at the source. A directory that is left out is not entered.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Patterns of what to leave out.
    pub ignore: Vec<OsString>,
    /// Patterns of what to take whatever else is said, be it below a directory that is left out. What lies below a
    /// directory that is taken so is subject to the other rules, but for `.gitignore`.
    pub include: Vec<OsString>,
    /// As `ignore`; here by default: [`DEFAULT_PATTERNS`].
    pub defaults: Vec<OsString>,
    /// Leave out what `.gitignore` files and `.git/info/exclude` name.
    pub gitignore: bool,
    /// Leave out directories that hold a `pyvenv.cfg`.
    pub environments: bool,
    /// Leave out directories marked by a `CACHEDIR.TAG`.
    pub caches: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            ignore: Vec::new(),
            include: Vec::new(),
            defaults: DEFAULT_PATTERNS.map(OsString::from).to_vec(),
            gitignore: true,
            environments: true,
            caches: true,
        }
    }
}

impl Rules {
    /// Takes everything.
    pub fn none() -> Self {
        Self {
            ignore: Vec::new(),
            include: Vec::new(),
            defaults: Vec::new(),
            gitignore: false,
            environments: false,
            caches: false,
        }
    }
}

/// Why a path is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A pattern of [`Rules::ignore`].
    Ignored(String),
    /// A pattern of [`Rules::defaults`].
    Default(String),
    /// A line of a `.gitignore` file: the file and the pattern.
    Git(String, String),
    /// A virtual environment.
    Environment,
    /// A cache directory.
    Cache,
    /// A socket, named pipe or device: the word for it.
    Special(&'static str),
    /// A link that leaves the tree, with its target.
    Link(String),
    /// It was there when its directory was read, and then not any more.
    Vanished,
    /// The name that receivers keep for themselves.
    Reserved,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ignored(pattern) => write!(formatter, "ignored by `{pattern}`"),
            Self::Default(pattern) => write!(formatter, "ignored by default: `{pattern}`"),
            Self::Git(file, pattern) => write!(formatter, "ignored by `{pattern}` in {file}"),
            Self::Environment => formatter.write_str("a virtual environment"),
            Self::Cache => formatter.write_str("a cache directory"),
            Self::Special(kind) => write!(formatter, "a {kind}"),
            Self::Link(target) => write!(formatter, "a link out of the tree, to `{target}`"),
            Self::Vanished => formatter.write_str("it vanished"),
            Self::Reserved => formatter.write_str("a name that receivers keep for themselves"),
        }
    }
}

/// Rules made ready.
#[derive(Debug)]
pub(super) struct Judge {
    ignore: Vec<Pattern>,
    include: Vec<Pattern>,
    defaults: Vec<Pattern>,
    pub(super) rules: Rules,
}

/// One path to be judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) path: &'a RelPath,
    pub(super) full: &'a Path,
    pub(super) is_directory: bool,
}

/// What becomes of a path.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Take,
    /// Asked for by name: `.gitignore` does not count below it.
    Included,
    /// Left out, but what is included may lie below.
    Search(Reason),
    Skip(Reason),
}

impl Judge {
    pub(super) fn new(rules: &Rules) -> Self {
        let compile = |texts: &[OsString]| texts.iter().map(|text| Pattern::new(text.as_bytes())).collect();
        Self {
            ignore: compile(&rules.ignore),
            include: compile(&rules.include),
            defaults: compile(&rules.defaults),
            rules: rules.clone(),
        }
    }

    pub(super) fn judge(&self, candidate: Candidate<'_>, git: Option<&Arc<Git>>) -> Verdict {
        if self.includes(candidate) {
            return Verdict::Included;
        }
        let text = |pattern: &Pattern| escape(pattern.text());
        let reason = first(&self.ignore, candidate)
            .map(|pattern| Reason::Ignored(text(pattern)))
            .or_else(|| first(&self.defaults, candidate).map(|pattern| Reason::Default(text(pattern))))
            .or_else(|| git.and_then(|git| git.ignores(candidate)));
        match reason {
            None => Verdict::Take,
            Some(reason) => self.leave_out(candidate, reason),
        }
    }

    /// Leaves a path out, but for what is included below it.
    pub(super) fn leave_out(&self, candidate: Candidate<'_>, reason: Reason) -> Verdict {
        if candidate.is_directory && self.includes_below(candidate) {
            Verdict::Search(reason)
        } else {
            Verdict::Skip(reason)
        }
    }

    pub(super) fn includes(&self, candidate: Candidate<'_>) -> bool {
        first(&self.include, candidate).is_some()
    }

    /// Whether a pattern names a path below the directory: one with slashes whose first parts match the directory's.
    fn includes_below(&self, candidate: Candidate<'_>) -> bool {
        self.rules.include.iter().any(|text| {
            let parts: Vec<_> = text.as_bytes().split(|byte| *byte == b'/').collect();
            let starts = |path: &[u8]| {
                let names: Vec<_> = path.split(|byte| *byte == b'/').collect();
                names.len() < parts.len()
                    && names.iter().zip(&parts).all(|(name, part)| Pattern::new(part).matches(name))
            };
            parts.len() > 1 && (starts(candidate.path.as_bytes()) || starts(candidate.full.as_os_str().as_bytes()))
        })
    }
}

fn first<'p>(patterns: &'p [Pattern], candidate: Candidate<'_>) -> Option<&'p Pattern> {
    patterns.iter().find(|pattern| {
        pattern.matches(candidate.path.name())
            || pattern.matches(candidate.path.as_bytes())
            || pattern.matches(candidate.full.as_os_str().as_bytes())
    })
}

/// The `.gitignore` files that count in a directory: its own and those above.
#[derive(Debug)]
pub(super) struct Git {
    matcher: Gitignore,
    above: Option<Arc<Git>>,
}

impl Git {
    /// What counts in `directory` because of the repository that it lies in; not its own file.
    pub(super) fn above(directory: &Path) -> Option<Arc<Self>> {
        let top = directory.ancestors().find(|above| above.join(".git").exists())?;
        let mut git = Self::file(top, &top.join(".git/info/exclude"), None);
        let mut below: Vec<_> = directory.ancestors().skip(1).take_while(|above| above.starts_with(top)).collect();
        below.reverse();
        for above in below {
            git = Self::file(above, &above.join(".gitignore"), git);
        }
        git
    }

    /// What counts in `directory`, whose own file is at `file`.
    pub(super) fn file(directory: &Path, file: &Path, above: Option<Arc<Self>>) -> Option<Arc<Self>> {
        let mut builder = GitignoreBuilder::new(directory);
        // Lines that cannot be read are skipped, as git does.
        let _ = builder.add(file);
        match builder.build() {
            Ok(matcher) if !matcher.is_empty() => Some(Arc::new(Self { matcher, above })),
            _ => above,
        }
    }

    fn ignores(&self, candidate: Candidate<'_>) -> Option<Reason> {
        match self.matcher.matched(candidate.full, candidate.is_directory) {
            Match::Ignore(glob) => {
                let file = glob.from().map(|from| escape(from.as_os_str().as_bytes())).unwrap_or_default();
                Some(Reason::Git(file, escape(glob.original().as_bytes())))
            }
            Match::Whitelist(_) => None,
            Match::None => self.above.as_ref().and_then(|above| above.ignores(candidate)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(rules: &Rules, path: &str, is_directory: bool) -> Verdict {
        let path = RelPath::parse(Path::new(path)).unwrap();
        let full = Path::new("/src").join(path.as_path());
        Judge::new(rules).judge(Candidate { path: &path, full: &full, is_directory }, None)
    }

    #[test]
    fn defaults_can_be_undone_one_by_one() {
        let mut rules = Rules::default();
        assert_eq!(verdict(&rules, "a/.coveragerc", false), Verdict::Skip(Reason::Default(".*".into())));
        rules.include.push(".coveragerc".into());
        assert_eq!(verdict(&rules, "a/.coveragerc", false), Verdict::Included);
        rules.defaults.retain(|pattern| pattern != "*~");
        assert_eq!(verdict(&rules, "a~", false), Verdict::Take);
    }

    #[test]
    fn patterns_are_tried_on_name_and_paths() {
        for pattern in ["data", "a/data", "/src/a/*", "*/data"] {
            let rules = Rules { ignore: vec![pattern.into()], ..Rules::none() };
            assert!(matches!(verdict(&rules, "a/data", true), Verdict::Skip(Reason::Ignored(_))), "{pattern}");
            assert_eq!(verdict(&rules, "b", true), Verdict::Take);
        }
    }

    #[test]
    fn what_is_included_is_searched_for_below_what_is_not() {
        let rules = Rules { ignore: vec!["build".into()], include: vec!["build/*/x.so".into()], ..Rules::none() };
        assert!(matches!(verdict(&rules, "build", true), Verdict::Search(_)));
        assert_eq!(verdict(&rules, "build/lib/x.so", false), Verdict::Included);
        let rules = Rules { include: vec!["other/x".into()], ..rules };
        assert!(matches!(verdict(&rules, "build", true), Verdict::Skip(_)));
    }
}
