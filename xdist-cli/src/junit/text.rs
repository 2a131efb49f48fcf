//! Text of tests made fit for XML: characters it cannot hold, messages too long for an attribute.

use std::borrow::Cow;
use std::fmt::Write;

use super::dialect::Dialect;

/// Characters that a `message` attribute holds before it is shortened.
const MESSAGE_BUDGET: usize = 500;

/// `text` with characters that XML does not allow (or pytest does not) written as `#x1B`.
pub(super) fn visible(text: &str, dialect: Dialect) -> Cow<'_, str> {
    let legal = |c: char| match c {
        '\t' | '\n' | '\r' | ' '..='~' | '\u{80}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' => true,
        '\u{7f}' => !dialect.astral,
        '\u{10000}'.. => dialect.astral,
        _ => false,
    };
    if text.chars().all(legal) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        let code = u32::from(c);
        // Writing into a String cannot fail.
        let _ = match code {
            _ if legal(c) => escaped.write_char(c),
            ..=0xff => write!(escaped, "#x{code:02X}"),
            _ => write!(escaped, "#x{code:04X}"),
        };
    }
    Cow::Owned(escaped)
}

/// The lines of a message that fit an attribute, with a note of what was left out.
pub(super) fn shortened(message: &str, dialect: Dialect) -> Cow<'_, str> {
    if !dialect.short_messages || message.len() < MESSAGE_BUDGET {
        return Cow::Borrowed(message);
    }
    let lines = lines(message);
    let mut kept = String::new();
    let mut left = lines.len();
    let mut size = 0;
    for line in &lines {
        let length = line.chars().count() + 1;
        if size > 0 {
            if size + length > MESSAGE_BUDGET {
                break;
            }
            kept.push('\n');
        }
        kept.push_str(line);
        size += length;
        left -= 1;
    }
    let cut = kept.char_indices().nth(MESSAGE_BUDGET).map(|(at, _)| at);
    if let Some(at) = cut {
        kept.truncate(at);
        kept.push_str("...");
    }
    let note = match (left, cut) {
        (0, None) => return Cow::Borrowed(message),
        (0, Some(_)) => "truncated".to_owned(),
        (1, _) => "+1 more line".to_owned(),
        (count, _) => format!("+{count} more lines"),
    };
    Cow::Owned(format!("{kept}\n[{note}; full report in element text]"))
}

/// Lines as Python's `str.splitlines` finds them.
fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| {
            matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
        });
        let Some(end) = end else {
            lines.push(rest);
            break;
        };
        lines.push(&rest[..end]);
        let after = &rest[end..];
        let ending = if after.starts_with("\r\n") { 2 } else { after.chars().next().map_or(0, char::len_utf8) };
        rest = &after[ending..];
    }
    lines
}

/// Without white space at both ends, in Python's sense of it.
pub(super) fn stripped(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}'))
}

/// Text as Python's `repr` writes it.
pub(super) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if c == quote => out.extend(['\\', quote]),
            _ if c.is_control() => {
                // Writing into a String cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_that_xml_cannot_hold() {
        let (old, new) = (Dialect::of(&[8, 4]), Dialect::of(&[9, 2]));
        assert_eq!(visible("a\0\u{1b}[31m\u{fffe}\t\r\n\u{e4}", new), "a#x00#x1B[31m#xFFFE\t\r\n\u{e4}");
        assert_eq!(visible("\u{1f600}\u{7f}", new), "\u{1f600}#x7F");
        assert_eq!(visible("\u{1f600}\u{7f}", old), "#x1F600\u{7f}");
    }

    #[test]
    fn long_messages() {
        let new = Dialect::of(&[9, 2]);
        let note = |note: &str| format!("\n[{note}; full report in element text]");
        let long = "x".repeat(600);
        assert_eq!(shortened(&long, Dialect::of(&[9, 1])), long);
        assert_eq!(shortened(&long, new), "x".repeat(500) + "..." + &note("truncated"));
        let wide = "\u{e4}".repeat(500);
        assert_eq!(shortened(&wide, new), wide, "characters count, not bytes");
        let line = "y".repeat(99);
        let lines = [line.as_str(); 7].join("\n");
        assert_eq!(shortened(&lines, new), [line.as_str(); 5].join("\n") + &note("+2 more lines"));
        assert_eq!(shortened(&format!("{long}\nend"), new), "x".repeat(500) + "..." + &note("+1 more line"));
        assert_eq!(shortened("a\nb\n", new), "a\nb\n");
    }

    #[test]
    fn lines_as_python_splits_them() {
        assert_eq!(lines("a\r\nb\n\nc\u{2028}d\u{b}"), ["a", "b", "", "c", "d"]);
        assert_eq!(lines(""), [""; 0]);
    }

    #[test]
    fn quotes_as_python_chooses_them() {
        assert_eq!(quoted("it"), "'it'");
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted("it's \"it\"\n\\\u{7}"), "'it\\'s \"it\"\\n\\\\\\x07'");
    }

    proptest! {
        #[test]
        fn what_is_visible_is_legal(text in any::<String>(), new in any::<bool>()) {
            let dialect = Dialect::of(if new { &[9, 2] } else { &[7, 4] });
            let seen = visible(&text, dialect);
            let legal = seen
                .chars()
                .all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..));
            prop_assert!(legal);
            prop_assert_eq!(visible(&seen, dialect), seen.clone(), "done once is done");
        }

        #[test]
        fn a_short_message_is_short(text in "(.{0,200}\n?){0,8}") {
            let short = shortened(&text, Dialect::of(&[9, 2]));
            prop_assert!(short.chars().count() <= MESSAGE_BUDGET + 80);
        }
    }
}
