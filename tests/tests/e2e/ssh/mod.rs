//! Hosts behind a real sshd on this machine, by each of the clients.

mod agents;
mod entry;
mod life;
mod runs;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use execnet_rs::gateway::{Gateway, GatewayError};
use execnet_rs::group::Group;
use execnet_rs::transport::ssh::{Agents, SshTransport};
use xdist_tests::{Sshd, socketserver_binary};

/// Nothing here takes longer, on a busy machine either.
const LIMIT: Duration = Duration::from_mins(1);

/// The ways to a host.
const CLIENTS: [&str; 2] = ["openssh", "ssh2"];

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, test).await }).unwrap()
}

/// The agent without what debuggers want to know, which is most of it: hosts hash it each time.
pub(crate) fn small_agent() -> &'static Path {
    static AGENT: OnceLock<PathBuf> = OnceLock::new();
    AGENT.get_or_init(|| {
        let directory = socketserver_binary().with_file_name("small");
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join(format!("socketserver-linux-{}", std::env::consts::ARCH));
        let made = directory.join(format!("{}.new", std::process::id()));
        let stripped = Command::new("strip").arg("-o").arg(&made).arg(socketserver_binary()).status();
        assert!(stripped.is_ok_and(|status| status.success()), "`strip` comes with the C compiler");
        std::fs::rename(made, &path).unwrap();
        path
    })
}

fn agents() -> Agents {
    Agents::default().with_own(small_agent())
}

/// A group that goes by ssh.
fn group() -> Group {
    let group = Group::new();
    group.register("ssh", Arc::new(SshTransport::new(agents())));
    group
}

/// Connects by a client, and gives the group too.
async fn try_to_enter(sshd: &Sshd, client: &str) -> Result<(Group, Gateway), GatewayError> {
    let group = group();
    let gateway = group.make_gateway(&format!("{}//ssh_client={client}", sshd.spec())).await?;
    Ok((group, gateway))
}

async fn enter(sshd: &Sshd, client: &str) -> (Group, Gateway) {
    match try_to_enter(sshd, client).await {
        Ok(entered) => entered,
        Err(error) => panic!("{client}: {error}\n{}", sshd.log()),
    }
}

/// Why a client does not get in.
fn refusal(sshd: &Sshd, client: &str) -> String {
    match run(try_to_enter(sshd, client)) {
        Ok(_) => panic!("{client} was let in"),
        Err(error) => error.to_string(),
    }
}

/// Runs Python source that sends one thing, as text.
async fn ask(gateway: &Gateway, source: &str) -> String {
    let channel = gateway.remote_exec(source).await.unwrap();
    channel.receive().await.unwrap().as_str().unwrap().to_owned()
}
