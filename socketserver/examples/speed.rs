//! How fast the encrypted stream carries bytes, and how long it takes to an agent that answers, both over loopback.
//!
//! `cargo build --release -p socketserver && cargo run --release -p socketserver --example speed [MEGABYTES [CONNECTIONS]]`

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use execnet_rs::group::Group;
use execnet_rs::link::{Link, Options};
use execnet_rs::mux::Side;
use execnet_rs::transport::socket::SocketTransport;
use execnet_rs::transport::socket::connect::connect;
use execnet_rs::transport::socket::sealed::{Opener, Sealer};
use execnet_rs::transport::socket::stream::{SealedReader, SealedWriter};
use execnet_rs::transport::socket::token::{Secret, Token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn block_on<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// One thread seals and sends, another receives and opens. Seconds of the clock, and of the processor in both.
fn bulk(megabytes: usize) -> Outcome<(f64, f64)> {
    let key = Secret::random()?;
    let (tell, told) = std::sync::mpsc::channel();
    let receiving = std::thread::spawn({
        let key = key.clone();
        move || {
            block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                tell.send(listener.local_addr()?)?;
                let (stream, _) = listener.accept().await?;
                let mut reader = SealedReader::new(stream, Opener::new(&key, 0)?);
                let (mut room, mut all) = (vec![0; 256 * 1024], 0);
                loop {
                    match reader.read(&mut room).await? {
                        0 => return Ok(all),
                        count => all += count,
                    }
                }
            })
        }
    });
    let address = told.recv()?;
    let (start, processor) = (Instant::now(), processor_seconds()?);
    block_on(async {
        let stream = TcpStream::connect(address).await?;
        let mut writer = SealedWriter::new(stream, Sealer::new(&key, 0)?);
        let piece = vec![7; 128 * 1024];
        for _ in 0..megabytes * 8 {
            writer.write_all(&piece).await?;
        }
        Ok(writer.shutdown().await?)
    })?;
    let received = receiving.join().map_err(|_| "the receiver broke")??;
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(received, megabytes * 1024 * 1024);
    Ok((seconds, processor_seconds()? - processor))
}

/// What this process has had of the processor.
fn processor_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let rest = stat.rsplit_once(')').ok_or("no name")?.1;
    let ticks: u64 = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    // Linux tells hundredths.
    Ok(ticks as f64 / 100.0)
}

/// Times until an agent has greeted, and until it has described its host too.
async fn ready(address: &str, token: &Token, count: usize) -> Outcome<(Duration, Duration)> {
    let (host, port) = address.rsplit_once(':').ok_or("no port")?;
    let port = port.parse()?;
    let (mut greeted, mut described) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let start = Instant::now();
        let (reader, writer) = connect(host, port, token).await?;
        let link = Link::start(reader, writer, Options::new(Side::Initiator, "speed")).await?;
        greeted.push(start.elapsed());
        link.goodbye(Duration::from_secs(1)).await;
        let group = Group::new();
        group.register("socket", Arc::new(SocketTransport::new(Arc::new(token.clone()))));
        let start = Instant::now();
        group.make_gateway(&format!("socket={address}")).await?.host_info().await?;
        described.push(start.elapsed());
        group.terminate(Duration::from_secs(1)).await;
    }
    greeted.sort_unstable();
    described.sort_unstable();
    Ok((greeted[count / 2], described[count / 2]))
}

#[expect(clippy::print_stdout, reason = "a benchmark tells what it measured")]
fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse());
    let megabytes: usize = arguments.next().transpose()?.unwrap_or(1000);
    let count: usize = arguments.next().transpose()?.unwrap_or(50).max(1);

    let (seconds, processor) = bulk(megabytes)?;
    let speed = megabytes as f64 * 1.048_576 / seconds;
    println!(
        "bulk: {speed:.0} MB/s; {:.2} ns of the processor a byte, both ends",
        processor * 1000.0 / megabytes as f64 / 1.048_576
    );

    let own = std::env::current_exe()?;
    let program =
        own.parent().and_then(|examples| examples.parent()).ok_or("no target directory")?.join("socketserver");
    let state = tempfile::tempdir()?;
    let mut server = Command::new(program)
        .args(["127.0.0.1:0", "--log", "/dev/null"])
        .env("XDG_STATE_HOME", state.path())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = BufReader::new(server.stdout.take().ok_or("no output")?).lines();
    let line = said.next().ok_or("it said nothing")??;
    let address = line.strip_prefix("listening on ").ok_or("it does not listen")?.to_owned();
    let token = Token::find(&std::fs::read_to_string(state.path().join("xdist/socketserver/tokens/default"))?)?;
    let times = block_on(ready(&address, &token, count));
    server.kill()?;
    server.wait()?;
    let (greeted, described) = times?;
    println!("agent ready, median of {count}: {greeted:.2?}; with a description of its host: {described:.2?}");
    Ok(())
}
