//! Sessions of those who may: gateways that work, several at a time, and who is told to come later.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use execnet_rs::gateway::{Gateway, GatewayError};
use execnet_rs::group::Group;
use execnet_rs::link::{Link, Options};
use execnet_rs::mux::Side;
use execnet_rs::transport::socket::connect::connect;

use crate::relay::{Change, Relay, source};
use crate::support::{Place, Server, program, run};

async fn doubles(gateway: &Gateway) {
    let channel = gateway.remote_exec("for n in channel: channel.send(n * 2)").await.unwrap();
    channel.send(21).await.unwrap();
    assert_eq!(channel.receive().await.unwrap(), 42.into());
}

fn refusal<T>(result: Result<T, GatewayError>) -> String {
    result.err().expect("it was let in").to_string()
}

#[test]
fn a_client_with_the_token_runs_source() {
    let mut server = Server::start(&[]);
    run(async {
        let group = Group::new();
        doubles(&server.gateway(&group, &server.token()).await.unwrap()).await;
        group.terminate(Duration::from_secs(5)).await;
    });
    let began = server.event("session_began");
    assert_eq!(began["token_name"], "default");
    assert_eq!(began["token"], server.token().id().to_string());
    assert!(began["client"].as_str().unwrap().contains("execnet-rs"), "{began}");
    let ended = server.event("session_ended");
    assert_eq!(ended["session"], began["session"]);
    assert!(ended["received"].as_u64().unwrap() > 1000 && ended["sent"].as_u64().unwrap() > 100, "{ended}");
}

#[test]
fn an_agent_greets_before_it_hears_from_the_client() {
    // Connection, handshake, proof: three round trips, and not a fourth for the greetings.
    let server = Server::start(&[]);
    run(async {
        let relay = Relay::start(server.address, source(0), Change::Nothing).await;
        let (host, port, token) = ("127.0.0.1", relay.address.port(), server.token());
        let (reader, _writer) = connect(host, port, &token).await.unwrap();
        let sent = relay.sent.lock().unwrap().len();
        let (silence, _kept) = tokio::io::duplex(1 << 16);
        let link = Link::start(reader, silence, Options::new(Side::Initiator, "test")).await.unwrap();
        assert!(link.hello().software.contains("execnet-rs"));
        assert_eq!(relay.sent.lock().unwrap().len(), sent, "the client has said nothing more");
    });
}

#[test]
fn large_messages_travel_both_ways() {
    let server = Server::start(&[]);
    run(async {
        let group = Group::new();
        let gateway = server.gateway(&group, &server.token()).await.unwrap();
        let channel = gateway.remote_exec("for piece in channel: channel.send(piece[::-1])").await.unwrap();
        let piece: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[(at % 3) as usize]).collect();
        channel.send_bytes(&piece).await.unwrap();
        let back = channel.receive().await.unwrap();
        assert!(back.as_bytes().unwrap().iter().rev().eq(&piece));
        group.terminate(Duration::from_secs(5)).await;
    });
}

#[test]
fn clients_and_gateways_do_not_share_a_session() {
    let mut server = Server::start(&[]);
    let other = server.place.new_token(&["--name", "other"]);
    run(async {
        let (one, two) = (Group::new(), Group::new());
        let gateways = [
            server.gateway(&one, &server.token()).await.unwrap(),
            server.gateway(&one, &server.token()).await.unwrap(),
            server.gateway(&two, &other).await.unwrap(),
        ];
        for gateway in &gateways {
            doubles(gateway).await;
        }
        one.terminate(Duration::from_secs(5)).await;
        doubles(&gateways[2]).await;
        two.terminate(Duration::from_secs(5)).await;
    });
    let pids: Vec<_> = (0..3).map(|_| server.event("session_began")["pid"].clone()).collect();
    assert!(pids[0] != pids[1] && pids[1] != pids[2] && pids[0] != pids[2], "{pids:?}");
}

#[test]
fn once_is_once() {
    let mut server = Server::start(&["--oneshot"]);
    run(async {
        let group = Group::new();
        doubles(&server.gateway(&group, &server.token()).await.unwrap()).await;
        refusal(server.gateway(&Group::new(), &server.token()).await);
        group.terminate(Duration::from_secs(5)).await;
    });
    assert!(server.wait().success());
}

#[test]
fn a_full_house_says_so() {
    let server = Server::start(&["--max-sessions=1"]);
    run(async {
        let group = Group::new();
        let first = server.gateway(&group, &server.token()).await.unwrap();
        let error = refusal(server.gateway(&Group::new(), &server.token()).await);
        assert!(error.contains("all 1 sessions of the server are in use"), "{error}");
        doubles(&first).await;
        group.terminate(Duration::from_secs(5)).await;
    });
}

#[test]
fn it_listens_on_both_protocols_and_says_what_to_do() {
    let place = Place::new();
    let mut command = place.command();
    command.arg(":0");
    let mut server = Server::start_command(place, command);
    let said = {
        server.signal(rustix::process::Signal::TERM);
        server.all_said()
    };
    let port = server.address.port();
    assert!(said.contains(&format!("listening on 0.0.0.0:{port}")), "{said}");
    let token = server.place.state().join("tokens/default");
    assert!(said.contains(&format!("token: {}", token.display())), "{said}");
    let line = said.lines().find(|line| line.contains("xdist --trust ")).unwrap();
    assert!(line.contains(&format!(":{port}")) && !line.contains("0.0.0.0"), "{line}");
    assert!(said.contains("xdist --tx socket="), "{said}");
    if std::path::Path::new("/proc/net/if_inet6")
        .metadata()
        .is_ok_and(|_| std::net::TcpListener::bind("[::1]:0").is_ok())
    {
        assert!(said.contains(&format!("[::]:{port}")), "{said}");
    }
}

#[test]
fn what_cannot_be_listened_on_is_a_usage_error() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (address, text) in
        [(taken.as_str(), taken.as_str()), ("nothing", "HOST:PORT"), ("203.0.113.1:1", "203.0.113.1:1")]
    {
        let output = place.run([address]);
        assert_eq!(output.status.code(), Some(4), "{address}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(text), "{output:?}");
    }
}

#[test]
fn a_version_is_one_line() {
    let output = program().arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), concat!("socketserver ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn standard_streams_serve_one_controller() {
    run(async {
        let group = Group::new();
        let spec = format!("command={} --stdio", env!("CARGO_BIN_EXE_socketserver"));
        doubles(&group.make_gateway(&spec).await.unwrap()).await;
        group.terminate(Duration::from_secs(5)).await;
    });
    let mut child =
        program().arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
