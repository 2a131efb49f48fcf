//! A gateway behind a command, and a second one through it. The command leads to an agent, here the example `agent` in
//! another process of this host; elsewhere it would be `docker exec -i box agent`, `kubectl exec -i …`, `srun -u …`.
//!
//! `cargo build --examples && cargo run --example command`

use std::time::Duration;

use execnet_rs::group::Group;

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
async fn command(agent: &str) -> Result<(), Box<dyn std::error::Error>> {
    let group = Group::new();
    let box_gateway = group.make_gateway(&format!("command={agent}//id=box")).await?;
    let info = box_gateway.host_info().await?;
    println!("{} {} with {} cores, agent in process {}", info.system, info.machine, info.cores, info.pid);
    println!("an answer takes {:?}", box_gateway.round_trip().await?);

    // An interpreter on the same host, over the same link.
    let python = group.make_gateway("popen//via=box//env:GREETING=hello//nice=5").await?;
    let channel = python.remote_exec("import os; channel.send((os.environ['GREETING'], os.getppid()))").await?;
    println!("python there says {:?}", channel.receive().await?);
    println!("the link has carried {:?}", box_gateway.traffic());
    group.terminate(Duration::from_secs(5)).await;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let beside = std::env::current_exe()?.with_file_name("agent");
    let agent = std::env::args().nth(1).unwrap_or_else(|| beside.display().to_string());
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command(&agent))
}
