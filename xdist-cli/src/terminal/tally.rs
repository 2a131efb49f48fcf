//! What the run counts: categories of reports in the order in which they were first seen, as pytest keeps them.

use super::style::Ink;

/// Categories with a fixed place in the final line.
const KNOWN: [&str; 8] = ["failed", "passed", "skipped", "deselected", "xfailed", "xpassed", "warnings", "error"];

/// Those that pytest itself knows since 9.0; before, a plugin's categories like any other.
const KNOWN_SUBTESTS: [&str; 3] = ["subtests passed", "subtests failed", "subtests skipped"];

/// Counts by category.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    categories: Vec<Category>,
    /// Whether the subtests' categories are pytest's own.
    pub(crate) subtests_known: bool,
    /// Tests collected.
    pub(crate) collected: u64,
    /// Tests with a verdict.
    pub(crate) done: u64,
}

#[derive(Clone, Debug)]
struct Category {
    name: String,
    /// Those that the final line counts.
    counted: u64,
}

/// One part of the final line: `3 passed`.
pub(crate) struct Part {
    /// Number and noun.
    pub(crate) text: String,
    /// Its attributes.
    pub(crate) inks: Vec<Ink>,
}

impl Tally {
    /// Counts `number` reports of a category.
    pub(crate) fn add(&mut self, category: &str, number: u64, counted: bool) {
        if category.is_empty() || number == 0 {
            return;
        }
        let counts = if counted { number } else { 0 };
        match self.categories.iter_mut().find(|known| known.name == category) {
            Some(known) => known.counted += counts,
            None => self.categories.push(Category { name: category.to_owned(), counted: counts }),
        }
    }

    /// How many of a category the final line counts.
    pub(crate) fn count(&self, category: &str) -> u64 {
        self.categories.iter().find(|known| known.name == category).map_or(0, |known| known.counted)
    }

    /// The colour that says at a glance how the run goes.
    pub(crate) fn main_ink(&self) -> Ink {
        let seen = |name: &str| self.categories.iter().any(|known| known.name == name);
        if seen("failed") || seen("error") {
            Ink::RED
        } else if seen("warnings") || seen("xpassed") || self.categories.iter().any(|one| !self.knows(&one.name)) {
            Ink::YELLOW
        } else if seen("passed") || self.done != self.collected {
            Ink::GREEN
        } else {
            Ink::YELLOW
        }
    }

    /// The parts of the final line, in pytest's order.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let main = self.main_ink();
        let known = KNOWN.into_iter().chain(KNOWN_SUBTESTS.into_iter().filter(|_| self.subtests_known));
        let others = self.categories.iter().map(|one| one.name.as_str()).filter(|name| !self.knows(name));
        let parts: Vec<Part> = known
            .chain(others)
            .filter_map(|name| {
                let count = self.count(name);
                (count > 0).then(|| {
                    let ink = ink_of(name, self.subtests_known);
                    let inks = if ink == main { vec![ink, Ink::BOLD] } else { vec![ink] };
                    Part { text: format!("{count} {}", noun(name, count)), inks }
                })
            })
            .collect();
        if parts.is_empty() {
            return vec![Part { text: "no tests ran".to_owned(), inks: vec![Ink::YELLOW] }];
        }
        parts
    }

    fn knows(&self, name: &str) -> bool {
        KNOWN.contains(&name) || (self.subtests_known && KNOWN_SUBTESTS.contains(&name))
    }
}

impl Tally {
    /// Categories that the final line counts something of.
    pub(crate) fn seen(&self) -> impl Iterator<Item = &str> {
        self.categories.iter().filter(|one| one.counted > 0).map(|one| one.name.as_str())
    }
}

/// Where a category stands among others: as in the final line.
pub(crate) fn place_of(category: &str) -> usize {
    KNOWN.iter().chain(&KNOWN_SUBTESTS).position(|known| *known == category).unwrap_or(usize::MAX)
}

/// The colour of a category.
fn ink_of(category: &str, subtests_known: bool) -> Ink {
    match category {
        "failed" | "error" => Ink::RED,
        "passed" => Ink::GREEN,
        "subtests failed" if subtests_known => Ink::RED,
        "subtests passed" if subtests_known => Ink::GREEN,
        _ => Ink::YELLOW,
    }
}

/// `1 error`, `2 errors`, `1 warning`; the other words have no plural.
pub(crate) fn noun(category: &str, count: u64) -> &str {
    match (category, count) {
        ("error", 1) => "error",
        ("error", _) => "errors",
        ("warnings", 1) => "warning",
        _ => category,
    }
}
