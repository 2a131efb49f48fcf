//! `ERRORS`, `FAILURES`, `XFAILURES`, `PASSES`: reports in full.

use xdist_core::report::{Longrepr, Report};

use super::face::Face;
use super::shelf::{CRASH, Kept};
use super::style::Ink;

const HEAD: [Ink; 2] = [Ink::RED, Ink::BOLD];

/// Failed collectors, set-ups and teardowns.
pub(crate) fn errors(face: &Face, kept: &[Kept], out: &mut String) {
    if kept.is_empty() || face.display.tbstyle == "no" {
        return;
    }
    out.push_str(&face.style.rule('=', "ERRORS", &[]));
    for one in kept {
        let head = labelled(face, one);
        let title = match one.report.when.as_str() {
            "collect" if one.report.head_line.is_empty() => format!("ERROR collecting {head}"),
            "collect" => head,
            when => format!("ERROR at {when} of {head}"),
        };
        out.push_str(&face.style.rule('_', &title, &HEAD));
        body(face, one, out);
        rerun(face, one, out);
    }
}

/// Failed tests.
pub(crate) fn failures(face: &Face, kept: &[Kept], out: &mut String) {
    failing(face, "FAILURES", &face.display.tbstyle, kept, true, out);
}

/// Expected failures, where `--xfail-tb` asks for them.
pub(crate) fn xfailures(face: &Face, kept: &[Kept], out: &mut String) {
    if face.display.xfail_tb {
        failing(face, "XFAILURES", &face.display.tbstyle, kept, false, out);
    }
}

fn failing(face: &Face, title: &str, style: &str, kept: &[Kept], with_rerun: bool, out: &mut String) {
    if kept.is_empty() || style == "no" {
        return;
    }
    out.push_str(&face.style.rule('=', title, &[]));
    for one in kept {
        if style == "line" {
            // pytest knows no crashes: what is known of one is shown in any style, and says all that the line would.
            let crashed = one.report.when == CRASH;
            if crashed || face.since(9, 0) {
                body(face, one, out);
            }
            if !crashed {
                push_line(out, &crash_line(&one.report));
            }
        } else {
            out.push_str(&face.style.rule('_', &labelled(face, one), &HEAD));
            body(face, one, out);
            teardown(face, one, out);
        }
        if with_rerun {
            rerun(face, one, out);
        }
    }
}

/// Passed tests with what was captured.
pub(crate) fn passes(face: &Face, title: &str, any: bool, kept: &[Kept], out: &mut String) {
    if !any || face.display.tbstyle == "no" {
        return;
    }
    out.push_str(&face.style.rule('=', title, &[]));
    for one in kept {
        if !one.report.sections.is_empty() {
            out.push_str(&face.style.rule('_', &labelled(face, one), &[Ink::GREEN, Ink::BOLD]));
            body(face, one, out);
        }
        teardown(face, one, out);
    }
}

/// The title of its section, with its environment where there are several.
fn labelled(face: &Face, kept: &Kept) -> String {
    format!("{}{}", head_line(kept), face.label(kept.worker))
}

fn head_line(kept: &Kept) -> &str {
    let head = &kept.report.head_line;
    match (head.is_empty(), kept.nodeid.is_empty()) {
        (false, _) => head,
        (true, false) => &kept.nodeid,
        (true, true) => "test session",
    }
}

/// Where it ran, what pytest made of it, what was captured.
fn body(face: &Face, kept: &Kept, out: &mut String) {
    if let Some(worker) = kept.worker {
        out.push_str(&face.worker_line(worker));
    }
    if let Some(longrepr) = &kept.report.longrepr {
        push_line(out, &longrepr.terminal);
    }
    if let (Some(worker), false) = (kept.worker, kept.words.trim().is_empty()) {
        out.push_str(&face.style.rule('-', &format!("last output of {worker}"), &[]));
        push_line(out, kept.words.trim_end());
    }
    captured(face, kept.report.sections.iter(), out);
}

fn teardown(face: &Face, kept: &Kept, out: &mut String) {
    captured(face, kept.teardown.iter().filter(|(title, _)| title.contains("teardown")), out);
}

fn captured<'a>(face: &Face, sections: impl Iterator<Item = &'a (String, String)>, out: &mut String) {
    let show = face.display.showcapture.as_str();
    if show == "no" {
        return;
    }
    for (title, content) in sections {
        if matches!(show, "all" | "") || title.contains(show) {
            out.push_str(&face.style.rule('-', title, &[]));
            out.push_str(content.strip_suffix('\n').unwrap_or(content));
            out.push('\n');
        }
    }
}

fn rerun(face: &Face, kept: &Kept, out: &mut String) {
    if !kept.nodeid.is_empty() {
        out.push_str(&face.rerun_line(&kept.nodeid, kept.worker));
    }
}

/// `path:line: message`.
fn crash_line(report: &Report) -> String {
    let Some(longrepr) = &report.longrepr else {
        return String::new();
    };
    match longrepr {
        Longrepr { line, .. } if !line.is_empty() => line.clone(),
        Longrepr { crash: Some(crash), .. } => format!("{}:{}: {}", crash.path, crash.lineno, crash.message),
        Longrepr { terminal, .. } => terminal.trim_end().chars().take(50).collect(),
    }
}

/// `text`, ending in exactly the line ends it has, at least one.
fn push_line(out: &mut String, text: &str) {
    out.push_str(text);
    if !text.ends_with('\n') {
        out.push('\n');
    }
}
