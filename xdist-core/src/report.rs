//! What pytest reported of one test or collector, as the worker encoded it: plain data, rendered by pytest itself.

use serde::Deserialize;
use serde_bytes::ByteBuf;

/// One pytest `TestReport`: a phase of a test, a subtest, or whatever a plugin made of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Report {
    /// `setup`, `call`, `teardown`, or a plugin's own word.
    pub when: String,
    /// `passed`, `failed`, `skipped`, or a plugin's own word (`rerun`).
    pub outcome: String,
    /// First element of `pytest_report_teststatus`: what the report counts as. Empty: it counts as nothing.
    pub category: String,
    /// Second element: the letter of the compact mode. May be empty.
    pub letter: String,
    /// Third element: the word of `-v`. May be empty.
    pub word: String,
    /// Markup of the word where the hook gave one (`{"green": True}` becomes `["green"]`).
    pub markup: Vec<String>,
    /// Seconds.
    pub duration: f64,
    /// Start, seconds since the epoch by the worker's clock.
    pub start: f64,
    /// The report's own node id, where it differs from its test's; else empty.
    pub nodeid: String,
    /// Title of its section in FAILURES (pytest's `head_line`); empty means the node id.
    pub head_line: String,
    /// The failure, or the reason of a skip or an expected failure.
    pub longrepr: Option<Longrepr>,
    /// Captured output, `(title, content)`: `("Captured stdout call", "…")`. Passed reports carry it only if asked.
    pub sections: Vec<(String, String)>,
    /// `record_property`, both sides as text.
    pub user_properties: Vec<(String, String)>,
    /// `record_xml_attribute`.
    pub xml_attributes: Vec<(String, String)>,
    /// Message (or reason) and text for junit.xml, where pytest writes other ones there; empty those that are the same.
    pub in_xml: Option<(String, String)>,
    /// The reason of an `xfail` mark, where the report has one.
    pub wasxfail: Option<String>,
    /// Whether the report is one of pytest's subtests.
    pub subtest: bool,
    /// False for reports that ask not to be counted in the summary (`count_towards_summary`).
    pub uncounted: bool,
    /// The whole report, for a plugin host.
    pub raw: ByteBuf,
}

impl Report {
    /// Whether this report makes the run fail: pytest's own rule, `failed` in any phase, by outcome.
    pub fn is_failure(&self) -> bool {
        self.outcome == "failed"
    }
}

/// Why a report did not pass.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Longrepr {
    /// As pytest renders it (`toterminal`) in the chosen `--tb`, with colours if the run has colours; ends in a newline.
    pub terminal: String,
    /// The same without colours (`longreprtext`), for junit; empty when `terminal` has none either.
    pub plain: String,
    /// `reprcrash`, where the failure has one. A failure that is nothing but a string (`[XPASS(strict)] …`) has its
    /// text as message, an empty path and line 0.
    pub crash: Option<Crash>,
    /// For skips: `(file as pytest gives it, 0-based or 1-based line as pytest gives it, reason)`.
    pub skip: Option<(String, i64, String)>,
    /// Whether pytest's short summary folds this skip by file and reason only, and names no line.
    pub without_line: bool,
    /// The line of `--tb=line` (`path:line: message`).
    pub line: String,
}

/// Where and with what message a test failed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Crash {
    /// Path as pytest prints it.
    pub path: String,
    /// 1-based line.
    pub lineno: i64,
    /// The exception's message, may have many lines.
    pub message: String,
}

/// One pytest `CollectReport` that did not pass.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct CollectReport {
    /// Node id of the collector; may be empty (the session itself).
    pub nodeid: String,
    /// `failed` or `skipped`.
    pub outcome: String,
    /// Title of its section in ERRORS, e.g. `ERROR collecting test_a.py`.
    pub head_line: String,
    /// The failure or the reason of the skip.
    pub longrepr: Option<Longrepr>,
    /// Captured output.
    pub sections: Vec<(String, String)>,
}

/// One warning, from `pytest_warning_recorded`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct Warning {
    /// `config`, `collect` or `runtest`; `unrecorded`: pytest did not see it, and `message` is what Python would print.
    pub when: String,
    /// Node id of the test, or empty.
    pub nodeid: String,
    /// The text as pytest prints it in the warnings summary (`warning_record_to_str`).
    pub message: String,
    /// For warnings without a node id: `(path, line)`.
    pub location: Option<(String, i64)>,
    /// The warning itself, for a plugin host.
    pub raw: ByteBuf,
}
