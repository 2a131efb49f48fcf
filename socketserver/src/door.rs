//! The handshake with somebody unknown: within one deadline, with as much memory as the two messages need, and in silence
//! until the other side has shown that it holds a token.

use std::time::Duration;

use execnet_rs::transport::socket::connect::read_frame;
use execnet_rs::transport::socket::noise::{OPENING, Opening, ServerKey};
use execnet_rs::transport::socket::sealed::{Keys, Opener};
use execnet_rs::transport::socket::token::{Secret, TokenId};
use execnet_rs::transport::socket::verdict::MOST_OF_CLIENT;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gate::Offence;
use crate::store::Entry;

/// How long the whole handshake may take, from the first byte of the connection on.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// Somebody who holds a token, at the other end of this very connection.
pub(crate) struct Guest {
    pub(crate) stream: TcpStream,
    pub(crate) keys: Keys,
    pub(crate) entry: Entry,
    /// What the client says of itself.
    pub(crate) introduction: String,
}

/// What the door asks of the house.
pub(crate) trait House {
    fn key(&self) -> &ServerKey;
    fn token(&self, id: TokenId) -> Option<Entry>;
    fn may_compute(&self) -> bool;
    /// The opening was genuine, though maybe a repetition.
    fn vouch(&self);
}

/// Lets somebody in, or does not.
///
/// # Errors
/// What was wrong; nothing was sent unless the opening was genuine.
///
/// # Cancellation
/// Dropping the future closes the connection.
pub(crate) async fn greet(mut stream: TcpStream, house: &impl House) -> Result<Guest, Offence> {
    match tokio::time::timeout(DEADLINE, shake_hands(&mut stream, house)).await {
        Ok(Ok((keys, entry, introduction))) => Ok(Guest { stream, keys, entry, introduction }),
        Ok(Err(offence)) => Err(offence),
        Err(_) => Err(Offence::TooSlow),
    }
}

/// The handshake itself, over any stream.
pub(crate) async fn shake_hands<S>(stream: &mut S, house: &impl House) -> Result<(Keys, Entry, String), Offence>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut opening = [0; OPENING];
    read_opening(stream, &mut opening).await?;
    let opening = Opening::read(&opening).map_err(|_| Offence::NotOurs)?;
    let entry = house.token(opening.id);
    // A crowd that knows no token cannot use up what is there for those that do.
    if entry.is_none() && !house.may_compute() {
        return Err(Offence::Refused);
    }
    // For an unknown id as much is computed as for a known one.
    let nobodys = Secret::random().map_err(|_| Offence::Left)?;
    let secret = entry.as_ref().map_or(&nobodys, |entry| entry.token.secret());
    let answered = opening.answer(house.key(), secret);
    let (Ok((answer, keys)), Some(entry)) = (answered, entry) else {
        hesitate().await;
        return Err(Offence::Refused);
    };
    house.vouch();
    stream.write_all(&answer).await.map_err(|_| Offence::Left)?;
    let mut opener = Opener::new(&keys.receive, 0).map_err(|_| Offence::NoProof)?.with_limit(MOST_OF_CLIENT);
    let introduction = read_frame(stream, &mut opener).await;
    let introduction = introduction.map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => Offence::NoProof,
        _ => Offence::Left,
    })?;
    Ok((keys, entry, String::from_utf8_lossy(&introduction).into_owned()))
}

/// Reads the opening, and stops at the first byte that shows that it is none.
async fn read_opening<S>(stream: &mut S, opening: &mut [u8; OPENING]) -> Result<(), Offence>
where
    S: AsyncRead + Unpin,
{
    let mut count = 0;
    while count < OPENING {
        match stream.read(&mut opening[count..]).await {
            Ok(0) | Err(_) if count == 0 => return Err(Offence::Left),
            Ok(0) | Err(_) => return Err(Offence::NotOurs),
            Ok(more) => count += more,
        }
        if !Opening::may_begin(&opening[..count]) {
            return Err(Offence::NotOurs);
        }
    }
    Ok(())
}

/// Waits for a moment that nobody can foretell, so that times tell little.
async fn hesitate() {
    let mut moment = [0];
    let _ = SystemRandom::new().fill(&mut moment);
    tokio::time::sleep(Duration::from_micros(u64::from(moment[0]) * 400)).await;
}
