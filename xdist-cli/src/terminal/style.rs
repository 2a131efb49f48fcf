//! Colours, rules and widths: the alphabet that everything on the terminal is written with.

use unicode_width::UnicodeWidthStr;

/// One display attribute, by its number in an escape sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ink(u8);

impl Ink {
    pub(crate) const BOLD: Self = Self(1);
    pub(crate) const RED: Self = Self(31);
    pub(crate) const GREEN: Self = Self(32);
    pub(crate) const YELLOW: Self = Self(33);
    pub(crate) const CYAN: Self = Self(36);

    /// The attribute of this name in pytest's terminal writer.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let number = match name {
            "bold" => 1,
            "light" => 2,
            "blink" => 5,
            "invert" => 7,
            "black" => 30,
            "red" => 31,
            "green" => 32,
            "yellow" => 33,
            "blue" => 34,
            "purple" => 35,
            "cyan" => 36,
            "white" => 37,
            "Black" => 40,
            "Red" => 41,
            "Green" => 42,
            "Yellow" => 43,
            "Blue" => 44,
            "Purple" => 45,
            "Cyan" => 46,
            "White" => 47,
            _ => return None,
        };
        Some(Self(number))
    }
}

/// Whether colours are on, and how wide lines are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Whether to write escape sequences.
    pub(crate) color: bool,
    /// Columns to lay out in.
    pub(crate) width: usize,
}

impl Style {
    /// `text` with these attributes, if colours are on.
    pub(crate) fn paint(&self, text: &str, inks: &[Ink]) -> String {
        let mut out = String::with_capacity(text.len() + 12);
        self.paint_into(&mut out, text, inks);
        out
    }

    /// As [`Style::paint`], appended.
    pub(crate) fn paint_into(&self, out: &mut String, text: &str, inks: &[Ink]) {
        if !self.color || inks.is_empty() {
            out.push_str(text);
            return;
        }
        self.start_into(out, inks);
        out.push_str(text);
        out.push_str("\x1b[0m");
    }

    /// Only what switches the attributes on.
    pub(crate) fn start_into(&self, out: &mut String, inks: &[Ink]) {
        if self.color {
            for Ink(number) in inks {
                out.push_str("\x1b[");
                out.push_str(&number.to_string());
                out.push('m');
            }
        }
    }

    /// A line of `sep` over the whole width with `title` in its middle, and a line end.
    pub(crate) fn rule(&self, sep: char, title: &str, inks: &[Ink]) -> String {
        self.rule_of(sep, title, width_of(title), inks)
    }

    /// As [`Style::rule`], for a title that has its own escape sequences and is `columns` wide.
    pub(crate) fn rule_of(&self, sep: char, title: &str, columns: usize, inks: &[Ink]) -> String {
        let fill = (self.width.saturating_sub(columns + 2) / 2).max(1);
        let fill_text = sep.to_string().repeat(fill);
        let mut line = format!("{fill_text} {title} {fill_text}");
        if 2 * fill + 2 + columns < self.width {
            line.push(sep);
        }
        let mut out = self.paint(&line, inks);
        out.push('\n');
        out
    }
}

/// Columns that `text` takes; it must not hold escape sequences.
pub(crate) fn width_of(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// As [`width_of`], of a text that may hold the escape sequences of colours.
pub(crate) fn visible_width(text: &str) -> usize {
    let mut pieces = text.split('\x1b');
    let first = width_of(pieces.next().unwrap_or_default());
    first + pieces.map(|piece| width_of(piece.split_once('m').map_or("", |(_, rest)| rest))).sum::<usize>()
}

/// The first line of `message`, cut with `...` where `prefix` and it take more than `available` columns; `None` where
/// not even the dots fit.
pub(crate) fn trimmed(prefix: &str, message: &str, suffix: &str, available: usize) -> Option<String> {
    const DOTS: &str = "...";
    let first = message.split('\n').next().unwrap_or_default();
    let frame = width_of(prefix) + width_of(suffix);
    if frame + DOTS.len() > available {
        return None;
    }
    if frame + width_of(first) <= available {
        return Some(format!("{prefix}{first}{suffix}"));
    }
    let kept = head(first, available - frame - DOTS.len());
    Some(format!("{prefix}{kept}{DOTS}{suffix}"))
}

/// As much of the beginning of `text` as fits into `columns`.
pub(crate) fn head(text: &str, columns: usize) -> &str {
    if width_of(text) <= columns {
        return text;
    }
    let mut used = 0;
    for (at, character) in text.char_indices() {
        let mut bytes = [0; 4];
        used += width_of(character.encode_utf8(&mut bytes));
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// As much of the end of `text` as fits into `columns`, with dots before it where something was cut.
pub(crate) fn tail(text: &str, columns: usize) -> String {
    if width_of(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(3);
    let mut used = 0;
    let mut from = text.len();
    for (at, character) in text.char_indices().rev() {
        let mut bytes = [0; 4];
        used += width_of(character.encode_utf8(&mut bytes));
        if used > room {
            break;
        }
        from = at;
    }
    format!("...{}", &text[from..])
}
