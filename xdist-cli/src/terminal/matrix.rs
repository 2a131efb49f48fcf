//! `--dist=each`: a test's outcomes in all places side by side, and how many of which each place had.

use std::collections::{BTreeMap, HashMap};

use xdist_core::ids::{TestIndex, WorkerId};

use super::face::Face;
use super::style::{Ink, width_of};
use super::tally::{Tally, noun};

/// The words for a test without a verdict.
const NOTHING: &str = "NO RESULT";
/// Tests of different outcomes that the summary lists, if it lists them and `-v` is not given.
const LISTED: usize = 20;

/// What is known of a test in one place.
#[derive(Clone, Debug)]
struct Outcome {
    worker: WorkerId,
    /// `PASSED`, or several words of one test.
    word: String,
    inks: Vec<Ink>,
}

/// Outcomes of tests that are still awaited elsewhere, and counts.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    open: BTreeMap<TestIndex, Vec<Outcome>>,
    counts: HashMap<WorkerId, Tally>,
    /// Lines of tests whose outcomes differ, for the summary.
    differing: BTreeMap<TestIndex, String>,
}

impl Matrix {
    /// Counts a report of a place.
    pub(crate) fn count(&mut self, worker: WorkerId, category: &str, counted: bool) {
        self.counts.entry(worker).or_default().add(category, 1, counted);
    }

    /// One more word for a test in this place.
    pub(crate) fn note(&mut self, test: TestIndex, worker: WorkerId, word: &str, inks: &[Ink]) {
        let known = self.open.entry(test).or_default();
        match known.iter_mut().find(|known| known.worker == worker) {
            Some(known) => {
                known.word = format!("{}+{word}", known.word);
                known.inks = inks.to_vec();
            }
            None => known.push(Outcome { worker, word: word.to_owned(), inks: inks.to_vec() }),
        }
    }

    /// The line of a test, once it has its outcome in every place; `figure` is the progress.
    pub(crate) fn line(&mut self, face: &Face, test: TestIndex, figure: &str) -> Option<String> {
        let outcomes = self.complete(face, test)?;
        Some(line(face, test, figure, outcomes))
    }

    /// Keeps the line of a test for the summary, if it has its outcome in every place and not the same one.
    pub(crate) fn keep(&mut self, face: &Face, test: TestIndex) {
        if let Some(outcomes) = self.complete(face, test).filter(|outcomes| differ(outcomes)) {
            self.differing.insert(test, line(face, test, "", outcomes));
        }
    }

    /// Keeps the lines of tests that have no outcome in some place, and never will.
    pub(crate) fn keep_rest(&mut self, face: &Face) {
        let rest = self.take_rest(face);
        self.differing.extend(rest.into_iter().map(|(test, outcomes)| (test, line(face, test, "", outcomes))));
    }

    /// The lines of tests that have no outcome in some place, and never will.
    pub(crate) fn rest(&mut self, face: &Face) -> String {
        self.take_rest(face).into_iter().map(|(test, outcomes)| line(face, test, "", outcomes)).collect()
    }

    fn complete(&mut self, face: &Face, test: TestIndex) -> Option<Vec<Outcome>> {
        let known = self.open.get(&test)?.len();
        if known < face.places.expected(test) as usize {
            return None;
        }
        self.open.remove(&test)
    }

    fn take_rest(&mut self, face: &Face) -> Vec<(TestIndex, Vec<Outcome>)> {
        let mut rest = Vec::new();
        for (test, mut outcomes) in std::mem::take(&mut self.open) {
            for worker in face.places.having(test) {
                if outcomes.iter().all(|known| known.worker != worker) {
                    outcomes.push(Outcome { worker, word: NOTHING.to_owned(), inks: vec![Ink::YELLOW] });
                }
            }
            rest.push((test, outcomes));
        }
        rest
    }

    /// How many of which each place had, and the lines that were kept.
    pub(crate) fn summary(&self, face: &Face, out: &mut String) {
        let places: Vec<(WorkerId, &str)> = face.places.labels().collect();
        if places.is_empty() {
            return;
        }
        let mut columns: Vec<String> = Vec::new();
        for tally in places.iter().filter_map(|(worker, _)| self.counts.get(worker)) {
            let new = tally.seen().filter(|name| !columns.iter().any(|known| known == name));
            let new: Vec<String> = new.map(str::to_owned).collect();
            columns.extend(new);
        }
        columns.sort_by_key(|name| super::tally::place_of(name));
        let first = places.iter().map(|(_, label)| width_of(label)).max().unwrap_or_default();
        out.push_str(&face.style.rule('=', "results by environment", &[]));
        put!(*out, "{:first$}", "");
        for name in &columns {
            put!(*out, "  {}", noun(name, 2));
        }
        out.push('\n');
        for (worker, label) in places {
            put!(*out, "{label}{:1$}", "", first - width_of(label));
            for name in &columns {
                let count = self.counts.get(&worker).map_or(0, |tally| tally.count(name));
                let columns = width_of(noun(name, 2));
                let text = if count == 0 { "-".to_owned() } else { count.to_string() };
                let bad = count > 0 && matches!(name.as_str(), "failed" | "error" | "crashed");
                let text = format!("{text:>columns$}");
                put!(*out, "  {}", if bad { face.style.paint(&text, &[Ink::RED]) } else { text });
            }
            out.push('\n');
        }
        let most = if face.display.verbosity > 0 { usize::MAX } else { LISTED };
        out.extend(self.differing.values().take(most).map(String::as_str));
        if self.differing.len() > most {
            put!(*out, "and {} more tests with different outcomes\n", self.differing.len() - most);
        }
    }
}

/// Whether a test did not do the same everywhere.
fn differ(outcomes: &[Outcome]) -> bool {
    outcomes.windows(2).any(|pair| pair[0].word != pair[1].word)
}

/// `[ 20%] PASSED a.py::test_x`, or with the places of each outcome where they differ.
fn line(face: &Face, test: TestIndex, figure: &str, mut outcomes: Vec<Outcome>) -> String {
    outcomes.sort_by_key(|outcome| outcome.worker);
    let mut out = String::new();
    if !figure.is_empty() {
        face.style.paint_into(&mut out, figure.trim_start(), &[Ink::CYAN]);
        out.push(' ');
    }
    let mut groups: Vec<(Outcome, Vec<&str>)> = Vec::new();
    for outcome in &outcomes {
        let label = face.places.label(outcome.worker).unwrap_or_default();
        match groups.iter_mut().find(|(known, _)| known.word == outcome.word) {
            Some((_, labels)) => labels.push(label),
            None => groups.push((outcome.clone(), vec![label])),
        }
    }
    out.push_str(&face.names.display(test));
    let everywhere = groups.len() == 1 && face.places.labels().count() == outcomes.len();
    for (outcome, labels) in groups {
        out.push(' ');
        face.style.paint_into(&mut out, &outcome.word, &outcome.inks);
        if !everywhere {
            put!(out, " ({})", labels.join(", "));
        }
    }
    out.push('\n');
    out
}
