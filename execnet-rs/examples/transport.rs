//! A way to hosts of one's own: here a TCP connection on this host, at whose other end a task is the agent. Nobody is
//! authenticated: do not listen like this anywhere else; [`execnet_rs::transport::socket`] is for that.
//!
//! `cargo run --example transport`

use std::sync::Arc;
use std::time::Duration;

use execnet_rs::agent;
use execnet_rs::gateway::{Gateway, ProcessRequest};
use execnet_rs::group::Group;
use execnet_rs::link::Options;
use execnet_rs::mux::Side;
use execnet_rs::transport::{ConnectError, Connected, Connecting, Keeper, Transport};
use execnet_rs::xspec::{self, XSpec};
use tokio::net::{TcpListener, TcpStream};

/// `socket=HOST:PORT` without any protection.
struct Plain;

impl Transport for Plain {
    fn connect<'a>(&'a self, spec: &'a XSpec, _via: Option<&'a Gateway>) -> Connecting<'a> {
        Box::pin(async move {
            let Ok(xspec::Transport::Socket { host, port }) = spec.transport() else {
                return Err(ConnectError::Other(format!("`{spec}` names no address")));
            };
            let remote_address = format!("{host}:{port}");
            let connected = TcpStream::connect((host, port)).await;
            let stream = connected.map_err(|error| ConnectError::Other(format!("{remote_address}: {error}")))?;
            let (reader, writer) = stream.into_split();
            // Nothing but the stream has to end with the link.
            let keeper = Keeper::nothing();
            Ok(Connected { reader: Box::new(reader), writer: Box::new(writer), remote_address, keeper })
        })
    }
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
async fn transport() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let (reader, writer) = stream.into_split();
        agent::serve(reader, writer, Options::new(Side::Acceptor, "plain")).await.map_err(std::io::Error::other)
    });
    let group = Group::new();
    group.register("socket", Arc::new(Plain));
    let gateway = group.make_gateway(&format!("socket={address}")).await?;
    println!("connected to {}", gateway.remote_address().unwrap_or_default());
    let mut process = gateway.process(ProcessRequest::new(&["uname", "-s"]).with_stdout()).await?;
    if let Some(stdout) = process.take_stdout() {
        println!("a process there says {:?}", stdout.text_reader().read_line().await?);
    }
    println!("and ended with {}", process.wait().await?);
    let channel = gateway.remote_exec("import sys; channel.send(sys.version_info[:2])").await?;
    println!("Python there is {:?}", channel.receive().await?);
    group.terminate(Duration::from_secs(5)).await;
    println!("the agent saw: {}", serving.await??);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(transport())
}
