//! Key and token files: made private, refused where others can get at them, noticed when they change.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use execnet_rs::group::Group;
use execnet_rs::transport::socket::token::Token;

use crate::support::{Place, Server, files, run};

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn the_first_start_makes_private_files() {
    let server = Server::start(&[]);
    let state = server.place.state();
    let mut made = files(&state);
    made.sort();
    assert_eq!(made, [state.join("key"), state.join("tokens/default")]);
    assert!(made.iter().all(|file| mode(file) == 0o600));
    assert_eq!((mode(&state), mode(&state.join("tokens"))), (0o700, 0o700));
}

#[test]
fn what_others_can_get_at_is_refused() {
    let place = Place::new();
    assert!(place.run(["token", "list"]).status.success());
    let state = place.state();
    for file in ["key", "tokens/default"] {
        for bad in [0o640, 0o604, 0o644, 0o660, 0o666] {
            chmod(&state.join(file), bad);
            let output = place.run(["127.0.0.1:0"]);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{file} {bad:o}: {said}");
            assert!(said.contains("others can get at") && said.contains("chmod 600"), "{said}");
        }
        chmod(&state.join(file), 0o600);
    }
    for directory in ["", "tokens"] {
        chmod(&state.join(directory), 0o777);
        let output = place.run(["127.0.0.1:0"]);
        assert_eq!(output.status.code(), Some(1), "{directory}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("others can write to"));
        chmod(&state.join(directory), 0o700);
    }
}

#[test]
fn links_are_refused() {
    for file in ["key", "tokens/default"] {
        for hard in [false, true] {
            let place = Place::new();
            assert!(place.run(["token", "list"]).status.success());
            let (path, elsewhere) = (place.state().join(file), place.0.path().join("elsewhere"));
            std::fs::rename(&path, &elsewhere).unwrap();
            if hard {
                std::fs::hard_link(&elsewhere, &path).unwrap();
            } else {
                symlink(&elsewhere, &path).unwrap();
            }
            let output = place.run(["127.0.0.1:0"]);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{file}: {said}");
            assert!(said.contains("is a link"), "{said}");
        }
    }
    let place = Place::new();
    let (real, state) = (place.0.path().join("real"), place.state());
    std::fs::create_dir(&real).unwrap();
    std::fs::create_dir_all(state.parent().unwrap()).unwrap();
    symlink(&real, &state).unwrap();
    assert!(String::from_utf8(place.run(["127.0.0.1:0"]).stderr).unwrap().contains("is a link"));
    assert!(files(&real).is_empty());
}

#[test]
fn a_log_is_private_and_no_link() {
    let place = Place::new();
    let (log, link) = (place.0.path().join("log"), place.0.path().join("link"));
    symlink(place.0.path().join("elsewhere"), &link).unwrap();
    let output = place.run(["127.0.0.1:0", "--log", link.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!place.0.path().join("elsewhere").exists());
    let mut child =
        place.command().args(["127.0.0.1:0", "--log", log.to_str().unwrap()]).stdout(Stdio::null()).spawn().unwrap();
    let text = crate::support::within(|| std::fs::read_to_string(&log).ok().filter(|text| text.ends_with('\n')));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(mode(&log), 0o600);
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(line["event"], "listening");
}

#[test]
fn tokens_that_come_and_go_need_no_restart() {
    let mut server = Server::start(&[]);
    let token = server.place.new_token(&["--name", "ci", "--expires", "12h"]);
    run(async {
        let group = Group::new();
        let gateway = server.gateway(&group, &token).await.unwrap();
        gateway.host_info().await.unwrap();
        assert_eq!(server.event("session_began")["token_name"], "ci");
        // What others can get at opens nothing any more.
        chmod(&server.place.state().join("tokens/ci"), 0o644);
        assert_eq!(server.event("session_ended")["why"], "its token was revoked");
        assert!(server.said.iter().any(|line| line.contains("bad_token_file")));
        chmod(&server.place.state().join("tokens/ci"), 0o600);
        let again = server.place.new_token(&["--name", "again"]);
        server.gateway(&Group::new(), &again).await.unwrap();
    });
}

#[test]
fn tokens_are_listed_without_their_secrets() {
    let place = Place::new();
    let token = place.new_token(&["--name", "ci", "--expires", "12h"]);
    place.new_token(&["--name", "old", "--expires", "0s"]);
    let output = place.run(["token", "list"]);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.contains("default") && said.contains("never") && said.contains("(expired)"), "{said}");
    assert!(said.contains(&token.id().to_string()), "{said}");
    assert!(Token::find(&said).is_err(), "{said}");
    for (arguments, text) in [
        (&["token", "revoke", "nothing"][..], "there is no token `nothing`"),
        (&["token", "new", "--name", "ci"], "there is a token `ci`"),
        (&["token", "new", "--name", "../x"], "is no name for a token"),
        (&["token", "new", "--expires", "soon"], "12h"),
    ] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(text), "{arguments:?}");
    }
}
