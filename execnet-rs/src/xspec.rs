//! Execution environments as text: `popen//python=python3.12`, `ssh=user@host//chdir=cache`, `3*popen`.
//!
//! The grammar is execnet's: parts joined by `//`, each `key=value` or a bare `key`; the first `=` splits; there is no
//! escape for `//`. Keys are unique, and those that nobody here knows are kept for others. Pure: nothing is looked up or
//! started. What a part may hold is checked when the text is read; which parts go together when somebody asks for the
//! [`Transport`].

mod error;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::str::FromStr;

pub use error::{Problem, XSpecError};

/// The most environments that one `N*spec` may ask for.
pub const MOST_COPIES: usize = 10_000;

/// How Python source runs in an interpreter on the other side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecModel {
    /// Each source in a thread of its own, any number at a time; the first one in the main thread.
    #[default]
    Thread,
    /// One at a time, in the main thread.
    MainThreadOnly,
}

impl fmt::Display for ExecModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Thread => "thread",
            Self::MainThreadOnly => "main_thread_only",
        })
    }
}

/// What connects to the host of a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `popen`: this host, or the host of the `via` gateway.
    Popen,
    /// `ssh=ARGS HOST`, or `vagrant_ssh=MACHINE`.
    Ssh {
        /// What follows the name of the ssh program: options, then the host.
        arguments: Vec<String>,
        /// `ssh_config=FILE`.
        config: Option<String>,
        /// Whether `arguments` name a vagrant machine instead.
        vagrant: bool,
    },
    /// `socket=HOST:PORT`.
    Socket {
        /// A name or an address, without the brackets of IPv6.
        host: String,
        /// The port, never 0.
        port: u16,
    },
    /// `socket//installvia=ID`: a socket server that the named gateway starts.
    InstalledSocket {
        /// The gateway's id.
        via: String,
    },
    /// `command=ARGV`: a program whose standard input and output lead to the host.
    Command {
        /// The program and its arguments, never empty.
        argv: Vec<String>,
    },
}

#[derive(Clone, Debug)]
struct Part {
    key: String,
    value: Option<String>,
    at: Range<usize>,
}

/// One execution environment, as it was written. Equal if the texts are.
#[derive(Clone, Debug)]
pub struct XSpec {
    text: String,
    parts: Vec<Part>,
}

impl XSpec {
    /// Reads one spec.
    ///
    /// # Errors
    /// An [`XSpecError`] that points at the part which is empty, twice there, or has a value that its key does not take.
    pub fn parse(text: &str) -> Result<Self, XSpecError> {
        let mut spec = Self { text: text.to_owned(), parts: Vec::new() };
        let mut start = 0;
        for piece in text.split("//") {
            let at = start..start + piece.len();
            start = at.end + 2;
            let part =
                read_part(piece, at.clone(), &spec.parts).map_err(|problem| XSpecError::new(text, at, problem))?;
            spec.parts.push(part);
        }
        Ok(spec)
    }

