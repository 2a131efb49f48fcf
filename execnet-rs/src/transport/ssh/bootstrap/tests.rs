//! The command under the shells that a host may have, and what is made of its answers.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use ring::digest::{SHA256, digest};

use super::super::agents::hexadecimal;
use super::*;

/// A program that can be told from others and does what an agent does at its start.
fn agent(name: &str) -> Vec<u8> {
    format!("#!/bin/sh\nif [ \"$1\" = --version ];then echo {VERSION};else echo I am {name} \"$@\";cat;fi\n")
        .into_bytes()
}

fn platform() -> &'static str {
    static PLATFORM: OnceLock<String> = OnceLock::new();
    PLATFORM.get_or_init(|| {
        let uname = Command::new("uname").arg("-sm").output().unwrap().stdout;
        String::from_utf8(uname).unwrap().trim().to_owned()
    })
}

fn need() -> Said {
    Said::Need(platform().to_owned())
}

fn offer(agent: &[u8]) -> Offer {
    let hash = hexadecimal(digest(&SHA256, agent).as_ref());
    Offer { platform: platform(), hash, size: agent.len() as u64 }
}

/// Runs the command as a login shell would, answers it, and returns all that it said.
fn converse(shell: &str, home: &Path, offers: &[Offer], agent: &[u8], more: &[(&str, &str)]) -> (Vec<Said>, String) {
    let mut words = shell.split(' ');
    let mut child = Command::new(words.next().unwrap())
        .args(words)
        .arg("-c")
        .arg(command(offers))
        .env_remove("XDG_CACHE_HOME")
        .env("HOME", home)
        .envs(more.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (child.stdin.take(), child.stdout.take().unwrap());
    let (mut listener, mut said, mut chunk) = (Listener::default(), Vec::new(), [0; 4096]);
    loop {
        while let Some(word) = listener.next().unwrap() {
            match word {
                Said::Need(_) => input.as_mut().unwrap().write_all(agent).unwrap(),
                Said::Run => input.take().unwrap().write_all(b"hello agent").unwrap(),
                _ => {}
            }
            said.push(word);
        }
        match output.read(&mut chunk).unwrap() {
            0 => break,
            count => listener.push(&chunk[..count]),
        }
    }
    child.wait().unwrap();
    (said, String::from_utf8_lossy(&listener.rest()).into_owned())
}

/// Programs that hosts have as login shells. `make test-envs` installs them; a machine without them still tests the others.
fn shells() -> Vec<&'static str> {
    let there = |shell: &&str| {
        let program = shell.split(' ').next().unwrap();
        *shell == "sh" || std::env::var_os("CI").is_some() || Command::new(program).arg("--help").output().is_ok()
    };
    ["sh", "bash", "dash", "zsh", "fish", "tcsh", "busybox sh"].into_iter().filter(there).collect()
}

#[test]
fn the_agent_is_asked_for_once_under_every_login_shell() {
    for shell in shells() {
        let home = tempfile::tempdir().unwrap();
        let agent = agent(shell);
        let offers = [offer(&agent)];
        let (said, rest) = converse(shell, home.path(), &offers, &agent, &[]);
        assert_eq!(said, [need(), Said::Run], "{shell}");
        assert_eq!(rest, format!("I am {shell} --stdio\nhello agent"));
        let (said, rest) = converse(shell, home.path(), &offers, &agent, &[]);
        assert_eq!(said, [Said::Run], "{shell}");
        assert_eq!(rest, format!("I am {shell} --stdio\nhello agent"));
    }
}

#[test]
fn a_damaged_agent_is_replaced_and_old_ones_go() {
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join(".cache/xdist/agents");
    for number in 0..7 {
        let agent = agent(&number.to_string());
        let offers = [offer(&agent)];
        let (said, _) = converse("sh", home.path(), &offers, &agent, &[]);
        assert_eq!(said, [need(), Said::Run]);
        let file = cache.join(&offers[0].hash);
        std::fs::write(&file, &agent[..agent.len() - 1]).unwrap();
        let (said, rest) = converse("sh", home.path(), &offers, &agent, &[]);
        assert_eq!((said, rest.lines().next()), (vec![need(), Said::Run], Some(&*format!("I am {number} --stdio"))));
    }
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), KEPT);
}

