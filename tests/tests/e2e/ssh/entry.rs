//! Who is let in, and which hosts are believed.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use execnet_rs::group::Group;
use execnet_rs::transport::ssh::SshTransport;
use xdist_tests::{Sshd, until};

use super::{CLIENTS, ask, enter, refusal, run};

#[test]
fn python_runs_there_and_large_things_travel() {
    let sshd = Sshd::start();
    for client in CLIENTS {
        run(async {
            let (group, gateway) = enter(&sshd, client).await;
            assert_eq!(
                ask(&gateway, "import os\nchannel.send(os.environ['HOME'])").await,
                sshd.home().display().to_string()
            );
            assert_eq!(gateway.remote_address(), Some("box"));
            let channel = gateway.remote_exec("for item in channel: channel.send(item)").await.unwrap();
            let large: Vec<u8> = (0..20_000_000_u32).map(|number| (number % 251) as u8).collect();
            channel.send_bytes(&large).await.unwrap();
            assert!(channel.receive().await.unwrap().as_bytes().unwrap() == &large, "{client}");
            group.terminate(Duration::from_secs(5)).await;
        });
    }
}

#[test]
fn a_host_that_nobody_knows_is_refused() {
    let sshd = Sshd::start();
    std::fs::write(sshd.path("known_hosts"), "").unwrap();
    for client in CLIENTS {
        let why = refusal(&sshd, client);
        assert!(why.contains("Host key verification failed") || why.contains("is not known"), "{client}: {why}");
        assert_eq!(std::fs::read_to_string(sshd.path("known_hosts")).unwrap(), "", "nothing was learned");
    }
    assert!(!sshd.cache().exists());
}

#[test]
fn a_host_with_another_key_than_before_is_refused() {
    let sshd = Sshd::start();
    sshd.make_key("other", "ed25519");
    sshd.know("other");
    for client in CLIENTS {
        let why = refusal(&sshd, client);
        assert!(why.contains("IDENTIFICATION HAS CHANGED") || why.contains("another host key"), "{client}: {why}");
    }
    assert!(!sshd.cache().exists());
}

#[test]
fn a_hashed_entry_and_one_of_several_key_types_are_enough() {
    let sshd = Sshd::start();
    let known = sshd.path("known_hosts");
    let hashed = Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&known).output().unwrap();
    assert!(hashed.status.success() && std::fs::read_to_string(&known).unwrap().starts_with("|1|"));
    for client in CLIENTS {
        run(async { enter(&sshd, client).await.0.terminate(Duration::from_secs(5)).await });
    }
    // The server would rather show another key, which nobody knows.
    let rsa = sshd.path("rsa");
    sshd.make_key("rsa", "rsa");
    let several = Sshd::with(&format!("HostKey {}\nHostKeyAlgorithms rsa-sha2-512,ssh-ed25519", rsa.display()), "");
    for client in CLIENTS {
        run(async { enter(&several, client).await.0.terminate(Duration::from_secs(5)).await });
    }
}

#[test]
fn a_key_that_is_not_taken_is_an_error_at_once() {
    let sshd = Sshd::start();
    sshd.make_key("stranger", "ed25519");
    std::fs::copy(sshd.path("stranger.pub"), sshd.path("authorized_keys")).unwrap();
    for client in CLIENTS {
        let start = Instant::now();
        let why = refusal(&sshd, client);
        assert!(why.contains("Permission denied") || why.contains("takes none of"), "{client}: {why}");
        assert!(start.elapsed() < Duration::from_secs(10), "{client}: {:?}", start.elapsed());
    }
}

#[test]
fn a_key_with_a_passphrase_is_no_reason_to_wait() {
    let sshd = Sshd::start();
    sshd.make_locked_key("locked", "ed25519", "secret");
    std::fs::copy(sshd.path("locked.pub"), sshd.path("authorized_keys")).unwrap();
    sshd.configure(&format!("IdentityFile {}", sshd.path("locked").display()));
    for client in CLIENTS {
        let why = refusal(&sshd, client);
        assert!(why.contains("Permission denied") || why.contains("takes none of"), "{client}: {why}");
    }
}

#[test]
fn a_host_that_is_not_there_is_named() {
    let sshd = Sshd::start();
    sshd.configure("Port 1\nHostKeyAlias elsewhere");
    let known = std::fs::read_to_string(sshd.path("known_hosts")).unwrap();
    let (_, key) = known.split_once(' ').unwrap();
    std::fs::write(sshd.path("known_hosts"), format!("elsewhere {key}")).unwrap();
    for client in CLIENTS {
        let why = refusal(&sshd, client);
        assert!(why.contains("Connection refused") && why.contains("box"), "{client}: {why}");
    }
}

#[test]
fn options_of_ssh_that_make_no_sense_are_refused() {
    run(async {
        let group = super::group();
        let error = group.make_gateway("ssh=-p nonsense box").await.unwrap_err().to_string();
        assert!(error.contains("Bad port"), "{error}");
        let error = group.make_gateway("ssh=box uptime").await.unwrap_err().to_string();
        assert!(error.contains("one host"), "{error}");
    });
}

