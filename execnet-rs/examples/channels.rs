//! Channels inside of values, callbacks, half closes, text.
//!
//! `cargo run --example channels`

use std::time::Duration;

use execnet_rs::channel::ReceiveError;
use execnet_rs::group::Group;

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
async fn channels() -> Result<(), Box<dyn std::error::Error>> {
    let group = Group::new();
    let gateway = group.make_gateway("popen").await?;

    // The source is told over one channel to which other one it should report.
    let source = "
        progress, total = channel.receive()
        for step in range(total):
            progress.send(step + 1)
        progress.close()
        out = channel.makefile('w')
        print('done', file=out)
    ";
    let channel = gateway.remote_exec(source).await?;
    let progress = gateway.new_channel().await?;
    channel.send(execnet_rs::value::Value::Tuple(vec![progress.reference(), 3.into()])).await?;
    let watching = progress.call_back(|received| match received {
        Ok(step) => println!("step {step:?}"),
        Err(ReceiveError::Ended) => println!("no more steps"),
        Err(error) => println!("progress is lost: {error}"),
    });
    let mut text = channel.clone().text_reader();
    println!("the source says {:?}", text.read_line().await?);
    watching.await?;

    // This side has sent everything; the other one answers when it knows that.
    let channel = gateway.remote_exec("channel.send(max(channel))").await?;
    for number in [3, 42, 7] {
        channel.send(number).await?;
    }
    channel.finish();
    println!("the largest is {:?}", channel.receive().await?);
    group.terminate(Duration::from_secs(5)).await;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(channels())
}
