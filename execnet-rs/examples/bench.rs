//! How fast gateways are: round trips, pipelined messages, large messages, starts. Prints one line a figure.
//!
//! `cargo run --release --example bench [PYTHON [PART]]`; `benches/compare.py` runs it in turn with execnet.

use std::io::{Read as _, Write as _};
use std::process::Command;
use std::time::{Duration, Instant};

use execnet_rs::channel::Channel;
use execnet_rs::gateway::Gateway;
use execnet_rs::group::Group;
use execnet_rs::link::{Link, Options};
use execnet_rs::mux::Side;
use execnet_rs::wire::Check;
use execnet_rs::xspec::XSpec;
use tokio::net::UnixStream;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const ECHO: &str = "for item in channel: channel.send(item)";

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn figure(name: &str, value: f64, unit: &str) {
    println!("{name}\t{value:.3}\t{unit}");
}

async fn echoes(gateway: &Gateway) -> Outcome<()> {
    let channel = gateway.remote_exec(ECHO).await?;
    let count = 20_000_u32;
    let start = Instant::now();
    for number in 0..count {
        channel.send(number).await?;
        channel.receive().await?;
    }
    figure("round trips", f64::from(count) / start.elapsed().as_secs_f64(), "/s");

    let count = 200_000_u32;
    let start = Instant::now();
    let sending = async {
        for number in 0..count {
            channel.send(number).await?;
        }
        Ok::<_, execnet_rs::channel::SendError>(())
    };
    let receiving = async {
        for _ in 0..count {
            channel.receive().await?;
        }
        Ok::<_, execnet_rs::channel::ReceiveError>(())
    };
    let (sent, received) = tokio::join!(sending, receiving);
    sent?;
    received?;
    figure("pipelined echo", f64::from(count) / start.elapsed().as_secs_f64(), "/s");

    let (count, block) = (200_u32, vec![7; 1 << 20]);
    let start = Instant::now();
    for _ in 0..count {
        channel.send_bytes(&block).await?;
        channel.receive().await?;
    }
    figure("1 MiB echo", f64::from(count) / start.elapsed().as_secs_f64() * 1.048_576, "MB/s");
    Ok(())
}

/// How long a ping takes while another channel is kept full, at worst but for one in a hundred.
async fn ping_beside_bulk(gateway: &Gateway) -> Outcome<()> {
    let bulk = gateway.remote_exec("while True: channel.send(b'x' * 1000000)").await?;
    let echo = gateway.remote_exec(ECHO).await?;
    let draining = tokio::spawn(async move { while bulk.receive().await.is_ok() {} });
    let mut times = Vec::new();
    for number in 0..500 {
        let start = Instant::now();
        echo.send(number).await?;
        echo.receive().await?;
        times.push(start.elapsed());
    }
    times.sort();
    figure("ping beside bulk, p99", times[times.len() * 99 / 100].as_secs_f64() * 1000.0, "ms");
    draining.abort();
    Ok(())
}

async fn starts(python: &str) -> Outcome<()> {
    let group = Group::new();
    let start = Instant::now();
    let gateway = group.make_gateway(&format!("popen//python={python}")).await?;
    gateway.remote_exec("channel.send(1)").await?.receive().await?;
    figure("first answer", start.elapsed().as_secs_f64() * 1000.0, "ms");
    group.terminate(Duration::from_secs(5)).await;

    let start = Instant::now();
    let specs = XSpec::expand(&format!("16*popen//python={python}"))?;
    for gateway in group.make_each(&specs).await {
        gateway?;
    }
    group.remote_exec("channel.send(1)").await?.receive_each().await?;
    figure("16 first answers", start.elapsed().as_secs_f64() * 1000.0, "ms");
    group.terminate(Duration::from_secs(5)).await;
    Ok(())
}

