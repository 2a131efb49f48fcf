//! The reports that will be shown again at the end, and no others: plain passes leave nothing here.

use std::collections::HashMap;

use xdist_core::event::Crashed;
use xdist_core::ids::{TestIndex, WorkerId};
use xdist_core::report::{CollectReport, Crash, Longrepr, Report};

use super::face::Face;
use super::names::domain;
use super::style::Ink;

/// Last words are not collected beyond this size.
const LAST_WORDS: usize = 64 * 1024;

/// A report with where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Its test; `None` for collectors.
    pub(crate) test: Option<TestIndex>,
    /// Where it ran.
    pub(crate) worker: Option<WorkerId>,
    /// Its node id.
    pub(crate) nodeid: String,
    /// The report itself.
    pub(crate) report: Report,
    /// Captured output of the test's passed teardown.
    pub(crate) teardown: Vec<(String, String)>,
    /// What a worker that died wrote last.
    pub(crate) words: String,
}

/// Kept reports by category.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) failed: Vec<Kept>,
    pub(crate) errors: Vec<Kept>,
    pub(crate) skipped: Vec<Kept>,
    pub(crate) xfailed: Vec<Kept>,
    pub(crate) xpassed: Vec<Kept>,
    /// Passed reports with something captured.
    pub(crate) passed: Vec<Kept>,
    /// Everything that passed, if `-rp` asked for it.
    pub(crate) passed_tests: Vec<TestIndex>,
    /// Places in `failed` of the crashes that took each worker down, while no other test runs there.
    crashes: HashMap<WorkerId, usize>,
}

impl Shelf {
    /// Whether anything will show a report of this category.
    pub(crate) fn shows(face: &Face, category: &str) -> bool {
        match category {
            "failed" | "error" => true,
            "skipped" => face.wants('s'),
            "xfailed" => face.wants('x') || face.display.xfail_tb,
            "xpassed" => face.wants('X'),
            "passed" => face.wants('p') || face.wants('P'),
            _ => false,
        }
    }

    /// Keeps a report if something will show it.
    pub(crate) fn keep(&mut self, face: &Face, kept: Kept) {
        let slim = |mut kept: Kept| {
            kept.report.sections.clear();
            kept.teardown.clear();
            kept
        };
        match kept.report.category.as_str() {
            "failed" => self.failed.push(kept),
            "error" => self.errors.push(kept),
            "skipped" if face.wants('s') => self.skipped.push(slim(kept)),
            "xfailed" if face.display.xfail_tb => self.xfailed.push(kept),
            "xfailed" if face.wants('x') => self.xfailed.push(slim(kept)),
            "xpassed" if face.wants('X') => self.xpassed.push(kept),
            "passed" => {
                if face.wants('p') {
                    self.passed_tests.extend(kept.test);
                }
                if face.wants('P') && !(kept.report.sections.is_empty() && kept.teardown.is_empty()) {
                    self.passed.push(kept);
                }
            }
            _ => {}
        }
    }

    /// The report kept last was of a crash, and these were the worker's words.
    pub(crate) fn crashed(&mut self, worker: WorkerId, words: String) {
        if let Some(kept) = self.failed.last_mut() {
            kept.words = words;
            self.crashes.insert(worker, self.failed.len() - 1);
        }
    }

    /// A worker, or the one in its place, runs a test: what it writes is about that.
    pub(crate) fn alive(&mut self, worker: WorkerId) {
        if !self.crashes.is_empty() {
            self.crashes.remove(&worker);
        }
    }

    /// Adds a line that came after its writer's death was known. False: it did not die.
    pub(crate) fn late_words(&mut self, worker: WorkerId, line: &str) -> bool {
        let Some(kept) = self.crashes.get(&worker).and_then(|&at| self.failed.get_mut(at)) else { return false };
        if kept.words.len() < LAST_WORDS && !kept.words.lines().any(|known| known == line) {
            kept.words.push_str(line);
            kept.words.push('\n');
        }
        true
    }

    /// Puts everything into the order of collection, which is that of a serial run.
    ///
    /// `by_worker`: what one test has of several workers stands in their order.
    pub(crate) fn sort(&mut self, by_worker: bool) {
        let lists = [
            &mut self.failed,
            &mut self.errors,
            &mut self.skipped,
            &mut self.xfailed,
            &mut self.xpassed,
            &mut self.passed,
        ];
        for list in lists {
            list.sort_by_key(|kept| (kept.test, if by_worker { kept.worker } else { None }));
        }
        self.passed_tests.sort_unstable();
    }
}

/// A collector's report in the form of a test's.
pub(crate) fn from_collector(report: &CollectReport) -> Kept {
    let failed = report.outcome == "failed";
    Kept {
        test: None,
        worker: None,
        nodeid: report.nodeid.clone(),
        teardown: Vec::new(),
        words: String::new(),
        report: Report {
            when: "collect".to_owned(),
            outcome: report.outcome.clone(),
            category: if failed { "error" } else { "skipped" }.to_owned(),
            word: if failed { "ERROR" } else { "SKIPPED" }.to_owned(),
            head_line: report.head_line.clone(),
            longrepr: report.longrepr.clone(),
            sections: report.sections.clone(),
            ..Report::default()
        },
    }
}

/// The phase of a report made of a death.
pub(crate) const CRASH: &str = "???";

/// A death in the form of a failed report: who died how, and what had been reported before.
pub(crate) fn from_crash(face: &Face, nodeid: &str, worker: WorkerId, crashed: &Crashed) -> Report {
    let place = face.names.relative(nodeid);
    let who = crashed.who(worker);
    let what = format!("{who} crashed while running {place}: {}", crashed.how);
    let mut terminal = face.style.paint(&what, &[Ink::RED]);
    terminal.push('\n');
    let mut sections = Vec::new();
    for report in &crashed.reports {
        if let (true, Some(longrepr)) = (report.is_failure(), &report.longrepr) {
            let order = if crashed.boxed { "as well" } else { "before the crash" };
            terminal.push_str(&face.style.rule('-', &format!("{} failed {order}", report.when), &[]));
            terminal.push_str(longrepr.terminal.trim_end());
            terminal.push('\n');
        }
        sections.clone_from(&report.sections);
    }
    Report {
        when: CRASH.to_owned(),
        outcome: "failed".to_owned(),
        category: "failed".to_owned(),
        letter: "F".to_owned(),
        word: "FAILED".to_owned(),
        duration: crashed.last_phase(),
        head_line: domain(nodeid),
        longrepr: Some(Longrepr {
            terminal,
            line: what,
            crash: Some(Crash {
                message: format!("{who} crashed: {}", crashed.how),
                path: place.into_owned(),
                lineno: 0,
            }),
            ..Longrepr::default()
        }),
        sections,
        ..Report::default()
    }
}
