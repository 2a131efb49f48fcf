//! A private directory on the agent's host, which ends with the channel: small files, and named pipes that are read there.
//!
//! One order after the other, each with one answer: None, what was asked for, or `{error}`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::unix::pipe;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::process::PIECE;
use super::program::Care;
use super::refused;
use crate::channel::{Channel, RemoteError};
use crate::local::named_pipe;
use crate::value::Value;

/// A pipe holds no more than this of a writer that is gone.
const PIPE: usize = 64 * 1024;
/// The most that is read of a file at once.
const LARGEST_READ: u64 = 1 << 20;

/// The pipes that are read, and who is told that no more will be written.
#[derive(Default)]
struct Pipes {
    reading: JoinSet<()>,
    over: HashMap<String, Arc<Notify>>,
}

pub(super) async fn serve(channel: &Channel, care: &Care) -> Result<(), RemoteError> {
    channel.receive().await?;
    let directory = tempfile::Builder::new().prefix("execnet-").tempdir();
    let directory = directory.map_err(|error| refused("temporary directory", &error))?;
    care.directory(directory.path());
    let Some(path) = directory.path().to_str().filter(|path| !path.contains('\n')) else {
        return Err(RemoteError::new("OSError", "the temporary directory has a name that cannot be told"));
    };
    let _ = channel.send(path).await;
    let mut pipes = Pipes::default();
    loop {
        tokio::select! {
            order = channel.receive() => {
                let Ok(order) = order else { return Ok(()) };
                let answer = obey(channel, directory.path(), &mut pipes, &order)
                    .unwrap_or_else(|error| Value::dict([("error", error.to_string())]));
                if channel.send(answer).await.is_err() {
                    return Ok(());
                }
            }
            Some(_) = pipes.reading.join_next(), if !pipes.reading.is_empty() => {}
        }
    }
}

fn obey(channel: &Channel, directory: &Path, pipes: &mut Pipes, order: &Value) -> io::Result<Value> {
    let name = order.get("name").and_then(Value::as_str).unwrap_or_default();
    let path = inside(directory, name)?;
    let number = |key: &str| order.get(key).and_then(Value::as_int).and_then(|number| u64::try_from(number).ok());
    match order.get("order").and_then(Value::as_str).unwrap_or_default() {
        "pipe" => {
            let Some(Value::Channel(reference)) = order.get("to") else { return Err(wrong("`to` is no channel")) };
            let to = channel.resolve(*reference).ok_or_else(|| wrong("`to` is no channel of this link"))?;
            let over = Arc::new(Notify::new());
            pipes.reading.spawn(pump(named_pipe(&path)?, to, Arc::clone(&over)));
            pipes.over.insert(name.to_owned(), over);
            Ok(Value::None)
        }
        "drain" => {
            if let Some(over) = pipes.over.remove(name) {
                over.notify_one();
            }
            Ok(Value::None)
        }
        "write" => {
            let Some(Value::Bytes(bytes)) = order.get("bytes") else { return Err(wrong("`bytes` are missing")) };
            let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
            file.write_all_at(bytes, number("at").unwrap_or(0))?;
            Ok(Value::None)
        }
        "read" => read(&path, number("at").unwrap_or(0), number("length").unwrap_or(LARGEST_READ)),
        "take" => {
            let last = number("last").unwrap_or(LARGEST_READ);
            let length = path.symlink_metadata().map_or(0, |found| found.len());
            let read = read(&path, length.saturating_sub(last), last)?;
            if read != Value::None {
                std::fs::remove_file(&path)?;
            }
            Ok(read)
        }
        other => Err(wrong(&format!("no order `{other}` here"))),
    }
}

/// At most so many bytes of a file; None if there is no such file.
fn read(path: &Path, at: u64, length: u64) -> io::Result<Value> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Value::None),
        file => file?,
    };
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(length.min(LARGEST_READ)).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

fn wrong(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// A name of one component in the directory.
fn inside(directory: &Path, name: &str) -> io::Result<PathBuf> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(wrong(&format!("`{name}` is no name")));
    }
    Ok(directory.join(name))
}

/// Sends what is written into the pipe, until somebody says that the writer is gone: then what is left of it, and the end.
async fn pump(pipe: pipe::Receiver, to: Channel, over: Arc<Notify>) {
    let mut chunk = vec![0; PIECE];
    loop {
        tokio::select! {
            _ = pipe.readable() => {}
            () = over.notified() => break,
        }
        match pipe.try_read(&mut chunk) {
            Ok(count) if to.send_bytes(&chunk[..count]).await.is_ok() => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return to.finish(),
        }
    }
    let mut left = PIPE;
    // The system is asked itself: what the runtime believes may be older than the last bytes.
    while let Ok(count @ 1..) = rustix::io::read(&pipe, &mut chunk)
        && to.send_bytes(&chunk[..count]).await.is_ok()
        && left > 0
    {
        left = left.saturating_sub(count);
    }
    to.finish();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        let directory = Path::new("/d");
        assert_eq!(inside(directory, "gw0.out").unwrap(), Path::new("/d/gw0.out"));
        for name in ["", ".", "..", "a/b", "/etc", "../x", "a\0b"] {
            assert!(inside(directory, name).is_err(), "{name:?}");
        }
    }
}