#[test]
fn what_the_cache_is_told_to_be_counts() {
    let (home, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let agent = agent("cached");
    let more = [("XDG_CACHE_HOME", cache.path().to_str().unwrap())];
    let (said, _) = converse("sh", home.path(), &[offer(&agent)], &agent, &more);
    assert_eq!(said, [need(), Said::Run]);
    assert!(cache.path().join("xdist/agents").is_dir() && !home.path().join(".cache").exists());
}

#[test]
fn another_place_is_found_where_home_is_none() {
    let agent = agent(&format!("elsewhere {}", std::process::id()));
    let offers = [offer(&agent)];
    let (said, rest) = converse("sh", Path::new("/proc/nowhere"), &offers, &agent, &[]);
    assert_eq!(said, [need(), Said::Run], "{rest}");
    let uid = rustix::process::getuid().as_raw();
    let file = Path::new("/var/tmp").join(format!("xdist-{uid}/xdist/agents")).join(&offers[0].hash);
    assert!(file.is_file());
    std::fs::remove_file(file).unwrap();
}

#[test]
fn an_agent_that_does_not_start_or_arrives_changed_is_not_used() {
    let home = tempfile::tempdir().unwrap();
    let agent = b"#!/bin/sh\necho something else\n";
    let (said, _) = converse("sh", home.path(), &[offer(agent)], agent, &[]);
    assert!(
        matches!(&said[..], [Said::Need(_), Said::Need(_), Said::Need(_), Said::Failed(why)]
        if why.contains("it does not start from") && why.contains(&home.path().display().to_string())),
        "{said:?}"
    );
    let (said, _) = converse("sh", home.path(), &[offer(b"#!/bin/sh\necho another thing\n")], agent, &[]);
    assert!(
        matches!(said.last(), Some(Said::Failed(why)) if why.contains("something else when it was read")),
        "{said:?}"
    );
    assert_eq!(std::fs::read_dir(home.path().join(".cache/xdist/agents")).unwrap().count(), 0);
}

#[test]
fn a_program_of_the_hosts_own_serves_where_no_agent_is_for_it() {
    let home = tempfile::tempdir().unwrap();
    let offers = [Offer { platform: "Plan9 mips", hash: "0".repeat(64), size: 1 }];
    let (said, _) = converse("sh", home.path(), &offers, b"", &[]);
    assert!(matches!(&said[..], [Said::NoAgentFor(platform)] if platform.starts_with("Linux ")), "{said:?}");
    let program = home.path().join("socketserver");
    std::fs::write(&program, agent("at home")).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", home.path().display(), std::env::var("PATH").unwrap());
    let (said, rest) = converse("sh", home.path(), &offers, b"", &[("PATH", &path)]);
    assert_eq!((said, &*rest), (vec![Said::Run], "I am at home --stdio\nhello agent"));
}

#[test]
fn the_command_can_stand_between_quotes_of_any_shell() {
    let command = command(&[offer(b"agent")]);
    let inside = command.strip_prefix("exec /bin/sh -c '").unwrap().strip_suffix('\'').unwrap();
    assert!(inside.chars().all(|letter| !"'\\!\n".contains(letter)), "{inside}");
    assert!(command.len() < 4096, "{}", command.len());
}

#[test]
fn words_are_heard_behind_noise_and_in_pieces() {
    let stream = b"Welcome!\r\nno newline xdist-agent: need Linux\nmore\nxdist-agent: run\n\x93exn";
    for cut in 0..stream.len() {
        let mut listener = Listener::default();
        let mut heard = Vec::new();
        for piece in [&stream[..cut], &stream[cut..]] {
            listener.push(piece);
            while let Some(said) = listener.next().unwrap() {
                heard.push(said);
            }
        }
        assert_eq!(heard, [Said::Need("Linux".to_owned()), Said::Run], "cut at {cut}");
        assert_eq!(listener.rest(), b"\x93exn");
    }
}

#[test]
fn noise_has_an_end() {
    let mut listener = Listener::default();
    listener.push(b"something\n");
    assert_eq!((listener.next(), listener.begin()), (Ok(None), "something".to_owned()));
    listener.push(&vec![b'x'; MOST_NOISE]);
    assert!(listener.next().unwrap_err().starts_with("something"));
}