#[test]
fn all_keys_of_an_agent_are_tried() {
    let sshd = Sshd::start();
    sshd.make_key("stranger", "rsa");
    let socket = sshd.path("agent");
    // Its parent's end is its own.
    let mut agent = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
    assert!(until(Duration::from_secs(10), || socket.exists()));
    for key in ["stranger", "id"] {
        let mut adding = Command::new("ssh-add");
        assert!(adding.arg("-q").arg(sshd.path(key)).env("SSH_AUTH_SOCK", &socket).status().unwrap().success());
    }
    std::fs::rename(sshd.path("id"), sshd.path("moved")).unwrap();
    std::fs::remove_file(sshd.path("id.pub")).unwrap();
    sshd.configure(&format!("IdentityAgent {}\nIdentitiesOnly no", socket.display()));
    for client in CLIENTS {
        run(async { enter(&sshd, client).await.0.terminate(Duration::from_secs(5)).await });
    }
    // Keys that are not named are not shown.
    sshd.configure(&format!("IdentityAgent {}\nIdentitiesOnly yes", socket.display()));
    for client in CLIENTS {
        refusal(&sshd, client);
    }
    agent.kill().unwrap();
    agent.wait().unwrap();
}

#[test]
fn what_this_process_cannot_do_the_program_does() {
    let (jump, sshd) = (Sshd::start(), Sshd::start());
    let config = std::fs::read_to_string(jump.path("ssh_config")).unwrap().replace("Host box", "Host jump");
    sshd.configure(&format!("ProxyJump jump\n{config}\nHost box"));
    let forced = refusal(&sshd, "ssh2");
    assert!(forced.contains("proxyjump"), "{forced}");
    run(async {
        let group = super::group();
        group.make_gateway(&sshd.spec()).await.unwrap();
        assert!(!jump.servers().is_empty());
        group.terminate(Duration::from_secs(5)).await;
    });
}

#[test]
fn what_this_process_can_do_takes_no_program() {
    let sshd = Sshd::with("LogLevel DEBUG1", "");
    run(async {
        let group = super::group();
        group.make_gateway(&sshd.spec()).await.unwrap();
        group.terminate(Duration::from_secs(5)).await;
    });
    assert!(sshd.log().contains("remote software version libssh2"), "{}", sshd.log());
}

#[test]
fn a_machine_of_vagrant_is_a_host() {
    let sshd = Sshd::start();
    let vagrant = sshd.path("vagrant");
    let script = format!(
        "#!/bin/sh\nif [ \"$*\" = 'ssh-config web' ]; then cat {}; else echo no machine >&2; exit 1; fi\n",
        sshd.path("ssh_config").display()
    );
    std::fs::write(&vagrant, script).unwrap();
    std::fs::set_permissions(&vagrant, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    run(async {
        let group = Group::new();
        let transport = SshTransport::new(super::agents()).with_vagrant(vagrant.display().to_string());
        group.register("ssh", Arc::new(transport));
        for client in CLIENTS {
            let gateway = group.make_gateway(&format!("vagrant_ssh=web//ssh_client={client}")).await.unwrap();
            assert_eq!(ask(&gateway, "channel.send('there')").await, "there");
        }
        let error = group.make_gateway("vagrant_ssh=db").await.unwrap_err().to_string();
        assert!(error.contains("no machine") && error.contains("`db`"), "{error}");
        group.terminate(Duration::from_secs(5)).await;
    });
}

#[test]
fn hosts_are_reached_from_other_hosts() {
    let (near, far) = (Sshd::start(), Sshd::start());
    run(async {
        let (group, _) = enter(&near, CLIENTS[0]).await;
        let inner = group.make_gateway(&format!("{}//via=gw0", far.spec())).await.unwrap();
        assert_eq!(ask(&inner, "import os\nchannel.send(os.environ['HOME'])").await, far.home().display().to_string());
        group.terminate(Duration::from_secs(5)).await;
    });
    let quiet = || near.processes().is_empty() && far.processes().is_empty() && far.servers().is_empty();
    assert!(until(Duration::from_secs(20), quiet));
}

#[test]
fn a_host_is_reached_without_an_ssh_program() {
    let sshd = Sshd::start();
    sshd.configure("User nobody-else\nHost other\nUser nobody\nHost box");
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let user = String::from_utf8(user).unwrap();
    run(async {
        let group = Group::new();
        group.register("ssh", Arc::new(SshTransport::new(super::agents()).with_program("/no/such/ssh")));
        let gateway = group.make_gateway(&sshd.spec().replace("ssh=", &format!("ssh={}@", user.trim()))).await.unwrap();
        assert_eq!(ask(&gateway, "channel.send('there')").await, "there");
        group.terminate(Duration::from_secs(5)).await;
        sshd.configure("ProxyCommand nc %h %p");
        let error = group.make_gateway(&sshd.spec()).await.unwrap_err().to_string();
        assert!(error.contains("proxycommand") && error.contains("ssh program"), "{error}");
    });
}
