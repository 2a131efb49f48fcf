//! Any process on a gateway's host, here and behind a command; connections that processes make.

use std::future::Future;
use std::time::Duration;

use execnet_rs::channel::Channel;
use execnet_rs::gateway::{Gateway, GatewayError, ProcessRequest};
use execnet_rs::process::HowEnded;
use execnet_rs::value::Value;
use rustix::process::Signal;

use crate::{agent, gone, with_popen, with_spec};

/// All bytes that come through a channel, to its end.
pub(crate) async fn all_of(channel: &Channel) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(Value::Bytes(piece)) = channel.next().await.unwrap() {
        all.extend_from_slice(&piece);
    }
    all
}

fn shell(script: &str) -> ProcessRequest {
    ProcessRequest::new(&["sh", "-c", script])
}

/// Runs a test with a gateway to this host, and with one whose agent is another process.
fn here_and_there<F: Future<Output = ()>>(test: impl Fn(Gateway) -> F) {
    with_popen(&test);
    with_spec(&format!("command={}", agent()), &test);
}

#[test]
fn streams_are_channels_and_the_end_is_told() {
    here_and_there(|gateway: Gateway| async move {
        let request = shell("cat; echo error >&2; exit 7").with_stdin().with_stdout().with_stderr();
        let mut process = gateway.process(request).await.unwrap();
        let (stdin, stdout) = (process.take_stdin().unwrap(), process.take_stdout().unwrap());
        let large = vec![b'x'; 3_000_000];
        let writing = async {
            stdin.send(large.clone()).await.unwrap();
            stdin.send("text\n").await.unwrap();
            stdin.finish();
        };
        let (read, ()) = tokio::join!(all_of(&stdout), writing);
        assert_eq!(read, [&large[..], b"text\n"].concat());
        assert_eq!(all_of(&process.take_stderr().unwrap()).await, b"error\n");
        assert_eq!(process.wait().await, Ok(HowEnded::Exited(7)));
        assert_eq!(process.wait().await, Ok(HowEnded::Exited(7)));
    });
}

#[test]
fn directory_environment_niceness_and_odd_bytes_are_passed_on() {
    here_and_there(|gateway: Gateway| async move {
        let argv: [Value; 4] =
            ["sh".into(), "-c".into(), "pwd; echo $A; nice; printf %s \"$0\"".into(), vec![0xFF_u8, b'!'].into()];
        let request = ProcessRequest::new(&argv).cwd("/").env("A", "b c").nice(2).with_stdout();
        let mut process = gateway.process(request).await.unwrap();
        let said = all_of(&process.take_stdout().unwrap()).await;
        assert!(said.starts_with(b"/\nb c\n") && said.ends_with(b"\n\xFF!"), "{}", said.escape_ascii());
    });
}

#[test]
fn what_cannot_be_started_is_named() {
    here_and_there(|gateway: Gateway| async move {
        for (request, part) in [
            (ProcessRequest::new(&["/no/such/program"]), "/no/such/program: No such file"),
            (ProcessRequest::new(&["true"]).cwd("/no/such/place"), "/no/such/place: No such file"),
            (ProcessRequest::new::<&str>(&[]), "`argv` is empty"),
        ] {
            let error = gateway.process(request).await.unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    });
}

#[test]
fn signals_and_kills_reach_the_whole_tree() {
    here_and_there(|gateway: Gateway| async move {
        let mut process =
            gateway.process(shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done").with_stdout());
        let mut started = process.await.unwrap();
        let stdout = started.take_stdout().unwrap();
        assert!(stdout.receive().await.is_ok());
        started.signal(Signal::TERM);
        assert_eq!(started.wait().await, Ok(HowEnded::Exited(5)));

        process = gateway.process(shell("setsid sleep 600 & echo $!; sleep 601 & echo $!; wait").with_stdout());
        started = process.await.unwrap();
        let stdout = started.take_stdout().unwrap().text_reader();
        let mut pids = Vec::new();
        let mut stdout = stdout;
        for _ in 0..2 {
            pids.push(stdout.read_line().await.unwrap().trim().parse().unwrap());
        }
        started.kill();
        assert_eq!(started.wait().await, Ok(HowEnded::Signaled(9)));
        for pid in pids {
            gone(pid).await;
        }
    });
}

#[test]
fn nothing_is_left_when_the_handle_or_the_link_goes() {
    here_and_there(|gateway: Gateway| async move {
        let dropped = gateway.process(shell("exec sleep 600")).await.unwrap();
        let pid = dropped.pid();
        drop(dropped);
        gone(pid).await;
        // A leader that has ended leaves its group to the handle.
        let mut process = gateway.process(shell("sleep 600 >/dev/null & echo $!").with_stdout()).await.unwrap();
        let said = all_of(&process.take_stdout().unwrap()).await;
        let left = String::from_utf8(said).unwrap().trim().parse().unwrap();
        assert_eq!(process.wait().await, Ok(HowEnded::Exited(0)));
        gateway.agent().await.unwrap().abort();
        gone(left).await;
        assert!(gateway.process(shell(":")).await.is_err());
    });
}

#[test]
fn processes_connect_to_a_socket_of_the_gateway() {
    here_and_there(|gateway: Gateway| async move {
        let connections = gateway.listen().await.unwrap();
        let source = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
                      s.sendall(b'hello')\ns.shutdown(1)\nassert s.recv(100) == b'welcome'";
        let process =
            gateway.process(ProcessRequest::new(&["python3", "-c", source, connections.path()])).await.unwrap();
        let (connection, pid) = connections.accept().await.unwrap();
        assert_eq!(pid, process.pid());
        assert_eq!(all_of(&connection).await, b"hello");
        connection.send_bytes(b"welcome").await.unwrap();
        assert_eq!(process.wait().await, Ok(HowEnded::Exited(0)));
        let path = connections.path().to_owned();
        assert!(std::path::Path::new(&path).exists());
        drop(connections);
        while std::path::Path::new(&path).exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

#[test]
fn the_host_describes_itself() {
    here_and_there(|gateway: Gateway| async move {
        let info = gateway.host_info().await.unwrap();
        assert_eq!(info.system, "Linux");
        assert!(info.cores > 0 && info.memory > 1 << 20 && info.agent.starts_with("execnet-rs"), "{info:?}");
        assert!(gateway.round_trip().await.unwrap() < Duration::from_secs(10));
        let traffic = gateway.traffic();
        assert!(traffic.received > 0 && traffic.sent > 0);
        assert_eq!(gateway.remote_address().is_some(), gateway.spec().has("command"));
    });
}

#[test]
fn an_unknown_service_is_refused() {
    with_popen(|gateway: Gateway| async move {
        let channel = Channel::open(gateway.agent().await.unwrap(), "teleport").unwrap();
        let error = GatewayError::from(channel.receive().await.unwrap_err());
        assert!(error.to_string().contains("no service `teleport`"), "{error}");
        let channel = Channel::open(gateway.python().await.unwrap(), "teleport").unwrap();
        assert!(channel.receive().await.unwrap_err().to_string().contains("teleport"));
    });
}
