//! The short test summary: one line a report, for the categories that `-r` names.

use xdist_core::report::{Longrepr, Report};

use super::face::Face;
use super::shelf::{Kept, Shelf};
use super::style::{Ink, trimmed, width_of};

/// The section, or nothing.
pub(crate) fn summary(face: &Face, shelf: &Shelf, out: &mut String) {
    let mut lines = Vec::new();
    for character in face.display.reportchars.chars() {
        match character {
            'f' => lines.extend(shelf.failed.iter().map(|kept| failing(face, kept))),
            'E' => lines.extend(shelf.errors.iter().map(|kept| failing(face, kept))),
            'x' => lines.extend(shelf.xfailed.iter().map(|kept| xfailed(face, kept))),
            'X' => lines.extend(shelf.xpassed.iter().map(|kept| xpassed(face, kept))),
            's' if face.display.fold_skipped => folded(face, &shelf.skipped, &mut lines),
            's' => lines.extend(shelf.skipped.iter().filter_map(|kept| skipped(face, kept))),
            'p' => {
                let word = face.style.paint("PASSED", &[Ink::GREEN]);
                let nodeids = shelf.passed_tests.iter().map(|&test| face.names.nodeid(test));
                lines.extend(nodeids.map(|nodeid| format!("{word} {}", face.bold_nodeid(nodeid))));
            }
            _ => {}
        }
    }
    if lines.is_empty() {
        return;
    }
    out.push_str(&face.style.rule('=', "short test summary info", &[Ink::CYAN, Ink::BOLD]));
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
}

/// `FAILED a.py::test_x - assert 1 == 2`.
pub(crate) fn failing(face: &Face, kept: &Kept) -> String {
    failing_in(face, kept, face.style.width)
}

/// As [`failing`], for a line that has this many columns.
pub(crate) fn failing_in(face: &Face, kept: &Kept, columns: usize) -> String {
    let word = verbose_word(&kept.report);
    let label = face.label(kept.worker);
    let mut line = format!("{} {}{label}", painted_word(face, &kept.report, Ink::RED), face.bold_nodeid(&kept.nodeid));
    let Some(message) = message(face, &kept.report) else {
        return line;
    };
    if face.full_messages() {
        line.push_str(" - ");
        line.push_str(message);
        return line;
    }
    let used = width_of(word) + 1 + width_of(&face.names.relative(&kept.nodeid)) + width_of(&label);
    line.push_str(&trimmed(" - ", message, "", columns.saturating_sub(used)).unwrap_or_default());
    line
}

/// What a failure says in one line. A failure that is only a text has no place, and before pytest 9.0 no message.
fn message<'a>(face: &Face, report: &'a Report) -> Option<&'a str> {
    match report.longrepr.as_ref()? {
        Longrepr { crash: Some(crash), .. } if !crash.path.is_empty() || face.since(9, 0) => Some(&crash.message),
        _ => None,
    }
}

fn xfailed(face: &Face, kept: &Kept) -> String {
    let word = painted_word(face, &kept.report, Ink::YELLOW);
    let nodeid = face.bold_nodeid(&kept.nodeid);
    let when = &kept.report.when;
    let place = if when == "call" || !face.since(9, 2) { String::new() } else { format!("at {when} of ") };
    format!("{word} {place}{nodeid}{}", reason(kept, " - "))
}

fn xpassed(face: &Face, kept: &Kept) -> String {
    let word = painted_word(face, &kept.report, Ink::YELLOW);
    let separator = if face.since(8, 0) { " - " } else { " " };
    format!("{word} {}{}", face.bold_nodeid(&kept.nodeid), reason(kept, separator))
}

fn reason(kept: &Kept, separator: &str) -> String {
    match kept.report.wasxfail.as_deref() {
        Some(reason) if !reason.is_empty() => format!("{separator}{reason}"),
        _ => String::new(),
    }
}

fn skipped(face: &Face, kept: &Kept) -> Option<String> {
    let (_, _, reason) = kept.report.longrepr.as_ref()?.skip.as_ref()?;
    let line = format!("{} {}", painted_word(face, &kept.report, Ink::YELLOW), face.bold_nodeid(&kept.nodeid));
    Some(if reason.is_empty() { line } else { format!("{line} - {reason}") })
}

/// Path, line and reason of skips.
type Place<'a> = (String, Option<i64>, &'a str);

/// One line for all skips with the same place and reason.
fn folded(face: &Face, skipped: &[Kept], lines: &mut Vec<String>) {
    let mut groups: Vec<(Place<'_>, u32)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for kept in skipped {
        let Some(longrepr) = &kept.report.longrepr else { continue };
        let Some((path, line, reason)) = &longrepr.skip else { continue };
        let line = (!longrepr.without_line && *line >= 0).then_some(*line);
        let key = (face.names.path(path), line, reason.as_str());
        let at = *places.entry(key.clone()).or_insert_with(|| {
            groups.push((key, 0));
            groups.len() - 1
        });
        groups[at].1 += 1;
    }
    let Some(first) = skipped.first() else { return };
    let word = painted_word(face, &first.report, Ink::YELLOW);
    for ((path, line, reason), number) in groups {
        let reason = reason.strip_prefix("Skipped: ").unwrap_or(reason);
        lines.push(match line {
            Some(line) => format!("{word} [{number}] {path}:{line}: {reason}"),
            None => format!("{word} [{number}] {path}: {reason}"),
        });
    }
}

/// The word of `-v`, or what pytest itself would call the category.
pub(crate) fn verbose_word(report: &Report) -> &str {
    if !report.word.is_empty() {
        return &report.word;
    }
    match report.category.as_str() {
        "failed" => "FAILED",
        "error" => "ERROR",
        "skipped" => "SKIPPED",
        "xfailed" => "XFAIL",
        "xpassed" => "XPASS",
        "passed" => "PASSED",
        other => other,
    }
}

fn painted_word(face: &Face, report: &Report, usual: Ink) -> String {
    let own: Vec<Ink> = report.markup.iter().filter_map(|name| Ink::named(name)).collect();
    let inks = if own.is_empty() { vec![usual] } else { own };
    face.style.paint(verbose_word(report), &inks)
}
