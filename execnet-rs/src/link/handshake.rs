//! The first bytes of a link: greetings, who speaks, in which version.

use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Options;
use crate::mux::ProtocolError;
use crate::value::{Limits, Value, decode, encode};
use crate::wire::{Check, Decoder, Encoder, Kind, MAGIC, NoGreeting, Scanner};

/// The version of everything that both sides must agree on.
const PROTOCOL: i64 = 1;

/// The least initial credit that a sender can work with.
const LEAST_CREDIT: i64 = 8 * 1024;

/// What the other side said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Its name and version.
    pub software: String,
    /// Its process id, where it runs.
    pub pid: u32,
    /// The credit of a new channel.
    pub(crate) initial: u32,
    /// The largest message that it takes.
    pub(crate) message: usize,
    /// What its checksums cover.
    pub(crate) check: Check,
}

/// Why a link could not be set up.
#[derive(Debug, Error)]
pub enum LinkError {
    /// Something else answers, or nobody.
    #[error(transparent)]
    NoGreeting(#[from] NoGreeting),
    /// Nobody answered in time.
    #[error("nobody answered within {waited:?}; what came begins with {:?}", String::from_utf8_lossy(.before))]
    Silent {
        /// How long was waited.
        waited: Duration,
        /// The first bytes that came.
        before: Vec<u8>,
    },
    /// Another version.
    #[error(
        "{software} speaks version {theirs} of the protocol, this program version {PROTOCOL}; use the same release on both sides"
    )]
    Version {
        /// Theirs.
        theirs: i64,
        /// Who they are.
        software: String,
    },
    /// The hello makes no sense.
    #[error("the other side's hello makes no sense: {0}")]
    Malformed(String),
    /// The first frame is wrong.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Greets, and reads the other side's greeting and hello.
pub(crate) async fn shake_hands<R, W>(
    reader: &mut R,
    writer: &mut W,
    options: &Options,
) -> Result<(Hello, Decoder, Encoder), LinkError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut scanner = Scanner::default();
    let mut greeting = None;
    let shaking = async {
        let mut encoder = Encoder::new(Check::Full);
        let mut bytes = MAGIC.to_vec();
        encoder.encode(Kind::Hello, 0, &own_hello(options)?, &mut bytes);
        encoder.set_check(options.check);
        writer.write_all(&bytes).await?;
        writer.flush().await?;
        let mut chunk = vec![0; 4096];
        let greeting = loop {
            let count = reader.read(&mut chunk).await?;
            if count == 0 {
                return Err(LinkError::NoGreeting(scanner.give_up()));
            }
            if let Some(found) = scanner.push(&chunk[..count])? {
                break greeting.insert(found);
            }
        };
        if !greeting.noise.is_empty() {
            tracing::info!(link = options.name, said = %String::from_utf8_lossy(&greeting.noise), "before the greeting");
        }
        let mut decoder = Decoder::new(Check::Full);
        std::mem::swap(decoder.buffer(), &mut greeting.rest);
        let frame = loop {
            match decoder.next_frame().map_err(ProtocolError::from)? {
                Some(frame) => break frame,
                None if reader.read_buf(decoder.buffer()).await? == 0 => {
                    return Err(LinkError::Malformed("the stream ended in it".to_owned()));
                }
                None => {}
            }
        };
        if frame.kind != Kind::Hello {
            return Err(LinkError::Malformed(format!("a frame of kind {:?} instead", frame.kind)));
        }
        let hello = read_hello(&decode(&frame.body, 0, Limits::default()).map_err(malformed)?)?;
        decoder.set_check(hello.check);
        Ok((hello, decoder, encoder))
    };
    match tokio::time::timeout(options.greeting, shaking).await {
        Ok(shaken) => shaken,
        Err(_) => Err(LinkError::Silent { waited: options.greeting, before: scanner.give_up().0 }),
    }
}

fn malformed<E: std::fmt::Display>(error: E) -> LinkError {
    LinkError::Malformed(error.to_string())
}

fn own_hello(options: &Options) -> Result<Vec<u8>, LinkError> {
    let check = match options.check {
        Check::Full => "full",
        Check::Header => "header",
    };
    let hello = Value::dict([
        ("protocol", Value::Int(PROTOCOL)),
        ("software", concat!("execnet-rs ", env!("CARGO_PKG_VERSION")).into()),
        ("pid", std::process::id().into()),
        ("initial", options.limits.initial.into()),
        ("message", options.limits.message.into()),
        ("check", check.into()),
    ]);
    let mut body = Vec::new();
    encode(&hello, 0, &mut body).map_err(malformed)?;
    Ok(body)
}

fn read_hello(hello: &Value) -> Result<Hello, LinkError> {
    let number = |key: &str| hello.get(key).and_then(Value::as_int);
    let missing = |key: &str| LinkError::Malformed(format!("`{key}` is missing or wrong"));
    let text = |key: &str| hello.get(key).and_then(Value::as_str);
    let software = text("software").unwrap_or("something unknown").to_owned();
    let theirs = number("protocol").ok_or_else(|| missing("protocol"))?;
    if theirs != PROTOCOL {
        return Err(LinkError::Version { theirs, software });
    }
    let initial = number("initial").filter(|initial| *initial >= LEAST_CREDIT);
    Ok(Hello {
        software,
        pid: number("pid").and_then(|pid| u32::try_from(pid).ok()).ok_or_else(|| missing("pid"))?,
        initial: initial.and_then(|initial| u32::try_from(initial).ok()).ok_or_else(|| missing("initial"))?,
        message: number("message").and_then(|size| usize::try_from(size).ok()).ok_or_else(|| missing("message"))?,
        check: match text("check") {
            Some("full") => Check::Full,
            Some("header") => Check::Header,
            _ => return Err(missing("check")),
        },
    })
}
