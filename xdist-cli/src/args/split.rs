//! Parts own options from pytest's arguments, by the rules by which pytest's parser reads an argument.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::{Arg, Command};

use super::definition::{self, Owner};
use super::pytest;

/// The two halves of a command line.
#[derive(Debug, Default)]
pub(super) struct Split {
    /// Own options, a value always joined by `=`.
    pub(super) own: Vec<OsString>,
    /// The rest, untouched and in order.
    pub(super) pytest: Vec<OsString>,
}

/// What an option's name says of the arguments around it.
#[derive(Clone, Copy)]
enum Meaning {
    OwnFlag,
    OwnWithValue,
    Flag,
    WithValue,
    Unknown,
}

/// Splits the arguments after the program's name.
pub(super) fn split(command: &Command, args: impl IntoIterator<Item = OsString>) -> Split {
    let mut split = Split::default();
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next() {
        let bytes = arg.as_bytes();
        if bytes == b"--" {
            split.pytest.push(arg);
            split.pytest.extend(args);
            break;
        }
        let wants_next = if bytes.starts_with(b"--") {
            match long(command, &arg) {
                Meaning::OwnFlag => {
                    split.own_flag(&arg);
                    false
                }
                Meaning::OwnWithValue => {
                    let next =
                        args.next_if(|next| !arg.as_bytes().contains(&b'=') && !next.as_bytes().starts_with(b"-"));
                    split.own.push(joined(arg, next));
                    false
                }
                meaning => {
                    let wants_next = matches!(meaning, Meaning::WithValue) && !bytes.contains(&b'=');
                    split.pytest.push(arg);
                    wants_next
                }
            }
        } else if bytes.starts_with(b"-") && bytes.len() > 1 {
            split.cluster(command, &arg)
        } else {
            split.pytest.push(arg);
            false
        };
        if wants_next {
            // Not `--`: it ends the options wherever it stands.
            split.pytest.extend(args.next_if(|next| next != "--"));
        }
    }
    split
}

impl Split {
    /// Short options in one argument (`-xvs`, `-rfE`, `-vh`). Tells whether the last one takes the next argument.
    fn cluster(&mut self, command: &Command, arg: &OsStr) -> bool {
        let letters = arg.as_bytes();
        let mut kept = vec![b'-'];
        let mut wants_next = false;
        for (at, &letter) in letters.iter().enumerate().skip(1) {
            match short(command, letter) {
                Meaning::OwnFlag => self.own.push(OsString::from(format!("-{}", char::from(letter)))),
                Meaning::Flag => kept.push(letter),
                meaning => {
                    kept.extend(&letters[at..]);
                    wants_next = matches!(meaning, Meaning::WithValue) && at + 1 == letters.len();
                    break;
                }
            }
        }
        if kept.len() > 1 {
            self.pytest.push(OsString::from_vec(kept));
        }
        wants_next
    }

    /// An own option without a value. Some stand for an option of pytest's, which takes their place.
    fn own_flag(&mut self, arg: &OsStr) {
        let stands_for = definition::STANDS_FOR.iter().find(|(ours, _)| arg == *ours);
        self.pytest.extend(stands_for.map(|(_, pytests)| OsString::from(pytests)));
        self.own.push(arg.to_owned());
    }
}

fn long(command: &Command, arg: &OsStr) -> Meaning {
    let name = arg.as_bytes().split(|&byte| byte == b'=').next().unwrap_or_default();
    let ours = |arg: &&Arg| arg.get_long().is_some_and(|long| name.strip_prefix(b"--") == Some(long.as_bytes()));
    match command.get_arguments().find(ours) {
        Some(arg) => meaning(arg),
        None if pytest::LONG_WITH_VALUE.iter().any(|known| known.as_bytes() == name) => Meaning::WithValue,
        None => Meaning::Unknown,
    }
}

fn short(command: &Command, letter: u8) -> Meaning {
    match command.get_arguments().find(|arg| arg.get_short() == Some(char::from(letter))) {
        Some(arg) => meaning(arg),
        None if pytest::WITH_VALUE.contains(&letter) => Meaning::WithValue,
        None if pytest::FLAGS.contains(&letter) => Meaning::Flag,
        None => Meaning::Unknown,
    }
}

fn meaning(arg: &Arg) -> Meaning {
    match (definition::owner(arg), arg.get_action().takes_values()) {
        (Owner::Xdist, false) => Meaning::OwnFlag,
        (Owner::Xdist, true) => Meaning::OwnWithValue,
        (Owner::Pytest, false) => Meaning::Flag,
        (Owner::Pytest, true) => Meaning::WithValue,
    }
}

fn joined(mut option: OsString, value: Option<OsString>) -> OsString {
    if let Some(value) = value {
        option.push("=");
        option.push(value);
    }
    option
}
