//! junit.xml in a canonical form: what is left once times, hosts, addresses and the order of test cases are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// A junit file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Junit {
    /// Attributes of `testsuite` but for times and host.
    pub suite: BTreeMap<String, String>,
    /// Properties of the suite, sorted.
    pub properties: Vec<(String, String)>,
    /// The test cases, sorted.
    pub cases: Vec<Case>,
}

/// One `testcase`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// Class name, name, and other attributes but `time`.
    pub attributes: BTreeMap<String, String>,
    /// Each child: its tag, attributes, normalised text.
    pub children: Vec<(String, BTreeMap<String, String>, String)>,
}

impl Junit {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&text)
    }

    /// Of the text of a file; anything that is not well-formed fails the test.
    pub fn parse(text: &str) -> Self {
        let mut reader = Reader::from_str(text);
        let mut found = Self { suite: BTreeMap::new(), properties: Vec::new(), cases: Vec::new() };
        let mut path: Vec<String> = Vec::new();
        loop {
            let event = reader.read_event().unwrap_or_else(|error| panic!("junit is not well-formed: {error}"));
            match event {
                Event::Eof => break,
                Event::Start(tag) => {
                    path.push(name(&tag));
                    found.open(&path, &tag);
                }
                Event::Empty(tag) => {
                    path.push(name(&tag));
                    found.open(&path, &tag);
                    path.pop();
                }
                Event::End(_) => {
                    path.pop();
                }
                Event::Text(piece) => found.text(&path, &piece.decode().expect("UTF-8")),
                Event::GeneralRef(entity) => found.text(&path, &reference(&entity.decode().expect("UTF-8"))),
                Event::CData(piece) => found.text(&path, &piece.decode().expect("UTF-8")),
                _ => {}
            }
        }
        assert!(path.is_empty(), "junit ends inside {path:?}");
        found.canonical()
    }

    fn open(&mut self, path: &[String], tag: &BytesStart<'_>) {
        let attributes = attributes(tag);
        let inside = path.iter().any(|name| name == "testcase");
        match path.last().map(String::as_str) {
            Some("testsuite") => self.suite = attributes,
            Some("testcase") => self.cases.push(Case { attributes, children: Vec::new() }),
            Some("property") if !inside => {
                self.properties.push((attributes["name"].clone(), attributes["value"].clone()));
            }
            Some("properties") => {}
            Some(child) if inside => {
                let case = self.cases.last_mut().expect("an open testcase");
                case.children.push((child.to_owned(), attributes, String::new()));
            }
            _ => {}
        }
    }

    fn text(&mut self, path: &[String], piece: &str) {
        let inside = path.iter().any(|name| name == "testcase");
        if let (true, Some(child)) = (inside, self.cases.last_mut().and_then(|case| case.children.last_mut())) {
            child.2.push_str(piece);
        }
    }

    fn canonical(mut self) -> Self {
        for gone in ["time", "timestamp", "hostname"] {
            self.suite.remove(gone);
        }
        for case in &mut self.cases {
            case.attributes.remove("time");
            for (_, attributes, text) in &mut case.children {
                *text = normal(text);
                for value in attributes.values_mut() {
                    *value = normal(value);
                }
            }
            case.children.sort();
        }
        self.properties.sort();
        self.cases.sort();
        self
    }

    /// Fails the test with what differs.
    #[track_caller]
    pub(crate) fn expect_same(&self, other: &Self, seen: &str) {
        assert_eq!(self.suite, other.suite, "attributes of <testsuite>\n{seen}");
        assert_eq!(self.properties, other.properties, "properties of <testsuite>\n{seen}");
        for (left, right) in self.cases.iter().zip(&other.cases) {
            assert_eq!(left, right, "a <testcase>\n{seen}");
        }
        assert_eq!(self.cases.len(), other.cases.len(), "number of <testcase>\n{seen}");
    }

    /// Class name and name of each test case, with the tags of what went wrong with it.
    pub fn verdicts(&self) -> BTreeSet<(String, String, Vec<String>)> {
        let verdict = |case: &Case| {
            let tags = case.children.iter().map(|(tag, _, _)| tag.clone());
            let tags = tags.filter(|tag| matches!(tag.as_str(), "failure" | "error" | "skipped"));
            let attribute = |name: &str| case.attributes.get(name).cloned().unwrap_or_default();
            (attribute("classname"), attribute("name"), tags.collect())
        };
        self.cases.iter().map(verdict).collect()
    }

    /// A number among the suite's attributes.
    pub fn number(&self, attribute: &str) -> usize {
        self.suite.get(attribute).and_then(|text| text.parse().ok()).expect("a number in <testsuite>")
    }
}

