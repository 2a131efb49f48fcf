//! Command lines as people write them.

use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn parsed(line: &[&str]) -> Invocation {
    parse(line.iter().map(OsString::from)).unwrap()
}

fn refused(line: &[&str]) -> String {
    parse(line.iter().map(OsString::from)).unwrap_err().to_string()
}

fn pytest_args(line: &[&str]) -> Vec<OsString> {
    parsed(line).pytest_args
}

#[test]
fn pytests_arguments_stay_as_they_are() {
    for line in [
        &["-k", "a and b", "-p", "x", "--cov=pkg", "tests/", "--", "a.py::test[x y]"][..],
        &["-n", "4", "--dist", "load", "--tx", "2*popen", "-d", "-f", "--maxschedchunk=3", "--testrunuid", "u"],
        &["-n4", "-nauto", "--numprocesses=logical", "--no-loadscope-reorder"],
        &["-xvs", "-rfE", "-vv", "-", "", "-W", "error::DeprecationWarning", "--no-such-option", "value"],
        &["a.py::test[--python]", "--pythonwarnings=error", "--forked", "--python-x"],
    ] {
        let invocation = parsed(line);
        assert_eq!(
            invocation,
            Invocation { pytest_args: line.iter().map(OsString::from).collect(), ..Invocation::default() }
        );
    }
}

#[test]
fn own_options_may_stand_anywhere() {
    let invocation = parsed(&["tests/", "--python", "python3 -X dev -W 'error::x y'", "-k", "a", "--fork=never", "-x"]);
    assert_eq!(invocation.python.unwrap(), ["python3", "-X", "dev", "-W", "error::x y"]);
    assert_eq!(invocation.fork, Some(ForkLevel::Never));
    assert_eq!(invocation.pytest_args, ["tests/", "-k", "a", "-x"]);
}

#[test]
fn the_last_of_equal_options_counts() {
    let invocation = parsed(&["--fork=never", "--python=a", "--fork", "imported", "--python=b"]);
    assert_eq!((invocation.fork, invocation.python), (Some(ForkLevel::Imported), Some(vec!["b".to_owned()])));
}

#[test]
fn whether_there_is_a_plugin_host() {
    assert_eq!(parsed(&["tests"]).plugin_host, PluginHost::Auto);
    for (typed, choice) in [
        (&["--plugin-host=always"][..], PluginHost::Always),
        (&["--plugin-host", "never"], PluginHost::Never),
        (&["--plugin-host=never", "--plugin-host=auto"], PluginHost::Auto),
        (&["-k", "--plugin-host=never"], PluginHost::Auto),
        (&["--", "--plugin-host=never"], PluginHost::Auto),
    ] {
        assert_eq!(parsed(typed).plugin_host, choice, "{typed:?}");
    }
    assert_eq!(pytest_args(&["a", "--plugin-host", "always", "b"]), ["a", "b"]);
    assert_eq!(pytest_args(&["--plugin-hosts=never"]), ["--plugin-hosts=never"]);
}

#[test]
fn after_two_dashes_nothing_is_ours() {
    let invocation = parsed(&["--fork=never", "--", "--help", "--python", "x", "--fork=bad"]);
    assert_eq!(invocation.action, Action::Run);
    assert_eq!(invocation.pytest_args, ["--", "--help", "--python", "x", "--fork=bad"]);
    assert_eq!(pytest_args(&["-k", "--", "--fork=bad"]), ["-k", "--", "--fork=bad"]);
}

#[test]
fn values_of_pytests_options_are_not_ours() {
    for option in ["-k", "-m", "-p", "-c", "-o", "-W", "-r", "-xk", "--deselect", "--rootdir", "-n", "--dist", "--tx"] {
        for value in ["--python", "--fork=bad", "-h", "--version"] {
            assert_eq!(parsed(&[option, value]).action, Action::Run, "{option} {value}");
            assert_eq!(pytest_args(&[option, value, "x"]), [option, value, "x"]);
        }
    }
    assert_eq!(parsed(&["-kexpr", "--help"]).action, Action::Help);
    assert_eq!(parsed(&["--deselect=a", "--help"]).action, Action::Help);
}

#[test]
fn short_flags_may_be_joined() {
    let invocation = parsed(&["-vhx", "-qV"]);
    assert_eq!((invocation.action, invocation.pytest_args), (Action::Help, vec!["-vx".into(), "-q".into()]));
    assert_eq!(parsed(&["-rh", "-kV", "-Zh"]).action, Action::Run);
}

#[test]
fn help_and_version_are_ours_and_pytests_have_names_of_their_own() {
    assert_eq!(parsed(&["tests", "--help", "-V"]).action, Action::Help);
    assert_eq!(parsed(&["--version"]).action, Action::Version);
    let invocation = parsed(&["-p", "x", "--pytest-help", "a"]);
    assert_eq!(invocation.action, Action::PytestHelp);
    assert_eq!(invocation.pytest_args, ["-p", "x", "--help", "a"]);
    assert_eq!(pytest_args(&["--pytest-version"]), ["--version"]);
}

#[test]
fn bytes_that_are_no_text_survive() {
    let odd = OsString::from_vec(b"tests/\xff::x".to_vec());
    let flags = OsString::from_vec(b"-v\xff".to_vec());
    let args = [odd.clone(), OsString::from("--fork=never"), flags.clone(), OsString::from("-k"), odd.clone()];
    let invocation = parse(args).unwrap();
    assert_eq!(invocation.pytest_args, [odd.clone(), flags, OsString::from("-k"), odd]);
    let error = parse([OsString::from_vec(b"--python=\xff".to_vec())]).unwrap_err();
    assert!(error.message.contains("is not UTF-8"), "{error}");
    let error = parse([OsString::from_vec(b"--fork=\xff".to_vec())]).unwrap_err();
    assert!(error.message.contains("is not UTF-8"), "{error}");
}

