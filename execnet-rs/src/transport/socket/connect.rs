//! The client's side of a connection: from an address and a token to a stream at whose other end an agent answers.

use std::io;
use std::time::Duration;

use rustix::net::sockopt;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::noise::{ANSWER, HandshakeError, Initiator};
use super::sealed::{Opener, SealError, Sealer};
use super::stream::{SealedReader, SealedWriter};
use super::token::Token;
use super::verdict::{MOST_OF_SERVER, Verdict, introduction};

/// How long it may take to be let in.
pub const LIMIT: Duration = Duration::from_secs(10);

/// How long sent bytes may stay unacknowledged before the system gives a connection up; the link's heartbeat is quicker.
pub const UNACKNOWLEDGED: Duration = Duration::from_secs(25);

/// A connection to an agent.
pub type Sealed = (SealedReader<OwnedReadHalf>, SealedWriter<OwnedWriteHalf>);

/// Why a client was not let in.
#[derive(Debug, Error)]
pub enum Unwelcome {
    /// There is no way there.
    #[error("cannot connect: {0}\nhint: is `socketserver` running there, and can its port be reached from here?")]
    Unreachable(io::Error),
    /// Nobody answered in time.
    #[error("no answer within {LIMIT:?}; is it a `socketserver`?")]
    Silent,
    /// The server hung up without a word, as it does on strangers.
    #[error(
        "it hung up: it is no `socketserver` of this version, or it does not know the token (made for another server, or \
         revoked), or too many refused attempts came from here just now"
    )]
    HungUp,
    /// Whoever answers does not have the server's key.
    #[error("whoever answers there is not the server that the token was made for")]
    Impostor,
    /// The server says why.
    #[error("{0}")]
    Refused(String),
    /// The connection broke.
    #[error("{0}")]
    Broken(io::Error),
    /// This side has no randomness.
    #[error(transparent)]
    Handshake(HandshakeError),
}

impl Unwelcome {
    /// Whether it is the token that does not open the door.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::HungUp | Self::Impostor | Self::Refused(_))
    }
}

impl From<io::Error> for Unwelcome {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match error.kind() {
            // What is closed with bytes unread ends so.
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => Self::HungUp,
            _ => Self::Broken(error),
        }
    }
}

impl From<SealError> for Unwelcome {
    fn from(_: SealError) -> Self {
        Self::Impostor
    }
}

/// Connects, proves the token, and has the server's word that an agent answers.
///
/// # Errors
/// [`Unwelcome`], within [`LIMIT`].
///
/// # Cancellation
/// Dropping the future closes the connection.
pub async fn connect(host: &str, port: u16, token: &Token) -> Result<Sealed, Unwelcome> {
    let connecting = async {
        let stream = TcpStream::connect((host, port)).await.map_err(Unwelcome::Unreachable)?;
        set_up(&stream).map_err(Unwelcome::Broken)?;
        introduce(stream, token).await
    };
    tokio::time::timeout(LIMIT, connecting).await.unwrap_or(Err(Unwelcome::Silent))
}

/// What both ends ask of a connection: no delay, and an end if the other host is gone.
///
/// # Errors
/// The system's.
pub fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, UNACKNOWLEDGED)?;
    let limit = u32::try_from(UNACKNOWLEDGED.as_millis()).unwrap_or(u32::MAX);
    Ok(sockopt::set_tcp_user_timeout(stream, limit)?)
}

async fn introduce(mut stream: TcpStream, token: &Token) -> Result<Sealed, Unwelcome> {
    let (opening, initiator) = Initiator::new(token).map_err(Unwelcome::Handshake)?;
    stream.write_all(&opening).await?;
    let mut answer = [0; ANSWER];
    stream.read_exact(&mut answer).await?;
    let keys = initiator.finish(&answer).map_err(|_| Unwelcome::Impostor)?;
    let (mut sealer, mut frame) = (Sealer::new(&keys.send, 0)?, Vec::new());
    sealer.seal(introduction().as_bytes(), &mut frame)?;
    stream.write_all(&frame).await?;
    let mut opener = Opener::new(&keys.receive, 0)?.with_limit(MOST_OF_SERVER);
    let verdict = read_frame(&mut stream, &mut opener).await?;
    match Verdict::read(&verdict).ok_or(Unwelcome::Impostor)? {
        Verdict::Refused(why) => Err(Unwelcome::Refused(why)),
        Verdict::Welcome => {
            let (reader, writer) = stream.into_split();
            let opener = Opener::new(&keys.receive, 1)?;
            Ok((SealedReader::new(reader, opener), SealedWriter::new(writer, sealer)))
        }
    }
}

/// Reads one frame, and not a byte of the next.
///
/// # Errors
/// The stream's, or a [`SealError`] as one.
///
/// # Cancellation
/// The stream is of no use afterwards.
pub async fn read_frame<R: AsyncRead + Unpin>(stream: &mut R, opener: &mut Opener) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 2];
    stream.read_exact(&mut frame).await?;
    if let Some(whole) = opener.whole(&frame)? {
        frame.resize(whole, 0);
        stream.read_exact(&mut frame[2..]).await?;
    }
    let opened = opener.open(&mut frame)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(frame[opened.plain].to_vec())
}
