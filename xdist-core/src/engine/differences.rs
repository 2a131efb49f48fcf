//! What to say when several places should have the same tests and do not. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::collection::Collection;
use crate::facts::Interpreter;
use crate::report::CollectReport;

/// Differences listed at most.
const LISTED: usize = 10;

/// What one place collected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side<'a> {
    pub(super) label: &'a str,
    pub(super) ids: &'a [String],
    pub(super) reports: &'a [CollectReport],
    pub(super) interpreter: &'a Interpreter,
}

impl<'a> Side<'a> {
    pub(super) fn of(label: &'a str, collection: &'a Collection, interpreter: &'a Interpreter) -> Self {
        Self { label, ids: &collection.ids, reports: &collection.reports, interpreter }
    }
}

/// In how many places a test is missing, and where.
struct Missing<'a> {
    id: &'a str,
    /// How many more of this node id others have; mostly 1.
    places: Vec<usize>,
}

/// The first line says who lacks how many, the others which and why that may be; `None` if all have the same tests, in
/// whatever order.
pub(super) fn between(sides: &[Side<'_>], consequence: &str) -> Option<String> {
    let missing = missing(sides);
    if missing.is_empty() {
        return None;
    }
    let total: usize = most(sides).values().sum();
    let lack = |at: usize| missing.iter().filter(|one| one.places.contains(&at)).count();
    let counts: Vec<String> = (0..sides.len())
        .filter(|at| lack(*at) > 0)
        .map(|at| format!("{} lacks {} of {total}", sides[at].label, lack(at)))
        .collect();
    let mut lines = vec![format!("different tests were collected: {}; {consequence}", counts.join(", "))];
    lines.extend(missing.iter().take(LISTED).map(|one| format!("  {}: {}", one.id, whereabouts(one, sides))));
    if missing.len() > LISTED {
        lines.push(format!("  and {} more", missing.len() - LISTED));
    }
    let causes = causes(sides, &missing);
    if !causes.is_empty() {
        lines.push(format!("likely because of {}", causes.join("; ")));
    }
    Some(lines.join("\n"))
}

/// The largest number of tests of each node id.
fn most<'a>(sides: &[Side<'a>]) -> HashMap<&'a str, usize> {
    let mut most = HashMap::new();
    for side in sides {
        for (id, number) in numbers(side.ids) {
            let known = most.entry(id).or_default();
            *known = number.max(*known);
        }
    }
    most
}

fn numbers(ids: &[String]) -> HashMap<&str, usize> {
    let mut numbers = HashMap::new();
    for id in ids {
        *numbers.entry(id.as_str()).or_default() += 1;
    }
    numbers
}

/// Tests that are not everywhere, in the order of those who have them.
fn missing<'a>(sides: &[Side<'a>]) -> Vec<Missing<'a>> {
    let most = most(sides);
    let own: Vec<HashMap<&str, usize>> = sides.iter().map(|side| numbers(side.ids)).collect();
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for id in sides.iter().flat_map(|side| side.ids).map(String::as_str) {
        if !seen.insert(id) {
            continue;
        }
        let places: Vec<usize> =
            (0..sides.len()).filter(|at| own[*at].get(id).copied().unwrap_or(0) < most[id]).collect();
        if !places.is_empty() {
            out.push(Missing { id, places });
        }
    }
    out
}

fn whereabouts(one: &Missing<'_>, sides: &[Side<'_>]) -> String {
    let labels = |has: bool| {
        let of = (0..sides.len()).filter(|at| one.places.contains(at) != has).map(|at| sides[at].label);
        of.collect::<Vec<_>>().join(", ")
    };
    if one.places.len() * 2 >= sides.len() {
        format!("only in {}", labels(true))
    } else {
        format!("not in {}", labels(false))
    }
}

fn causes(sides: &[Side<'_>], missing: &[Missing<'_>]) -> Vec<String> {
    let mut causes = Vec::new();
    causes.extend(files(sides, missing));
    causes.extend(parameters(missing));
    let version = |side: &Side<'_>| {
        let Interpreter { implementation, version, platform, pytest, .. } = side.interpreter;
        (implementation.clone(), version.clone(), platform.clone(), pytest.clone())
    };
    if sides.iter().any(|side| version(side) != version(&sides[0])) {
        causes.push("different versions of Python or pytest".to_owned());
    }
    causes
}

/// Files of which a place has no test at all, with its reason if it gave one.
fn files(sides: &[Side<'_>], missing: &[Missing<'_>]) -> Option<String> {
    let file = |id: &str| id.split("::").next().unwrap_or(id).to_owned();
    let known: Vec<HashSet<String>> = sides.iter().map(|side| side.ids.iter().map(|id| file(id)).collect()).collect();
    for one in missing {
        let path = file(one.id);
        let Some(at) = one.places.iter().copied().find(|at| !known[*at].contains(&path)) else { continue };
        let side = &sides[at];
        let report = side.reports.iter().find(|report| report.nodeid == path);
        let reason = report.and_then(|report| report.longrepr.as_ref()?.skip.as_ref()).map(|(_, _, reason)| reason);
        return Some(match reason {
            Some(reason) => format!("`{path}`, which is skipped in {}: {reason}", side.label),
            None => format!("`{path}`, of which {} has nothing: is the file there, and not ignored?", side.label),
        });
    }
    None
}

