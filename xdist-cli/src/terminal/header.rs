//! What stands above the progress: versions, configuration, interpreter, workers, how they were started and why.

use xdist_core::event::{Collected, Configured, Environment};
use xdist_core::schedule::Moved;

use super::face::Face;
use super::style::Ink;

/// The header up to the collection.
pub(crate) fn session(face: &Face, configured: &Configured, out: &mut String) {
    if face.display.verbosity < 0 {
        return;
    }
    out.push_str(&face.style.rule('=', "test session starts", &[Ink::BOLD]));
    if face.display.no_header {
        return;
    }
    let interpreter = &configured.interpreter;
    put!(
        *out,
        "platform {} -- Python {}, pytest-{}, pluggy-{}",
        interpreter.platform,
        interpreter.version,
        interpreter.pytest,
        interpreter.pluggy
    );
    if face.display.verbosity > 0 {
        put!(*out, " -- {}", interpreter.executable);
    }
    out.push('\n');
    for line in &configured.header {
        out.push_str(line);
        out.push('\n');
    }
    own(configured, out);
}

/// This program's part of the header.
pub(crate) fn own(configured: &Configured, out: &mut String) {
    let interpreter = &configured.interpreter;
    let implementation = match interpreter.implementation.as_str() {
        "" | "CPython" => String::new(),
        other => format!("{other} "),
    };
    put!(*out, "xdist: {}, {implementation}{}", configured.version, interpreter.executable);
    if !configured.interpreter_source.is_empty() {
        put!(*out, " (from {})", configured.interpreter_source);
    }
    out.push('\n');
    for (path, why) in &configured.passed_over {
        put!(*out, "xdist: passed over {path}: {why}\n");
    }
    if configured.hosted {
        let reasons = match configured.facts.host_reasons.as_slice() {
            [] => "asked for: --plugin-host".to_owned(),
            reasons => reasons.join(", "),
        };
        put!(*out, "plugin host: {reasons}\n");
    }
}

/// The lines that say what will run where.
pub(crate) fn collected(face: &Face, collected: &Collected, out: &mut String) {
    if face.display.verbosity >= 0 {
        summary(face, collected, out);
    }
    // What plugins have to say is never left out.
    for line in &collected.collection.lines {
        out.push_str(line);
        out.push('\n');
    }
}

fn summary(face: &Face, collected: &Collected, out: &mut String) {
    let collection = &collected.collection;
    let items = collection.ids.len();
    let mut line = if collected.workers == 0 {
        let all = items + collection.deselected as usize;
        format!("collected {}", plural(all, "item"))
    } else {
        let places = match collected.environments.len() {
            0 | 1 => String::new(),
            number => format!(" in {number} environments"),
        };
        let each = if collected.each { format!(", {} runs", collected.verdicts()) } else { String::new() };
        format!("{}{places} [{}{each}]", plural(collected.workers as usize, "worker"), plural(items, "item"))
    };
    let with = |outcome: &str| collection.reports.iter().filter(|report| report.outcome == outcome).count();
    let (errors, skipped) = (with("failed"), with("skipped"));
    if errors > 0 {
        put!(line, " / {}", plural(errors, "error"));
    }
    if collection.deselected > 0 {
        put!(line, " / {} deselected", collection.deselected);
    }
    if skipped > 0 {
        put!(line, " / {skipped} skipped");
    }
    if collected.workers == 0 && collection.deselected > 0 {
        put!(line, " / {items} selected");
    }
    if collected.workers > 0 && collected.asked > collected.workers {
        put!(line, " ({} asked for)", collected.asked);
    }
    out.push_str(&face.style.paint(&line, &[Ink::BOLD]));
    out.push('\n');
    if collected.environments.len() > 1 {
        environments(collected, out);
    } else if collected.workers > 0 && !collected.fork.is_empty() {
        put!(*out, "{}\n", fork(&collected.fork, &collected.fork_reason));
    }
    if collected.workers > 0 {
        order(collected.moved, out);
    }
}

/// `order: 3 tests that took long first`.
fn order(moved: Moved, out: &mut String) {
    let tests = (moved.long > 0).then(|| format!("{} that took long", plural(moved.long, "test")));
    let files = (moved.files > 0).then(|| format!("{} with dear fixtures", plural(moved.files, "file")));
    let what = files.into_iter().chain(tests).collect::<Vec<_>>().join(" and ");
    if !what.is_empty() {
        put!(*out, "order: {what} first (--no-history: as collected)\n");
    }
}

/// `fork: imported: tests/conftest.py:3: …`.
fn fork(level: &str, reason: &str) -> String {
    let separator = if reason.is_empty() { "" } else { ": " };
    format!("fork: {level}{separator}{reason}")
}

/// A line for each environment: what it is, and how many of the workers and tests are its own.
fn environments(collected: &Collected, out: &mut String) {
    let usual = |one: &Environment| one.fork == "collected" && one.fork_reason.is_empty();
    for one in &collected.environments {
        let interpreter = &one.interpreter;
        put!(
            *out,
            "{}: {} {}, pytest-{}",
            one.label,
            interpreter.implementation,
            interpreter.version,
            interpreter.pytest
        );
        if collected.workers > 0 {
            put!(*out, ", {}", plural(one.workers.len(), "worker"));
        }
        if one.tests.len() != collected.collection.ids.len() {
            put!(*out, ", {}", plural(one.tests.len(), "item"));
        }
        if !usual(one) {
            put!(*out, ", {}", fork(&one.fork, &one.fork_reason));
        }
        put!(*out, " ({})\n", interpreter.executable);
    }
}

/// `1 worker`, `2 workers`.
pub(crate) fn plural(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}
