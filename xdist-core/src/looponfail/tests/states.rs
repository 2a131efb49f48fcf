//! What follows from what, and that some things never do.

use std::collections::BTreeSet;
use std::path::PathBuf;

use proptest::prelude::*;

use crate::exit;
use crate::looponfail::results::Results;
use crate::looponfail::state::{Changes, Effect, Input, Key, OnChange, Options, State};
use crate::protocol::Selection;

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A run that collected, with what failed and what passed.
fn ran(failed: &str, passed: &str) -> Results {
    let failed = words(failed);
    let exit = if failed.is_empty() { exit::OK } else { exit::TESTS_FAILED };
    Results { exit, collected: true, failed, passed: words(passed).into_iter().collect(), ..Results::default() }
}

fn broken(errors: &str) -> Results {
    Results { exit: exit::INTERRUPTED, collected: true, errors: words(errors), cut_short: true, ..Results::default() }
}

fn some(tests: &str, files: &str) -> Selection {
    Selection::Some(words(tests), words(files))
}

fn changes(files: &str) -> Changes {
    Changes { files: words(files).into_iter().map(PathBuf::from).collect(), everything: false }
}

fn run(selection: Selection, files: &str) -> Vec<Effect> {
    vec![Effect::Run(selection, changes(files))]
}

struct Driven(State);

impl Driven {
    fn new() -> Self {
        Self(State::new(Options::default()))
    }

    fn ended(&mut self, results: Results) -> Vec<Effect> {
        self.0.handle(Input::Ended(Box::new(results)))
    }

    fn changed(&mut self, files: &str) -> Vec<Effect> {
        self.0.handle(Input::Changed(changes(files)))
    }

    fn key(&mut self, key: Key) -> Vec<Effect> {
        self.0.handle(Input::Key(key))
    }

