//! Noise, overload, and ends of all kinds.

use std::fs;
use std::time::{Duration, Instant};

use execnet_rs::channel::ReceiveError;
use xdist_tests::{Sshd, until};

use super::{CLIENTS, ask, enter, group, refusal, run};

#[test]
fn start_up_files_that_talk_are_no_obstacle() {
    let sshd = Sshd::start();
    let talk = "echo Welcome to $(hostname)!; printf 'no line end'; echo to stderr >&2\n";
    for name in [".bashrc", ".zshenv", ".profile"] {
        fs::write(sshd.home().join(name), talk).unwrap();
    }
    // One that would like to be told something.
    fs::write(sshd.home().join(".bashrc"), format!("{talk}read -t 0.2 ignored\n")).unwrap();
    for client in CLIENTS {
        run(async {
            let (group, gateway) = enter(&sshd, client).await;
            assert_eq!(ask(&gateway, "channel.send('there')").await, "there");
            group.terminate(Duration::from_secs(5)).await;
        });
    }
}

#[test]
fn a_host_without_a_shell_shows_what_it_said() {
    let sshd = Sshd::with("ForceCommand echo This account is closed.", "");
    for client in CLIENTS {
        let why = refusal(&sshd, client);
        assert!(why.contains("This account is closed.") && why.contains("box"), "{client}: {why}");
    }
}

#[test]
fn missing_python_is_told_at_once() {
    let sshd = Sshd::start();
    for client in CLIENTS {
        run(async {
            let group = group();
            let spec = format!("{}//ssh_client={client}//python=/no/such/python", sshd.spec());
            let gateway = group.make_gateway(&spec).await.unwrap();
            let start = Instant::now();
            let why = gateway.remote_exec("").await.unwrap_err().to_string();
            assert!(why.contains("/no/such/python"), "{client}: {why}");
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
            group.terminate(Duration::from_secs(5)).await;
        });
    }
}

#[test]
fn a_killed_connection_ends_everything_on_both_sides() {
    let sshd = Sshd::start();
    for client in CLIENTS {
        run(async {
            let (group, gateway) = enter(&sshd, client).await;
            let source = "
                import os, subprocess
                subprocess.Popen(['sleep', '1000'])
                channel.send(str(os.getpid()))
                channel.receive()
            ";
            let channel = gateway.remote_exec(source).await.unwrap();
            channel.receive().await.unwrap();
            assert!(sshd.processes().len() >= 3, "{:?}", sshd.processes());
            let start = Instant::now();
            sshd.kill_servers();
            assert!(matches!(channel.receive().await, Err(ReceiveError::Link(_))), "{client}");
            assert!(start.elapsed() < Duration::from_secs(10), "{client}: {:?}", start.elapsed());
            group.terminate(Duration::from_secs(1)).await;
        });
        assert!(until(Duration::from_secs(20), || sshd.processes().is_empty()), "{client}: {:?}", sshd.processes());
    }
}

#[test]
fn nothing_stays_after_the_end() {
    let sshd = Sshd::start();
    for client in CLIENTS {
        run(async {
            let (group, gateway) = enter(&sshd, client).await;
            ask(&gateway, "import subprocess\nsubprocess.Popen(['sleep', '1000'])\nchannel.send('done')").await;
            group.terminate(Duration::from_secs(5)).await;
        });
        let quiet = || sshd.processes().is_empty() && sshd.servers().is_empty();
        assert!(until(Duration::from_secs(20), quiet), "{client}: {:?} {:?}", sshd.processes(), sshd.servers());
        // And after handles that were just dropped.
        run(async { drop(enter(&sshd, client).await) });
        assert!(until(Duration::from_secs(20), quiet), "{client}: {:?} {:?}", sshd.processes(), sshd.servers());
    }
}

#[test]
fn a_server_that_turns_many_away_is_asked_again() {
    let sshd = Sshd::with("MaxStartups 1:100:2", "");
    for client in CLIENTS {
        run(async {
            let group = group();
            let spec = format!("{}//ssh_client={client}", sshd.spec());
            let specs: Vec<_> = (0..5).map(|_| spec.parse().unwrap()).collect();
            for made in group.make_each(&specs).await {
                made.unwrap();
            }
            group.terminate(Duration::from_secs(5)).await;
        });
    }
    assert!(sshd.log().contains("MaxStartups"), "{}", sshd.log());
}
