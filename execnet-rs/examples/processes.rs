//! Any program on a gateway's host, its streams as channels; and a program there that connects back.
//!
//! `cargo run --example processes`

use std::time::Duration;

use execnet_rs::gateway::ProcessRequest;
use execnet_rs::group::Group;
use execnet_rs::value::Value;

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
async fn processes() -> Result<(), Box<dyn std::error::Error>> {
    let group = Group::new();
    let gateway = group.make_gateway("popen").await?;

    let sort = ProcessRequest::new(&["sort", "-n"]).env("LC_ALL", "C").with_stdin().with_stdout();
    let mut process = gateway.process(sort).await?;
    if let (Some(stdin), Some(stdout)) = (process.take_stdin(), process.take_stdout()) {
        stdin.send("30\n4\n200\n").await?;
        stdin.finish();
        let mut lines = stdout.text_reader();
        loop {
            let line = lines.read_line().await?;
            if line.is_empty() {
                break;
            }
            println!("sorted: {}", line.trim_end());
        }
    }
    println!("sort ended with {}", process.wait().await?);

    let connections = gateway.listen().await?;
    let source =
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b'here I am')";
    let caller = gateway.process(ProcessRequest::new(&["python3", "-c", source, connections.path()])).await?;
    let (connection, pid) = connections.accept().await?;
    if let Value::Bytes(said) = connection.receive().await? {
        println!("process {pid} says {:?}", String::from_utf8_lossy(&said));
    }
    println!("it ended with {}", caller.wait().await?);
    group.terminate(Duration::from_secs(5)).await;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(processes())
}
