//! Trees that a controller brings to this host: the receiving end of `rsync-rs` as a service of the agent.
//!
//! | service | first message | then |
//! |---|---|---|
//! | `tree` | `{destination, outward_links, stream}`, the last a channel of bytes | the stream carries the synchroniser's conversation; the agent sends the destination's path once it is over, and keeps the destination locked until the channel is closed |

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use execnet_rs::agent::{Program, Service, Serving};
use execnet_rs::channel::{Channel, RemoteError};
use execnet_rs::value::Value;
use rsync_rs::link::asynchronous::{AsyncReader, AsyncWriter};
use rsync_rs::{Destination, Options, ReceiveError};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// How long one run waits for another one that has the destination.
const PATIENCE: Duration = Duration::from_hours(1);

/// Adds what runs of `xdist` need to an agent.
pub(crate) fn with_trees(program: Program) -> Program {
    program.with_service("tree", Arc::new(Trees))
}

#[derive(Debug)]
struct Trees;

impl Service for Trees {
    fn serve(&self, channel: Channel) -> Serving {
        Box::pin(async move {
            let asked =
                channel.receive().await.map_err(|error| RemoteError::new("ProtocolError", error.to_string()))?;
            let destination = asked.get("destination").and_then(Value::as_str);
            let Some(destination) = destination.filter(|path| !path.is_empty()) else {
                return Err(RemoteError::new("ValueError", "`destination` is a path"));
            };
            let stream = match asked.get("stream") {
                Some(Value::Channel(reference)) => channel.resolve(*reference),
                _ => None,
            };
            let stream = stream.ok_or_else(|| RemoteError::new("ValueError", "`stream` is a channel"))?;
            let outward_links = asked.get("outward_links").and_then(Value::as_bool) == Some(true);
            let destination = PathBuf::from(destination);
            // Held until the controller is done with it.
            let locked = receive(destination, outward_links, stream).await;
            let locked = locked.map_err(|error| RemoteError::new("SyncError", error))?;
            let path = locked.path().to_str().map(str::to_owned);
            let path = path.ok_or_else(|| RemoteError::new("OSError", "the destination's path is no UTF-8"))?;
            let _ = channel.send(path).await;
            let _ = channel.wait_close(None).await;
            Ok(())
        })
    }
}

/// Receives a tree, in a thread that nobody waits for: it ends with its stream, or with the process.
async fn receive(destination: PathBuf, outward_links: bool, stream: Channel) -> Result<Destination, String> {
    let (reader, writer) = stream.into_byte_stream();
    let (tell, told) = oneshot::channel();
    let runtime = Handle::current();
    let thread = move || {
        let (mut reader, mut writer) = (AsyncReader::new(runtime.clone(), reader), AsyncWriter::new(runtime, writer));
        let serve = |state: PathBuf| {
            let options = Options { outward_links, ..Options::new(destination, state) };
            Destination::serve(options, PATIENCE, &mut reader, &mut writer)
        };
        let served = match cache() {
            Some(state) => serve(state),
            // Where nothing can be remembered, each tree comes as the first one did.
            None => match tempfile::tempdir() {
                Ok(state) => serve(state.path().to_owned()),
                Err(error) => {
                    return drop(tell.send(Err(format!("no directory for what is to be remembered: {error}"))));
                }
            },
        };
        let _ = tell.send(served.map(|(destination, _)| destination).map_err(|error: ReceiveError| error.to_string()));
    };
    std::thread::Builder::new().name("tree".to_owned()).spawn(thread).map_err(|error| format!("no thread: {error}"))?;
    told.await.unwrap_or_else(|_| Err("it was given up".to_owned()))
}

/// Where is remembered what was received: in the user's cache directory.
fn cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    let ours = cache.join("xdist/trees");
    std::fs::create_dir_all(&ours).ok()?;
    Some(ours)
}
