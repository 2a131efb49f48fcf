//! What stands above the progress: versions, configuration, interpreter, workers, how they were started and why.

use xdist_core::event::{Collected, Configured};

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
    out.push_str(&format!(
        "platform {} -- Python {}, pytest-{}, pluggy-{}",
        interpreter.platform, interpreter.version, interpreter.pytest, interpreter.pluggy
    ));
    if face.display.verbosity > 0 {
        out.push_str(&format!(" -- {}", interpreter.executable));
    }
    out.push('\n');
    for line in &configured.header {
        out.push_str(line);
        out.push('\n');
    }
    let implementation = match interpreter.implementation.as_str() {
        "" | "CPython" => String::new(),
        other => format!("{other} "),
    };
    out.push_str(&format!("xdist: {}, {implementation}{}", configured.version, interpreter.executable));
    if !configured.interpreter_source.is_empty() {
        out.push_str(&format!(" (from {})", configured.interpreter_source));
    }
    out.push('\n');
    for (path, why) in &configured.passed_over {
        out.push_str(&format!("xdist: passed over {path}: {why}\n"));
    }
}

/// The lines that say what will run where.
pub(crate) fn collected(face: &Face, collected: &Collected, out: &mut String) {
    if face.display.verbosity < 0 {
        return;
    }
    let collection = &collected.collection;
    let items = collection.ids.len();
    let mut line = if collected.workers == 0 {
        let all = items + collection.deselected as usize;
        format!("collected {}", plural(all, "item"))
    } else {
        format!("{} [{}]", plural(collected.workers as usize, "worker"), plural(items, "item"))
    };
    let with = |outcome: &str| collection.reports.iter().filter(|report| report.outcome == outcome).count();
    let (errors, skipped) = (with("failed"), with("skipped"));
    if errors > 0 {
        line.push_str(&format!(" / {}", plural(errors, "error")));
    }
    if collection.deselected > 0 {
        line.push_str(&format!(" / {} deselected", collection.deselected));
    }
    if skipped > 0 {
        line.push_str(&format!(" / {skipped} skipped"));
    }
    if collected.workers == 0 && collection.deselected > 0 {
        line.push_str(&format!(" / {items} selected"));
    }
    if collected.workers > 0 && collected.asked > collected.workers {
        line.push_str(&format!(" ({} asked for)", collected.asked));
    }
    out.push_str(&face.style.paint(&line, &[Ink::BOLD]));
    out.push('\n');
    if collected.workers > 0 && !collected.fork.is_empty() {
        let reason = match collected.fork_reason.as_str() {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        out.push_str(&format!("fork: {}{reason}\n", collected.fork));
    }
    for line in &collection.lines {
        out.push_str(line);
        out.push('\n');
    }
}

/// `1 worker`, `2 workers`.
pub(crate) fn plural(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}
