//! Interpreters that were not used, and the error when no other is left.

use std::fmt;

use super::Candidate;

/// An interpreter that was looked at and not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Its command, as one would type it.
    pub python: String,
    /// How it was found.
    pub source: String,
    /// Why it was not used; reads after a colon.
    pub why: String,
    /// Whether it ran, so that pytest could be installed for it.
    pub runs: bool,
}

impl PassedOver {
    /// One that ran and said why it cannot serve.
    pub fn unusable(candidate: &Candidate, why: impl Into<String>) -> Self {
        Self { runs: true, ..Self::not_started(candidate, why) }
    }

    /// One that could not be started, or ended without a word.
    pub fn not_started(candidate: &Candidate, why: impl Into<String>) -> Self {
        Self::missing(command(&candidate.argv), &candidate.source, why)
    }

    /// One that there is nothing to start of.
    pub(super) fn missing(python: String, source: &str, why: impl Into<String>) -> Self {
        Self { python, source: source.to_owned(), why: why.into(), runs: false }
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.python, self.source, self.why.trim_end().replace('\n', "\n    "))
    }
}

/// No interpreter with a usable pytest. Reads after `error: `; the exit code is [`crate::exit::NO_INTERPRETER`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoInterpreter {
    /// All that were looked at, in order.
    pub passed_over: Vec<PassedOver>,
}

impl std::error::Error for NoInterpreter {}

impl fmt::Display for NoInterpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "no Python interpreter with a usable pytest (pytest 7.0 or newer, on Python 3.8 or newer)")?;
        for passed_over in &self.passed_over {
            writeln!(f, "  {passed_over}")?;
        }
        match self.passed_over.iter().find(|passed_over| passed_over.runs) {
            Some(first) => write!(f, "hint: {} -m pip install pytest", first.python),
            None => write!(
                f,
                "hint: install Python, then `python3 -m pip install pytest`, or name an interpreter with `--python`"
            ),
        }
    }
}

/// A command as one would type it in a shell.
fn command(argv: &[String]) -> String {
    shlex::try_join(argv.iter().map(String::as_str)).unwrap_or_else(|_| argv.join(" "))
}
