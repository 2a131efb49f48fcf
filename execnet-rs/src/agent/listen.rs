//! Connections of processes on the agent's host: a unix socket in a private directory, each connection a channel of bytes.
//!
//! A connection ends when the process has closed it, or when the controller says that the process is gone: then it ends
//! with what the process has sent, even if a child of the process still holds it.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use tokio::net::unix::OwnedReadHalf;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::process::{PIECE, feed};
use super::program::Care;
use super::refused;
use crate::channel::{Channel, RemoteError};
use crate::local::Listener;
use crate::process::out_of_descriptors;
use crate::value::Value;

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
    let mut over: HashMap<u32, Arc<Notify>> = HashMap::new();
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
                let gone = Arc::new(Notify::new());
                over.insert(bytes.number(), Arc::clone(&gone));
                connections.spawn(feeding(bytes.clone(), to_process));
                connections.spawn(draining(from_process, bytes.clone(), gone));
                if channel.send(Value::Tuple(vec![bytes.reference(), pid.into()])).await.is_err() {
                    return Ok(());
                }
            }
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Ok(Some(number)) = ended {
                    over.remove(&number);
                }
            }
            order = channel.receive() => match order {
                Ok(Value::Channel(reference)) => {
                    if let Some(bytes) = channel.resolve(reference)
                        && let Some(gone) = over.remove(&bytes.number())
                    {
                        gone.notify_one();
                    }
                }
                Ok(_) => {}
                Err(_) => return Ok(()),
            },
        }
    }
}

async fn feeding(bytes: Channel, to_process: tokio::net::unix::OwnedWriteHalf) -> Option<u32> {
    feed(bytes, to_process).await;
    None
}

/// Sends what the process says, to its end or until it is known to be gone; returns the number of the channel.
async fn draining(stream: OwnedReadHalf, bytes: Channel, gone: Arc<Notify>) -> Option<u32> {
    let number = Some(bytes.number());
    let mut chunk = vec![0; PIECE];
    loop {
        tokio::select! {
            _ = stream.readable() => {}
            () = gone.notified() => break,
        }
        match stream.try_read(&mut chunk) {
            Ok(count @ 1..) if bytes.send_bytes(&chunk[..count]).await.is_ok() => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => {
                bytes.finish();
                return number;
            }
        }
    }
    // The system is asked itself: what the runtime believes may be older than the last bytes.
    while let Ok(count @ 1..) = rustix::io::read(stream.as_ref(), &mut chunk)
        && bytes.send_bytes(&chunk[..count]).await.is_ok()
    {}
    bytes.finish();
    number
}
