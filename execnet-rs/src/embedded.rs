//! The Python side of a link, and how an interpreter gets it: nothing needs to be installed on the other side.
//!
//! The interpreter is started with a few lines that read a program from its standard input; the program makes modules of
//! the sources that it brings, and starts them. Source is compiled in some 20 ms: on this host the compiled form is kept in
//! the user's cache directory.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

/// The modules, in the order in which they import each other.
const MODULES: [(&str, &str); 7] = [
    ("execnet_endpoint", include_str!("../python/execnet_endpoint/__init__.py")),
    ("execnet_endpoint.values", include_str!("../python/execnet_endpoint/values.py")),
    ("execnet_endpoint.frames", include_str!("../python/execnet_endpoint/frames.py")),
    ("execnet_endpoint.errors", include_str!("../python/execnet_endpoint/errors.py")),
    ("execnet_endpoint.channels", include_str!("../python/execnet_endpoint/channels.py")),
    ("execnet_endpoint.endpoint", include_str!("../python/execnet_endpoint/endpoint.py")),
    ("execnet_endpoint.start", include_str!("../python/execnet_endpoint/start.py")),
];

/// Makes modules of what was compiled before, or of the sources.
const LOAD: &str = include_str!("../python/load.py");

/// Compiles the sources, and keeps the result.
const COMPILE: &str = include_str!("../python/compile.py");

/// What the interpreter runs: reads 8 digits, then so many bytes, and runs them.
pub(crate) const BOOT: &str = "\
import os
def read(size):
    data = b''
    while len(data) < size:
        more = os.read(0, size - len(data))
        if not more:
            os._exit(1)
        data += more
    return data
exec(read(int(read(8))))
";

/// What an interpreter is told at its start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// The gateway's id.
    pub id: String,
    /// Where source runs: `thread` or `main_thread_only`.
    pub execmodel: String,
    /// `full` or `header`: what its checksums cover.
    pub check: &'static str,
    /// Working directory, made if missing.
    pub chdir: Option<String>,
    /// Added to the niceness.
    pub nice: i32,
    /// Where compiled modules may be kept.
    pub cache: Option<PathBuf>,
}

/// What is written to the interpreter's standard input before the link begins: a program, and the sources, which it reads
/// itself. Sources hold no NUL, which stands between them.
pub(crate) fn program(settings: &Settings) -> Vec<u8> {
    let mut sources = COMPILE.to_owned();
    for (name, source) in MODULES {
        for text in [name, source] {
            sources.push('\0');
            sources.push_str(text);
        }
    }
    let text = python_literal;
    let optional = |value: Option<&str>| value.map_or_else(|| "None".to_owned(), text);
    let cache = settings.cache.as_deref().and_then(|path| path.to_str());
    // The version of the interpreter is known to itself alone.
    let cache = cache.map(|cache| {
        let start = text(&format!("{cache}/endpoint-{}-", source_hash()));
        format!("{start} + sys.implementation.cache_tag + '-%x.marshal' % sys.hexversion")
    });
    let program = format!(
        "{LOAD}\nload({}, read({}))\nimport execnet_endpoint.start\nexecnet_endpoint.start.main({{'id': {}, 'execmodel': {}, \
         'check': {}, 'chdir': {}, 'nice': {}}})\n",
        cache.unwrap_or_else(|| "''".to_owned()),
        sources.len(),
        text(&settings.id),
        text(&settings.execmodel),
        text(settings.check),
        optional(settings.chdir.as_deref()),
        settings.nice,
    );
    let mut sent = format!("{:08}", program.len()).into_bytes();
    sent.extend(program.into_bytes());
    sent.extend(sources.into_bytes());
    sent
}

/// Names the sources, for the cache.
fn source_hash() -> String {
    let mut hasher = DefaultHasher::new();
    (LOAD, COMPILE, MODULES).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// A text as Python source.
fn python_literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + text.len() / 16);
    literal.push('"');
    for character in text.chars() {
        match character {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\0' => literal.push_str("\\x00"),
            plain => literal.push(plain),
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_can_be_written_as_python() {
        assert_eq!(python_literal("a\"b\\c\nd\0é"), r#""a\"b\\c\nd\x00é""#);
    }

    #[test]
    fn the_program_announces_its_own_size() {
        let sent = program(&Settings { id: "gw0".into(), check: "full", ..Settings::default() });
        let sent = String::from_utf8(sent).unwrap();
        let (digits, rest) = sent.split_at(8);
        let (program, sources) = rest.split_at(digits.parse().unwrap());
        assert!(program.ends_with("})\n") && program.contains(&format!("read({})", sources.len())), "{program}");
        assert_eq!(sources.matches('\0').count(), 2 * MODULES.len());
    }
}
