//! Several gateways at the same time: one source on all of them, answers as they come.
//!
//! `cargo run --example many -- '4*popen'`

use std::time::Duration;

use execnet_rs::group::Group;
use execnet_rs::xspec::XSpec;

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
async fn many(specs: &[XSpec]) -> Result<(), Box<dyn std::error::Error>> {
    let group = Group::new();
    for gateway in group.make_each(specs).await {
        gateway?;
    }
    let source = "
        import os
        start = channel.receive()
        channel.send((channel.gateway.id, os.getpid(), sum(range(start))))
    ";
    let channels = group.remote_exec(source).await?;
    channels.send_each(100_000).await?;
    let mut queue = channels.receive_queue();
    while let Some((index, received)) = queue.recv().await {
        if let Ok(value) = received {
            println!("channel {index}: {value:?}");
        }
    }
    group.terminate(Duration::from_secs(5)).await;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = std::env::args().nth(1).unwrap_or_else(|| "4*popen".to_owned());
    let specs = match XSpec::expand(&text) {
        Ok(specs) => specs,
        Err(error) => return Err(format!("{error}\n{}", error.pointer()).into()),
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(many(&specs))
}
