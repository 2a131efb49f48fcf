//! The one command that is run on a host: it becomes the agent if the host has it, and asks for it otherwise. Pure.
//!
//! A login shell of any kind reads the command, so it is one line between single quotes that holds none of `'`, `\`, `!`.
//! What it says are lines with a mark; anything else on the stream is noise of the host's start-up files.
//!
//! ```text
//!  run                 the agent is about to start on these very streams
//!  need PLATFORM       send the agent of this platform, as many bytes as it has
//!  none PLATFORM       there is no agent for this host
//!  failed REASONS      there is no place for the agent; `|DIRECTORY:WORD` each
//! ```

use std::fmt::Write;

/// What `socketserver --version` says if it is the one of this version.
pub(super) const VERSION: &str = concat!("socketserver ", env!("CARGO_PKG_VERSION"));

/// Stands before everything the command says.
const MARK: &str = "xdist-agent: ";

/// How much noise may come before the host says something.
const MOST_NOISE: usize = 64 * 1024;

/// Agents that a host keeps: this one and a few of other versions.
const KEPT: usize = 4;

/// An agent that can be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// What `uname -sm` says where it runs.
    pub(super) platform: &'static str,
    /// Its SHA-256, in hexadecimal: its name in the host's cache. It is what hosts have a program for.
    pub(super) hash: String,
    /// Its length in bytes.
    pub(super) size: u64,
}

/// The command for a host.
pub(super) fn command(offers: &[Offer]) -> String {
    let mut cases = String::new();
    for Offer { platform, hash, size } in offers {
        let _ = write!(cases, "\"{platform}\")h={hash};n={size};;");
    }
    let keep = KEPT + 1;
    let script = [
        &format!("m=xdist-agent;p=$(uname -sm);h=;case $p in {cases}esac;umask 077;i=$(id -u);w=;"),
        // A program of the host's own, if it is the same.
        &format!("own(){{ [ \"$(socketserver --version 2>/dev/null)\" = \"{VERSION}\" ]&&run socketserver;}};"),
        "run(){ echo \"$m: run\";exec \"$1\" --stdio;};",
        // Where everybody may write, only what this user made, and no link to it.
        "mine(){ case $1 in /tmp/*|/var/tmp/*)if [ -h \"$1\" ];then return 1;fi;[ -O \"$1\" ];;esac;};",
        "good(){ [ -x \"$1\" ]&&[ \"$(sha256sum<\"$1\" 2>/dev/null)\" = \"$h  -\" ];};",
        "if [ -z \"$h\" ];then own;echo \"$m: none $p\";exit 1;fi;",
        "set -- \"${XDG_CACHE_HOME:-${HOME:-/}/.cache}\" /var/tmp/xdist-$i /tmp/xdist-$i;",
        "for d in \"$@\";do f=$d/xdist/agents/$h;if mine \"$d\"&&good \"$f\";then run \"$f\";fi;done;",
        "for d in \"$@\";do a=$d/xdist/agents;f=$a/$h;t=$f.$$;",
        "if mkdir -p \"$a\" 2>/dev/null&&mine \"$d\"&&touch \"$t\" 2>/dev/null;then chmod 700 \"$t\";",
        "if [ -x \"$t\" ];then echo \"$m: need $p\";",
        // What cannot be written is read all the same: the next directory begins with the first byte.
        "if head -c $n|{ cat>\"$t\"||{ cat>/dev/null;false;};} 2>/dev/null;then ",
        "if good \"$t\";then s=$(\"$t\" --version 2>&1);",
        &format!("if [ \"$s\" = \"{VERSION}\" ];then "),
        // A good one that somebody else has put there meanwhile is running, and stays.
        "ln \"$t\" \"$f\" 2>/dev/null||good \"$f\"||mv -f \"$t\" \"$f\";rm -f \"$t\";",
        &format!("(cd \"$a\"&&ls -t|tail -n +{keep}|xargs rm -f)>/dev/null 2>&1;run \"$f\";"),
        "else w=\"$w|$d:starts-not\";echo \"$s\">&2;fi;",
        "elif command -v sha256sum>/dev/null;then w=\"$w|$d:damaged\";else w=\"$w|$d:no-sha256sum\";fi;",
        "else w=\"$w|$d:full\";fi;else w=\"$w|$d:noexec\";fi;rm -f \"$t\";else w=\"$w|$d:closed\";fi;done;",
        "own;echo \"$m: failed $w\";exit 1",
    ]
    .concat();
    format!("exec /bin/sh -c '{script}'")
}

/// Something that the host says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The agent starts; bytes behind the line are its own.
    Run,
    /// The agent of this platform is to be sent.
    Need(String),
    /// There is none for the host.
    NoAgentFor(String),
    /// There is no place for it.
    Failed(String),
}

/// Looks for what the host says among what comes.
#[derive(Debug, Default)]
pub(super) struct Listener {
    bytes: Vec<u8>,
}

impl Listener {
    /// Takes bytes in.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next thing that was said.
    ///
    /// # Errors
    /// If there is more noise than can be meant.
    pub(super) fn next(&mut self) -> Result<Option<Said>, String> {
        let found = self.bytes.windows(MARK.len()).position(|window| window == MARK.as_bytes());
        let line = found.and_then(|at| {
            let start = at + MARK.len();
            let length = self.bytes[start..].iter().position(|byte| *byte == b'\n')?;
            Some((start, start + length))
        });
        let Some((start, end)) = line else {
            return if self.bytes.len() > MOST_NOISE { Err(self.begin()) } else { Ok(None) };
        };
        let text = String::from_utf8_lossy(&self.bytes[start..end]).trim().to_owned();
        self.bytes.drain(..=end);
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        Ok(Some(match word {
            "run" => Said::Run,
            "need" => Said::Need(rest.to_owned()),
            "none" => Said::NoAgentFor(rest.to_owned()),
            "failed" => Said::Failed(reasons(rest)),
            _ => return Err(text),
        }))
    }

    /// The beginning of what came and made no sense, for people.
    pub(super) fn begin(&self) -> String {
        String::from_utf8_lossy(&self.bytes[..self.bytes.len().min(200)]).trim().to_owned()
    }

    /// What came behind the last line.
    pub(super) fn rest(self) -> Vec<u8> {
        self.bytes
    }
}

/// Directories and why they are no place, for people.
fn reasons(words: &str) -> String {
    let reason = |word: &str| {
        let (directory, what) = word.rsplit_once(':')?;
        Some(match what {
            "closed" => format!("`{directory}` cannot be written to"),
            "full" => format!("`{directory}` has no room"),
            "noexec" => format!("`{directory}` does not let programs run"),
            "damaged" => format!("what was written to `{directory}` was something else when it was read"),
            "no-sha256sum" => "there is no `sha256sum`".to_owned(),
            "starts-not" => format!("it does not start from `{directory}`"),
            _ => return None,
        })
    };
    words
        .split('|')
        .filter(|word| !word.is_empty())
        .map(|word| reason(word).unwrap_or_else(|| word.to_owned()))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests;
