//! The system's `ssh` program as a way to a host: it knows every configuration, and its standard streams are the channel.

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::plan::Plan;
use super::said::Said;
use super::{Trouble, dialogue};
use crate::channel::byte_stream;
use crate::child::Child;
use crate::gateway::{Gateway, ProcessRequest};
use crate::transport::{Connected, Keeper};

/// How long the program may take to end, and its last words to arrive, after its stream has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long letting somebody in may take where nobody is asked anything.
const ENTRY: Duration = Duration::from_secs(30);

/// How long it may take where somebody has to type a passphrase first.
const TYPING: Duration = Duration::from_mins(5);

/// Keeps the terminal's interrupt, which is meant for the run, from ending the connection, and its Ctrl-Z from stopping it.
const UNINTERRUPTED: &str = "trap '' INT QUIT TSTP; exec \"$0\" \"$@\"";

/// Connects through the program, started here or on the host of `via`. It may ask on the terminal, if `asks`.
pub(super) async fn connect(plan: &Plan, via: Option<&Gateway>, asks: bool) -> Result<Connected, Trouble> {
    let argv = plan.argv(asks);
    let said = Arc::new(Said::default());
    let first = if asks { TYPING } else { ENTRY + plan.connect_limit() };
    if let Some(via) = via {
        let request = ProcessRequest::new(&argv).with_stdin().with_stdout();
        let mut process = via.process(request).await.map_err(|error| Trouble::Final(error.to_string()))?;
        let (Some(stdin), Some(stdout)) = (process.take_stdin(), process.take_stdout()) else {
            return Err(Trouble::Final("the process has no streams".to_owned()));
        };
        let (reader, writer) = byte_stream(stdin, stdout);
        return talk(plan, reader, writer, Keeper::process(process), (&said, None), first).await;
    }
    let mut command = Command::new(if asks { "/bin/sh" } else { &plan.program });
    if asks {
        command.args(["-c", UNINTERRUPTED]).arg(&plan.program);
    }
    command.args(&argv[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = if asks { Child::spawn_in_foreground(&mut command) } else { Child::spawn(&mut command) };
    let (child, pipes) = started
        .map_err(|error| Trouble::Final(format!("cannot start `{}` for `{}`: {error}", plan.program, plan.host())))?;
    let (Some(stdin), Some(stdout), Some(stderr)) = (pipes.stdin, pipes.stdout, pipes.stderr) else {
        return Err(Trouble::Final(format!("`{}` has no streams", plan.program)));
    };
    let ears = Arc::clone(&said);
    let listening = tokio::spawn(async move { ears.hear(stderr).await });
    talk(plan, stdout, stdin, Keeper::child(child), (&said, Some(listening)), first).await
}

async fn talk<R, W>(
    plan: &Plan,
    mut reader: R,
    mut writer: W,
    keeper: Keeper,
    (said, listening): (&Said, Option<JoinHandle<()>>),
    first: Duration,
) -> Result<Connected, Trouble>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    match dialogue::hold(&mut reader, &mut writer, &plan.agents, first).await {
        Ok(rest) => {
            said.pass_on();
            Ok(Connected {
                reader: Box::new(io::Cursor::new(rest).chain(reader)),
                writer: Box::new(writer),
                remote_address: plan.host().to_owned(),
                keeper,
            })
        }
        Err(stop) => {
            drop(writer);
            let how = keeper.ended(LAST_WORDS).await;
            if let Some(listening) = listening {
                let _ = timeout(LAST_WORDS, listening).await;
            }
            let complaint = said.text();
            if is_busy(&complaint) {
                return Err(Trouble::Busy(format!("`{}` takes no more connections: {complaint}", plan.host())));
            }
            tracing::debug!(host = plan.host(), ?how, complaint, "no way through the ssh program");
            let trouble = stop.tell(plan.host(), &complaint);
            Err(if is_a_question(&complaint) { trouble.asks() } else { trouble })
        }
    }
}

/// Whether a server turned a connection away because it has too many that nobody has been let in on yet.
fn is_busy(complaint: &str) -> bool {
    let early = ["kex_exchange_identification", "ssh_exchange_identification", "banner exchange"];
    let turned_away = ["Connection closed", "Connection reset", "Exceeded MaxStartups", "Not allowed at this time"];
    complaint.contains("Exceeded MaxStartups")
        || (early.iter().any(|word| complaint.contains(word))
            && turned_away.iter().any(|word| complaint.contains(word)))
}

/// Whether somebody who can be asked could have helped: with a passphrase, or with a word on an unknown host's key.
fn is_a_question(complaint: &str) -> bool {
    let refused = complaint.contains("Permission denied") || complaint.contains("Host key verification failed");
    refused && !complaint.contains("IDENTIFICATION HAS CHANGED")
}

/// Runs a program for what it prints, on standard output and on standard error. How it ended may be somebody else's to know.
pub(super) async fn printed(argv: &[String], limit: Duration) -> io::Result<(String, String)> {
    let (program, arguments) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (_child, pipes) = Child::spawn(&mut command)?;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let reading = async {
        let output = async {
            match pipes.stdout {
                Some(mut pipe) => pipe.read_to_end(&mut stdout).await,
                None => Ok(0),
            }
        };
        let errors = async {
            match pipes.stderr {
                Some(mut pipe) => pipe.read_to_end(&mut stderr).await,
                None => Ok(0),
            }
        };
        tokio::try_join!(output, errors)
    };
    timeout(limit, reading).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok((text(stdout), text(stderr)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_server_is_told_from_one_that_refuses() {
        for busy in [
            "kex_exchange_identification: Connection closed by remote host; Connection closed by 127.0.0.1 port 22",
            "kex_exchange_identification: read: Connection reset by peer",
            "ssh_exchange_identification: Connection closed by remote host",
            "kex_exchange_identification: banner line 0: Not allowed at this time",
            "banner exchange: Connection from 1.2.3.4: Exceeded MaxStartups",
        ] {
            assert!(is_busy(busy), "{busy}");
        }
        for other in
            ["me@host: Permission denied (publickey).", "ssh: connect to host a port 22: Connection refused", ""]
        {
            assert!(!is_busy(other), "{other}");
        }
    }

    #[test]
    fn a_person_could_help_with_what_is_locked_or_unknown() {
        assert!(is_a_question("me@host: Permission denied (publickey)."));
        assert!(is_a_question("No ED25519 host key is known for host and...; Host key verification failed."));
        assert!(!is_a_question("REMOTE HOST IDENTIFICATION HAS CHANGED!; Host key verification failed."));
        assert!(!is_a_question("Connection refused"));
    }
}
