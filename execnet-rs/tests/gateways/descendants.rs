//! What an agent that is a program of its own does for processes that others have forked: ends, signals, files and pipes.

use std::time::Duration;

use execnet_rs::gateway::{Gateway, GatewayError, ProcessRequest, Signalled};
use execnet_rs::process::HowEnded;
use execnet_rs::value::Value;
use rustix::process::Signal;

use crate::processes::all_of;
use crate::{agent, gone, with_popen, with_spec};

fn with_agent<F: Future<Output = ()>>(test: impl FnOnce(Gateway) -> F) {
    with_spec(&format!("command={}", agent()), test);
}

/// Forks a process that leads a group, says its number, and leaves it alone. It becomes a shell with a script only then:
/// whoever has forked it would be told of its end, and of its stops.
const ORPHAN: &str = "
import os, sys
me = os.getpid()
child = os.fork()
if child:
    os.setpgid(child, child)
    print(child, flush=True)
    os._exit(0)
while os.getppid() == me:
    pass
os.execvp('sh', ['sh', '-c', sys.argv[1]])
";

/// Starts a shell that runs `script`, in a group of its own, as nobody's child but the agent's; returns its number.
async fn orphan(gateway: &Gateway, script: &str) -> u32 {
    let request = ProcessRequest::new(&["python3", "-c", ORPHAN, script]).with_stdout();
    let mut process = gateway.process(request).await.unwrap();
    let said = process.take_stdout().unwrap().receive().await.unwrap();
    assert_eq!(process.wait().await, Ok(HowEnded::Exited(0)));
    String::from_utf8_lossy(said.as_bytes().unwrap()).trim().parse().unwrap()
}

#[test]
fn ends_of_orphans_are_told_and_signals_reach_them() {
    with_agent(|gateway| async move {
        let (descendants, mut stops) = gateway.descendants().await.unwrap();
        let leaver = orphan(&gateway, "exit 3").await;
        assert_eq!(descendants.watch(leaver, true).await, Some(HowEnded::Exited(3)), "it may have ended before");
        let stayer = orphan(&gateway, "sleep 60; :").await;
        let ended = descendants.watch(stayer, true);
        descendants.signal(stayer, Signal::STOP, Signalled::Process);
        assert_eq!(stops.recv().await, Some(stayer));
        descendants.signal(stayer, Signal::KILL, Signalled::Group);
        assert_eq!(ended.await, Some(HowEnded::Signaled(9)));
    });
}

#[test]
fn what_is_watched_ends_with_the_link() {
    let mut pid = 0;
    let orphaned = &mut pid;
    with_agent(|gateway| async move {
        let (descendants, _stops) = gateway.descendants().await.unwrap();
        *orphaned = orphan(&gateway, "sleep 60; :").await;
        let ended = descendants.watch(*orphaned, true);
        gateway.terminate(Duration::from_secs(5)).await;
        gone(*orphaned).await;
        assert_eq!(ended.await, None, "nobody is left to tell");
    });
}

#[test]
fn an_agent_among_others_looks_after_its_own_alone() {
    with_popen(|gateway| async move {
        let error = gateway.descendants().await.unwrap_err();
        assert!(matches!(error, GatewayError::Remote(ref error) if error.kind == "LookupError"), "{error}");
    });
}

#[test]
fn a_directory_has_files_and_pipes_and_ends() {
    with_agent(|gateway| async move {
        let directory = gateway.directory().await.unwrap();
        let path = directory.path().to_owned();
        directory.write("page", 0, vec![0; 8]).await.unwrap();
        directory.write("page", 6, vec![7]).await.unwrap();
        assert_eq!(directory.read("page", 5, 100).await.unwrap(), Some(vec![0, 7, 0]));
        assert_eq!(directory.take("page", 2).await.unwrap(), Some(vec![7, 0]));
        assert_eq!(directory.take("page", 100).await.unwrap(), None);
        assert!(directory.write("../page", 0, vec![0]).await.is_err());

        let pipe = directory.pipe("out").await.unwrap();
        // Somebody else holds the pipe when the writer is gone.
        let script = format!("exec >{path}/out; sleep 60 & echo written");
        let process = gateway.process(ProcessRequest::new(&["sh", "-c", &script])).await.unwrap();
        process.wait().await.unwrap();
        directory.drain("out");
        assert_eq!(pipe.receive().await.unwrap(), Value::from(b"written\n".to_vec()));
        assert_eq!(pipe.next().await.unwrap(), None);

        let pipe = directory.pipe("err").await.unwrap();
        let request = ProcessRequest::new(&["sh", "-c", "echo out; echo err >&2"]);
        let request = request.stdout_to(format!("{path}/err")).stderr_to(format!("{path}/err"));
        gateway.process(request).await.unwrap().wait().await.unwrap();
        directory.drain("err");
        assert_eq!(all_of(&pipe).await, b"out\nerr\n");

        assert!(std::path::Path::new(&path).is_dir());
        drop((directory, pipe));
        gateway.terminate(Duration::from_secs(5)).await;
        assert!(!std::path::Path::new(&path).exists());
    });
}

#[test]
fn a_connection_ends_with_its_process_whoever_holds_it() {
    with_agent(|gateway| async move {
        let connections = gateway.listen().await.unwrap();
        let code = "import os,socket,sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b'last')\n\
                    if os.fork() == 0: __import__('time').sleep(60)\n";
        let request = ProcessRequest::new(&["python3", "-c", code, connections.path()]);
        let process = gateway.process(request).await.unwrap();
        let (connection, pid) = connections.accept().await.unwrap();
        assert_eq!(pid, process.pid());
        assert_eq!(process.wait().await.unwrap(), HowEnded::Exited(0));
        connections.drain(&connection);
        assert_eq!(connection.receive().await.unwrap(), Value::from(b"last".to_vec()));
        assert_eq!(connection.next().await.unwrap(), None);
    });
}

#[test]
fn files_are_sent_once_and_again_when_they_are_spoilt() {
    let cache = tempfile::tempdir().unwrap();
    let command = agent().replacen("env ", &format!("env XDG_CACHE_HOME={} ", cache.path().display()), 1);
    with_spec(&format!("command={command}"), |gateway| async move {
        let files: [(&str, &[u8]); 2] = [("p/a.py", b"one"), ("p/sub/b.py", b"two")];
        let sent = |gateway: &Gateway| gateway.traffic().sent;
        let stored = gateway.store("test", "key", &files).await.unwrap();
        let path = stored.path().to_owned();
        assert!(path.ends_with("/test/key"), "{path}");
        assert_eq!(std::fs::read(format!("{path}/p/sub/b.py")).unwrap(), b"two");
        std::fs::write(format!("{path}/p/a.py"), "xxx").unwrap();
        drop(stored);
        let before = sent(&gateway);
        let again = gateway.store("test", "key", &files).await.unwrap();
        assert_eq!(std::fs::read(format!("{path}/p/a.py")).unwrap(), b"one");
        let spoilt = sent(&gateway) - before;
        let third = gateway.store("test", "key", &files).await.unwrap();
        assert!(sent(&gateway) - before - spoilt < spoilt, "they are there");
        assert_eq!((again.path(), third.path()), (path.as_str(), path.as_str()));
        assert!(gateway.store("../test", "key", &files).await.is_err());
    });
}
