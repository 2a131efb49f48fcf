//! Without async: the same gateways from code that waits.
//!
//! `cargo run --example blocking`

use std::time::Duration;

use execnet_rs::blocking::Group;
use execnet_rs::gateway::ProcessRequest;

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let group = Group::new()?;
    let gateway = group.make_gateway("popen")?;
    let squares = gateway.remote_exec("for n in range(4): channel.send(n * n)")?;
    for square in &squares {
        println!("{:?}", square?);
    }
    let (output, how) = gateway.run(ProcessRequest::new(&["wc", "-w"]), b"three little words")?;
    println!("wc says {} and ended with {how}", String::from_utf8_lossy(&output).trim());

    // Two channels, whichever is first.
    let slow = gateway.remote_exec("channel.receive(); channel.send('slow')")?;
    let quick = gateway.remote_exec("channel.send('quick')")?;
    crossbeam_channel::select! {
        recv(slow.receiver()?) -> said => println!("{said:?}"),
        recv(quick.receiver()?) -> said => println!("{said:?}"),
    }
    slow.send(())?;
    slow.wait_close(Some(Duration::from_secs(5)))?;
    group.terminate(Duration::from_secs(5));
    Ok(())
}
