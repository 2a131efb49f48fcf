//! Python source for the other side: a text, a file, or a function with its arguments. Pure, but for reading the file.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::value::Value;

/// Python source.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A text, indented as a whole or not at all.
    Text(String),
    /// A file on this host, read when it is sent. Tracebacks name it.
    File(PathBuf),
    /// The source of a function whose first parameter is `channel`, and its other arguments by name.
    Function {
        /// Its `def`, with what stands around it.
        source: String,
        /// What it is called with.
        arguments: Vec<(String, Value)>,
    },
}

/// Why source cannot be sent.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is no function in the source.
    #[error("no `def` at the beginning of a line; a function's source is needed, not a lambda's or a method's")]
    NoFunction,
    /// The function's first parameter has another name.
    #[error("the first parameter of `{0}` must be `channel`")]
    NoChannel(String),
}

impl Source {
    /// A function by its source and its arguments.
    pub fn function<K: Into<String>, V: Into<Value>>(
        source: impl Into<String>,
        arguments: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let arguments = arguments.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self::Function { source: source.into(), arguments }
    }

    /// What is sent to the interpreter. A text without a name is called `<remote exec NUMBER>`.
    pub(crate) fn into_request(self, number: u64) -> Result<Value, SourceError> {
        let request = |source: String, file: String, function: Option<String>, arguments: Vec<(String, Value)>| {
            Value::dict([
                ("source", Value::Str(source)),
                ("file", Value::Str(file)),
                ("function", function.into()),
                ("arguments", Value::dict(arguments)),
            ])
        };
        Ok(match self {
            Self::Text(text) => request(dedent(&text), format!("<remote exec {number}>"), None, Vec::new()),
            Self::File(path) => {
                let text = std::fs::read_to_string(&path);
                let text = text.map_err(|error| SourceError::File { path: path.clone(), error })?;
                request(text, path.to_string_lossy().into_owned(), None, Vec::new())
            }
            Self::Function { source, arguments } => {
                let source = dedent(&source);
                let name = function_name(&source)?;
                request(source, format!("<remote exec {number}: {name}>"), Some(name), arguments)
            }
        })
    }
}

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Source {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// The name of the first function, whose first parameter must be `channel`.
fn function_name(source: &str) -> Result<String, SourceError> {
    let mut at = 0;
    let after_def = source.split_inclusive('\n').find_map(|line| {
        at += line.len();
        line.strip_prefix("def ").map(|rest| &source[at - rest.len()..])
    });
    let (name, parameters) = after_def.and_then(|rest| rest.split_once('(')).ok_or(SourceError::NoFunction)?;
    let name = name.trim().to_owned();
    let first = parameters.trim_start();
    let end = first.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(first.len());
    if &first[..end] == "channel" { Ok(name) } else { Err(SourceError::NoChannel(name)) }
}

/// Takes away what all lines that hold something begin with, as far as it is white space.
fn dedent(text: &str) -> String {
    let margin_of = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let mut margin: Option<&str> = None;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let own = &line[..margin_of(line)];
        margin = Some(margin.map_or(own, |margin| {
            let common = margin.bytes().zip(own.bytes()).take_while(|(one, other)| one == other).count();
            &margin[..common]
        }));
    }
    let margin = margin.unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        out.push_str(line.strip_prefix(margin).unwrap_or_else(|| line.trim_start_matches([' ', '\t'])));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_margin_is_taken_away() {
        assert_eq!(dedent("\n    if x:\n        y\n\n  \n    z"), "\nif x:\n    y\n\n\nz");
        assert_eq!(dedent("a\n b"), "a\n b");
        assert_eq!(dedent("\ta\n  b"), "\ta\n  b");
        assert_eq!(dedent("  é\n  b\r\n"), "é\nb\r\n");
        assert_eq!(dedent(""), "");
    }

    #[test]
    fn a_function_needs_a_name_and_a_channel() {
        let name = |source: &str| function_name(&dedent(source)).map_err(|error| error.to_string());
        assert_eq!(name("import os\n\ndef work(channel, a=1):\n    pass"), Ok("work".into()));
        assert_eq!(name("    def work(\n        channel):\n        pass"), Ok("work".into()));
        assert_eq!(name("@a\ndef work (channel): pass"), Ok("work".into()));
        assert!(name("def work(channels): pass").unwrap_err().contains("must be `channel`"));
        assert!(name("lambda channel: 1").unwrap_err().contains("no `def`"));
        assert!(name("class A:\n    def work(channel): pass").unwrap_err().contains("no `def`"));
    }
}