#[test]
fn bad_values_say_what_to_write() {
    let list = [
        refused(&["--fork=sometimes"]),
        refused(&["--fork"]),
        refused(&["--fork", "-x"]),
        refused(&["--fork="]),
        refused(&["--plugin-host=perhaps"]),
        refused(&["--plugin-host"]),
        refused(&["--python"]),
        refused(&["--python="]),
        refused(&["--python='a"]),
        refused(&["--help=x"]),
    ];
    insta::assert_snapshot!(list.join("\n\n"), @r#"
    `--fork` does not know `sometimes`
    hint: write `--fork=` and one of collected, imported, never

    `--fork` needs a value
    hint: write `--fork=` and one of collected, imported, never

    `--fork` needs a value
    hint: write `--fork=` and one of collected, imported, never

    `--fork` needs a value
    hint: write `--fork=` and one of collected, imported, never

    `--plugin-host` does not know `perhaps`
    hint: write `--plugin-host=` and one of auto, always, never

    `--plugin-host` needs a value
    hint: write `--plugin-host=` and one of auto, always, never

    `--python` needs a value
    hint: `xdist --help` lists the options with their values

    `--python` is empty
    hint: name an interpreter, with its arguments if it needs some: --python="python3 -X dev"

    `--python='a` has a quote that does not end
    hint: name an interpreter, with its arguments if it needs some: --python="python3 -X dev"

    `--help` takes no value
    hint: `xdist --help` lists the options with their values
    "#);
}

#[test]
fn help_names_every_option_and_how_to_see_pytests() {
    insta::assert_snapshot!(help(100, false));
    assert!(help(60, false).lines().any(|line| (50..=60).contains(&line.len())));
    assert!(help(100, true).contains('\u{1b}'));
    assert!(version().contains("--pytest-version"));
}

/// An own option in one of its spellings.
fn own() -> impl Strategy<Value = Vec<&'static str>> {
    select(vec![
        vec!["--python", "python3 -X dev"],
        vec!["--python=py"],
        vec!["--fork=collected"],
        vec!["--fork", "never"],
        vec!["--plugin-host=never"],
        vec!["--plugin-host", "always"],
        vec!["--help"],
        vec!["-h"],
        vec!["--version"],
        vec!["-V"],
        vec!["-hV"],
    ])
}

/// Arguments of pytest that belong together.
fn pytests() -> impl Strategy<Value = Vec<&'static str>> {
    select(vec![
        vec!["-k", "--python"],
        vec!["-xk", "a and b"],
        vec!["-p", "-h"],
        vec!["--deselect", "--fork=never"],
        vec!["--cov=pkg"],
        vec!["-n", "4"],
        vec!["-n4"],
        vec!["--dist=load"],
        vec!["--tx", "--help"],
        vec!["-xvs"],
        vec!["-rfEX"],
        vec!["tests/a b"],
        vec!["a.py::test[x y]"],
        vec!["-"],
        vec![""],
        vec!["--unknown"],
        vec!["--fork-bomb=1"],
        vec!["--plugin-hosts"],
    ])
}

proptest! {
    #[test]
    fn taking_own_options_out_leaves_pytests_in_order(
        mix in proptest::collection::vec(prop_oneof![own().prop_map(|a| (true, a)), pytests().prop_map(|a| (false, a))], 0..20),
        tail in proptest::option::of(proptest::collection::vec(prop_oneof![own(), pytests()], 0..4)),
    ) {
        let tail: Vec<&str> = tail.map(|tail| [vec!["--"], tail.concat()].concat()).unwrap_or_default();
        let typed: Vec<&str> = mix.iter().flat_map(|(_, args)| args).chain(&tail).copied().collect();
        let wanted: Vec<&str> = mix.iter().filter(|(own, _)| !own).flat_map(|(_, args)| args).chain(&tail).copied().collect();
        let invocation = parsed(&typed);
        prop_assert_eq!(&invocation.pytest_args, &wanted);
        let asked = |names: &[&str]| mix.iter().any(|(own, args)| *own && names.contains(&args[0]));
        prop_assert_eq!(invocation.fork.is_some(), asked(&["--fork", "--fork=collected"]));
        prop_assert_eq!(invocation.python.is_some(), asked(&["--python", "--python=py"]));
        prop_assert_eq!(invocation.action == Action::Help, asked(&["--help", "-h", "-hV"]));
    }

    #[test]
    fn what_spells_no_own_option_is_untouched(typed in proptest::collection::vec("[-cdfknpvx= é]{0,6}", 0..12)) {
        let typed: Vec<OsString> = typed.iter().map(OsString::from).collect();
        prop_assert_eq!(parse(typed.clone()).unwrap().pytest_args, typed);
    }
}

#[test]
fn the_server_to_trust() {
    let trust = |host: &str, port| Action::Trust { host: host.to_owned(), port };
    assert_eq!(parsed(&["--trust", "10.0.0.1:8888"]).action, trust("10.0.0.1", 8888));
    assert_eq!(parsed(&["--trust=[::1]:1"]).action, trust("::1", 1));
    for wrong in ["host", "host:", "host:0", ":1", "a:1//id=x", "::1:1", ""] {
        assert!(refused(&["--trust", wrong]).contains("HOST:PORT"), "{wrong}");
    }
    assert!(refused(&["--trust"]).contains("--trust"));
}
