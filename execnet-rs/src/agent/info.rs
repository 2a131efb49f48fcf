//! What the agent says of its host.

use super::refused;
use crate::channel::{Channel, RemoteError};
use crate::memory::OomKills;
use crate::value::Value;

pub(super) async fn serve(channel: &Channel) -> Result<(), RemoteError> {
    channel.receive().await?;
    let cwd = std::env::current_dir().map_err(|error| refused("working directory", &error))?;
    let system = rustix::system::uname();
    let text = |text: &std::ffi::CStr| Value::Str(text.to_string_lossy().into_owned());
    let kills = OomKills::find().count().and_then(|count| i64::try_from(count).ok());
    let description = Value::dict([
        ("host", text(system.nodename())),
        ("system", text(system.sysname())),
        ("release", text(system.release())),
        ("machine", text(system.machine())),
        ("cwd", Value::Str(cwd.to_string_lossy().into_owned())),
        ("pid", std::process::id().into()),
        ("cores", std::thread::available_parallelism().map_or(1, usize::from).into()),
        ("memory", rustix::system::sysinfo().totalram.saturating_mul(1).into()),
        ("oom_kills", kills.map_or(Value::None, Value::from)),
        ("agent", concat!("execnet-rs ", env!("CARGO_PKG_VERSION")).into()),
    ]);
    let _ = channel.send(description).await;
    Ok(())
}
