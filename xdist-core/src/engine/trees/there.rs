//! A copy on another host, whose agent receives it: its service `tree`, which older agents do not have.

use std::path::Path;

use execnet_rs::channel::{Channel, ReceiveError};
use execnet_rs::gateway::Gateway;
use execnet_rs::value::Value;
use rsync_rs::link::asynchronous::{AsyncReader, AsyncWriter};
use tokio::runtime::Handle;

use super::Lock;
use super::push::{Cut, Socket};

const SERVICE: &str = "tree";

/// Has a host's agent receive a copy; returns where it answers, and what ends the conversation. The socket is taken once
/// there is something to connect: whoever waits for it is to hear of a failure by its reason, and not by the end of it.
pub(super) async fn begin(
    gateway: &Gateway,
    folder: &Path,
    outward_links: bool,
    socket: &mut Option<Socket>,
) -> Result<(Channel, Cut), String> {
    let link = gateway.agent().await.map_err(|error| error.to_string())?;
    let control = Channel::open(link, SERVICE).map_err(|error| error.to_string())?;
    let stream = control.sibling().map_err(|error| error.to_string())?;
    let asked = [
        ("destination", Value::from(folder.display().to_string())),
        ("outward_links", outward_links.into()),
        ("stream", stream.reference()),
    ];
    if let Err(error) = control.send(Value::dict(asked)).await {
        // If the agent has refused already, its own words are better.
        return Err(match control.receive().await {
            Err(refusal @ ReceiveError::Remote(_)) => reason(&refusal),
            _ => error.to_string(),
        });
    }
    let cut = Cut::There(stream.clone());
    let (reader, writer) = stream.into_byte_stream();
    let runtime = Handle::current();
    if let Some(socket) = socket.take() {
        socket.plug(Box::new(AsyncReader::new(runtime.clone(), reader)), Box::new(AsyncWriter::new(runtime, writer)));
    }
    Ok((control, cut))
}

/// Where a copy is, once it stands, and what keeps it locked.
pub(super) async fn end(control: Channel) -> Result<(String, Lock), String> {
    match control.receive().await.map_err(|error| reason(&error))? {
        Value::Str(path) => Ok((path, Lock::There(control))),
        other => Err(format!("its agent answered {} for a path", other.kind())),
    }
}

/// Why an agent does not receive a copy, for users.
fn reason(error: &ReceiveError) -> String {
    match error {
        ReceiveError::Remote(remote) if remote.kind == "LookupError" => {
            "its `socketserver` is older than `--rsyncdir`\n\
             hint: install there the version that belongs to this `xdist`, and start it anew"
                .to_owned()
        }
        ReceiveError::Remote(remote) => remote.message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use execnet_rs::group::Group;

    use super::super::push;
    use super::*;

    #[tokio::test]
    async fn an_agent_that_is_too_old_is_named_with_what_to_do() {
        // One in memory, which has the services of an agent and no more.
        let group = Group::new();
        let gateway = group.make_gateway("popen").await.unwrap();
        let (_target, socket) = push::target();
        let answer = match begin(&gateway, Path::new("copy"), false, &mut Some(socket)).await {
            Ok((control, _cut)) => end(control).await.map(drop),
            Err(why) => Err(why),
        };
        let why = answer.unwrap_err();
        assert!(why.contains("older than `--rsyncdir`") && why.contains("hint: install"), "{why}");
        group.terminate(std::time::Duration::from_secs(5)).await;
    }
}
