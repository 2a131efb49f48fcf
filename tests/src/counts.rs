//! The counts of pytest's closing line, `3 failed, 10 passed, 1 warning in 0.12s`.

use std::collections::BTreeMap;
use std::fmt;

/// Category to number; `error`/`errors` and `warning`/`warnings` are one category each.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Counts(pub BTreeMap<String, u64>);

impl Counts {
    /// Of the last line that has counts.
    pub fn of_output(output: &str) -> Option<Self> {
        output.lines().rev().find_map(Self::of_line)
    }

    fn of_line(line: &str) -> Option<Self> {
        let (counts, _time) = line.trim_matches(['=', ' ']).split_once(" in ")?;
        if counts == "no tests ran" {
            return Some(Self::default());
        }
        counts
            .split(", ")
            .map(|part| {
                let (number, name) = part.split_once(' ')?;
                let known = name.chars().all(|letter| letter.is_alphabetic() || letter == ' ');
                known.then_some((singular(name).to_owned(), number.parse().ok()?))
            })
            .collect::<Option<_>>()
            .map(Self)
    }

    /// The number of a category, 0 if it is not named.
    pub fn get(&self, category: &str) -> u64 {
        self.0.get(category).copied().unwrap_or(0)
    }
}

fn singular(name: &str) -> &str {
    match name {
        "errors" => "error",
        "warnings" => "warning",
        other => other,
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn reads_pytests_closing_lines() {
        let text =
            "collected 3 items\n==== 1 failed, 2 passed, 1 deselected, 2 warnings, 1 error in 0.12s (0:00:00) ====\n";
        let counts = Counts::of_output(text).unwrap();
        assert_eq!(counts.get("failed"), 1);
        assert_eq!(counts.get("warning"), 2);
        assert_eq!(counts.get("error"), 1);
        assert_eq!(counts.get("xfailed"), 0);
        assert_eq!(Counts::of_output("no tests ran in 0.01s\n"), Some(Counts::default()));
        assert_eq!(Counts::of_output("1 passed, 2 subtests passed in 0.01s").unwrap().get("subtests passed"), 2);
        assert_eq!(Counts::of_output("nothing here\n"), None);
    }
}
