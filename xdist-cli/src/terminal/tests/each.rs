//! `--dist=each`: outcomes side by side, and what a plugin host is to show of them.

use xdist_core::event::Environment;

use super::*;

/// Three tests on `a` (gw0) and `c` (gw2), the last of them on `c` alone; gw1, of another host, is not there.
fn each() -> Run {
    let mut run = Run::of(&["test_it.py::test_x", "test_it.py::test_y", "test_it.py::test_z"]);
    if let Some(collected) = &mut run.collected {
        collected.each = true;
        collected.environments = [("a", 0, &[0, 1][..]), ("c", 2, &[0, 1, 2])]
            .map(|(label, worker, tests)| Environment {
                label: label.to_owned(),
                workers: vec![WorkerId(worker)],
                tests: Arc::new(tests.iter().copied().map(TestIndex).collect()),
                ..Environment::default()
            })
            .into();
    }
    run.pass(0, 0).pass(1, 0).pass(0, 2).reports(1, 2, &[setup(), failed("test_y", "assert 0"), teardown()])
}

fn results(mut run: Run) -> String {
    run.configured.hosted = true;
    let mut reporter = TerminalReporter::new(run.options, Sink::default());
    reporter.handle(&RunEvent::Configured(Box::new(run.configured))).unwrap();
    reporter.handle(&RunEvent::Collected(Box::new(run.collected.unwrap()))).unwrap();
    for event in &run.events {
        reporter.handle(event).unwrap();
    }
    reporter.results().join("\n")
}

#[test]
fn a_line_a_test_and_a_table() {
    let output = each().pass(2, 2).verbosity(1).output();
    for text in [
        "] test_it.py::test_x PASSED\n",
        "] test_it.py::test_y PASSED (a) FAILED (c)\n",
        "[100%] test_it.py::test_z PASSED (c)\n",
        "\n   failed  passed\na       -       2\nc       1       2\n",
    ] {
        assert_eq!(output.matches(text).count(), 1, "{text:?}\n{output}");
    }
}

#[test]
fn a_host_shows_the_table_and_what_differs() {
    let shown = results(each().pass(2, 2));
    let (title, rest) = shown.split_once('\n').unwrap();
    assert!(title.contains("= results by environment ="), "{shown}");
    let table = "   failed  passed\na       -       2\nc       1       2\n";
    assert_eq!(rest, format!("{table}test_it.py::test_y PASSED (a) FAILED (c)"));
    // What has no outcome in some place is different, too.
    let half = Run { events: each().events[..1].to_vec(), ..each() };
    assert!(results(half).ends_with("test_it.py::test_x PASSED (a) NO RESULT (c)"));
    assert_eq!(results(each().verbosity(-2)), "");
    assert_eq!(results(Run::new()), "", "in other modes there is nothing to show");
}

#[test]
fn of_many_different_ones_some_are_listed() {
    let ids: Vec<String> = (0..30).map(|number| format!("test_it.py::test_{number}")).collect();
    let many = || {
        let mut run = Run { collected: each().collected, ..Run::of(&[]) };
        let collected = run.collected.as_mut().unwrap();
        collected.collection = Arc::new(Collection { ids: ids.clone(), ..Collection::default() });
        for one in &mut collected.environments {
            one.tests = Arc::new((0..30).map(TestIndex).collect());
        }
        (0..30).fold(run, |run, test| run.pass(test, 0).reports(test, 2, &[skipped("no network"), teardown()]))
    };
    let shown = results(many());
    assert_eq!(shown.matches("PASSED (a) SKIPPED (c)").count(), 20, "{shown}");
    assert!(shown.ends_with("and 10 more tests with different outcomes"), "{shown}");
    assert_eq!(results(many().verbosity(1)).matches("PASSED (a) SKIPPED (c)").count(), 30);
}
