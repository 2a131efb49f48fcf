//! What breaks: killed peers, garbage, half frames, other versions, silence.

use std::sync::Arc;
use std::time::Duration;

use execnet_rs::agent;
use execnet_rs::channel::{Channel, ReceiveError};
use execnet_rs::gateway::{Gateway, GatewayError};
use execnet_rs::group::Group;
use execnet_rs::link::{Heartbeat, Link, LinkError, Options};
use execnet_rs::mux::{LinkEnd, Side};
use execnet_rs::value::Value;
use execnet_rs::wire::{Check, Encoder, Kind, MAGIC};
use proptest::prelude::*;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};

use crate::{agent as agent_command, gone, run, with_popen, with_spec};

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// Both ends of a link over memory, and what lies between is given to `disturb`.
async fn links(options: impl Fn(Side) -> Options) -> (Link, Link) {
    let (near, far) = duplex(1 << 16);
    let start = |stream: DuplexStream, side| {
        let (reader, writer) = split(stream);
        Link::start(reader, writer, options(side))
    };
    let (one, other) = tokio::join!(start(near, Side::Initiator), start(far, Side::Acceptor));
    (one.unwrap(), other.unwrap())
}

fn usual(side: Side) -> Options {
    Options::new(side, "test")
}

/// What a link says whose other end sends these bytes.
async fn after(bytes: Vec<u8>, options: Options) -> Result<LinkEnd, LinkError> {
    let (near, mut far) = duplex(1 << 20);
    let (reader, writer) = split(near);
    let sending = async {
        far.write_all(&bytes).await.unwrap();
        far.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = far.read_to_end(&mut rest).await;
    };
    let starting = async { Ok(Link::start(reader, writer, options).await?.ended().await) };
    tokio::join!(starting, sending).0
}

fn hello(protocol: i64) -> Vec<u8> {
    use execnet_rs::value::encode;
    let hello = Value::dict([
        ("protocol", Value::Int(protocol)),
        ("software", "test".into()),
        ("pid", 1.into()),
        ("initial", 65536.into()),
        ("message", 1_000_000.into()),
        ("check", "full".into()),
    ]);
    let (mut body, mut bytes) = (Vec::new(), MAGIC.to_vec());
    encode(&hello, 0, &mut body).unwrap();
    Encoder::new(Check::Full).encode(Kind::Hello, 0, &body, &mut bytes);
    bytes
}

#[test]
fn a_killed_interpreter_ends_everything_that_waits_once() {
    with_popen(|gateway: Gateway| async move {
        let channel = gateway.remote_exec("import os\nchannel.send(os.getpid())\nchannel.receive()").await.unwrap();
        let pid = u32::try_from(channel.receive().await.unwrap().as_int().unwrap()).unwrap();
        let other = gateway.remote_exec("for n in range(3): channel.send(n)\nchannel.receive()").await.unwrap();
        assert_eq!(other.receive().await, Ok(0.into()));
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        other.call_back(move |received| drop(tell.send(received)));
        assert_eq!(told.recv().await, Some(Ok(1.into())));
        assert_eq!(told.recv().await, Some(Ok(2.into())));
        kill(pid, Signal::KILL);
        let lost = || ReceiveError::Link(LinkEnd::Lost);
        assert_eq!(channel.receive().await, Err(lost()));
        assert_eq!(channel.wait_close(None).await, Err(lost()));
        assert_eq!(told.recv().await, Some(Err(lost())));
        assert_eq!(told.recv().await, None);
        assert_eq!(gateway.ended().await.unwrap(), LinkEnd::Lost);
        assert!(gateway.remote_exec("").await.is_err());
    });
}

#[test]
fn an_interpreter_killed_in_the_middle_of_a_message_gives_none_of_it() {
    with_popen(|gateway: Gateway| async move {
        let source = "
            import os, threading
            threading.Timer(0.05, os.kill, (os.getpid(), 9)).start()
            while True:
                channel.send(b'x' * 9000000)
        ";
        let channel = gateway.remote_exec(source).await.unwrap();
        loop {
            match channel.receive().await {
                Ok(value) => assert_eq!(value.as_bytes().map(bytes::Bytes::len), Some(9_000_000)),
                Err(error) => return assert!(matches!(error, ReceiveError::Link(_)), "{error}"),
            }
        }
    });
}

