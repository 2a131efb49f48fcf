//! `xdist --trust`, by the built program: from a pipe, at a terminal, and refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use execnet_rs::transport::socket::token::Token;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

fn xdist(home: &Path, address: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xdist"));
    command
        .arg("--trust")
        .arg(address)
        .env("XDG_CONFIG_HOME", home)
        .env_remove("XDIST_TOKEN")
        .env_remove("XDIST_TOKEN_FILE");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn piped(home: &Path, address: &str, text: &str) -> Output {
    let mut child = xdist(home, address).spawn().unwrap();
    // Of a refused address nothing is read.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    child.wait_with_output().unwrap()
}

fn kept(home: &Path, name: &str) -> Token {
    let path = home.join("xdist/tokens").join(name);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    Token::find(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_token_comes_through_a_pipe_and_replaces_the_one_before() {
    let home = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let token = Token::generate([1; 32]).unwrap();
        let output =
            piped(home.path(), "Host:8888", &format!("# a token file\nname = x\ntoken = {}\n", *token.to_text()));
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(said.contains("xdist/tokens/host:8888") && said.contains(&token.id().to_string()), "{said}");
        assert!(!said.contains(&token.to_text()[20..60]), "{said}");
        assert_eq!(kept(home.path(), "host:8888").secret().bytes(), token.secret().bytes());
    }
}

#[test]
fn what_is_no_token_is_refused_and_not_repeated() {
    let home = tempfile::tempdir().unwrap();
    let text = Token::generate([1; 32]).unwrap().to_text();
    for (typed, why) in [("", "no token in it"), ("nonsense", "no token in it"), (&text[..90], "damaged")] {
        let output = piped(home.path(), "host:8888", typed);
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(why) && said.contains("hint: "), "{said}");
        assert!(typed.is_empty() || !said.contains(typed), "{said}");
    }
    assert!(piped(home.path(), "nowhere", &text).stderr.starts_with(b"error: `--trust=nowhere` is no address"));
    assert!(!home.path().join("xdist/tokens/host:8888").exists());
}

#[test]
fn a_store_that_others_could_change_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let store = home.path().join("xdist/tokens");
    std::fs::create_dir_all(&store).unwrap();
    std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o777)).unwrap();
    let output = piped(home.path(), "host:8888", &Token::generate([1; 32]).unwrap().to_text());
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8(output.stderr).unwrap().contains("others can write to"));
}

/// What the terminal shows after these keys, and how the program left it.
fn at_a_terminal(home: &Path, keys: &[u8]) -> (Output, String) {
    let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    unlockpt(&user).unwrap();
    let terminal = ioctl_tiocgptpeer(&user, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    let mut command = xdist(home, "host:8888");
    let mut child = command.stdin(terminal.try_clone().unwrap()).spawn().unwrap();
    drop(command);
    let (mut stderr, mut asked) = (child.stderr.take().unwrap(), Vec::new());
    while !asked.ends_with(b": ") {
        let mut byte = [0];
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&asked));
        asked.push(byte[0]);
    }
    let mut user = File::from(user);
    user.write_all(keys).unwrap();
    let mut output = child.wait_with_output().unwrap();
    stderr.read_to_end(&mut output.stderr).unwrap();
    assert!(
        tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    );
    drop(terminal);
    let mut shown = Vec::new();
    // Nobody has the other end any more: the end of a terminal is an error.
    let _ = user.read_to_end(&mut shown);
    (output, String::from_utf8(shown).unwrap())
}

#[test]
fn a_terminal_does_not_show_the_token() {
    let home = tempfile::tempdir().unwrap();
    let token = Token::generate([1; 32]).unwrap();
    let (output, shown) = at_a_terminal(home.path(), format!("{}\r", *token.to_text()).as_bytes());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(shown, "");
    assert_eq!(kept(home.path(), "host:8888").id(), token.id());
}

#[test]
fn ctrl_c_keeps_nothing_and_leaves_the_terminal_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let (output, shown) = at_a_terminal(home.path(), b"xdt1_abc\x03");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(shown, "");
    assert!(!home.path().join("xdist").exists());
}
