//! `--durations`: the slowest phases, with no more kept than will be printed.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use xdist_core::facts::DisplayOptions;
use xdist_core::ids::TestIndex;
use xdist_core::report::Report;

use super::names::Names;
use super::style::Style;

/// The default of `--durations-min`; only with it pytest hints at `-vv`.
const DEFAULT_MIN: f64 = 0.005;

/// Collects durations; nothing at all unless `--durations` was given.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    wanted: Option<usize>,
    min: f64,
    hint: bool,
    seen: u64,
    kept: BinaryHeap<Reverse<Entry>>,
}

#[derive(Debug)]
struct Entry {
    seconds: f64,
    number: u64,
    test: TestIndex,
    when: When,
}

#[derive(Debug)]
enum When {
    Setup,
    Call,
    Teardown,
    Other(Box<str>),
}

impl Durations {
    /// Ready for what was asked. pytest before 8.1 always hints at `-vv`, because there it lifts any minimum.
    pub(crate) fn new(display: &DisplayOptions, before_8_1: bool) -> Self {
        let wanted = display.durations.map(|number| usize::try_from(number).unwrap_or(0));
        let min = if before_8_1 && display.verbosity >= 2 { 0.0 } else { display.durations_min };
        let hint = before_8_1 || (min - DEFAULT_MIN).abs() < f64::EPSILON;
        Self { wanted, min, hint, ..Self::default() }
    }

    /// Phases of a test that plainly passed, from set-up on.
    pub(crate) fn phases(&mut self, test: TestIndex, seconds: &[f64]) {
        if self.wanted.is_some() {
            for (when, seconds) in [When::Setup, When::Call, When::Teardown].into_iter().zip(seconds) {
                self.add(test, *seconds, when);
            }
        }
    }

    /// One report.
    pub(crate) fn report(&mut self, test: TestIndex, report: &Report) {
        if self.wanted.is_some() {
            let when = match report.when.as_str() {
                "setup" => When::Setup,
                "call" => When::Call,
                "teardown" => When::Teardown,
                other => When::Other(other.into()),
            };
            self.add(test, report.duration, when);
        }
    }

    fn add(&mut self, test: TestIndex, seconds: f64, when: When) {
        let number = self.seen;
        self.seen += 1;
        if seconds < self.min {
            return;
        }
        self.kept.push(Reverse(Entry { seconds, number, test, when }));
        if self.wanted.is_some_and(|wanted| wanted > 0 && self.kept.len() > wanted) {
            self.kept.pop();
        }
    }

    /// How many are kept.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// The section, or nothing.
    pub(crate) fn render(&mut self, out: &mut String, style: &Style, names: &Names) {
        let Some(wanted) = self.wanted else { return };
        if self.seen == 0 {
            return;
        }
        let (title, listed) = match wanted {
            0 => ("slowest durations".to_owned(), self.seen),
            _ => (format!("slowest {wanted} durations"), self.seen.min(wanted as u64)),
        };
        out.push_str(&style.rule('=', &title, &[]));
        let entries = std::mem::take(&mut self.kept).into_sorted_vec();
        let shown = entries.len() as u64;
        for Reverse(entry) in entries {
            let when = entry.when.word();
            let nodeid = names.nodeid(entry.test);
            put!(*out, "{:.2}s {when:<8} {nodeid}\n", entry.seconds);
        }
        if shown < listed {
            let hint = if self.hint { "  Use -vv to show these durations." } else { "" };
            put!(*out, "\n({} durations < {}s hidden.{hint})\n", listed - shown, self.min);
        }
    }
}

impl When {
    fn word(&self) -> &str {
        match self {
            Self::Setup => "setup",
            Self::Call => "call",
            Self::Teardown => "teardown",
            Self::Other(word) => word,
        }
    }
}

impl Ord for Entry {
    /// Longer is greater; of equals the one that came first.
    fn cmp(&self, other: &Self) -> Ordering {
        self.seconds.total_cmp(&other.seconds).then_with(|| other.number.cmp(&self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}
