//! Where secrets must not be: arguments, environments, logs, what is printed, other processes' reach.

use std::fmt::Write;
use std::time::Duration;

use execnet_rs::group::Group;
use execnet_rs::transport::socket::token::Token;
use rustix::process::Signal;

use crate::support::{Place, Server, below, run};

/// Pieces of a secret by which it would be recognised, in any of the ways it could be written.
fn traces(token: &Token) -> Vec<Vec<u8>> {
    let (text, secret) = (token.to_text(), token.secret());
    let mut hex = String::new();
    for byte in secret.bytes() {
        write!(hex, "{byte:02x}").unwrap();
    }
    vec![
        text.as_bytes()[60..].to_vec(),
        secret.to_text().as_bytes()[..30].to_vec(),
        hex.into_bytes(),
        secret.bytes().to_vec(),
    ]
}

fn assert_absent(what: &str, bytes: &[u8], token: &Token) {
    for trace in traces(token) {
        assert!(!bytes.windows(trace.len()).any(|window| window == trace), "a secret is in {what}");
    }
}

#[test]
fn a_token_is_in_no_argument_environment_or_log() {
    let place = Place::new();
    assert!(place.run(["token", "list"]).status.success());
    let token = place.token();
    let mut command = place.command();
    // As somebody may have set it for other purposes.
    command.arg("127.0.0.1:0").env("XDIST_TOKEN", token.to_text().as_str()).env("XDIST_TOKEN_FILE", "x");
    let mut server = Server::start_command(place, command);
    run(async {
        let group = Group::new();
        let gateway = server.gateway(&group, &token).await.unwrap();
        let source = "
            import os
            channel.send([os.getpid(), sorted(os.environ)])
            channel.receive()
        ";
        let channel = gateway.remote_exec(source).await.unwrap();
        let told = channel.receive().await.unwrap();
        let names = told.items().unwrap()[1].items().unwrap();
        assert!(!names.iter().any(|name| name.as_str().unwrap().starts_with("XDIST_TOKEN")), "{names:?}");
        let processes = below(server.pid());
        assert!(processes.len() >= 2, "{processes:?}");
        for pid in processes {
            for file in ["environ", "cmdline"] {
                let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap();
                assert_absent(file, &bytes, &token);
            }
        }
        assert_absent("cmdline", &std::fs::read(format!("/proc/{}/cmdline", server.pid())).unwrap(), &token);
        channel.send(1).await.unwrap();
        group.terminate(Duration::from_secs(5)).await;
    });
    server.signal(Signal::TERM);
    let said = server.all_said();
    assert!(said.contains("session_ended"), "{said}");
    assert_absent("log", said.as_bytes(), &token);
    let key = std::fs::read_to_string(server.place.state().join("key")).unwrap();
    assert!(!said.contains(key.split_whitespace().next_back().unwrap()));
}

#[test]
fn what_a_peer_says_cannot_forge_a_line_of_the_log() {
    use execnet_rs::transport::socket::noise::Initiator;
    use execnet_rs::transport::socket::sealed::Sealer;
    use std::io::{Read, Write as _};
    let mut server = Server::start(&[]);
    let mut stream = server.connect();
    let (opening, initiator) = Initiator::new(&server.token()).unwrap();
    stream.write_all(&opening).unwrap();
    let mut answer = [0; execnet_rs::transport::socket::noise::ANSWER];
    stream.read_exact(&mut answer).unwrap();
    let keys = initiator.finish(&answer).unwrap();
    let mut frame = Vec::new();
    let forged = "x\"}\n{\"event\":\"forged\"}\x1b[31m";
    Sealer::new(&keys.send, 0).unwrap().seal(forged.as_bytes(), &mut frame).unwrap();
    stream.write_all(&frame).unwrap();
    assert_eq!(server.event("session_began")["client"], forged);
    server.signal(Signal::TERM);
    drop(stream);
    let said = server.all_said();
    assert!(!said.lines().any(|line| line.starts_with("{\"event\":\"forged")), "{said}");
    assert!(!said.contains('\x1b'), "{said}");
}

#[test]
fn secrets_in_memory_are_out_of_reach_of_the_same_user() {
    use std::os::unix::fs::{MetadataExt, chown};
    use std::os::unix::process::CommandExt;
    let place = Place::new();
    let program = place.0.path().join("socketserver");
    std::fs::copy(env!("CARGO_BIN_EXE_socketserver"), &program).unwrap();
    let mut command = std::process::Command::new(program);
    command.arg("127.0.0.1:0").env("XDG_STATE_HOME", place.0.path()).env("HOME", place.0.path());
    command.current_dir(place.0.path());
    // Root's processes belong to root in any case.
    if rustix::process::geteuid().is_root() {
        chown(place.0.path(), Some(65534), Some(65534)).unwrap();
        command.uid(65534).gid(65534);
    }
    let mut server = Server::start_command(place, command);
    run(async {
        let group = Group::new();
        let _gateway = server.gateway(&group, &server.token()).await.unwrap();
        let session = server.event("session_began")["pid"].as_u64().unwrap();
        for pid in [session, u64::from(server.pid())] {
            // The kernel gives root what others of the same user may not read.
            assert_eq!(std::fs::metadata(format!("/proc/{pid}/mem")).unwrap().uid(), 0, "process {pid}");
        }
    });
}