#[test]
fn a_killed_agent_takes_nothing_else_along_and_leaves_nothing() {
    run(async {
        let group = Group::new();
        let far = group.make_gateway(&format!("command={}", agent_command())).await.unwrap();
        let near = group.make_gateway("popen").await.unwrap();
        let channel = far.remote_exec("import os\nchannel.send(os.getpid())\nchannel.receive()").await.unwrap();
        let python = u32::try_from(channel.receive().await.unwrap().as_int().unwrap()).unwrap();
        let echo = near.remote_exec("channel.send(channel.receive())").await.unwrap();
        kill(far.host_info().await.unwrap().pid, Signal::KILL);
        assert!(matches!(channel.receive().await, Err(ReceiveError::Link(_))));
        gone(python).await;
        echo.send(1).await.unwrap();
        assert_eq!(echo.receive().await, Ok(1.into()));
        group.terminate(Duration::from_secs(1)).await;
    });
}

#[test]
fn a_dirty_stream_is_no_fault() {
    let spec = format!("command=sh -c 'echo Welcome to the host; printf \"\\223exn\"; exec {}'", agent_command());
    with_spec(&spec, |gateway: Gateway| async move {
        assert_eq!(gateway.host_info().await.unwrap().system, "Linux");
    });
}

#[test]
fn a_command_that_leads_nowhere_is_told_with_what_it_said() {
    run(async {
        let group = Group::new();
        let error = group.make_gateway("command=sh -c 'echo Permission denied; exit 255'").await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("exit code 255") && text.contains("Permission denied"), "{text}");
        assert!(matches!(error, GatewayError::Agent { .. }));
        assert!(group.is_empty());
    });
}

#[test]
fn what_is_no_link_is_refused() {
    run(async {
        let quick = || Options { greeting: Duration::from_millis(200), ..usual(Side::Initiator) };
        assert!(matches!(after(b"SSH-2.0-OpenSSH".to_vec(), quick()).await, Err(LinkError::NoGreeting(_))));
        assert!(matches!(after(vec![b'x'; 100_000], quick()).await, Err(LinkError::NoGreeting(_))));
        assert!(matches!(after(MAGIC.to_vec(), quick()).await, Err(LinkError::Malformed(_))));
        let other = after(hello(2), quick()).await.unwrap_err();
        assert!(matches!(other, LinkError::Version { theirs: 2, .. }), "{other}");
        assert!(other.to_string().contains("use the same release"));
        let (near, _far) = duplex(100_000);
        let (reader, writer) = split(near);
        assert!(matches!(Link::start(reader, writer, quick()).await, Err(LinkError::Silent { .. })));
    });
}

#[test]
fn the_end_of_a_stream_without_goodbye_is_a_fault() {
    run(async {
        assert_eq!(after(hello(1), usual(Side::Initiator)).await.unwrap(), LinkEnd::Lost);
        let mut half = hello(1);
        half.extend([0, 0, 0, 9]);
        assert_eq!(after(half, usual(Side::Initiator)).await.unwrap(), LinkEnd::Lost);
        let mut garbage = hello(1);
        garbage.extend([0xFF; 100]);
        assert!(matches!(after(garbage, usual(Side::Initiator)).await.unwrap(), LinkEnd::Disturbed(_)));
        let (one, other) = links(usual).await;
        assert_eq!(one.goodbye(Duration::from_secs(5)).await, LinkEnd::Closed);
        assert_eq!(other.ended().await, LinkEnd::Goodbye);
    });
}

#[test]
fn a_silent_peer_is_given_up() {
    run(async {
        let (near, mut far) = duplex(1 << 16);
        far.write_all(&hello(1)).await.unwrap();
        let (reader, writer) = split(near);
        let heartbeat = Heartbeat { every: Duration::from_millis(20), dead: Duration::from_millis(100) };
        let options = Options { heartbeat: Some(heartbeat), ..usual(Side::Initiator) };
        let link = Link::start(reader, writer, options).await.unwrap();
        assert!(matches!(link.ended().await, LinkEnd::Silent(_)));
    });
}

#[test]
fn a_peer_that_answers_pings_is_kept() {
    run(async {
        let heartbeat = Heartbeat { every: Duration::from_millis(10), dead: Duration::from_millis(500) };
        let (one, _other) = links(|side| Options { heartbeat: Some(heartbeat), ..usual(side) }).await;
        let quiet = tokio::time::timeout(Duration::from_millis(1500), one.ended()).await;
        assert!(quiet.is_err(), "{quiet:?}");
    });
}

