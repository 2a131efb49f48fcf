//! The shortest way: a gateway to this host, Python source on it, values in both directions.
//!
//! `cargo run --example hello`

use std::time::Duration;

use execnet_rs::group::Group;
use execnet_rs::value::Value;

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
async fn hello() -> Result<(), Box<dyn std::error::Error>> {
    let group = Group::new();
    let gateway = group.make_gateway("popen").await?;
    let source = "
        import math
        for number in channel:
            channel.send({'number': number, 'factorial': math.factorial(number)})
    ";
    let channel = gateway.remote_exec(source).await?;
    for number in [3, 25, 60] {
        channel.send(number).await?;
        let answer = channel.receive().await?;
        println!("{number}! = {:?}", answer.get("factorial").unwrap_or(&Value::None));
    }
    let info = gateway.rinfo().await?;
    println!("by {} in process {}", info.executable, info.pid);
    group.terminate(Duration::from_secs(5)).await;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(hello())
}
