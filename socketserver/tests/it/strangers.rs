//! Those who may not: whatever they send, however slowly, however often.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use execnet_rs::group::Group;
use execnet_rs::transport::socket::noise::{ANSWER, OPENING, ServerKey};
use execnet_rs::transport::socket::token::Token;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use crate::relay::{Change, Relay, connect_from, source};
use crate::support::{Place, Server, below, run, within};

/// The first bytes of what may knock at any port.
const GARBAGE: [&[u8]; 7] = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"SSH-2.0-OpenSSH_9.2p1\r\n",
    b"\x93exn\r\n\x1a\n\x00\xfe\xc3\x28\x7fRS\x01",
    b"import socket\n",
    b"\0",
    b"XDS2this could be a version to come, and is not this one, whatever follows in it..",
];

fn turned_away(event: &Value) -> bool {
    event["event"] == "turned_away"
}

async fn is_served(server: &Server) {
    let group = Group::new();
    let gateway = server.gateway(&group, &server.token()).await.unwrap();
    gateway.host_info().await.unwrap();
    group.terminate(Duration::from_secs(5)).await;
}

#[test]
fn garbage_is_answered_by_silence() {
    let mut server = Server::start(&[]);
    run(async {
        for (number, garbage) in GARBAGE.iter().enumerate() {
            let mut stream = connect_from(source(number), server.address).await;
            stream.write_all(garbage).await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert_eq!(answer, b"", "{}", String::from_utf8_lossy(garbage));
            assert_eq!(server.until(turned_away)["why"], "not our protocol");
        }
        assert!(below(server.pid()).is_empty());
        is_served(&server).await;
    });
}

#[test]
fn an_unknown_token_a_wrong_secret_and_a_foreign_server_are_answered_by_silence() {
    let mut server = Server::start(&[]);
    let (known, key) = (server.token(), ServerKey::generate().unwrap());
    let unknown = Token::generate(*known.server()).unwrap();
    let foreign = Token::generate(*key.public()).unwrap();
    run(async {
        for (number, token) in [unknown, foreign].iter().enumerate() {
            let relay = Relay::start(server.address, source(number), Change::Nothing).await;
            let error = relay.gateway(&Group::new(), token).await.unwrap_err().to_string();
            assert!(error.contains("does not know the token"), "{error}");
            assert!(!error.contains(token.to_text().as_str()));
            assert_eq!(*relay.answered.lock().unwrap(), b"");
            assert_eq!(server.until(turned_away)["why"], "unknown token or wrong secret");
        }
    });
}

#[test]
fn whoever_sits_at_the_address_of_a_server_is_found_out() {
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut opening = [0; OPENING];
            stream.read_exact(&mut opening).await.unwrap();
            stream.write_all(&[7; ANSWER]).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await
        });
        let token = Token::generate(*ServerKey::generate().unwrap().public()).unwrap();
        let error = execnet_rs::transport::socket::connect::connect("127.0.0.1", address.port(), &token).await;
        let error = error.err().unwrap();
        assert!(error.is_refusal() && error.to_string().contains("not the server"), "{error}");
    });
}

#[test]
fn an_expired_token_is_told_so() {
    let mut server = Server::start(&[]);
    let token = server.place.new_token(&["--name=short", "--expires=0s"]);
    run(async {
        let error = server.gateway(&Group::new(), &token).await.unwrap_err().to_string();
        assert!(error.contains("the token `short` expired at "), "{error}");
    });
    assert_eq!(server.event("refused")["token_name"], "short");
    assert!(below(server.pid()).is_empty());
}

#[test]
fn slow_peers_hold_nobody_up() {
    let mut server = Server::start(&[]);
    run(async {
        let mut slow = Vec::new();
        for number in 0..200 {
            let mut stream = connect_from(source(number / 4), server.address).await;
            // As far as a stranger can come, and no further.
            stream.write_all(&b"XDS1................"[..number % 20]).await.unwrap();
            slow.push(stream);
        }
        let start = Instant::now();
        is_served(&server).await;
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
        // And a deadline ends them, without a byte.
        for stream in &mut slow {
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert_eq!(answer, b"");
        }
    });
    server.until(|event| turned_away(event) && event["why"] == "too slow");
}

#[test]
fn a_byte_now_and_then_does_not_move_the_deadline() {
    let mut server = Server::start(&[]);
    run(async {
        let stream = connect_from(source(0), server.address).await;
        let (mut reader, mut writer) = stream.into_split();
        let start = Instant::now();
        let dripping = tokio::spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_millis(200));
            for byte in b"XDS1".iter().chain(&[0; 60]) {
                beat.tick().await;
                if writer.write_all(&[*byte]).await.is_err() {
                    return;
                }
            }
        });
        let _ = reader.read_to_end(&mut Vec::new()).await;
        assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
        dripping.abort();
    });
    assert_eq!(server.until(turned_away)["why"], "too slow");
}

fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_flood_costs_neither_memory_nor_descriptors() {
    let server = Server::start(&[]);
    run(async {
        is_served(&server).await;
        let before = resident_kib(server.pid());
        let mut most = 0;
        for round in 0..12 {
            let mut flood = JoinSet::new();
            for number in 0..200 {
                let address = server.address;
                flood.spawn(async move {
                    let mut stream = connect_from(source(round * 40 + number % 40), address).await;
                    let _ = stream.write_all(&[0x58; 3000]).await;
                    stream
                });
            }
            let streams = flood.join_all().await;
            most = most.max(open_files(server.pid()));
            drop(streams);
        }
        assert!(most < 120, "{most} descriptors");
        let grown = resident_kib(server.pid()).saturating_sub(before);
        assert!(grown < 16 * 1024, "{grown} KiB");
        is_served(&server).await;
    });
}

