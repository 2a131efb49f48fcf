//! However a session ends, nothing of it is left.

use std::time::{Duration, Instant};

use execnet_rs::channel::Channel;
use execnet_rs::group::Group;
use rustix::process::Signal;

use crate::support::{Server, below, is_gone, kill, run, within};

/// Leaves a child, an orphan, and one in a session of its own, all of which ignore what can be ignored; tells their
/// numbers and its own.
const FAMILY: &str = "
    import os, signal, subprocess, sys, time
    deaf = 'import signal, time\\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\\nprint(flush=True)\\ntime.sleep(600)'
    def start(**how):
        child = subprocess.Popen([sys.executable, '-c', deaf], stdout=subprocess.PIPE, **how)
        child.stdout.readline()
        return child.pid
    pids = [os.getpid(), start(), start(start_new_session=True)]
    reading, writing = os.pipe()
    between = os.fork()
    if not between:
        os.write(writing, str(start(start_new_session=True)).encode() + b'\\n')
        os._exit(0)
    os.waitpid(between, 0)
    pids.append(int(os.read(reading, 20)))
    channel.send(pids)
    channel.receive()
";

/// A session with a family: its channel, the session process and all others.
async fn family(server: &mut Server, group: &Group) -> (Channel, u32, Vec<u32>) {
    let gateway = server.gateway(group, &server.token()).await.unwrap();
    let channel = gateway.remote_exec(FAMILY).await.unwrap();
    let pids = channel.receive().await.unwrap();
    let pids: Vec<u32> =
        pids.items().unwrap().iter().map(|pid| u32::try_from(pid.as_int().unwrap()).unwrap()).collect();
    assert_eq!(pids.len(), 4);
    let session = u32::try_from(server.event("session_began")["pid"].as_u64().unwrap()).unwrap();
    let tree = below(server.pid());
    assert!(pids.iter().chain([&session]).all(|pid| tree.contains(pid)), "{pids:?} in {tree:?}");
    (channel, session, pids)
}

fn all_gone(pids: &[u32]) {
    within(|| pids.iter().all(|pid| is_gone(*pid)).then_some(()));
}

#[test]
fn a_client_that_says_goodbye_leaves_nothing() {
    let mut server = Server::start(&[]);
    run(async {
        let group = Group::new();
        let (_channel, session, pids) = family(&mut server, &group).await;
        group.terminate(Duration::from_secs(2)).await;
        server.event("session_ended");
        all_gone(&pids);
        all_gone(&[session]);
    });
    assert!(below(server.pid()).is_empty());
}

#[test]
fn a_client_that_vanishes_leaves_nothing() {
    let mut server = Server::start(&[]);
    let pids = run(async {
        let group = Group::new();
        let (_channel, _, pids) = family(&mut server, &group).await;
        pids
        // The runtime is dropped, and the connection with it: nobody says goodbye.
    });
    server.event("session_ended");
    all_gone(&pids);
    assert!(below(server.pid()).is_empty());
}

#[test]
fn a_killed_session_process_leaves_nothing() {
    let mut server = Server::start(&[]);
    run(async {
        let group = Group::new();
        let (channel, session, pids) = family(&mut server, &group).await;
        kill(session, Signal::KILL);
        assert!(channel.receive().await.is_err());
        let ended = server.event("session_ended");
        assert!(ended["why"].as_str().unwrap().contains("SIGKILL"), "{ended}");
        all_gone(&pids);
        assert!(below(server.pid()).is_empty());
        // Others go on.
        let other = server.gateway(&Group::new(), &server.token()).await.unwrap();
        other.host_info().await.unwrap();
    });
}

#[test]
fn a_killed_server_leaves_nothing() {
    let mut server = Server::start(&[]);
    run(async {
        let group = Group::new();
        let (channel, session, pids) = family(&mut server, &group).await;
        server.signal(Signal::KILL);
        assert!(channel.receive().await.is_err());
        all_gone(&[session]);
        all_gone(&pids);
    });
}

#[test]
fn a_revoked_token_ends_its_sessions_and_no_others() {
    let mut server = Server::start(&[]);
    let other = server.place.new_token(&["--name", "other"]);
    run(async {
        let (one, two) = (Group::new(), Group::new());
        let (channel, session, pids) = family(&mut server, &one).await;
        let kept = server.gateway(&two, &other).await.unwrap();
        let token = server.token();
        assert!(server.place.run(["token", "revoke", "default"]).status.success());
        assert!(channel.receive().await.is_err());
        assert_eq!(server.event("session_ended")["why"], "its token was revoked");
        all_gone(&pids);
        all_gone(&[session]);
        kept.host_info().await.unwrap();
        let refused = server.gateway(&Group::new(), &token).await.unwrap_err().to_string();
        assert!(refused.contains("it hung up"), "{refused}");
    });
}

#[test]
fn a_stopped_session_process_is_ended_too() {
    let mut server = Server::start(&[]);
    run(async {
        let group = Group::new();
        let (_channel, session, pids) = family(&mut server, &group).await;
        kill(session, Signal::STOP);
        std::fs::remove_file(server.place.state().join("tokens/default")).unwrap();
        server.event("session_ended");
        all_gone(&pids);
        all_gone(&[session]);
    });
}

#[test]
fn a_server_that_is_told_to_stop_lets_sessions_finish() {
    let mut server = Server::start(&["--grace=1h"]);
    run(async {
        let group = Group::new();
        let (channel, _, pids) = family(&mut server, &group).await;
        server.signal(Signal::TERM);
        assert_eq!(server.event("stopping")["sessions"], 1);
        assert!(server.gateway(&Group::new(), &server.token()).await.is_err(), "too late");
        channel.send("go on").await.unwrap();
        channel.wait_close(None).await.unwrap();
        group.terminate(Duration::from_secs(2)).await;
        all_gone(&pids);
    });
    assert!(server.wait().success());
    server.event("stopped");
}

#[test]
fn a_server_that_is_told_to_stop_does_not_wait_for_ever() {
    for (arguments, signals) in [(&["--grace=1s"][..], 1), (&["--grace=1h"], 2)] {
        let mut server = Server::start(arguments);
        run(async {
            let group = Group::new();
            let (channel, session, pids) = family(&mut server, &group).await;
            for _ in 0..signals {
                server.signal(Signal::TERM);
                // Signals that come together are one.
                if signals > 1 && server.said.iter().all(|line| !line.contains("\"stopping\"")) {
                    server.event("stopping");
                }
            }
            assert!(channel.receive().await.is_err());
            all_gone(&pids);
            all_gone(&[session]);
        });
        assert!(server.wait().success());
    }
}

#[test]
fn an_idle_server_stops_at_once() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut server = Server::start(&["--grace=1h"]);
        let start = Instant::now();
        server.signal(signal);
        assert!(server.wait().success());
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}
