//! The last lines: why the run stopped, what did not run, and pytest's final line.

use std::time::Duration;

use xdist_core::event::Ended;
use xdist_core::ids::{TestIndex, WorkerId};

use super::face::Face;
use super::header::plural;
use super::style::{Ink, width_of};
use super::tally::Tally;
use super::times;

/// pytest's exit code for an interrupted run.
const INTERRUPTED: u8 = 2;

/// Tests listed by name at most.
const LISTED: usize = 20;

/// What the program itself has to say once more, where it is not lost above the failures.
pub(crate) fn notices(face: &Face, notices: &[String], out: &mut String) {
    // What stands in further lines was shown when it came.
    for notice in notices.iter().filter_map(|notice| notice.lines().next()) {
        out.push_str(&face.style.rule('=', &format!("xdist: {notice}"), &[Ink::YELLOW]));
    }
}

/// The tests that the user's interrupt ended.
pub(crate) fn interrupted(face: &Face, tests: &[(TestIndex, WorkerId)], out: &mut String) {
    if tests.is_empty() {
        return;
    }
    let title = format!("xdist: {} interrupted", plural(tests.len(), "test"));
    out.push_str(&face.style.rule('=', &title, &[Ink::YELLOW]));
    let word = face.style.paint("INTERRUPTED", &[Ink::YELLOW]);
    for &(test, worker) in tests.iter().take(LISTED) {
        put!(*out, "{word} {} ({worker})\n", face.bold_nodeid(face.names.nodeid(test)));
    }
    if tests.len() > LISTED {
        put!(*out, "and {} more\n", tests.len() - LISTED);
    }
}

/// Why the run stopped, if it did not simply end, and how much was left.
pub(crate) fn stopped(face: &Face, tally: &Tally, ended: &Ended, out: &mut String) {
    if let Some(reason) = &ended.reason {
        let inks: &[Ink] = if ended.exit == INTERRUPTED { &[] } else { &[Ink::RED] };
        out.push_str(&face.style.rule('!', reason, inks));
        out.push_str(&ended.detail);
    }
    if !ended.not_run.is_empty() {
        let text = format!("xdist: {} of {} did not run", ended.not_run.len(), plural_of(tally.collected));
        out.push_str(&face.style.paint(&text, &[Ink::YELLOW]));
        out.push('\n');
    }
}

fn plural_of(tests: u64) -> String {
    plural(usize::try_from(tests).unwrap_or(usize::MAX), "test")
}

/// `==== 1 failed, 3 passed in 0.12s ====`; without the rule under `-q`, nothing under `-qq`.
pub(crate) fn final_line(face: &Face, tally: &Tally, elapsed: Duration, out: &mut String) {
    if face.display.verbosity < -1 {
        return;
    }
    let style = &face.style;
    let main = [tally.main_ink()];
    let parts = tally.parts();
    let plain: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
    let painted: Vec<String> = parts.iter().map(|part| style.paint(&part.text, &part.inks)).collect();
    let took = format!(" in {}", times::session(elapsed));
    let columns = width_of(&plain.join(", ")) + took.len();
    let mut message = painted.join(", ");
    style.paint_into(&mut message, &took, &main);
    if face.display.verbosity < 0 {
        out.push_str(&style.paint(&message, &main));
        out.push('\n');
        return;
    }
    // Whatever comes after the message in its line has the main colour again.
    style.start_into(&mut message, &main);
    out.push_str(&style.rule_of('=', &message, columns, &main));
}