    /// Reads `spec` or `N*spec`, which is N times the same.
    ///
    /// `0*spec` is none. What stands before the `*` is a count only if it is a whole number; otherwise the `*` belongs to the
    /// spec.
    ///
    /// # Errors
    /// As [`XSpec::parse`]; also if more than [`MOST_COPIES`] are asked for, or more than one with the same `id`.
    pub fn expand(text: &str) -> Result<Vec<Self>, XSpecError> {
        let Some((count, rest)) = text.split_once('*') else {
            return Ok(vec![Self::parse(text)?]);
        };
        let trimmed = count.trim();
        let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(vec![Self::parse(text)?]);
        }
        let wrong_count = || XSpecError::new(text, 0..count.len(), Problem::Count);
        let copies: usize = trimmed.parse().map_err(|_| wrong_count())?;
        if copies > MOST_COPIES {
            return Err(wrong_count());
        }
        let offset = count.len() + 1;
        let spec = Self::parse(rest).map_err(|error| error.within(text, offset))?;
        if copies > 1
            && let Some(part) = spec.part("id")
        {
            let at = part.at.start + offset..part.at.end + offset;
            return Err(XSpecError::new(text, at, Problem::RepeatedId));
        }
        Ok(vec![spec; copies])
    }

    /// What connects to the host.
    ///
    /// # Errors
    /// If no part names a transport, if two do, or if a part is there that needs another one.
    pub fn transport(&self) -> Result<Transport, XSpecError> {
        let mut named = self.parts.iter().filter(|part| TRANSPORTS.contains(&part.key.as_str()));
        let Some(part) = named.next() else {
            return Err(XSpecError::new(&self.text, 0..self.text.len(), Problem::NoTransport));
        };
        if let Some(second) = named.next() {
            return Err(self.wrong(second, Problem::TwoTransports { first: part.key.clone() }));
        }
        let by_ssh = &["ssh", "vagrant_ssh"][..];
        for (key, needs) in [("ssh_config", by_ssh), ("ssh_client", by_ssh), ("installvia", &["socket"])] {
            if let Some(lonely) = self.part(key)
                && !needs.contains(&part.key.as_str())
            {
                return Err(self.wrong(lonely, Problem::Needs { other: needs[0] }));
            }
        }
        let value = part.value.as_deref().unwrap_or_default();
        Ok(match part.key.as_str() {
            "popen" => Transport::Popen,
            "ssh" => Transport::Ssh {
                arguments: value.split_whitespace().map(str::to_owned).collect(),
                config: self.get("ssh_config").map(str::to_owned),
                vagrant: false,
            },
            "vagrant_ssh" => Transport::Ssh {
                arguments: vec![value.to_owned()],
                config: self.get("ssh_config").map(str::to_owned),
                vagrant: true,
            },
            "command" => Transport::Command { argv: shlex::split(value).unwrap_or_default() },
            _ => {
                if let Some(via) = self.part("via") {
                    return Err(self.wrong(via, Problem::SocketVia));
                }
                match (socket_address(value), self.part("installvia")) {
                    (Some(_), Some(lonely)) => return Err(self.wrong(lonely, Problem::InstalledElsewhere)),
                    (Some((host, port)), None) => Transport::Socket { host, port },
                    (None, Some(_)) => {
                        Transport::InstalledSocket { via: self.get("installvia").unwrap_or_default().to_owned() }
                    }
                    (None, None) => return Err(self.wrong(part, Problem::NoAddress)),
                }
            }
        })
    }

    /// Whether a key is there, with a value or without one.
    pub fn has(&self, key: &str) -> bool {
        self.part(key).is_some()
    }

    /// The value of a key; None if the key is not there or stands alone.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.part(key)?.value.as_deref()
    }

    /// All parts in order: keys, and values where there are any.
    pub fn parts(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.parts.iter().map(|part| (part.key.as_str(), part.value.as_deref()))
    }

    /// Keys that nobody here knows.
    pub fn unknown_keys(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.key.as_str()).filter(|key| !is_known(key))
    }

    /// `id=NAME`.
    pub fn id(&self) -> Option<&str> {
        self.get("id")
    }

    /// `via=ID`: the gateway on whose host this one is started.
    pub fn via(&self) -> Option<&str> {
        self.get("via")
    }

    /// `chdir=DIR`: where the gateway's processes start; made if it is missing.
    pub fn chdir(&self) -> Option<&str> {
        self.get("chdir")
    }

    /// `python=COMMAND`, split as a shell would.
    pub fn python(&self) -> Option<Vec<String>> {
        self.get("python").and_then(shlex::split)
    }

    /// `nice=N`: added to the niceness of the gateway's processes.
    pub fn nice(&self) -> Option<i32> {
        self.get("nice")?.parse().ok()
    }

    /// `execmodel=…`, or the default one.
    pub fn execmodel(&self) -> ExecModel {
        self.get("execmodel").and_then(exec_model).unwrap_or_default()
    }

    /// `dont_write_bytecode`.
    pub fn dont_write_bytecode(&self) -> bool {
        self.has("dont_write_bytecode")
    }

    /// Every `env:NAME=value`, in order.
    pub fn env(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts.iter().filter_map(|part| Some((part.key.strip_prefix("env:")?, part.value.as_deref()?)))
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn part(&self, key: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.key == key)
    }

    fn wrong(&self, part: &Part, problem: Problem) -> XSpecError {
        XSpecError::new(&self.text, part.at.clone(), problem)
    }
}

