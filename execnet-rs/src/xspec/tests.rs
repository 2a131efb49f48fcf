//! Specs by table and by property.

use proptest::prelude::*;

use super::*;

fn problem(text: &str) -> (String, Problem) {
    let error = XSpec::parse(text).and_then(|spec| spec.transport()).unwrap_err();
    (error.part().to_owned(), error.problem().clone())
}

#[test]
fn every_key_is_read() {
    let spec = XSpec::parse(
        "ssh=-p 22 user@host//ssh_config=/etc/c//python=sudo -u u 'my python'//chdir=a b//nice=-3//env:A=b=c//env:B=\
         //id=here//execmodel=main_thread_only//dont_write_bytecode//via=up//rank=7//fast",
    )
    .unwrap();
    assert_eq!(spec.python().unwrap(), ["sudo", "-u", "u", "my python"]);
    assert_eq!((spec.chdir(), spec.nice(), spec.id(), spec.via()), (Some("a b"), Some(-3), Some("here"), Some("up")));
    assert_eq!(spec.env().collect::<Vec<_>>(), [("A", "b=c"), ("B", "")]);
    assert_eq!((spec.execmodel(), spec.dont_write_bytecode()), (ExecModel::MainThreadOnly, true));
    assert_eq!(spec.unknown_keys().collect::<Vec<_>>(), ["rank", "fast"]);
    assert_eq!((spec.get("rank"), spec.get("fast"), spec.has("fast")), (Some("7"), None, true));
    let arguments = ["-p", "22", "user@host"].map(str::to_owned).to_vec();
    assert_eq!(spec.transport(), Ok(Transport::Ssh { arguments, config: Some("/etc/c".into()), vagrant: false }));
}

#[test]
fn every_transport_is_told_apart() {
    let transport = |text: &str| XSpec::parse(text).unwrap().transport().unwrap();
    assert_eq!(transport("popen//via=a"), Transport::Popen);
    assert_eq!(transport("popen=1"), Transport::Popen);
    assert_eq!(transport("socket=h:1"), Transport::Socket { host: "h".into(), port: 1 });
    assert_eq!(transport("socket=[::1]:65535"), Transport::Socket { host: "::1".into(), port: 65535 });
    assert_eq!(transport("socket//installvia=gw0"), Transport::InstalledSocket { via: "gw0".into() });
    let argv = ["docker", "exec", "-i", "a b"].map(str::to_owned).to_vec();
    assert_eq!(transport("command=docker exec -i 'a b'"), Transport::Command { argv });
    let arguments = vec!["box".to_owned()];
    assert_eq!(transport("vagrant_ssh=box"), Transport::Ssh { arguments, config: None, vagrant: true });
}

#[test]
fn errors_point_at_the_part() {
    let key = |key: &str| key.to_owned();
    let table = [
        ("", "", Problem::Empty),
        ("popen//", "", Problem::Empty),
        ("popen////id=a", "", Problem::Empty),
        ("popen//=3", "=3", Problem::NoKey),
        ("popen//_id=3", "_id=3", Problem::Underscore),
        ("popen//id=a//id=b", "id=b", Problem::Twice { key: key("id") }),
        ("popen//id", "id", Problem::NeedsValue { key: key("id") }),
        ("ssh= //id=a", "ssh= ", Problem::NeedsValue { key: key("ssh") }),
        ("socket=", "socket=", Problem::NeedsValue { key: key("socket") }),
        ("popen=python3", "popen=python3", Problem::TakesNoValue { key: key("popen") }),
        ("popen//env:A", "env:A", Problem::Env),
        ("popen//env:=1", "env:=1", Problem::Env),
        ("popen//nice=very", "nice=very", Problem::Nice),
        ("popen//nice=41", "nice=41", Problem::Nice),
        ("popen//execmodel=gevent", "execmodel=gevent", Problem::ExecModel),
        ("socket=host", "socket=host", Problem::Address),
        ("socket=host:0", "socket=host:0", Problem::Address),
        ("socket=::1:80", "socket=::1:80", Problem::Address),
        ("socket=:80", "socket=:80", Problem::Address),
        ("popen//python='a", "python='a", Problem::Quotes { key: key("python") }),
        ("popen//chdir=a\0b", "chdir=a\0b", Problem::Nul),
        ("id=a", "id=a", Problem::NoTransport),
        ("popen//ssh=h", "ssh=h", Problem::TwoTransports { first: key("popen") }),
        ("popen//ssh_config=f", "ssh_config=f", Problem::Needs { other: "ssh" }),
        ("popen//ssh_client=ssh2", "ssh_client=ssh2", Problem::Needs { other: "ssh" }),
        ("popen//installvia=a", "installvia=a", Problem::Needs { other: "socket" }),
        ("socket=h:1//via=a", "via=a", Problem::SocketVia),
        ("socket=h:1//installvia=a", "installvia=a", Problem::InstalledElsewhere),
        ("socket//id=a", "socket", Problem::NoAddress),
    ];
    for (text, part, expected) in table {
        assert_eq!(problem(text), (part.to_owned(), expected), "{text}");
    }
}

