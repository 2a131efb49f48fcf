//! The talk with a host's shell until it has become the agent, over whatever carries bytes.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::Trouble;
use super::agents::{Agent, Agents};
use super::bootstrap::{Listener, Said};

/// How long a host may take for a word, once it has let us in: its start-up files may be slow.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What is sent at once.
const PIECE: usize = 64 * 1024;

/// Talks until the agent starts. Returns its first bytes, if some came along.
///
/// The answer to the first word may take `first`, in which somebody may still be let in.
pub(super) async fn hold<R, W>(
    reader: &mut R,
    writer: &mut W,
    agents: &[Agent],
    first: Duration,
) -> Result<Vec<u8>, Stop>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut listener = Listener::default();
    let mut chunk = vec![0; 16 * 1024];
    let (mut patience, mut platform) = (first, None);
    loop {
        while let Some(said) = listener.next().map_err(Stop::Nonsense)? {
            patience = PATIENCE;
            match said {
                Said::Run => return Ok(listener.rest()),
                Said::Need(named) => {
                    let agent = agents.iter().find(|agent| agent.offer.platform == named);
                    let agent = agent.ok_or_else(|| Stop::Nonsense(format!("an agent for {named} was asked for")))?;
                    platform = Some(named);
                    send(writer, agent).await?;
                }
                Said::NoAgentFor(platform) => return Err(Stop::NoAgentFor(platform)),
                Said::Failed(why) => return Err(Stop::NoPlace { why, platform }),
            }
        }
        let read = timeout(patience, reader.read(&mut chunk)).await;
        match read.map_err(|_| Stop::Silent { waited: patience, before: listener.begin() })? {
            Ok(0) => return Err(Stop::Ended { before: listener.begin() }),
            Ok(count) => listener.push(&chunk[..count]),
            Err(error) => return Err(Stop::Broken(error.to_string())),
        }
    }
}

async fn send<W: AsyncWrite + Unpin>(writer: &mut W, agent: &Agent) -> Result<(), Stop> {
    let path = agent.path.clone();
    let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await.map_err(io::Error::other).flatten();
    let bytes = read.map_err(|error| Stop::Nonsense(format!("`{}`: {error}", agent.path.display())))?;
    if bytes.len() as u64 != agent.offer.size {
        return Err(Stop::Nonsense(format!("`{}` has just been changed; try again", agent.path.display())));
    }
    for piece in bytes.chunks(PIECE) {
        match timeout(PATIENCE, writer.write_all(piece)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(Stop::Broken(error.to_string())),
            Err(_) => return Err(Stop::Silent { waited: PATIENCE, before: String::new() }),
        }
    }
    writer.flush().await.map_err(|error| Stop::Broken(error.to_string()))
}

/// Why there is no agent in the end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The stream ended; what came before.
    Ended { before: String },
    /// The stream failed.
    Broken(String),
    /// Nothing was said in time.
    Silent { waited: Duration, before: String },
    /// Something was said that means nothing.
    Nonsense(String),
    /// No agent for such hosts is here.
    NoAgentFor(String),
    /// The host has no place for it.
    NoPlace { why: String, platform: Option<String> },
}

impl Stop {
    /// For people. `complaint` is what the connection's own program said meanwhile.
    pub(super) fn tell(self, host: &str, complaint: &str) -> Trouble {
        let said = |before: &str| {
            if before.is_empty() { String::new() } else { format!("; what came begins with {before:?}") }
        };
        let because = if complaint.is_empty() { String::new() } else { format!(": {complaint}") };
        Trouble::Final(match self {
            Self::Ended { before } => format!("`{host}` ended the connection{}{because}", said(&before)),
            Self::Broken(error) => format!("the connection to `{host}` broke ({error}){because}"),
            Self::Silent { waited, before } => {
                format!("`{host}` did not answer within {waited:?}{}{because}", said(&before))
            }
            Self::Nonsense(what) => format!("no shell answers at `{host}`: {what}{because}"),
            Self::NoAgentFor(platform) => {
                format!("no agent for `{host}`, which is {platform}: {}", Agents::advice(&platform))
            }
            Self::NoPlace { why, .. } => format!(
                "no place for the agent on `{host}`: {why}{because}; make room, or set XDG_CACHE_HOME there to a directory \
                 in which programs may run"
            ),
        })
    }
}
