//! The cache's rules, on hand-written verdicts.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::collection::{LoopNews, Stepwise};
use crate::event::Crashed;
use crate::report::{CollectReport, Report};

fn report(when: &str, outcome: &str) -> Report {
    Report { when: when.into(), outcome: outcome.into(), ..Report::default() }
}

/// `setup:passed call:failed`
fn reported(text: &str) -> Verdict {
    Verdict::Reported(
        text.split(' ').filter_map(|word| word.split_once(':')).map(|(when, outcome)| report(when, outcome)).collect(),
    )
}

fn passed() -> Verdict {
    Verdict::Passed { durations: [0.0; 3] }
}

fn failed() -> Verdict {
    reported("setup:passed call:failed teardown:passed")
}

fn crashed() -> Verdict {
    Verdict::Crashed(Box::new(Crashed {
        how: "signal 11".into(),
        elapsed: Duration::from_secs(1),
        ..Crashed::default()
    }))
}

fn facts(lastfailed: &[&str], pytest: &[u32]) -> CacheFacts {
    CacheFacts {
        lastfailed: Some(lastfailed.iter().map(ToString::to_string).collect()),
        pytest: pytest.to_vec(),
        ..CacheFacts::default()
    }
}

fn collection(ids: &[&str]) -> Collection {
    Collection { ids: ids.iter().map(ToString::to_string).collect(), ..Collection::default() }
}

fn state(facts: CacheFacts, collection: Collection, verdicts: &[(u32, Verdict)]) -> CacheState {
    let mut state = CacheState::new(facts);
    state.collected(Arc::new(collection));
    for (test, verdict) in verdicts {
        state.finished(TestIndex(*test), verdict);
    }
    state
}

fn value(state: &CacheState, key: &str) -> Option<Value> {
    state.files("2026-01-02T03:04:05.678901").into_iter().find(|file| file.key == key).map(|file| file.value)
}

fn keys(state: &CacheState) -> Option<Vec<String>> {
    value(state, "cache/lastfailed").map(|value| value.as_object().unwrap().keys().cloned().collect())
}

#[test]
fn what_enters_and_leaves_lastfailed() {
    for (verdict, before, after) in [
        (passed(), true, false),
        (failed(), false, true),
        (reported("setup:failed teardown:passed"), false, true),
        (reported("setup:passed call:passed teardown:failed"), true, true),
        (reported("setup:passed call:passed teardown:failed"), false, true),
        (reported("setup:skipped teardown:passed"), true, false),
        (reported("setup:passed call:skipped teardown:passed"), true, false),
        (reported("setup:passed call:rerun"), true, true),
        (reported("setup:passed call:rerun setup:passed call:passed teardown:passed"), true, false),
        (reported("setup:passed call:passed call:failed teardown:passed"), false, true),
        (crashed(), false, true),
        (Verdict::Interrupted, true, true),
        (Verdict::Interrupted, false, false),
    ] {
        let known: &[&str] = if before { &["a.py::test"] } else { &[] };
        let state = state(facts(known, &[9, 2]), collection(&["a.py::test"]), &[(0, verdict.clone())]);
        let expected = (before != after).then(|| if after { vec!["a.py::test".to_owned()] } else { vec![] });
        assert_eq!(keys(&state), expected, "{verdict:?}");
    }
}

#[test]
fn what_a_loop_did_not_find_any_more_leaves() {
    let mut collection = collection(&["a.py::one"]);
    collection.loop_news = Some(LoopNews { gone: vec!["a.py::gone".to_owned()], ..LoopNews::default() });
    let known = facts(&["a.py::gone", "a.py::one", "b.py::other"], &[9, 2]);
    let state = state(known, collection, &[(0, passed())]);
    assert_eq!(keys(&state).unwrap(), ["b.py::other"]);
}

#[test]
fn order_is_that_of_insertion_and_what_did_not_run_stays() {
    let state = state(
        facts(&["gone.py::test", "a.py::one", "a.py::two"], &[9, 2]),
        collection(&["a.py::one", "a.py::two", "a.py::three", "a.py::four"]),
        &[(3, failed()), (2, crashed()), (1, failed()), (0, passed())],
    );
    assert_eq!(keys(&state).unwrap(), ["gone.py::test", "a.py::two", "a.py::three", "a.py::four"]);
}

#[test]
fn a_failed_collector_enters_and_a_skipped_one_does_not() {
    let report = |nodeid: &str, outcome: &str| CollectReport {
        nodeid: nodeid.into(),
        outcome: outcome.into(),
        ..CollectReport::default()
    };
    let broken =
        Collection { reports: vec![report("bad.py", "failed"), report("odd.py", "skipped")], ..Collection::default() };
    assert_eq!(keys(&state(facts(&[], &[9, 2]), broken, &[])).unwrap(), ["bad.py"]);
}

#[test]
fn a_collector_that_works_again_gives_way_to_its_tests() {
    let repaired = Collection {
        lastfailed: Some(vec!["bad.py::one".into(), "bad.py::two".into()]),
        ..collection(&["bad.py::one", "bad.py::two"])
    };
    let state = state(facts(&["bad.py"], &[9, 2]), repaired, &[(0, passed())]);
    assert_eq!(keys(&state).unwrap(), ["bad.py::two"]);
}