/// Whether an agent ends by itself once its link is silent; before that, something may be said.
async fn ends_in_silence<F: Future<Output = Option<Channel>>>(before: impl FnOnce(Arc<Link>) -> F) -> bool {
    let ((near, near_proxy), (far, far_proxy)) = (duplex(1 << 16), duplex(1 << 16));
    let ((mut from_near, mut to_near), (mut from_far, mut to_far)) = (split(near_proxy), split(far_proxy));
    let (reader, writer) = split(far);
    let heartbeat = Some(Heartbeat { every: Duration::from_millis(20), dead: Duration::from_millis(200) });
    let mut serving = tokio::spawn(agent::serve(reader, writer, Options { heartbeat, ..usual(Side::Acceptor) }));
    let (reader, writer) = split(near);
    let speaking = async {
        let link = Link::start(reader, writer, Options { heartbeat: None, ..usual(Side::Initiator) }).await.unwrap();
        let link = Arc::new(link);
        let kept = before(Arc::clone(&link)).await;
        // All that was said has been heard once this is answered.
        link.round_trip().await.unwrap();
        (link, kept)
    };
    let _kept = tokio::select! {
        kept = speaking => kept,
        _ = tokio::io::copy(&mut from_near, &mut to_far) => unreachable!("the link ended"),
        _ = tokio::io::copy(&mut from_far, &mut to_near) => unreachable!("the link ended"),
    };
    tokio::time::timeout(Duration::from_secs(1), &mut serving).await.is_ok()
}

#[test]
fn silence_that_was_announced_is_no_fault() {
    run(async {
        let announce = |link: Arc<Link>, seconds: i64| async move {
            let channel = Channel::open(&link, "pause").unwrap();
            channel.send(seconds).await.unwrap();
            assert_eq!(channel.receive().await, Ok(Value::None));
            channel
        };
        assert!(ends_in_silence(|_| async { None }).await);
        assert!(!ends_in_silence(|link| async move { Some(announce(link, 60).await) }).await);
        // It was shorter, or is over.
        assert!(ends_in_silence(|link| async move { Some(announce(link, 0).await) }).await);
        assert!(
            ends_in_silence(|link| async move {
                drop(announce(link, 60).await);
                None
            })
            .await
        );
    });
}

#[test]
fn who_serves_gives_up_first() {
    let (served, serving) = (Heartbeat::of(Side::Acceptor), Heartbeat::of(Side::Initiator));
    // A question that still came through, and the step in which time is measured.
    assert!(served.dead + served.every + served.every / 2 < serving.dead);
}

#[test]
fn a_gateway_that_is_dropped_ends_its_interpreter() {
    run(async {
        let group = Group::new();
        let gateway = group.make_gateway("popen").await.unwrap();
        let pid = gateway.rinfo().await.unwrap().pid;
        drop((gateway, group));
        gone(pid).await;
    });
}

/// A proxy that changes, drops or repeats one byte: what arrives was sent, or the link ends.
async fn through_a_disturbed_stream(at: usize, how: u8) {
    let (near, near_proxy) = duplex(1 << 16);
    let (far, far_proxy) = duplex(1 << 16);
    let (mut from_near, mut to_near) = split(near_proxy);
    let (mut from_far, mut to_far) = split(far_proxy);
    let disturbing = tokio::spawn(async move {
        let (mut byte, mut index) = ([0], 0);
        while from_near.read_exact(&mut byte).await.is_ok() {
            let sent: &[u8] = match (index == at, how) {
                (false, _) => &byte,
                (true, 8) => &[],
                (true, 9) => &[byte[0], byte[0]],
                (true, bit) => &[byte[0] ^ (1 << bit)],
            };
            if to_far.write_all(sent).await.is_err() {
                break;
            }
            index += 1;
        }
    });
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_far, &mut to_near).await });
    let options = |side| Options { greeting: Duration::from_millis(100), heartbeat: None, ..usual(side) };
    let start = |stream: DuplexStream, side| {
        let (reader, writer) = split(stream);
        Link::start(reader, writer, options(side))
    };
    let (one, other) = tokio::join!(start(near, Side::Initiator), start(far, Side::Acceptor));
    if let (Ok(one), Ok(other)) = (one, other) {
        let channel = Channel::open(&one, "test").unwrap();
        for number in 0..20 {
            let _ = channel.try_send(number);
        }
        channel.finish();
        let receiving = async {
            let Ok(request) = other.request().await else { return };
            let received = Channel::of_request(&other, &request);
            let mut expected = 0;
            while let Ok(Some(value)) = received.next().await {
                assert_eq!(value, expected.into());
                expected += 1;
            }
        };
        // A length that grew waits for bytes that never come.
        let _ = tokio::time::timeout(Duration::from_millis(50), receiving).await;
    }
    disturbing.abort();
    back.abort();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_arrives_was_sent(at in 0_usize..700, how in 0_u8..10) {
        run(through_a_disturbed_stream(at, how));
    }
}
