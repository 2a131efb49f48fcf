//! What gateways tell of hosts, interpreters and links, and a trace of all frames.
//!
//! `cargo run --example status -- popen`

use std::time::Duration;

use execnet_rs::group::Group;
use execnet_rs::link::TRACE;

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
async fn status(spec: &str) -> Result<(), Box<dyn std::error::Error>> {
    let group = Group::new();
    let gateway = group.make_gateway(spec).await?;
    let host = gateway.host_info().await?;
    println!("host {}: {} {}, {} cores, {} MiB", host.host, host.system, host.machine, host.cores, host.memory >> 20);
    println!("agent {} in process {} at {}", host.agent, host.pid, host.cwd);
    let info = gateway.rinfo().await?;
    println!(
        "{} {:?} ({}) in process {} at {}",
        info.executable, info.version, info.implementation, info.pid, info.cwd
    );
    let busy = gateway.remote_exec("channel.receive()").await?;
    let status = gateway.remote_status().await?;
    println!("{} sources run ({}), {} channels are open", status.executing, status.execmodel, status.channels);
    busy.send(()).await?;
    let traffic = gateway.traffic();
    let trip = gateway.round_trip().await?;
    println!("an answer takes {trip:?}; {} bytes went and {} came", traffic.sent, traffic.received);
    group.terminate(Duration::from_secs(5)).await;
    if std::env::var_os(TRACE).is_none() {
        println!("with {TRACE}=FILE in the environment there is a line for every frame in that file");
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let spec = std::env::args().nth(1).unwrap_or_else(|| "popen".to_owned());
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(status(&spec))
}
