//! Connections of this process, by libssh2: no program starts, and a host is there in some tens of milliseconds.
//!
//! A session of libssh2 serves one caller at a time, and a read that waits would hold up writes. So one thread owns session
//! and channel, waits for both ends at once ([`pump`]), and hands bytes on through a socket pair.

mod enter;
mod known;
mod pump;

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::plan::Plan;
use super::said::Said;
use super::{Trouble, dialogue, reach};
use crate::transport::{Connected, Keeper};

/// Connects in this process.
pub(super) async fn connect(plan: &Plan) -> Result<Connected, Trouble> {
    if let Some(setting) = reach::beyond(plan) {
        return Err(Trouble::Beyond(format!("`{setting}` is set for `{}`, which takes the ssh program", plan.host())));
    }
    let looked = plan.clone();
    let known = tokio::task::spawn_blocking(move || known::look_up(&looked)).await;
    let known = known.map_err(|error| Trouble::Final(error.to_string()))??;
    let socket = dial(plan).await?;
    let cannot = |error: io::Error| Trouble::Final(format!("cannot set up a connection to `{}`: {error}", plan.host()));
    // If nobody waits any more, the thread must not either.
    let mut abandon = Abandon(Some(socket.try_clone().map_err(cannot)?));
    let (near, far) = StdStream::pair().map_err(cannot)?;
    near.set_nonblocking(true).map_err(cannot)?;
    let stream = UnixStream::from_std(near).map_err(cannot)?;
    let (tell, told) = oneshot::channel();
    let (end, ended) = watch::channel(false);
    let said = Arc::new(Said::default());
    let (mine, hears) = (plan.clone(), Arc::clone(&said));
    let thread = std::thread::Builder::new().name("ssh".to_owned()).spawn(move || {
        match enter::enter(&mine, &known, &socket) {
            Ok((session, channel)) => {
                if tell.send(Ok(())).is_ok() {
                    pump::run(session, channel, &socket, &far, &hears);
                }
            }
            Err(trouble) => drop(tell.send(Err(trouble))),
        }
        let _ = end.send(true);
    });
    thread.map_err(cannot)?;
    told.await.map_err(|_| Trouble::Final(format!("the connection to `{}` came to nothing", plan.host())))??;
    let (mut reader, mut writer) = stream.into_split();
    match dialogue::hold(&mut reader, &mut writer, &plan.agents, dialogue::PATIENCE).await {
        Ok(rest) => {
            said.pass_on();
            abandon.0 = None;
            Ok(Connected {
                reader: Box::new(io::Cursor::new(rest).chain(reader)),
                writer: Box::new(writer),
                remote_address: plan.host().to_owned(),
                keeper: Keeper::until(ended),
            })
        }
        Err(stop) => Err(stop.tell(plan.host(), &said.text())),
    }
}

/// Ends a connection that nobody waits for.
struct Abandon(Option<TcpStream>);

impl Drop for Abandon {
    fn drop(&mut self) {
        if let Some(socket) = &self.0 {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// A connection to the host's port, by the first address that answers.
async fn dial(plan: &Plan) -> Result<TcpStream, Trouble> {
    let (host, port) = (plan.settings.host().unwrap_or_default().to_owned(), plan.settings.port());
    let failed = |why: String| Trouble::Final(format!("cannot reach `{}` ({host} port {port}): {why}", plan.host()));
    let deadline = Instant::now() + plan.connect_limit();
    let left = || deadline.saturating_duration_since(Instant::now());
    let late = || failed(format!("no answer within {:?}", plan.connect_limit()));
    let found = timeout(left(), tokio::net::lookup_host((host.as_str(), port))).await.map_err(|_| late())?;
    let family = plan.settings.get("addressfamily").unwrap_or("any");
    let wanted = |address: &SocketAddr| match family {
        "inet" => address.is_ipv4(),
        "inet6" => address.is_ipv6(),
        _ => true,
    };
    let mut last = failed("it has no address".to_owned());
    for address in found.map_err(|error| failed(error.to_string()))?.filter(wanted) {
        match timeout(left(), tokio::net::TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let ready = stream.set_nodelay(true).and_then(|()| stream.into_std());
                let ready = ready.and_then(|stream| stream.set_nonblocking(false).map(|()| stream));
                return ready.map_err(|error| failed(error.to_string()));
            }
            Ok(Err(error)) => last = failed(error.to_string()),
            Err(_) => return Err(late()),
        }
    }
    Err(last)
}
