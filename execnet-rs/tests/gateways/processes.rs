//! Any process on a gateway's host, here and behind a command; connections that processes make.

use std::future::Future;
use std::time::Duration;

use execnet_rs::channel::Channel;
use execnet_rs::gateway::{Gateway, GatewayError, ProcessRequest};
use execnet_rs::process::HowEnded;
use execnet_rs::ring::{Shape, record};
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

/// Connects, and leaves records in a file: two and no word, one before a word, one as its last deed.
const LEAVES: &str = "
import os, socket, struct, sys, time, zlib
ring = open(sys.argv[2], 'w+b', 0)
ring.truncate(64 + 8 * 16)
def leave(number):
    while struct.unpack('<Q', os.pread(ring.fileno(), 8, 0))[0] < number:
        time.sleep(0.001)
    body = struct.pack('<QI', number, number * 7)
    os.pwrite(ring.fileno(), body + struct.pack('<I', zlib.crc32(body)), 64 + (number - 1) * 16)
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b'first')
leave(1)
leave(2)
assert s.recv(10) == b'go'
leave(3)
s.sendall(b'word')
assert s.recv(10) == b'end'
leave(4)
if os.fork() == 0:
    os.execvp('sleep', ['sleep', '60'])
";

/// The records that came, and the bytes, each with how many records came before it.
#[derive(Default)]
struct Came {
    records: Vec<u8>,
    bytes: Vec<(usize, Vec<u8>)>,
}

impl Came {
    async fn take(&mut self, connection: &Channel) -> bool {
        let (older, bytes, newer) = match connection.next().await.unwrap() {
            None => return false,
            Some(Value::Bytes(bytes)) => (Vec::new(), bytes.to_vec(), Vec::new()),
            Some(value) => {
                let piece = |at: usize| value.items().unwrap()[at].as_bytes().unwrap().to_vec();
                (piece(0), piece(1), piece(2))
            }
        };
        self.records.extend([older, newer].concat());
        if !bytes.is_empty() {
            self.bytes.push((self.records.len() / 16, bytes));
        }
        true
    }
}

#[test]
fn records_that_a_process_leaves_in_a_ring_come_with_its_connection() {
    here_and_there(|gateway: Gateway| async move {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring");
        let path = path.to_str().unwrap();
        let connections = gateway.listen().await.unwrap();
        let request = ProcessRequest::new(&["python3", "-c", LEAVES, connections.path(), path]);
        let process = gateway.process(request).await.unwrap();
        let (connection, _) = connections.accept().await.unwrap();
        let mut came = Came::default();
        came.take(&connection).await;
        // What cannot be opened is nothing.
        let shape = Shape::new(8, 16).unwrap();
        connections.follow(&connection, "/nowhere/ring", shape);
        connections.follow(&connection, path, shape);
        while came.records.len() < 32 {
            assert!(came.take(&connection).await);
        }
        connection.send_bytes(b"go").await.unwrap();
        while came.bytes.len() < 2 {
            assert!(came.take(&connection).await);
        }
        assert_eq!(came.bytes, [(0, b"first".to_vec()), (3, b"word".to_vec())]);
        connection.send_bytes(b"end").await.unwrap();
        assert_eq!(process.wait().await.unwrap(), HowEnded::Exited(0));
        connections.drain(&connection);
        while came.take(&connection).await {}
        let all: Vec<u8> = (1..=4_u8).flat_map(|n| record(n.into(), &u32::from(n * 7).to_le_bytes())).collect();
        assert_eq!(came.records, all);
        assert!(!folder.path().join("ring").exists());
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
