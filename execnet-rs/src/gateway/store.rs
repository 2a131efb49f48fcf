//! Files that are kept on a gateway's host from session to session.

use super::{Gateway, GatewayError};
use crate::channel::Channel;
use crate::value::Value;

/// Files on a gateway's host, kept there under a name made of their contents. Hold this as long as they are used: where the
/// host has no place to keep them, they end with it.
#[derive(Debug)]
pub struct Stored {
    path: String,
    _channel: Channel,
}

impl Stored {
    /// The directory that holds them, on the host.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Gateway {
    /// Has files on the host, paths and contents, in a directory of their own; sends them if they are not there. `owner` is
    /// whose they are, `key` a name that no other contents have: both without `/`.
    ///
    /// # Errors
    /// If the host refuses, or the link has ended.
    ///
    /// # Cancellation
    /// The files may be there.
    pub async fn store(&self, owner: &str, key: &str, files: &[(&str, &[u8])]) -> Result<Stored, GatewayError> {
        let channel = Channel::open(self.agent().await?, "store")?;
        let listed = files.iter().map(|(path, contents)| {
            Value::Tuple(vec![(*path).into(), contents.len().into(), crc32fast::hash(contents).into()])
        });
        let asked = [("owner", Value::from(owner)), ("key", key.into()), ("files", Value::List(listed.collect()))];
        channel.send(Value::dict(asked)).await?;
        let mut said = channel.receive().await?;
        if said == Value::None {
            let files =
                files.iter().map(|(path, contents)| Value::Tuple(vec![(*path).into(), contents.to_vec().into()]));
            channel.send(Value::List(files.collect())).await?;
            said = channel.receive().await?;
        }
        match said {
            Value::Str(path) => Ok(Stored { path, _channel: channel }),
            other => Err(GatewayError::Answer(format!("{} for a path", other.kind()))),
        }
    }
}
