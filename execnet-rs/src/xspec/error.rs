//! What can be wrong with a spec, where, and what would be valid instead.

use std::fmt;
use std::ops::Range;

use thiserror::Error;

use super::MOST_COPIES;

/// A spec that cannot be used. Its text names the part; [`XSpecError::pointer`] draws a line under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XSpecError {
    text: String,
    at: Range<usize>,
    problem: Problem,
}

/// What is wrong with a part of a spec. The text says what would be valid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// Nothing between two `//`, or nothing at all.
    #[error("an empty part; parts are `key` or `key=value`, joined by `//`")]
    Empty,
    /// Nothing before the `=`.
    #[error("no key before `=`; a part is `key` or `key=value`")]
    NoKey,
    /// A key that begins with `_`.
    #[error("a key may not begin with `_`")]
    Underscore,
    /// A NUL, which no argument of a program can hold.
    #[error("a NUL character cannot be passed on")]
    Nul,
    /// A key that was there before.
    #[error("`{key}` is given twice; each key may be given once")]
    Twice {
        /// The key.
        key: String,
    },
    /// A known key that needs a value and has none.
    #[error("`{key}` needs a value: `{key}=…`")]
    NeedsValue {
        /// The key.
        key: String,
    },
    /// A flag with a value.
    #[error("`{key}` takes no value; leave it out, or write `{key}` alone")]
    TakesNoValue {
        /// The key.
        key: String,
    },
    /// `env:` without a name or a value.
    #[error("an environment variable is given as `env:NAME=value`")]
    Env,
    /// A niceness that is no number or out of range.
    #[error("`nice` takes a whole number from -40 to 40")]
    Nice,
    /// A client that there is not.
    #[error("`ssh_client` is `ssh2`, which connects in this process, or `openssh`, the system's ssh program")]
    SshClient,
    /// An execution model that is not offered.
    #[error("`execmodel` is `thread` or `main_thread_only`")]
    ExecModel,
    /// Something else than a host and a port.
    #[error("`socket` takes HOST:PORT with a port from 1 to 65535, an IPv6 address in brackets: `[::1]:8888`")]
    Address,
    /// A command line that no shell could split.
    #[error("`{key}` takes a command line as a shell reads it; a quote is not closed, or there is no program")]
    Quotes {
        /// The key.
        key: String,
    },
    /// A count that cannot be.
    #[error("`N*spec` takes a count from 0 to {MOST_COPIES}")]
    Count,
    /// Several of the same id.
    #[error("several environments cannot have one id; leave it out, and each gets its own")]
    RepeatedId,
    /// No part names a transport.
    #[error(
        "no part says how to get there; one of `popen`, `ssh=…`, `socket=…`, `command=…`, `vagrant_ssh=…` is needed"
    )]
    NoTransport,
    /// Two parts name transports.
    #[error("`{first}` says already how to get there; only one of them can be")]
    TwoTransports {
        /// The key of the first one.
        first: String,
    },
    /// A part that only goes together with another one.
    #[error("this has a meaning only with `{other}`")]
    Needs {
        /// The key that is missing.
        other: &'static str,
    },
    /// `socket` with `via`.
    #[error("`via` goes with `popen`, `ssh` and `command`; for a socket server that a gateway starts: `installvia`")]
    SocketVia,
    /// `socket=…` with `installvia`.
    #[error("`installvia` goes with `socket` alone, without an address")]
    InstalledElsewhere,
    /// `socket` alone.
    #[error("`socket` needs HOST:PORT, or `installvia=ID` beside it")]
    NoAddress,
}

impl XSpecError {
    pub(super) fn new(text: &str, at: Range<usize>, problem: Problem) -> Self {
        Self { text: text.to_owned(), at, problem }
    }

    /// The same error in a longer text.
    pub(super) fn within(self, text: &str, offset: usize) -> Self {
        Self { text: text.to_owned(), at: self.at.start + offset..self.at.end + offset, problem: self.problem }
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The bytes of the text that are wrong.
    pub fn at(&self) -> Range<usize> {
        self.at.clone()
    }

    /// The part that is wrong.
    pub fn part(&self) -> &str {
        self.text.get(self.at.clone()).unwrap_or_default()
    }

    /// The whole text that was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text, and under it a line that marks the part.
    pub fn pointer(&self) -> String {
        let width = |text: Option<&str>| text.unwrap_or_default().chars().count();
        let before = " ".repeat(width(self.text.get(..self.at.start)));
        let marks = "^".repeat(width(Some(self.part())).max(1));
        format!("{}\n{before}{marks}", self.text)
    }
}

impl fmt::Display for XSpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.part() == self.text {
            write!(f, "`{}`: {}", self.text, self.problem)
        } else {
            write!(f, "`{}` in `{}`: {}", self.part(), self.text, self.problem)
        }
    }
}

impl std::error::Error for XSpecError {}
