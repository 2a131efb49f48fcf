//! The agent in a host's cache.

use std::fs;
use std::time::{Duration, Instant};

use xdist_tests::Sshd;

use super::{Agents, CLIENTS, Group, SshTransport, ask, enter, refusal, run, small_agent};

fn kept(sshd: &Sshd) -> Vec<std::path::PathBuf> {
    fs::read_dir(sshd.cache()).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn visit(sshd: &Sshd, client: &str) {
    run(async {
        let (group, gateway) = enter(sshd, client).await;
        assert_eq!(ask(&gateway, "channel.send('there')").await, "there");
        group.terminate(Duration::from_secs(5)).await;
    });
}

#[test]
fn it_is_sent_once_and_again_if_it_was_damaged() {
    for client in CLIENTS {
        let sshd = Sshd::start();
        visit(&sshd, client);
        let files = kept(&sshd);
        assert_eq!(files.len(), 1, "{files:?}");
        let first = fs::metadata(&files[0]).unwrap().modified().unwrap();
        visit(&sshd, client);
        assert_eq!(fs::metadata(&files[0]).unwrap().modified().unwrap(), first, "{client}: it was sent again");
        let damaged = fs::read(&files[0]).unwrap();
        fs::write(&files[0], &damaged[..damaged.len() / 2]).unwrap();
        visit(&sshd, client);
        assert!(fs::read(&files[0]).unwrap() == damaged, "{client}");
        assert_eq!(kept(&sshd), files);
    }
}

#[test]
fn several_that_come_at_once_do_not_disturb_each_other() {
    for client in CLIENTS {
        let sshd = Sshd::start();
        run(async {
            let group = super::group();
            let spec = format!("{}//ssh_client={client}", sshd.spec());
            let specs: Vec<_> = (0..6).map(|_| spec.parse().unwrap()).collect();
            for made in group.make_each(&specs).await {
                made.unwrap();
            }
            group.terminate(Duration::from_secs(5)).await;
        });
        assert_eq!(kept(&sshd).len(), 1);
    }
}

#[test]
fn a_home_in_which_nothing_may_run_is_no_obstacle() {
    let elsewhere = "mount -t tmpfs -o noexec none \"$HOME\"\nmount -t tmpfs none /var/tmp";
    for client in CLIENTS {
        visit(&Sshd::with("", elsewhere), client);
    }
}

#[test]
fn a_home_that_is_full_is_no_obstacle() {
    let full = "mount -t tmpfs -o size=1m none \"$HOME\"\nmount -t tmpfs none /var/tmp";
    for client in CLIENTS {
        visit(&Sshd::with("", full), client);
    }
}

#[test]
fn no_place_at_all_is_an_error_that_says_so() {
    let nowhere = "mount -t tmpfs -o noexec none \"$HOME\"\nmount -t tmpfs -o size=1m none /var/tmp\n\
                   mount -t tmpfs -o ro none /tmp";
    for client in CLIENTS {
        let sshd = Sshd::with("", nowhere);
        let start = Instant::now();
        let why = refusal(&sshd, client);
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        let home = sshd.home();
        for part in [
            &format!("`{}/.cache` does not let programs run", home.display()),
            "has no room",
            "cannot be written to",
            "XDG_CACHE_HOME",
        ] {
            assert!(why.contains(part), "{client}: {why}");
        }
    }
}

#[test]
fn a_host_of_another_kind_or_an_agent_that_does_not_start_is_an_error() {
    let sshd = Sshd::start();
    let place = tempfile::tempdir().unwrap();
    let foreign = place.path().join("socketserver-linux-s390x");
    fs::copy(small_agent(), &foreign).unwrap();
    let broken = place.path().join("socketserver");
    fs::write(&broken, "\x7fELF for another machine").unwrap();
    let other = Agents::default().with_directory(place.path());
    for (agents, words) in [(other.clone(), "socketserver-linux-"), (other.with_own(broken), "does not start from")] {
        for client in CLIENTS {
            let group = Group::new();
            group.register("ssh", std::sync::Arc::new(SshTransport::new(agents.clone())));
            let start = Instant::now();
            let made = run(group.make_gateway(&format!("{}//ssh_client={client}", sshd.spec())));
            let why = made.unwrap_err().to_string();
            assert!(why.contains(words), "{client}: {why}");
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        }
    }
}
