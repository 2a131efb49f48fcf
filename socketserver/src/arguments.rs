//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Serves controllers of xdist on this host.
///
/// Whoever holds a token of this server can run anything here with the rights of the user who started it.
#[derive(Debug, Parser)]
#[command(name = "socketserver", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// Where to listen; without a host, on all addresses of this host, IPv4 and IPv6
    #[arg(value_name = "HOST:PORT", default_value = ":8888")]
    pub address: String,

    /// Serve one controller over standard input and output instead, as ssh does
    #[arg(long, conflicts_with_all = ["oneshot", "log", "max_sessions", "grace"])]
    pub stdio: bool,

    /// Serve one session, then leave
    #[arg(long)]
    pub oneshot: bool,

    /// Append what happens to this file, a line of JSON each; standard error otherwise
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// The most sessions at a time
    #[arg(long, value_name = "NUM", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_sessions: u16,

    /// How long sessions may go on after SIGTERM or Ctrl-C; a second signal ends them at once
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub grace: Duration,

    /// Anything else to do
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What is done instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make, list and revoke tokens; a running server notices
    Token {
        /// What to do with tokens
        #[command(subcommand)]
        what: TokenCommand,
    },
}

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token, and print it
    New {
        /// What to call it: letters, digits, `.`, `-` and `_` [default: token-1, token-2…]
        #[arg(long)]
        name: Option<String>,
        /// For how long it opens new sessions: 30m, 12h, 7d… [default: until it is revoked]
        #[arg(long, value_name = "TIME", value_parser = duration)]
        expires: Option<Duration>,
    },
    /// List the tokens, without their secrets
    List,
    /// Remove a token; its sessions end
    Revoke {
        /// Its name, or its id
        name: String,
    },
}

impl Arguments {
    /// Reads a command line.
    ///
    /// # Errors
    /// Clap's, which also stands for `--help` and `--version`.
    pub fn read(typed: Vec<OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(typed)
    }
}

/// Reads `90`, `30s`, `5m`, `12h`, `7d`, `2w`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let count: u64 = digits.parse().map_err(|_| "a whole number and a unit are needed, such as 12h".to_owned())?;
    let second = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        unit => return Err(format!("no unit of time `{unit}`; there are s, m, h, d and w")),
    };
    // Some centuries, which every clock can hold.
    count
        .checked_mul(second)
        .filter(|time| *time < 10_000_000_000)
        .map(Duration::from_secs)
        .ok_or("too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, seconds) in
            [("90", 90), ("30s", 30), ("5m", 300), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "h", "1y", "-1h", "1.5h", "99999999999999999999", "9999999999999w", "1 h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn serving_and_tokens_do_not_mix() {
        let read = |words: &[&str]| {
            Arguments::read(std::iter::once(&"socketserver").chain(words).map(OsString::from).collect())
        };
        assert_eq!(read(&[]).unwrap().address, ":8888");
        assert!(read(&["--stdio"]).unwrap().stdio);
        assert!(matches!(read(&["token", "list"]).unwrap().command, Some(Command::Token { .. })));
        for wrong in
            [&["--stdio", "--oneshot"][..], &["--oneshot", "token", "list"], &["token"], &["--max-sessions", "0"]]
        {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