#[test]
fn without_descriptors_it_waits_for_better_times() {
    let place = Place::new();
    let mut command = place.command();
    // The shell becomes the server.
    let program = command.get_program().to_owned();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -n 32; exec \"$0\" 127.0.0.1:0"]).arg(program);
    shell.env("XDG_STATE_HOME", place.0.path());
    command = shell;
    let server = Server::start_command(place, command);
    run(async {
        let mut crowd = Vec::new();
        for number in 0..60 {
            crowd.push(connect_from(source(number), server.address).await);
        }
        within(|| (open_files(server.pid()) >= 31).then_some(()));
        drop(crowd);
        is_served(&server).await;
    });
}

#[test]
fn offenders_are_kept_out_for_a_while_and_others_are_not() {
    let mut server = Server::start(&[]);
    run(async {
        for _ in 0..4 {
            let mut stream = connect_from(source(1), server.address).await;
            stream.write_all(b"GET /").await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
            server.until(turned_away);
        }
        let mut stream = connect_from(source(1), server.address).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
        server.event("barred");
        is_served(&server).await;
    });
}

#[test]
fn a_session_that_is_sent_again_does_nothing() {
    let mut server = Server::start(&[]);
    let place = tempfile::tempdir().unwrap();
    let witness = place.path().join("witness");
    run(async {
        let relay = Relay::start(server.address, source(0), Change::Nothing).await;
        let group = Group::new();
        let gateway = relay.gateway(&group, &server.token()).await.unwrap();
        let source_code = format!("open({:?}, 'a').write('x')", witness.to_str().unwrap());
        gateway.remote_exec(source_code).await.unwrap().wait_close(None).await.unwrap();
        group.terminate(Duration::from_secs(5)).await;
        server.event("session_ended");
        let sent = relay.sent.lock().unwrap().clone();
        // All at once, message by message, and only the first one.
        for (number, cuts) in [vec![], vec![OPENING, OPENING + 100], vec![OPENING]].into_iter().enumerate() {
            let mut stream = connect_from(source(number + 1), server.address).await;
            let mut answer = [0; ANSWER];
            let mut start = 0;
            for cut in cuts.iter().copied().chain((number < 2).then_some(sent.len())) {
                let _ = stream.write_all(&sent[start..cut]).await;
                if start == 0 {
                    stream.read_exact(&mut answer).await.unwrap();
                    assert_ne!(answer[..], relay.answered.lock().unwrap()[..ANSWER], "another conversation");
                }
                start = cut;
            }
            if number == 2 {
                let _ = stream.shutdown().await;
            }
            let mut more = Vec::new();
            let _ = stream.read_to_end(&mut more).await;
            assert_eq!(more, b"", "nothing follows");
            let why = server.until(turned_away)["why"].clone();
            assert_eq!(why, if number == 2 { "left" } else { "no proof of the keys" });
        }
    });
    assert_eq!(std::fs::read_to_string(witness).unwrap(), "x", "it ran once");
    assert!(
        !server
            .said
            .iter()
            .skip_while(|line| !line.contains("session_ended"))
            .any(|line| line.contains("session_began"))
    );
    assert!(below(server.pid()).is_empty());
}

#[test]
fn a_changed_bit_anywhere_ends_the_connection() {
    let mut server = Server::start(&[]);
    let place = tempfile::tempdir().unwrap();
    run(async {
        // The handshake of each side, what is above it, and a little of the agent's protocol.
        let to_server = (0..OPENING + 200).step_by(13).map(Change::ToServer);
        let to_client = (0..ANSWER + 150).step_by(13).map(Change::ToClient);
        for (number, change) in to_server.chain(to_client).enumerate() {
            let witness = place.path().join(number.to_string());
            let relay = Relay::start(server.address, source(number), change).await;
            let group = Group::new();
            let outcome = async {
                let gateway = relay.gateway(&group, &server.token()).await.map_err(|_| ())?;
                let source_code = format!("open({:?}, 'a').write('x')", witness.to_str().unwrap());
                gateway.remote_exec(source_code).await.map_err(|_| ())?.wait_close(None).await.map_err(|_| ())
            };
            assert_eq!(tokio::time::timeout(Duration::from_secs(20), outcome).await.unwrap(), Err(()), "{change:?}");
            group.terminate(Duration::ZERO).await;
            assert!(!witness.exists(), "{change:?}");
        }
        is_served(&server).await;
    });
    server.signal(rustix::process::Signal::TERM);
    server.all_said();
}

#[test]
fn arbitrary_bytes_behind_a_genuine_start_do_nothing() {
    let server = Server::start(&[]);
    let mut state = 0x5eed_u64;
    // Splitmix.
    let mut random = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)).to_le_bytes()[3]
    };
    for number in 0..150 {
        let mut stream = run(connect_from(source(number), server.address)).into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut bytes: Vec<u8> = (0..usize::from(random()) * 3).map(|_| random()).collect();
        let genuine = number % 3;
        if genuine > 0 {
            bytes.splice(..0, *b"XDS1");
        }
        if genuine > 1 {
            bytes.splice(4..4, server.token().id().0);
        }
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer, b"");
    }
    assert!(below(server.pid()).is_empty());
    run(is_served(&server));
}