#[test]
fn reports_with_a_node_id_of_their_own() {
    let own = Report { nodeid: "a.py::test::part".into(), ..report("call", "failed") };
    let verdict = Verdict::Reported(vec![report("setup", "passed"), own, report("call", "passed")]);
    let state = state(facts(&["a.py::test"], &[9, 2]), collection(&["a.py::test"]), &[(0, verdict)]);
    assert_eq!(keys(&state).unwrap(), ["a.py::test::part"]);
}

#[test]
fn plugins_that_are_off_write_nothing() {
    let off = CacheFacts { pytest: vec![9, 2], ..CacheFacts::default() };
    assert_eq!(state(off, collection(&["a.py::test"]), &[(0, failed())]).files("now"), []);
}

#[test]
fn without_a_collection_nothing_is_known() {
    assert_eq!(CacheState::new(facts(&["a.py::test"], &[9, 2])).files("now"), []);
}

fn stepping(last_failed: Option<&str>, skip: bool, pytest: &[u32]) -> (CacheFacts, Collection) {
    let stepwise = Stepwise { last_failed: last_failed.map(Into::into), last_test_count: Some(9), skip };
    (
        CacheFacts { stepwise: true, pytest: pytest.to_vec(), ..CacheFacts::default() },
        Collection { stepwise: Some(stepwise), ..collection(&["t::a", "t::b", "t::c", "t::d"]) },
    )
}

#[test]
fn stepwise_records_the_first_failure_in_order_of_collection() {
    for (before, skip, verdicts, after) in [
        (None, false, vec![(3, failed()), (1, crashed()), (0, passed())], Some("t::b")),
        (Some("t::a"), false, vec![(0, passed()), (1, passed())], None),
        (Some("t::a"), false, vec![(1, passed())], Some("t::a")),
        (Some("t::a"), false, vec![(0, failed())], Some("t::a")),
        (Some("t::a"), true, vec![(0, failed()), (1, passed())], None),
        (Some("t::a"), true, vec![(0, failed()), (2, failed())], Some("t::c")),
        (Some("t::a"), false, vec![(0, reported("setup:skipped teardown:passed"))], Some("t::a")),
        (Some("t::a"), false, vec![(0, reported("setup:passed call:skipped"))], None),
        (None, false, vec![(0, reported("setup:passed call:passed teardown:failed")), (1, failed())], Some("t::a")),
        (None, true, vec![(0, reported("setup:passed call:failed teardown:failed")), (1, failed())], Some("t::a")),
        (Some("t::b"), false, vec![(1, Verdict::Interrupted)], Some("t::b")),
    ] {
        let (facts, collection) = stepping(before, skip, &[7, 4]);
        let state = state(facts, collection, &verdicts);
        assert_eq!(value(&state, "cache/stepwise"), Some(json!(after)), "{before:?} {skip} {verdicts:?}");
    }
}

#[test]
fn stepwise_has_two_formats() {
    let (facts, collection) = stepping(None, false, &[8, 4]);
    let state = state(facts, collection, &[(1, failed())]);
    let text = serde_json::to_string(&value(&state, "cache/stepwise").unwrap()).unwrap();
    assert_eq!(
        text,
        r#"{"last_failed":"t::b","last_test_count":9,"last_cache_date_str":"2026-01-02T03:04:05.678901"}"#
    );
}

#[test]
fn stepwise_that_is_off_is_left_to_pytest() {
    for version in [&[7, 0][..], &[9, 2]] {
        assert_eq!(value(&state(facts(&[], version), collection(&[]), &[]), "cache/stepwise"), None);
    }
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(passed()),
        Just(failed()),
        Just(crashed()),
        Just(Verdict::Interrupted),
        Just(reported("setup:skipped teardown:passed")),
        Just(reported("setup:passed call:passed teardown:failed")),
    ]
}

proptest! {
    /// Whatever order verdicts arrive in, the files are the same, and say of each test what its own verdict says.
    #[test]
    fn arrival_does_not_matter(
        verdicts in proptest::collection::vec(any_verdict(), 1..12),
        known in proptest::collection::vec(0usize..16, 0..8),
        seed in any::<prop::sample::Index>(),
    ) {
        let ids: Vec<String> = (0..verdicts.len()).map(|at| format!("t.py::test_{at}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let known: Vec<String> = known.iter().map(|at| format!("t.py::test_{at}")).collect();
        let known: Vec<&str> = known.iter().collect::<std::collections::BTreeSet<_>>().into_iter().map(String::as_str).collect();
        let mut numbered: Vec<(u32, Verdict)> = (0u32..).zip(verdicts.iter().cloned()).collect();
        let with_stepwise = || CacheFacts { stepwise: true, ..facts(&known, &[8, 4]) };
        let straight = state(with_stepwise(), collection(&ids), &numbered);
        let by = seed.index(numbered.len());
        numbered.rotate_left(by);
        numbered.reverse();
        let turned = state(with_stepwise(), collection(&ids), &numbered);
        prop_assert_eq!(straight.files("now"), turned.files("now"));

        let after = keys(&straight).unwrap_or_else(|| known.iter().map(ToString::to_string).collect());
        for (id, verdict) in ids.iter().zip(&verdicts) {
            let listed = after.iter().any(|nodeid| nodeid == id);
            let expected = match verdict {
                Verdict::Passed { .. } => false,
                Verdict::Interrupted => known.contains(id),
                Verdict::Crashed(_) => true,
                Verdict::Reported(reports) => reports.iter().any(Report::is_failure),
            };
            prop_assert_eq!(listed, expected, "{}", id);
        }
    }
}
