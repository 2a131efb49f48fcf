//! Progress without a bar: letters with a figure at the right edge, or a line a test.

use xdist_core::facts::DisplayOptions;
use xdist_core::ids::WorkerId;
use xdist_core::report::Report;

use super::face::Face;
use super::frame::percent;
use super::short::verbose_word;
use super::style::{Ink, trimmed, width_of};
use super::tally::Tally;
use super::times;

/// The figure that goes with the progress (`console_output_style`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Info {
    /// `classic`, and whenever output is not captured.
    #[default]
    None,
    /// `[ 45%]`
    Percent,
    /// `[ 54/120]`
    Count,
    /// Seconds that the tests since the last figure took.
    Times,
}

impl Info {
    /// What pytest shows with these options.
    pub(crate) fn of(display: &DisplayOptions) -> Self {
        match display.output_style.as_str() {
            "progress-even-when-capture-no" => Self::Percent,
            _ if display.no_capture => Self::None,
            "classic" => Self::None,
            "count" => Self::Count,
            "times" => Self::Times,
            _ => Self::Percent,
        }
    }

    /// The figure with its leading blank; takes the time it shows.
    pub(crate) fn message(self, tally: &Tally, seconds: &mut f64) -> String {
        match self {
            Self::None => String::new(),
            Self::Percent => format!(" [{:>3}%]", percent(tally)),
            Self::Count => {
                let total = tally.collected.to_string();
                format!(" [{:>width$}/{total}]", tally.done, width = total.len())
            }
            Self::Times => format!(" {}", times::short(std::mem::take(seconds))),
        }
    }

    /// Columns to keep free for it.
    pub(crate) fn room(self, tally: &Tally) -> usize {
        match self {
            Self::None => 0,
            Self::Percent => " [100%]".len(),
            Self::Count => 4 + 2 * tally.collected.to_string().len(),
            Self::Times => " 99h 59m".len(),
        }
    }
}

/// The attributes of a report's letter or word: the hook's own, or pytest's by outcome.
pub(crate) fn inks_of(report: &Report) -> Vec<Ink> {
    let own: Vec<Ink> = report.markup.iter().filter_map(|name| Ink::named(name)).collect();
    if !own.is_empty() {
        return own;
    }
    match (report.outcome.as_str(), report.wasxfail.is_some()) {
        ("passed", false) => vec![Ink::GREEN],
        ("passed", true) | ("skipped", _) => vec![Ink::YELLOW],
        ("failed", _) => vec![Ink::RED],
        _ => Vec::new(),
    }
}

/// `[gw0] [ 20%] PASSED a.py::test_x`: the line of a test that plainly passed.
pub(crate) fn passed_line(face: &Face, worker: WorkerId, figure: &str, name: &str) -> String {
    line(face, worker, figure, "PASSED", &[Ink::GREEN], name)
}

/// As [`passed_line`], for any report, with the reason of a skip or an expected failure.
pub(crate) fn report_line(face: &Face, worker: WorkerId, figure: &str, report: &Report, name: &str) -> String {
    let word = verbose_word(report);
    let mut out = line(face, worker, figure, word, &inks_of(report), name);
    let reason = reason(report);
    if !reason.is_empty() {
        out.pop();
        if face.display.verbosity_test_cases >= 2 {
            put!(out, " ({reason})");
        } else {
            let used = width_of(&worker.to_string()) + width_of(figure) + width_of(word) + width_of(name) + 4;
            let room = face.style.width.saturating_sub(used);
            out.push_str(&trimmed(" (", &reason, ")", room).unwrap_or_default());
        }
        out.push('\n');
    }
    out
}

/// The line of a test that has no report.
pub(crate) fn line(face: &Face, worker: WorkerId, figure: &str, word: &str, inks: &[Ink], name: &str) -> String {
    let mut out = format!("[{worker}]");
    if figure.is_empty() {
        out.push(' ');
    } else {
        face.style.paint_into(&mut out, &format!("{figure} "), &[Ink::CYAN]);
    }
    face.style.paint_into(&mut out, word, inks);
    out.push(' ');
    out.push_str(name);
    out.push('\n');
    out
}

/// The user's own words for a skip or an expected failure.
fn reason(report: &Report) -> String {
    if let Some(reason) = &report.wasxfail {
        return reason.strip_prefix("reason: ").unwrap_or(reason).to_owned();
    }
    if report.outcome != "skipped" {
        return String::new();
    }
    let Some((_, _, reason)) = report.longrepr.as_ref().and_then(|longrepr| longrepr.skip.as_ref()) else {
        return String::new();
    };
    match reason.strip_prefix("Skipped: ") {
        Some(rest) => rest.to_owned(),
        None if reason == "Skipped" => String::new(),
        None => reason.clone(),
    }
}
