//! Shell patterns as Python's `fnmatch` means them: `*` also matches slashes and leading dots, nothing is an escape.

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: Vec<u8>,
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// `*`
    Any,
    /// `?`
    One,
    Literal(u32),
    /// `[…]`, with the ranges inside.
    Set {
        negated: bool,
        ranges: Vec<(u32, u32)>,
    },
}

impl Pattern {
    pub(crate) fn new(text: &[u8]) -> Self {
        let units: Vec<u32> = Units(text).collect();
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some(unit) = units.get(at) {
            at += 1;
            let token = match char::from_u32(*unit) {
                Some('*') if tokens.last() == Some(&Token::Any) => continue,
                Some('*') => Token::Any,
                Some('?') => Token::One,
                Some('[') => match set(&units[at..]) {
                    Some((token, length)) => {
                        at += length;
                        token
                    }
                    None => Token::Literal(*unit),
                },
                _ => Token::Literal(*unit),
            };
            tokens.push(token);
        }
        Self { text: text.to_vec(), tokens }
    }

    /// The pattern as it was given.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        let mut rest = Units(name);
        let mut token = 0;
        // Where to go on if this attempt fails: after the last `*`, one unit further.
        let mut retry: Option<(usize, Units<'_>)> = None;
        loop {
            let before = rest.clone();
            match (self.tokens.get(token), rest.next()) {
                (Some(Token::Any), _) => {
                    token += 1;
                    rest = before.clone();
                    retry = Some((token, before));
                }
                (None, None) => return true,
                (Some(this), Some(unit)) if this.accepts(unit) => token += 1,
                _ => {
                    let Some((after, mut from)) = retry.take() else { return false };
                    if from.next().is_none() {
                        return false;
                    }
                    (token, rest) = (after, from.clone());
                    retry = Some((after, from));
                }
            }
        }
    }
}

impl Token {
    fn accepts(&self, unit: u32) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Literal(literal) => *literal == unit,
            Self::Set { negated, ranges } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&unit)) != *negated
            }
        }
    }
}

/// A set from what follows `[`, and its length with `]`; `None` if there is no `]`.
fn set(units: &[u32]) -> Option<(Token, usize)> {
    let is = |at: usize, wanted: char| units.get(at) == Some(&u32::from(wanted));
    let negated = is(0, '!');
    let start = usize::from(negated);
    // A bracket that comes first is one of the set.
    let close = (start + 1..units.len()).find(|at| is(*at, ']'))?;
    let body = &units[start..close];
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < body.len() {
        if body.get(at + 1) == Some(&u32::from('-')) && at + 2 < body.len() {
            ranges.push((body[at], body[at + 2]));
            at += 3;
        } else {
            ranges.push((body[at], body[at]));
            at += 1;
        }
    }
    Some((Token::Set { negated, ranges }, close + 1))
}

/// Characters, and bytes that are none as Python names them: lone surrogates.
#[derive(Clone, Debug)]
struct Units<'a>(&'a [u8]);

impl Iterator for Units<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let first = *self.0.first()?;
        if first.is_ascii() {
            self.0 = &self.0[1..];
            return Some(u32::from(first));
        }
        let head = &self.0[..self.0.len().min(4)];
        let character = head.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
        self.0 = &self.0[character.map_or(1, char::len_utf8)..];
        Some(character.map_or(0xdc00 + u32::from(first), u32::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_python_means() {
        // Each line was checked against `fnmatch.fnmatchcase`.
        for (pattern, name, expected) in [
            ("*.pyc", "a.pyc", true),
            ("*.pyc", "a.py", false),
            (".*", ".git", true),
            (".*", "a.b", false),
            ("*~", "x~", true),
            ("*/build", "/home/u/build", true),
            ("*/build", "build", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("**", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "ä", true),
            ("?", "ab", false),
            ("[ab]x", "bx", true),
            ("[!ab]x", "bx", false),
            ("[a-c]", "b", true),
            ("[c-a]", "b", false),
            ("[]a]", "]", true),
            ("[!]a]", "b", true),
            ("[a-]", "-", true),
            ("[ab", "[ab", true),
            ("[]", "[]", true),
            ("a\\*", "a\\x", true),
            ("{a,b}", "a", false),
            ("*.so", "x.so.1", false),
        ] {
            assert_eq!(Pattern::new(pattern.as_bytes()).matches(name.as_bytes()), expected, "{pattern} {name}");
        }
        assert!(Pattern::new(b"a?b").matches(b"a\xffb"), "a byte that is no character");
    }

    #[test]
    fn many_stars_are_no_trouble() {
        let pattern = Pattern::new("a*".repeat(60).as_bytes());
        assert!(!pattern.matches(&[&[b'a'; 50][..], b"b"].concat()));
    }
}
