//! Messages: what is read is written as the same again, texts are harmless, and streams are cut where they were joined.

use crate::chunk::Recipe;
use crate::digest::Digest;
use crate::link::stream::{StreamReader, StreamWriter};
use crate::link::{MAX_MESSAGE, MessageReader, MessageWriter};
use crate::message::{Summary, ToReceiver, ToSender, VERSION, Want};

fn is_harmless(text: &str) {
    assert!(text.split('\n').all(|line| !line.contains(char::is_control)), "{text:?}");
}

fn to_receiver(bytes: &[u8]) {
    let Ok(message) = ToReceiver::decode(bytes) else { return };
    let again = message.encode();
    assert_eq!(ToReceiver::decode(&again).as_ref(), Ok(&message));
    if let ToReceiver::Tree { data, .. } | ToReceiver::Pack(data) = &message {
        assert!(bytes.ends_with(data));
    }
}

fn to_sender(bytes: &[u8]) {
    let Ok(message) = ToSender::decode(bytes) else { return };
    let texts: &[String] = match &message {
        ToSender::Done(summary) => &summary.notices,
        ToSender::Failed(text) => std::slice::from_ref(text),
        _ => &[],
    };
    for text in texts {
        is_harmless(text);
    }
    // A text that became longer by being made harmless may be cut the next time.
    if texts.iter().all(|text| text.len() <= 4096) {
        assert_eq!(ToSender::decode(&message.encode()).as_ref(), Ok(&message));
    }
}

fn stream(bytes: &[u8]) {
    let mut reader = StreamReader::new(bytes);
    let mut again = Vec::new();
    let mut writer = StreamWriter::new(&mut again);
    let ended = loop {
        match reader.receive() {
            Ok(Some(message)) => {
                assert!(message.len() <= MAX_MESSAGE && writer.send(&message).is_ok());
            }
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    assert!(bytes.starts_with(&again));
    assert_eq!(ended, again.len() == bytes.len());
}

pub(super) fn check(input: &[u8]) {
    to_receiver(input);
    to_sender(input);
    stream(input);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let digest = Digest::of(b"x");
    let recipe = Recipe::read(&[5; 9000][..]).map(|(_, _, recipe)| recipe).unwrap_or_default();
    let files = vec![Want { entry: 3, basis: Some((digest, recipe)) }, Want { entry: 300, basis: None }];
    let notices = vec!["kept `a`".to_owned(), "two\nlines".to_owned()];
    let mut seeds: Vec<_> = [
        ToReceiver::Offer { version: VERSION, root: digest },
        ToReceiver::Offer { version: 99, root: digest },
        ToReceiver::Tree { base: Some(digest), last: false, data: vec![1, 2] },
        ToReceiver::Tree { base: None, last: true, data: vec![] },
        ToReceiver::Pack(vec![7]),
        ToReceiver::Sent,
        ToReceiver::Stale,
        ToReceiver::Bye,
    ]
    .map(|message| message.encode())
    .into();
    seeds.extend(
        [
            ToSender::Waiting,
            ToSender::Unknown { roots: vec![digest; 3], blank: true },
            ToSender::Need { files, last: true },
            ToSender::Done(Summary { written: 1, removed: 2, adjusted: 300, reused: 4, notices }),
            ToSender::Failed("no space\nhint: make some\u{1b}[2J".to_owned()),
            ToSender::Dropped,
        ]
        .map(|message| message.encode()),
    );
    let mut joined = Vec::new();
    let mut writer = StreamWriter::new(&mut joined);
    for seed in &seeds[..4] {
        let _ = writer.send(seed);
    }
    seeds.push(joined);
    seeds
}
