//! How long it takes until a host answers that is reached by ssh. The first connection may have to send the agent.
//!
//! `XDIST_AGENT_DIR=DIRECTORY cargo run -p execnet-rs --features ssh2 --example ssh -- ssh=box//ssh_client=ssh2 [TIMES]`

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use execnet_rs::group::Group;
use execnet_rs::transport::ssh::{Agents, SshTransport};

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
async fn measure(spec: &str, times: usize) -> Result<(), Box<dyn Error>> {
    let group = Group::new();
    group.register("ssh", Arc::new(SshTransport::new(Agents::of_this_program())));
    let (mut first, mut others) = (None, Vec::new());
    for _ in 0..=times {
        let start = Instant::now();
        let gateway = group.make_gateway(spec).await?;
        let host = gateway.host_info().await?;
        let took = start.elapsed();
        match first {
            None => first = Some((took, host)),
            Some(_) => others.push(took),
        }
        group.terminate(Duration::from_secs(5)).await;
    }
    others.sort();
    if let Some((first, host)) = first {
        let median = others.get(times / 2).copied().unwrap_or(first);
        println!("{}: the first time {first:.1?}, then {median:.1?} (median of {times})", host.host);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let spec = arguments.next().ok_or("which host? ssh=[USER@]HOST")?;
    let times = arguments.next().map_or(Ok(11), |times| times.parse())?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(&spec, times))
}