#[test]
fn an_error_names_and_marks_the_part() {
    let error = XSpec::parse("popen//nice=é//id=a").unwrap_err();
    assert_eq!(error.to_string(), "`nice=é` in `popen//nice=é//id=a`: `nice` takes a whole number from -40 to 40");
    assert_eq!(error.pointer(), "popen//nice=é//id=a\n       ^^^^^^");
}

#[test]
fn specs_are_equal_if_their_texts_are() {
    let spec = |text: &str| XSpec::parse(text).unwrap();
    assert_eq!(spec("popen//id=a"), spec("popen//id=a"));
    assert_ne!(spec("popen//id=a"), spec("id=a//popen"));
    let all: std::collections::HashSet<_> = ["popen", "popen=1", "popen"].map(spec).into();
    assert_eq!(all.len(), 2);
}

#[test]
fn a_count_repeats_a_spec() {
    let texts = |text: &str| XSpec::expand(text).unwrap().iter().map(XSpec::to_string).collect::<Vec<_>>();
    assert_eq!(texts("3*popen"), ["popen"; 3]);
    assert_eq!(texts(" 1 *popen//id=a"), ["popen//id=a"]);
    assert_eq!(texts("0*popen"), [""; 0]);
    assert_eq!(texts("popen//env:A=2*3"), ["popen//env:A=2*3"]);
    assert_eq!(texts("2*popen//env:A=2*3"), ["popen//env:A=2*3"; 2]);
}

#[test]
fn a_wrong_count_is_an_error() {
    let wrong = |text: &str| {
        let error = XSpec::expand(text).unwrap_err();
        (error.part().to_owned(), error.problem().clone())
    };
    assert_eq!(wrong("-1*popen"), ("-1".into(), Problem::Count));
    assert_eq!(wrong("10001*popen"), ("10001".into(), Problem::Count));
    assert_eq!(wrong("99999999999999999999999*popen"), ("99999999999999999999999".into(), Problem::Count));
    assert_eq!(wrong("2*popen//id=a"), ("id=a".into(), Problem::RepeatedId));
    assert_eq!(wrong("2*popen//nice=a"), ("nice=a".into(), Problem::Nice));
}

proptest! {
    #[test]
    fn any_text_is_refused_or_kept(text in ".{0,60}") {
        if let Ok(spec) = XSpec::parse(&text) {
            prop_assert_eq!(spec.to_string(), text.as_str());
            let _ = spec.transport();
        }
        let _ = XSpec::expand(&text);
    }

    #[test]
    fn any_text_like_a_spec_is_refused_or_kept(
        pieces in proptest::collection::vec("(popen|ssh|socket|id|env:A|via|nice|_x|=|//|\\*|2|é|'|:1)", 0..20),
    ) {
        let text = pieces.concat();
        match XSpec::parse(&text) {
            Ok(spec) => {
                prop_assert_eq!(spec.to_string(), text.as_str());
                if let Err(error) = spec.transport() {
                    prop_assert_eq!(&spec.text[error.at()], error.part());
                }
            }
            Err(error) => prop_assert_eq!(&text[error.at()], error.part()),
        }
    }

    #[test]
    fn parts_come_back(
        parts in proptest::collection::btree_map("x[a-z]{1,6}", proptest::option::of("[^/\0]{0,9}"), 1..6),
        copies in 0_usize..5,
    ) {
        let texts: Vec<String> = parts.iter().map(|(key, value)| match value {
            Some(value) => format!("{key}={value}"),
            None => key.clone(),
        }).collect();
        let text = texts.join("//");
        let spec = XSpec::parse(&text).unwrap();
        let read: Vec<_> = spec.parts().map(|(key, value)| (key.to_owned(), value.map(str::to_owned))).collect();
        prop_assert_eq!(read, parts.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(XSpec::expand(&format!("{copies}*{text}")).unwrap(), vec![spec; copies]);
    }
}
