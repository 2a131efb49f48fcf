//! What Python source does wrong comes back as an error with its place, and harms nothing else.
//!
//! `cargo run --example remote_errors`

use std::time::Duration;

use execnet_rs::channel::ReceiveError;
use execnet_rs::group::Group;
use execnet_rs::source::Source;

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
async fn errors() -> Result<(), Box<dyn std::error::Error>> {
    let group = Group::new();
    let gateway = group.make_gateway("popen").await?;
    let divide = "
        def divide(channel, left, right):
            channel.send(left / right)
    ";
    for right in [4, 0] {
        let channel = gateway.remote_exec(Source::function(divide, [("left", 1), ("right", right)])).await?;
        match channel.receive().await {
            Ok(value) => println!("1 / {right} = {value:?}"),
            Err(ReceiveError::Remote(error)) => {
                println!("1 / {right}: {} in line {:?}\n{}", error.kind, error.line, error.traceback);
            }
            Err(error) => return Err(error.into()),
        }
    }
    group.terminate(Duration::from_secs(5)).await;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(errors())
}