    fn failing(&self) -> String {
        self.0.failing().collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn from_red_to_green() {
    let mut driven = Driven::new();
    assert_eq!(driven.ended(ran("a b", "c")), [Effect::Wait]);
    assert_eq!(driven.changed("x.py"), run(some("a b", "x.py"), "x.py"));
    assert_eq!(driven.ended(Results { selected: Some(words("a b")), ..ran("b", "a") }), [Effect::Wait]);
    assert_eq!(driven.changed("x.py"), run(some("b", "x.py"), "x.py"));
    assert_eq!(driven.ended(Results { selected: Some(words("b")), ..ran("", "b") }), run(Selection::Everything, ""));
    assert_eq!(driven.ended(ran("", "a b c")), [Effect::Wait]);
    assert_eq!(driven.changed("x.py"), run(Selection::Everything, "x.py"));
}

#[test]
fn the_first_run_has_what_the_cache_says() {
    let mut driven = Driven::new();
    let selected = Some(words("a b"));
    assert_eq!(driven.ended(Results { selected, ..ran("b", "a") }), [Effect::Wait]);
    assert_eq!(driven.failing(), "b");
    let mut driven = Driven::new();
    let selected = Some(words("a"));
    assert_eq!(driven.ended(Results { selected, ..ran("", "a") }), run(Selection::Everything, ""));
}

#[test]
fn tests_that_are_no_more() {
    let mut driven = Driven::new();
    driven.ended(ran("a b", ""));
    driven.changed("x.py");
    let gone: BTreeSet<String> = words("a").into_iter().collect();
    driven.ended(Results { gone, selected: Some(words("a b")), ..ran("b", "") });
    assert_eq!(driven.failing(), "b");
    // Nobody has heard of it, though nothing was in the way.
    driven.changed("x.py");
    let nothing = Results { exit: exit::NO_TESTS_COLLECTED, selected: Some(words("b")), ..ran("", "") };
    assert_eq!(driven.ended(nothing), run(Selection::Everything, ""));
    assert_eq!(driven.failing(), "");
}

#[test]
fn collectors_come_first_and_keep_what_failed() {
    let mut driven = Driven::new();
    driven.ended(ran("a", "b"));
    driven.changed("x.py");
    driven.ended(Results { selected: Some(words("a")), ..broken("x.py") });
    assert_eq!(driven.failing(), "x.py a");
    assert_eq!(driven.changed("x.py"), run(some("x.py", ""), "x.py"));
    let works = Results { selected: Some(words("x.py")), ..ran("", "x.py::t") };
    assert_eq!(driven.ended(works), run(some("a", ""), ""));
    assert_eq!(driven.ended(Results { selected: Some(words("a")), ..ran("", "a") }), run(Selection::Everything, ""));
}

#[test]
fn changes_while_a_run_is_on() {
    let mut driven = Driven::new();
    assert_eq!(driven.changed("x.py"), [Effect::Stop]);
    assert_eq!(driven.changed("y.py"), [], "it is told once");
    let stopped = Results { exit: exit::INTERRUPTED, cut_short: true, ..ran("a", "") };
    assert_eq!(driven.ended(stopped), run(some("a", "x.py y.py"), "x.py y.py"));
    let mut queued = Driven(State::new(Options { on_change: OnChange::Queue, ..Options::default() }));
    assert_eq!(queued.changed("x.py"), []);
    assert_eq!(queued.ended(ran("", "a")), run(Selection::Everything, "x.py"));
}

#[test]
fn ends() {
    let green = Options { stop_when_green: true, ..Options::default() };
    assert_eq!(Driven(State::new(green)).ended(ran("", "a")), [Effect::Quit(exit::OK)]);
    assert_eq!(Driven(State::new(green)).ended(ran("a", "")), [Effect::Wait]);
    let nothing = Results { exit: exit::NO_TESTS_COLLECTED, ..ran("", "") };
    assert_eq!(Driven(State::new(green)).ended(nothing), [Effect::Wait]);
    let interrupted = Results { interrupted: true, exit: exit::INTERRUPTED, ..ran("", "") };
    assert_eq!(Driven::new().ended(interrupted), [Effect::Quit(exit::INTERRUPTED)]);
    for (results, code) in [(ran("", "a"), exit::OK), (ran("a", ""), exit::TESTS_FAILED)] {
        let mut driven = Driven::new();
        driven.ended(results);
        assert_eq!(driven.key(Key::Quit), [Effect::Quit(code)]);
        assert_eq!(driven.changed("x.py"), [], "it is over");
    }
    let mut driven = Driven::new();
    assert_eq!(driven.key(Key::All), [Effect::Stop]);
    assert_eq!(driven.key(Key::Quit), []);
    assert_eq!(driven.key(Key::Again), [], "leaving counts most");
    assert_eq!(driven.ended(ran("", "")), [Effect::Quit(exit::INTERRUPTED)]);
}

#[test]
fn paused_and_failing_only() {
    let mut driven = Driven::new();
    driven.ended(ran("a", "b"));
    assert_eq!(driven.key(Key::Pause), [Effect::Wait]);
    assert_eq!(driven.changed("x.py"), [Effect::Wait]);
    assert!(driven.0.has_pending());
    assert_eq!(driven.key(Key::Pause), run(some("a", "x.py"), "x.py"));
    driven.key(Key::FailingOnly);
    driven.ended(Results { selected: Some(words("a")), ..ran("a", "") });
    assert_eq!(driven.changed("test_b.py"), run(some("a", ""), "test_b.py"));
    assert_eq!(driven.ended(Results { selected: Some(words("a")), ..ran("", "a") }), [Effect::Wait]);
    assert_eq!(driven.changed("x.py"), [Effect::Wait], "nothing fails");
    assert_eq!(driven.key(Key::Again), run(Selection::Everything, ""));
}

/// What may happen in the life of a loop.
#[derive(Clone, Debug)]
enum Step {
    Ended { failed: u8, errors: u8, cut_short: bool },
    Changed(u8),
    Key(Key),
}

fn step() -> impl Strategy<Value = Step> {
    let keys = [Key::Again, Key::All, Key::FailingOnly, Key::Pause, Key::Output, Key::Help];
    prop_oneof![
        4 => (any::<u8>(), 0..4_u8, prop::bool::weighted(0.2))
            .prop_map(|(failed, errors, cut_short)| Step::Ended { failed, errors: errors / 3, cut_short }),
        3 => (0..4_u8).prop_map(Step::Changed),
        2 => prop::sample::select(keys.to_vec()).prop_map(Step::Key),
    ]
}

/// All tests there are.
const TESTS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// A run of a selection among these, of which some fail now.
fn perform(selection: &Selection, failed: u8, errors: u8, cut_short: bool) -> Results {
    let asked = |name: &str| match selection {
        Selection::Some(tests, _) => tests.iter().any(|test| test == name),
        _ => true,
    };
    if errors > 0 {
        return broken("broken.py");
    }
    let of = |fails: bool| -> String {
        let all = TESTS.iter().enumerate().filter(|(at, name)| asked(name) && (failed >> at & 1 == 1) == fails);
        all.map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
    };
    let selected = match selection {
        Selection::Some(tests, _) => Some(tests.clone()),
        _ => None,
    };
    // Of a run that is stopped nobody knows the rest.
    let passed = if cut_short { String::new() } else { of(false) };
    Results { selected, cut_short, ..ran(&of(true), &passed) }
}

proptest! {
    #[test]
    fn whatever_happens(steps in prop::collection::vec(step(), 1..60), queue in any::<bool>()) {
        let on_change = if queue { OnChange::Queue } else { OnChange::Restart };
        let mut state = State::new(Options { on_change, stop_when_green: false });
        let mut on = Some(Selection::Everything);
        let mut unseen = BTreeSet::new();
        let mut at_once = 0;
        let mut stopped = false;
        for step in steps {
            let before = unseen.clone();
            let effects = match step {
                Step::Ended { failed, errors, cut_short } => {
                    let Some(selection) = on.take() else { continue };
                    let results = perform(&selection, failed, errors, cut_short || stopped);
                    let fails: BTreeSet<String> = results.failed.iter().chain(&results.errors).cloned().collect();
                    let all = results.selected.is_none() && !results.cut_short;
                    let effects = state.handle(Input::Ended(Box::new(results)));
                    let known: BTreeSet<String> = state.failing().map(str::to_owned).collect();
                    prop_assert!(fails.is_subset(&known), "{fails:?} failed, and {known:?} is known");
                    if all {
                        prop_assert_eq!(known, fails, "a whole run tells everything");
                    }
                    effects
                }
                Step::Changed(file) => {
                    at_once = 0;
                    unseen.insert(PathBuf::from(format!("{file}.py")));
                    state.handle(Input::Changed(changes(&format!("{file}.py"))))
                }
                Step::Key(key) => {
                    at_once = 0;
                    state.handle(Input::Key(key))
                }
            };
            for effect in effects {
                match effect {
                    Effect::Run(selection, changes) => {
                        prop_assert!(on.is_none(), "one run at a time");
                        prop_assert!(before.union(&unseen).cloned().collect::<BTreeSet<_>>() == changes.files || changes.is_empty());
                        if !changes.is_empty() {
                            at_once = 0;
                        }
                        at_once += 1;
                        prop_assert!(at_once <= 3, "runs follow each other without a cause");
                        if let Selection::Some(tests, _) = &selection {
                            prop_assert!(!tests.is_empty());
                        }
                        unseen.clear();
                        stopped = false;
                        on = Some(selection);
                    }
                    Effect::Stop => {
                        prop_assert!(on.is_some() && !stopped, "what is on is stopped, once");
                        stopped = true;
                    }
                    Effect::Wait => prop_assert!(on.is_none()),
                    Effect::ShowOutput | Effect::ShowHelp => {}
                    Effect::Quit(_) => prop_assert!(false, "nobody asked for it"),
                }
            }
            prop_assert_eq!(on.is_some(), state.is_running());
            // Nobody is left with an old result, unless that is what was asked for.
            if on.is_none() && !state.is_paused() && !state.is_failing_only() {
                prop_assert!(unseen.is_empty(), "{unseen:?} changed, and nothing runs");
            }
            if !state.has_pending() {
                unseen.clear();
            }
        }
    }
}
