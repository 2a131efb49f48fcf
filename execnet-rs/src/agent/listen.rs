//! Connections of processes on the agent's host: a unix socket in a private directory, each connection a channel of bytes.
//!
//! A connection ends when the process has closed it, or when the controller says that the process is gone: then it ends
//! with what the process has sent, even if a child of the process still holds it.
//!
//! Beside its connection a process may leave records in a [`crate::ring`], if the controller says where. Then a value of the
//! channel is a tuple: records that are older than the bytes, bytes, records that may be older.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use tokio::net::unix::OwnedReadHalf;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::process::{PIECE, feed};
use super::program::Care;
use super::refused;
use crate::channel::{Channel, RemoteError, SendError};
use crate::local::Listener;
use crate::process::out_of_descriptors;
use crate::ring::{Ring, Shape};
use crate::value::Value;

/// What the controller says of a connection.
enum Order {
    /// Its process leaves records there.
    Follow(Ring),
    /// Its process is gone.
    Drain,
}

pub(super) async fn serve(channel: &Channel, care: &Care) -> Result<(), RemoteError> {
    channel.receive().await?;
    let directory = tempfile::Builder::new().prefix("execnet-").tempdir();
    let directory = directory.map_err(|error| refused("temporary directory", &error))?;
    care.directory(directory.path());
    let path = directory.path().join("socket");
    let listener = Listener::bind(&path).map_err(|error| refused("unix socket", &error))?;
    let Some(text) = path.to_str() else {
        return Err(RemoteError::new("OSError", "the temporary directory has a name that is not UTF-8"));
    };
    let _ = channel.send(text).await;
    let mut connections = JoinSet::new();
    let mut living: HashMap<u32, mpsc::UnboundedSender<Order>> = HashMap::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, pid) = match accepted {
                    Ok(accepted) => accepted,
                    Err(error) if out_of_descriptors(&error) => return Err(refused("accept", &error)),
                    // It was gone before it was taken: others will come.
                    Err(_) => continue,
                };
                let Ok(bytes) = channel.sibling() else { return Ok(()) };
                let (from_process, to_process) = stream.into_split();
                let (tell, orders) = mpsc::unbounded_channel();
                living.insert(bytes.number(), tell);
                connections.spawn(feeding(bytes.clone(), to_process));
                connections.spawn(draining(from_process, bytes.clone(), orders));
                if channel.send(Value::Tuple(vec![bytes.reference(), pid.into()])).await.is_err() {
                    return Ok(());
                }
            }
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Ok(Some(number)) = ended {
                    living.remove(&number);
                }
            }
            order = channel.receive() => match order {
                Ok(Value::Channel(reference)) => {
                    if let Some(bytes) = channel.resolve(reference)
                        && let Some(tell) = living.remove(&bytes.number())
                    {
                        let _ = tell.send(Order::Drain);
                    }
                }
                Ok(order) => follow(channel, &living, &order),
                Err(_) => return Ok(()),
            },
        }
    }
}

/// The process of a connection leaves records in a file. One that is never opened is never written to.
fn follow(channel: &Channel, living: &HashMap<u32, mpsc::UnboundedSender<Order>>, order: &Value) {
    let number = |key: &str| order.get(key).and_then(Value::as_int).and_then(|number| u64::try_from(number).ok());
    let shape = || Shape::new(number("slots")?, usize::try_from(number("record")?).ok()?);
    if let Some(Value::Channel(reference)) = order.get("follow")
        && let Some(bytes) = channel.resolve(*reference)
        && let Some(tell) = living.get(&bytes.number())
        && let Some(path) = order.get("path").and_then(Value::as_str)
        && let Some(shape) = shape()
    {
        match Ring::open(Path::new(path), shape) {
            Ok(ring) => drop(tell.send(Order::Follow(ring))),
            Err(error) => tracing::debug!("{path} cannot be opened: {error}"),
        }
    }
}

async fn feeding(bytes: Channel, to_process: tokio::net::unix::OwnedWriteHalf) -> Option<u32> {
    feed(bytes, to_process).await;
    None
}

/// Sends what the process says, to its end or until it is known to be gone; returns the number of the channel.
async fn draining(stream: OwnedReadHalf, bytes: Channel, mut orders: mpsc::UnboundedReceiver<Order>) -> Option<u32> {
    let number = Some(bytes.number());
    let mut chunk = vec![0; PIECE];
    let mut ring: Option<Ring> = None;
    loop {
        let pause = ring.as_ref().map(Ring::pause);
        tokio::select! {
            _ = stream.readable() => {}
            order = orders.recv() => match order {
                Some(Order::Follow(new)) => {
                    ring = Some(new);
                    continue;
                }
                Some(Order::Drain) | None => break,
            },
            () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
        }
        let older = look(&mut ring);
        let sent = match stream.try_read(&mut chunk) {
            Ok(count @ 1..) => {
                if let Some(ring) = &mut ring {
                    ring.expect();
                }
                tell(&bytes, older, &chunk[..count], look(&mut ring)).await
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tell(&bytes, older, &[], Vec::new()).await,
            _ => {
                let _ = tell(&bytes, older, &[], look(&mut ring)).await;
                bytes.finish();
                return number;
            }
        };
        if sent.is_err() {
            bytes.finish();
            return number;
        }
    }
    loop {
        let older = look(&mut ring);
        // The system is asked itself: what the runtime believes may be older than the last bytes.
        let count = rustix::io::read(stream.as_ref(), &mut chunk).unwrap_or(0);
        if tell(&bytes, older, &chunk[..count], look(&mut ring)).await.is_err() || count == 0 {
            break;
        }
    }
    bytes.finish();
    number
}

fn look(ring: &mut Option<Ring>) -> Vec<u8> {
    ring.as_mut().map(Ring::look).unwrap_or_default()
}

/// Sends bytes, and records from before and after they were read.
async fn tell(channel: &Channel, older: Vec<u8>, bytes: &[u8], newer: Vec<u8>) -> Result<(), SendError> {
    if !older.is_empty() || !newer.is_empty() {
        return channel.send(Value::Tuple(vec![older.into(), bytes.to_vec().into(), newer.into()])).await;
    }
    if bytes.is_empty() {
        return Ok(());
    }
    channel.send_bytes(bytes).await
}