/// Keys that name a transport.
const TRANSPORTS: [&str; 5] = ["popen", "ssh", "socket", "command", "vagrant_ssh"];

/// Keys that stand alone.
const FLAGS: [&str; 2] = ["popen", "dont_write_bytecode"];

/// Keys that need a value. `socket` may go without one, `env:NAME` is treated apart.
const VALUED: [&str; 12] = [
    "ssh",
    "ssh_client",
    "ssh_config",
    "via",
    "installvia",
    "python",
    "chdir",
    "nice",
    "id",
    "execmodel",
    "vagrant_ssh",
    "command",
];

fn is_known(key: &str) -> bool {
    FLAGS.contains(&key) || VALUED.contains(&key) || key == "socket" || key.starts_with("env:")
}

fn read_part(piece: &str, at: Range<usize>, before: &[Part]) -> Result<Part, Problem> {
    if piece.is_empty() {
        return Err(Problem::Empty);
    }
    let (key, value) = match piece.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (piece, None),
    };
    if key.is_empty() {
        return Err(Problem::NoKey);
    }
    if key.starts_with('_') {
        return Err(Problem::Underscore);
    }
    if before.iter().any(|part| part.key == key) {
        return Err(Problem::Twice { key: key.to_owned() });
    }
    if piece.contains('\0') {
        return Err(Problem::Nul);
    }
    check(key, value)?;
    Ok(Part { key: key.to_owned(), value: value.map(str::to_owned), at })
}

/// Whether a known key has what it takes.
fn check(key: &str, value: Option<&str>) -> Result<(), Problem> {
    if let Some(name) = key.strip_prefix("env:") {
        return match (name, value) {
            ("", _) | (_, None) => Err(Problem::Env),
            _ => Ok(()),
        };
    }
    if FLAGS.contains(&key) {
        return match value {
            None | Some("1" | "true" | "True") => Ok(()),
            Some(_) => Err(Problem::TakesNoValue { key: key.to_owned() }),
        };
    }
    let value = match value {
        Some(value) if !value.trim().is_empty() => value,
        _ if VALUED.contains(&key) || (key == "socket" && value.is_some()) => {
            return Err(Problem::NeedsValue { key: key.to_owned() });
        }
        _ => return Ok(()),
    };
    match key {
        "nice" if !value.parse().is_ok_and(|nice: i32| (-40..=40).contains(&nice)) => Err(Problem::Nice),
        "ssh_client" if !matches!(value, "ssh2" | "openssh") => Err(Problem::SshClient),
        "execmodel" if exec_model(value).is_none() => Err(Problem::ExecModel),
        "socket" if socket_address(value).is_none() => Err(Problem::Address),
        "python" | "command" if shlex::split(value).is_none_or(|argv| argv.is_empty()) => {
            Err(Problem::Quotes { key: key.to_owned() })
        }
        _ => Ok(()),
    }
}

fn exec_model(value: &str) -> Option<ExecModel> {
    match value {
        "thread" => Some(ExecModel::Thread),
        "main_thread_only" => Some(ExecModel::MainThreadOnly),
        _ => None,
    }
}

/// Splits `host:port` or `[v6]:port`.
fn socket_address(value: &str) -> Option<(String, u16)> {
    let (host, port) = value.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let bare = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').filter(|inner| inner.contains(':'))?,
        None if host.contains(':') => return None,
        None => host,
    };
    (!bare.is_empty() && !bare.contains(char::is_whitespace)).then(|| (bare.to_owned(), port))
}

impl FromStr for XSpec {
    type Err = XSpecError;

    fn from_str(text: &str) -> Result<Self, XSpecError> {
        Self::parse(text)
    }
}

impl fmt::Display for XSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for XSpec {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for XSpec {}

impl Hash for XSpec {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}