fn name(tag: &BytesStart<'_>) -> String {
    String::from_utf8_lossy(tag.local_name().as_ref()).into_owned()
}

fn attributes(tag: &BytesStart<'_>) -> BTreeMap<String, String> {
    tag.attributes()
        .map(|attribute| {
            let attribute = attribute.expect("attribute");
            let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
            (key, attribute.unescape_value().expect("attribute value").into_owned())
        })
        .collect()
}

fn reference(entity: &str) -> String {
    match entity {
        "lt" => "<".to_owned(),
        "gt" => ">".to_owned(),
        "amp" => "&".to_owned(),
        "quot" => "\"".to_owned(),
        "apos" => "'".to_owned(),
        other => {
            let number = other.strip_prefix('#').expect("a known entity");
            let code = number.strip_prefix('x').map_or_else(|| number.parse(), |hex| u32::from_str_radix(hex, 16));
            char::from_u32(code.expect("a character reference")).expect("a character").to_string()
        }
    }
}

/// Text without what differs from run to run: addresses, the line that names the worker, temporary directories.
fn normal(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("[gw"));
    lines.map(|line| without_temporary(&without_addresses(&one_surrogate(line)))).collect::<Vec<_>>().join("\n")
}

/// Half a surrogate pair cannot be told in UTF-8; pytest's junit writes `#xD800`, a backslash notation says the same.
fn one_surrogate(line: &str) -> String {
    let mut pieces = line.split("#xD");
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (head, rest) = piece.split_at_checked(3).unwrap_or((piece, ""));
        result.push_str("\\ud");
        result.push_str(&head.to_ascii_lowercase());
        result.push_str(rest);
    }
    result
}

fn without_addresses(line: &str) -> String {
    let mut pieces = line.split("0x");
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        result.push_str("0x…");
        result.push_str(piece.trim_start_matches(|letter: char| letter.is_ascii_hexdigit()));
    }
    result
}

fn without_temporary(line: &str) -> String {
    let mut words = line.split('/').map(str::to_owned).collect::<Vec<_>>();
    for word in &mut words {
        if word.starts_with("e2e-") || word.starts_with("pytest-of-") || word.starts_with("popen-gw") {
            "…".clone_into(word);
        }
    }
    words.join("/")
}

#[cfg(test)]
mod tests {
    use super::Junit;

    #[test]
    fn two_files_that_differ_in_time_and_order_only_are_equal() {
        let case = |name: &str, address: &str| {
            format!(
                "<testcase classname=\"c\" name=\"{name}\" time=\"{}\"><failure message=\"at 0x{address}\">\
                 &lt;x&gt; at 0x{address}\n[gw0] linux\nend</failure></testcase>",
                address.len()
            )
        };
        let file = |cases: [String; 2], host: &str| {
            format!(
                "<testsuites><testsuite name=\"pytest\" tests=\"2\" hostname=\"{host}\">{}</testsuite></testsuites>",
                cases.concat()
            )
        };
        let one = Junit::parse(&file([case("a", "7f"), case("b", "80")], "one"));
        let other = Junit::parse(&file([case("b", "12345"), case("a", "ff")], "two"));
        assert_eq!(one, other);
        assert_eq!(one.number("tests"), 2);
        assert_eq!(one.cases[0].children[0].2, "<x> at 0x…\nend");
        assert_eq!(one.verdicts().len(), 2);
        let third = Junit::parse(&file([case("b", "1"), case("c", "f")], "two"));
        assert_ne!(one, third);
    }
}
