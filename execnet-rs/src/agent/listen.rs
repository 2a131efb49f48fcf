//! Connections of processes on the agent's host: a unix socket in a private directory, each connection a channel of bytes.

use tokio::io::split;
use tokio::task::JoinSet;

use super::process::{drain, feed};
use super::refused;
use crate::channel::{Channel, RemoteError};
use crate::local::Listener;
use crate::value::Value;

pub(super) async fn serve(channel: &Channel) -> Result<(), RemoteError> {
    channel.receive().await?;
    let directory = tempfile::Builder::new().prefix("execnet-").tempdir();
    let directory = directory.map_err(|error| refused("temporary directory", &error))?;
    let path = directory.path().join("socket");
    let listener = Listener::bind(&path).map_err(|error| refused("unix socket", &error))?;
    let Some(text) = path.to_str() else {
        return Err(RemoteError::new("OSError", "the temporary directory has a name that is not UTF-8"));
    };
    let _ = channel.send(text).await;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, pid) = accepted.map_err(|error| refused("accept", &error))?;
                let Ok(bytes) = channel.sibling() else { return Ok(()) };
                let (from_process, to_process) = split(stream);
                connections.spawn(feed(bytes.clone(), to_process));
                connections.spawn(drain(from_process, bytes.clone()));
                if channel.send(Value::Tuple(vec![bytes.reference(), pid.into()])).await.is_err() {
                    return Ok(());
                }
            }
            Some(_) = connections.join_next() => {}
            // Nothing is asked any more: it is over when the channel is.
            _ = channel.wait_close(None) => return Ok(()),
        }
    }
}
