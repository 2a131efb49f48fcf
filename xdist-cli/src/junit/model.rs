//! What a junit file is made of: choices, totals, test cases.

use std::borrow::Cow;

use xdist_core::facts::JunitOptions;

use super::dialect::Dialect;

/// What the user chose.
#[derive(Clone, Debug)]
pub(super) struct Style {
    pub(super) dialect: Dialect,
    pub(super) prefix: String,
    /// xunit1: attributes beyond `classname` and `name`.
    pub(super) wide: bool,
    pub(super) logging: String,
    pub(super) log_passing: bool,
    /// `total` or the phase whose duration counts.
    duration: String,
}

impl Style {
    pub(super) fn new(options: &JunitOptions) -> Self {
        Self {
            dialect: Dialect::of(&options.pytest),
            prefix: options.prefix.clone(),
            wide: matches!(options.family.as_str(), "xunit1" | "legacy"),
            logging: options.logging.clone(),
            log_passing: options.log_passing,
            duration: options.duration.clone(),
        }
    }

    /// The seconds that count of set-up, call and teardown.
    pub(super) fn duration(&self, [setup, call, teardown]: [f64; 3]) -> f64 {
        match self.duration.as_str() {
            "total" => setup + call + teardown,
            "call" => call,
            _ => 0.0,
        }
    }

    pub(super) fn counts_duration(&self, when: &str) -> bool {
        self.duration == "total" || self.duration == when
    }
}

/// The suite's totals, counted as pytest counts them.
#[derive(Clone, Debug, Default)]
pub(super) struct Stats {
    pub(super) errors: u64,
    pub(super) failures: u64,
    pub(super) skipped: u64,
    pub(super) passed: u64,
    /// Outcomes beyond the first one of what counts as one test.
    pub(super) doubles: u64,
}

impl Stats {
    pub(super) fn tests(&self) -> u64 {
        (self.errors + self.failures + self.skipped + self.passed).saturating_sub(self.doubles)
    }
}

/// One `<testcase>`.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) nodeid: String,
    pub(super) open: bool,
    /// Outcomes counted for it.
    pub(super) outcomes: u64,
    /// `classname`, `name` and what the family allows beyond them.
    pub(super) base: Vec<(String, String)>,
    /// `record_xml_attribute`.
    pub(super) own: Vec<(String, String)>,
    pub(super) seconds: f64,
    pub(super) properties: Vec<(String, String)>,
    pub(super) nodes: Vec<Node>,
}

/// An element in a test case.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) tag: &'static str,
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) text: String,
}

impl Case {
    /// Attributes in the order in which they are written, those of the user over pytest's.
    pub(super) fn attributes(&self) -> Vec<(&str, Cow<'_, str>)> {
        let mut all: Vec<(&str, Cow<'_, str>)> = Vec::with_capacity(self.base.len() + self.own.len() + 1);
        let pairs = self.base.iter().chain(&self.own).map(|(name, value)| (name.as_str(), Cow::from(value)));
        let time = ("time", Cow::from(format!("{:.3}", self.seconds)));
        for (name, value) in pairs.chain([time]) {
            match all.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => all.push((name, value)),
            }
        }
        all
    }
}
