//! Test cases and their suite as XML.
//!
//! White space in attributes is written as character references, since readers turn it into blanks otherwise; that is
//! why values are escaped here and not by the XML writer.

use std::borrow::Cow;
use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::dialect::Dialect;
use super::model::{Case, Node, Stats, Style};
use super::text::visible;

/// What stands in the head of a suite.
pub(super) struct Suite<'a> {
    pub(super) name: &'a str,
    pub(super) stats: &'a Stats,
    pub(super) seconds: f64,
    pub(super) timestamp: String,
    pub(super) hostname: &'a str,
    pub(super) properties: &'a [(String, String)],
    pub(super) dialect: Dialect,
}

/// The whole file; `inner` writes the suites.
pub(super) fn suites(
    out: &mut dyn Write,
    dialect: Dialect,
    inner: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut writer = Writer::new(out);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    let mut suites = BytesStart::new("testsuites");
    if dialect.named_suites {
        attribute(&mut suites, "name", "pytest tests", dialect);
    }
    writer.write_event(Event::Start(suites))?;
    inner(writer.get_mut())?;
    writer.write_event(Event::End(BytesEnd::new("testsuites")))
}

/// One suite; `cases` writes the test cases.
pub(super) fn suite(
    out: &mut dyn Write,
    suite: &Suite<'_>,
    cases: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut writer = Writer::new(out);
    let mut head = BytesStart::new("testsuite");
    let Stats { errors, failures, skipped, .. } = suite.stats;
    for (name, value) in [
        ("name", suite.name),
        ("errors", &errors.to_string()),
        ("failures", &failures.to_string()),
        ("skipped", &skipped.to_string()),
        ("tests", &suite.stats.tests().to_string()),
        ("time", &format!("{:.3}", suite.seconds)),
        ("timestamp", &suite.timestamp),
        ("hostname", suite.hostname),
    ] {
        attribute(&mut head, name, value, suite.dialect);
    }
    writer.write_event(Event::Start(head))?;
    properties(&mut writer, suite.properties, suite.dialect)?;
    cases(writer.get_mut())?;
    writer.write_event(Event::End(BytesEnd::new("testsuite")))
}

/// The test cases of one test.
pub(super) fn cases(out: &mut (impl Write + ?Sized), cases: &[Case], style: &Style) -> io::Result<()> {
    let dialect = style.dialect;
    let mut writer = Writer::new(out);
    for case in cases {
        let mut head = BytesStart::new("testcase");
        for (name, value) in case.attributes() {
            attribute(&mut head, name, &value, dialect);
        }
        if case.properties.is_empty() && case.nodes.is_empty() {
            writer.write_event(Event::Empty(head))?;
            continue;
        }
        writer.write_event(Event::Start(head))?;
        properties(&mut writer, &case.properties, dialect)?;
        for node in &case.nodes {
            element(&mut writer, node, dialect)?;
        }
        writer.write_event(Event::End(BytesEnd::new("testcase")))?;
    }
    Ok(())
}

fn element(writer: &mut Writer<impl Write>, node: &Node, dialect: Dialect) -> io::Result<()> {
    let mut head = BytesStart::new(node.tag);
    for (name, value) in &node.attributes {
        attribute(&mut head, name, value, dialect);
    }
    if node.text.is_empty() {
        return writer.write_event(Event::Empty(head));
    }
    writer.write_event(Event::Start(head))?;
    writer.write_event(Event::Text(BytesText::from_escaped(content(&visible(&node.text, dialect)))))?;
    writer.write_event(Event::End(BytesEnd::new(node.tag)))
}

fn properties(writer: &mut Writer<impl Write>, pairs: &[(String, String)], dialect: Dialect) -> io::Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    writer.write_event(Event::Start(BytesStart::new("properties")))?;
    for (name, value) in pairs {
        let mut property = BytesStart::new("property");
        attribute(&mut property, "name", name, dialect);
        attribute(&mut property, "value", value, dialect);
        writer.write_event(Event::Empty(property))?;
    }
    writer.write_event(Event::End(BytesEnd::new("properties")))
}

fn attribute(element: &mut BytesStart<'_>, name: &str, value: &str, dialect: Dialect) {
    let value = escaped(&visible(value, dialect), |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\r' => Some("&#13;"),
        '\n' => Some("&#10;"),
        '\t' => Some("&#09;"),
        _ => None,
    })
    .into_owned();
    element.push_attribute((name.as_bytes(), value.as_bytes()));
}

fn content(text: &str) -> Cow<'_, str> {
    escaped(text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    })
}

fn escaped(text: &str, reference: impl Fn(char) -> Option<&'static str>) -> Cow<'_, str> {
    let Some(first) = text.find(|c| reference(c).is_some()) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        match reference(c) {
            Some(reference) => out.push_str(reference),
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}