/// What the machine does without gateways, at best: interpreters that start and do nothing, and bytes over a unix stream.
fn bare(python: &str) -> Outcome<()> {
    for (name, count) in [("bare first answer", 1), ("bare 16 first answers", 16)] {
        let start = Instant::now();
        let started = (0..count).map(|_| Command::new(python).args(["-c", "pass"]).spawn()).collect::<Vec<_>>();
        for child in started {
            child?.wait()?;
        }
        figure(name, start.elapsed().as_secs_f64() * 1000.0, "ms");
    }

    let (mut near, mut far) = std::os::unix::net::UnixStream::pair()?;
    let other = std::thread::spawn(move || {
        let mut byte = [0];
        while far.read_exact(&mut byte).and_then(|()| far.write_all(&byte)).is_ok() {}
    });
    let count = 20_000_u32;
    let start = Instant::now();
    for _ in 0..count {
        near.write_all(&[7])?;
        near.read_exact(&mut [0])?;
    }
    figure("bare round trips", f64::from(count) / start.elapsed().as_secs_f64(), "/s");
    drop(near);
    let _ = other.join();

    let (mut near, mut far) = std::os::unix::net::UnixStream::pair()?;
    let other = std::thread::spawn(move || {
        let mut buffer = vec![0; 256 * 1024];
        while far.read(&mut buffer).is_ok_and(|count| count > 0) {}
    });
    let (count, block) = (2000_u32, vec![7; 1 << 20]);
    let start = Instant::now();
    for _ in 0..count {
        near.write_all(&block)?;
    }
    drop(near);
    let _ = other.join();
    figure("bare 1 MiB messages", f64::from(count) / start.elapsed().as_secs_f64() * 1.048_576, "MB/s");
    Ok(())
}

/// As gateways have it for interpreters of this host.
fn within_host(side: Side) -> Options {
    Options { check: Check::Header, ..Options::new(side, "bench") }
}

/// Two links over a unix stream, the other one in a thread of its own.
async fn rust_to_rust() -> Outcome<()> {
    let (near, far) = std::os::unix::net::UnixStream::pair()?;
    let other = std::thread::spawn(move || -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            far.set_nonblocking(true)?;
            let (reader, writer) = UnixStream::from_std(far)?.into_split();
            let link = Link::start(reader, writer, within_host(Side::Acceptor));
            let Ok(link) = link.await else { return Ok(()) };
            while let Ok(request) = link.request().await {
                let channel = Channel::of_request(&link, &request);
                while channel.receive().await.is_ok() {}
                channel.close();
            }
            Ok(())
        })
    });
    near.set_nonblocking(true)?;
    let (reader, writer) = UnixStream::from_std(near)?.into_split();
    let link = Link::start(reader, writer, within_host(Side::Initiator)).await?;
    for (name, size, count) in [("100 byte messages", 100, 1_000_000_u32), ("1 MiB messages", 1 << 20, 2000)] {
        let channel = Channel::open(&link, "sink")?;
        let block = vec![7; size];
        let start = Instant::now();
        for _ in 0..count {
            channel.send_bytes(&block).await?;
        }
        channel.finish();
        channel.wait_close(None).await?;
        let rate = f64::from(count) / start.elapsed().as_secs_f64();
        if size == 100 { figure(name, rate, "/s") } else { figure(name, rate * 1.048_576, "MB/s") }
    }
    link.goodbye(Duration::from_secs(5)).await;
    let _ = other.join();
    Ok(())
}

fn main() -> Outcome<()> {
    let python = std::env::args().nth(1).unwrap_or_else(|| "python3".to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let part = std::env::args().nth(2);
    let wanted = |name: &str| part.as_deref().is_none_or(|part| part == name);
    if wanted("bare") {
        bare(&python)?;
    }
    runtime.block_on(async {
        if wanted("starts") {
            starts(&python).await?;
        }
        let group = Group::new();
        let gateway = group.make_gateway(&format!("popen//python={python}")).await?;
        if wanted("echoes") {
            echoes(&gateway).await?;
        }
        if wanted("ping") {
            ping_beside_bulk(&gateway).await?;
        }
        group.terminate(Duration::from_secs(1)).await;
        if wanted("rust") {
            rust_to_rust().await?;
        }
        Ok(())
    })
}