/// One test function with other parameters here than there.
fn parameters(missing: &[Missing<'_>]) -> Option<String> {
    let mut functions: BTreeMap<&str, Vec<&Missing<'_>>> = BTreeMap::new();
    for one in missing {
        if let Some((function, _)) = one.id.split_once('[') {
            functions.entry(function).or_default().push(one);
        }
    }
    let (function, same) =
        functions.into_iter().find(|(_, same)| same.iter().any(|one| one.places != same[0].places))?;
    let values: Vec<&str> = same.iter().filter_map(|one| one.id.split_once('[')).map(|(_, values)| values).collect();
    let kind = if values.iter().all(|value| value.contains("0x")) {
        "the addresses of objects, as `repr` shows them: give `ids=` to the mark"
    } else if values.iter().all(|value| longest_number(value) >= 8) {
        "the time or a random number: let them be the same in every process"
    } else {
        "a set, whose order is another one in every process, or random or changing values: sort them, or seed them"
    };
    Some(format!("parameters of `{function}` made of {kind}"))
}

fn longest_number(text: &str) -> usize {
    text.split(|one: char| !one.is_ascii_digit()).map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Longrepr;

    fn text(sides: &[(&str, &str, &str)]) -> Option<String> {
        let ids: Vec<Vec<String>> =
            sides.iter().map(|(_, ids, _)| ids.split_whitespace().map(str::to_owned).collect()).collect();
        let interpreters: Vec<Interpreter> = sides
            .iter()
            .map(|(_, _, version)| Interpreter { version: (*version).into(), ..Interpreter::default() })
            .collect();
        let sides: Vec<Side<'_>> = sides
            .iter()
            .zip(ids.iter().zip(&interpreters))
            .map(|((label, ..), (ids, interpreter))| Side { label, ids, reports: &[], interpreter })
            .collect();
        between(&sides, "each runs where it is")
    }

    #[test]
    fn order_makes_no_difference() {
        assert_eq!(text(&[("a", "x y", "3"), ("b", "y x", "4")]), None);
    }

    #[test]
    fn says_who_lacks_what() {
        let found =
            text(&[("a", "t.py::x t.py::y", "3"), ("b", "t.py::y t.py::z", "3"), ("c", "t.py::x t.py::y", "4")]);
        assert_eq!(
            found.unwrap(),
            "different tests were collected: a lacks 1 of 3, b lacks 1 of 3, c lacks 1 of 3; each runs where it is\n  \
             t.py::x: not in b\n  t.py::z: only in b\nlikely because of different versions of Python or pytest"
        );
    }

    #[test]
    fn a_test_that_is_there_more_often_is_missing_elsewhere() {
        let found = text(&[("a", "t t", "3"), ("b", "t", "3")]).unwrap();
        assert!(found.starts_with("different tests were collected: b lacks 1 of 2;"), "{found}");
    }

    #[test]
    fn not_more_than_some_are_listed() {
        let many: Vec<String> = (0..30).map(|number| format!("t.py::x{number}")).collect();
        let found = text(&[("a", &many.join(" "), "3"), ("b", "t.py::y", "3")]).unwrap();
        assert!(found.ends_with("\n  and 21 more"), "{found}");
        assert_eq!(found.lines().count(), 2 + LISTED);
    }

    #[test]
    fn guesses_from_parameters() {
        for (one, other, cause) in [
            ("t.py::x[<o at 0x7f01>]", "t.py::x[<o at 0x7f02>]", "addresses of objects"),
            ("t.py::x[1700000001]", "t.py::x[1700000002]", "the time"),
            ("t.py::x[a-b]", "t.py::x[b-a]", "a set, whose order"),
        ] {
            let (one, other) = (one.replace(' ', "_"), other.replace(' ', "_"));
            let found = text(&[("a", &one, "3"), ("b", &other, "3")]).unwrap();
            assert!(found.contains(cause), "{found}");
            assert!(found.contains("`t.py::x`"), "{found}");
        }
        // More of them in one place is no sign of values that change.
        let found = text(&[("a", "t.py::x[1] t.py::x[2]", "3"), ("b", "t.py::x[1]", "3")]).unwrap();
        assert!(!found.contains("likely"), "{found}");
    }

    #[test]
    fn guesses_from_files() {
        let ids = [vec!["a.py::x".to_owned(), "b.py::y".to_owned()], vec!["a.py::x".to_owned()]];
        let interpreter = Interpreter::default();
        let skipped = CollectReport {
            nodeid: "b.py".to_owned(),
            outcome: "skipped".to_owned(),
            longrepr: Some(Longrepr { skip: Some(("b.py".into(), 1, "no numpy".into())), ..Longrepr::default() }),
            ..CollectReport::default()
        };
        let of = |reports: &[CollectReport]| {
            let sides = [
                Side { label: "one", ids: &ids[0], reports: &[], interpreter: &interpreter },
                Side { label: "two", ids: &ids[1], reports, interpreter: &interpreter },
            ];
            between(&sides, "").unwrap()
        };
        assert!(of(&[skipped]).contains("`b.py`, which is skipped in two: no numpy"));
        assert!(of(&[]).contains("`b.py`, of which two has nothing"));
    }
}
