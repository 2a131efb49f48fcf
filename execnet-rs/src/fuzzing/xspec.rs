//! Specs: any text is a spec or an error that points into the text; a spec is the text that it was read from.

use std::collections::HashSet;

use crate::xspec::{Transport, XSpec, XSpecError};

fn points_into(text: &str, error: &XSpecError) {
    assert_eq!(error.text(), text);
    assert_eq!(text.get(error.at()), Some(error.part()));
    assert!(error.pointer().starts_with(text) && error.pointer().ends_with('^'));
    assert!(!error.to_string().is_empty());
}

fn agrees(spec: &XSpec, text: &str) {
    assert_eq!(spec.as_str(), text);
    let parts: Vec<_> = spec.parts().collect();
    let written: Vec<_> = parts
        .iter()
        .map(|(key, value)| value.map_or_else(|| (*key).to_owned(), |value| format!("{key}={value}")))
        .collect();
    assert_eq!(written.join("//"), text);
    let keys: HashSet<_> = parts.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys.len(), parts.len(), "a key twice");
    for (key, value) in &parts {
        assert!(spec.has(key) && spec.get(key) == *value);
        assert!(!key.is_empty() && !key.starts_with('_') && !text.contains('\0'));
    }
    assert_eq!(spec.python().is_some(), spec.has("python"));
    assert!(spec.python().is_none_or(|argv| !argv.is_empty()));
    assert_eq!(spec.nice().is_some(), spec.has("nice"));
    assert_eq!(spec.env().count(), keys.iter().filter(|key| key.starts_with("env:")).count());
    assert!(spec.unknown_keys().all(|key| keys.contains(key)));
    match spec.transport() {
        Ok(Transport::Command { argv }) => assert!(!argv.is_empty()),
        Ok(Transport::Socket { host, port }) => assert!(!host.is_empty() && port > 0),
        Ok(Transport::Ssh { arguments, .. }) => assert!(!arguments.is_empty()),
        Ok(_) => {}
        Err(error) => points_into(text, &error),
    }
}

pub(super) fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match XSpec::parse(&text) {
        Ok(spec) => {
            agrees(&spec, &text);
            assert_eq!(text.parse(), Ok(spec));
        }
        Err(error) => points_into(&text, &error),
    }
    match XSpec::expand(&text) {
        Ok(specs) => {
            let rest = |(_, rest)| rest;
            if let Some(first) = specs.first() {
                let single = specs.len() == 1 && first.as_str() == text;
                agrees(first, if single { &text } else { text.split_once('*').map_or("", rest) });
                assert!(specs.len() == 1 || (!first.has("id") && specs.iter().all(|spec| spec == first)));
            }
        }
        Err(error) => points_into(&text, &error),
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "popen",
        "3*popen//python=python3.12 -X dev//chdir=/tmp/a b//nice=-5//id=x",
        "2*popen//env:A=1//env:B=a=b//execmodel=main_thread_only//dont_write_bytecode",
        "ssh=-p 22 user@höst//ssh_config=conf//ssh_client=openssh//python=python3",
        "vagrant_ssh=default//id=v",
        "socket=[::1]:8888//unknown=kept//flag",
        "socket//installvia=gw0",
        "command=docker exec -i 'my box' socketserver --stdio//via=door",
        "popen//popen//=x//_y//nice=many//python='",
        "10000*popen//id=once",
        "99999999999999999999*popen",
        "-1*popen////",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}
