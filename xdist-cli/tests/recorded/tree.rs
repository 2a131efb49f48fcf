//! XML files as trees that can be compared.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// An element, with what differs between any two runs made equal.
#[derive(Debug, PartialEq)]
pub(crate) struct Element {
    tag: String,
    attributes: BTreeMap<String, String>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn new(start: &BytesStart<'_>) -> Self {
        let tag = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
        let mut attributes = BTreeMap::new();
        for attribute in start.attributes() {
            let attribute = attribute.unwrap();
            let key = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
            let mut value = attribute.unescape_value().unwrap().into_owned();
            match (tag.as_str(), key.as_str()) {
                ("testsuite", "time") => value.clear(),
                // The form of the timestamp, not the time.
                ("testsuite", "timestamp") => {
                    value = value.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
                    value = value.replace('-', "+");
                }
                _ => {}
            }
            assert_eq!(attributes.insert(key, value), None, "an attribute twice");
        }
        Self { tag, attributes, text: String::new(), children: Vec::new() }
    }
}

/// The root element of a file.
pub(crate) fn parse(xml: &str) -> Element {
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?>"), "{}", &xml[..80]);
    let mut reader = Reader::from_str(xml);
    let mut open =
        vec![Element { tag: String::new(), attributes: BTreeMap::new(), text: String::new(), children: Vec::new() }];
    loop {
        let top = open.len() - 1;
        match reader.read_event().unwrap() {
            Event::Start(start) => open.push(Element::new(&start)),
            Event::Empty(start) => open[top].children.push(Element::new(&start)),
            Event::End(_) => {
                let done = open.pop().unwrap();
                open[top - 1].children.push(done);
            }
            Event::Text(text) => open[top].text += &text.decode().unwrap(),
            Event::GeneralRef(reference) => {
                let text = format!("&{};", reference.decode().unwrap());
                open[top].text += &quick_xml::escape::unescape(&text).unwrap();
            }
            Event::Decl(_) => {}
            Event::Eof => break,
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(open.len(), 1, "an element is not closed");
    open.remove(0).children.remove(0)
}

/// Compares two files, element by element, so that a difference is shown where it is.
#[track_caller]
pub(crate) fn assert_equal(name: &str, ours: &Element, theirs: &Element) {
    let place = format!("{name}: <{}> {:?}", theirs.tag, theirs.attributes.get("name"));
    assert_eq!(ours.tag, theirs.tag, "{place}");
    assert_eq!(ours.attributes, theirs.attributes, "{place}");
    assert_eq!(ours.text, theirs.text, "{place}");
    for (ours, theirs) in ours.children.iter().zip(&theirs.children) {
        assert_equal(&place, ours, theirs);
    }
    assert_eq!(ours.children.len(), theirs.children.len(), "{place}: number of elements");
}
