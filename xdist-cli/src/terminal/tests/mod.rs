//! What users see, from made-up runs.

mod each;
mod memory;
mod options;
mod runs;
mod survive;
mod terminal;
mod wording;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use xdist_core::collection::Collection;
use xdist_core::event::{Bringing, Collected, Configured, Crashed, Ended, RunEvent, Verdict};
use xdist_core::facts::{DisplayOptions, Facts, Interpreter};
use xdist_core::ids::{TestIndex, WorkerId};
use xdist_core::report::{Crash, Longrepr, Report, Warning};

use super::{TerminalOptions, TerminalReporter};

/// A stream that can be looked into.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A made-up run: what pytest said of itself, what was collected, what happened.
struct Run {
    options: TerminalOptions,
    configured: Configured,
    collected: Option<Collected>,
    events: Vec<RunEvent>,
    ended: Ended,
}

impl Run {
    /// Four tests on two workers.
    fn new() -> Self {
        Self::of(&[
            "tests/test_a.py::test_one",
            "tests/test_a.py::TestB::test_two[a b]",
            "tests/test_c.py::test_three",
            "tests/test_c.py::test_four",
        ])
    }

    fn of(ids: &[&str]) -> Self {
        let display = DisplayOptions {
            tbstyle: "auto".to_owned(),
            reportchars: "wfE".to_owned(),
            durations_min: 0.005,
            showcapture: "all".to_owned(),
            color: "auto".to_owned(),
            fold_skipped: true,
            output_style: "progress".to_owned(),
            ..DisplayOptions::default()
        };
        let facts = Facts {
            rootdir: "/home/me/project".to_owned(),
            invocation_dir: "/home/me/project".to_owned(),
            display,
            terminal: true,
            ..Facts::default()
        };
        let interpreter = Interpreter {
            executable: "/home/me/project/.venv/bin/python".to_owned(),
            version: "3.11.7".to_owned(),
            implementation: "CPython".to_owned(),
            platform: "linux".to_owned(),
            cwd: String::new(),
            pytest: "9.2.0".to_owned(),
            pluggy: "1.6.0".to_owned(),
        };
        Self {
            options: TerminalOptions { width: Some(80), utf8: true, ..TerminalOptions::default() },
            configured: Configured {
                interpreter,
                interpreter_source: ".venv".to_owned(),
                facts: Arc::new(facts),
                header: vec![
                    "rootdir: /home/me/project".to_owned(),
                    "configfile: pyproject.toml".to_owned(),
                    "plugins: cov-6.0.0".to_owned(),
                ],
                version: "0.1.0".to_owned(),
                alone: ["xdist", "-n", "0"].map(str::to_owned).into(),
                ..Configured::default()
            },
            collected: Some(Collected {
                collection: Arc::new(Collection {
                    ids: ids.iter().map(|&id| id.to_owned()).collect(),
                    ..Collection::default()
                }),
                workers: 2,
                asked: 2,
                fork: "collected".to_owned(),
                fork_reason: String::new(),
                ..Collected::default()
            }),
            events: Vec::new(),
            ended: Ended { elapsed: Duration::from_millis(1234), ..Ended::default() },
        }
    }

    fn display(mut self, change: impl FnOnce(&mut DisplayOptions)) -> Self {
        change(&mut Arc::make_mut(&mut self.configured.facts).display);
        self
    }

    fn verbosity(self, level: i64) -> Self {
        self.display(|display| {
            display.verbosity = level;
            display.verbosity_test_cases = level;
        })
    }

    fn pytest(mut self, version: &str) -> Self {
        version.clone_into(&mut self.configured.interpreter.pytest);
        self
    }

    fn collection(mut self, change: impl FnOnce(&mut Collection)) -> Self {
        if let Some(collected) = &mut self.collected {
            change(Arc::make_mut(&mut collected.collection));
        }
        self
    }

    fn with(mut self, event: RunEvent) -> Self {
        self.events.push(event);
        self
    }

    fn finished(self, test: u32, worker: u32, verdict: Verdict) -> Self {
        self.with(RunEvent::Finished { test: TestIndex(test), worker: WorkerId(worker), verdict })
    }

    fn started(self, test: u32, worker: u32) -> Self {
        self.with(RunEvent::Started { test: TestIndex(test), worker: WorkerId(worker) })
    }

    fn pass(self, test: u32, worker: u32) -> Self {
        self.finished(test, worker, Verdict::Passed { durations: [0.001, 0.25, 0.0] })
    }

    fn reports(self, test: u32, worker: u32, reports: &[Report]) -> Self {
        self.finished(test, worker, Verdict::Reported(reports.to_vec()))
    }

    fn wrote(self, worker: u32, line: &str) -> Self {
        self.with(RunEvent::Output { worker: WorkerId(worker), stderr: false, line: line.to_owned() })
    }

    fn exit(mut self, code: u8) -> Self {
        self.ended.exit = code;
        self
    }

    /// One of every outcome that pytest knows.
    fn every_outcome() -> Self {
        let names = ["pass", "fail", "setup", "teardown", "skip", "xfail", "xpass", "strict"];
        let ids: Vec<String> = names.iter().map(|name| format!("tests/test_all.py::test_{name}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        Self::of(&ids)
            .pass(0, 0)
            .reports(1, 1, &[setup(), failed("test_fail", "assert 1 == 2"), teardown()])
            .reports(2, 0, &[error("setup", "test_setup"), teardown()])
            .reports(3, 1, &[setup(), passed(), error("teardown", "test_teardown")])
            .reports(4, 0, &[skipped("no network"), teardown()])
            .reports(5, 1, &[setup(), xfailed("known bug"), teardown()])
            .reports(6, 0, &[setup(), xpassed("known bug"), teardown()])
            .reports(7, 1, &[setup(), strict(), teardown()])
            .exit(1)
    }

    /// Everything that is written, to stdout and to stderr.
    fn outputs(&self) -> (String, String) {
        let (out, errors) = (Sink::default(), Sink::default());
        let mut reporter = TerminalReporter::with_errors(self.options.clone(), out.clone(), Box::new(errors.clone()));
        let start = Instant::now();
        reporter.handle_at(&RunEvent::Configured(Box::new(self.configured.clone())), start).unwrap();
        if let Some(collected) = &self.collected {
            reporter.handle_at(&RunEvent::Collected(Box::new(collected.clone())), start).unwrap();
        }
        for (event, second) in self.events.iter().zip(1..) {
            let now = start + Duration::from_secs(second);
            reporter.handle_at(event, now).unwrap();
            reporter.tick_at(now).unwrap();
        }
        reporter.handle_at(&RunEvent::Ended(Box::new(self.ended.clone())), start).unwrap();
        reporter.finish().unwrap();
        (out.text(), errors.text())
    }

    fn output(&self) -> String {
        self.outputs().0
    }
}

fn report(when: &str, outcome: &str, category: &str, letter: &str, word: &str) -> Report {
    Report {
        when: when.to_owned(),
        outcome: outcome.to_owned(),
        category: category.to_owned(),
        letter: letter.to_owned(),
        word: word.to_owned(),
        duration: 0.02,
        ..Report::default()
    }
}

fn setup() -> Report {
    report("setup", "passed", "", "", "")
}

fn teardown() -> Report {
    report("teardown", "passed", "", "", "")
}

fn passed() -> Report {
    report("call", "passed", "passed", ".", "PASSED")
}

fn longrepr(message: &str) -> Longrepr {
    Longrepr {
        terminal: format!(
            "    def test():\n>       {message}\nE       {message}\n\ntests/test_all.py:5: AssertionError\n"
        ),
        crash: Some(Crash {
            path: "/home/me/project/tests/test_all.py".to_owned(),
            lineno: 5,
            message: message.to_owned(),
        }),
        line: format!("/home/me/project/tests/test_all.py:5: {message}"),
        ..Longrepr::default()
    }
}

/// A failure that is nothing but a string.
fn only_text(text: &str) -> Longrepr {
    Longrepr {
        terminal: format!("{text}\n"),
        crash: Some(Crash { message: text.to_owned(), ..Crash::default() }),
        ..Longrepr::default()
    }
}

fn failed(head: &str, message: &str) -> Report {
    Report {
        head_line: head.to_owned(),
        longrepr: Some(longrepr(message)),
        sections: vec![
            ("Captured stdout call".to_owned(), "hello\n".to_owned()),
            ("Captured log call".to_owned(), "WARNING root:x.py:1 beware".to_owned()),
        ],
        ..report("call", "failed", "failed", "F", "FAILED")
    }
}

fn error(when: &str, head: &str) -> Report {
    Report {
        head_line: head.to_owned(),
        longrepr: Some(longrepr("ValueError: broken")),
        ..report(when, "failed", "error", "E", "ERROR")
    }
}

fn skipped(reason: &str) -> Report {
    Report {
        longrepr: Some(Longrepr {
            skip: Some(("/home/me/project/tests/test_all.py".to_owned(), 12, format!("Skipped: {reason}"))),
            ..Longrepr::default()
        }),
        ..report("setup", "skipped", "skipped", "s", "SKIPPED")
    }
}

fn xfailed(reason: &str) -> Report {
    Report {
        longrepr: Some(longrepr("assert 0")),
        wasxfail: Some(reason.to_owned()),
        head_line: "test_xfail".to_owned(),
        ..report("call", "skipped", "xfailed", "x", "XFAIL")
    }
}

fn xpassed(reason: &str) -> Report {
    Report { wasxfail: Some(reason.to_owned()), ..report("call", "passed", "xpassed", "X", "XPASS") }
}

fn strict() -> Report {
    Report {
        head_line: "test_strict".to_owned(),
        longrepr: Some(only_text("[XPASS(strict)] known bug")),
        ..report("call", "failed", "failed", "F", "FAILED")
    }
}

fn warning(nodeid: &str, message: &str) -> RunEvent {
    RunEvent::Warning(Warning {
        when: "runtest".to_owned(),
        nodeid: nodeid.to_owned(),
        message: message.to_owned(),
        location: Some(("/home/me/project/tests/conftest.py".to_owned(), 3)),
        ..Warning::default()
    })
}

fn crash() -> Crashed {
    Crashed {
        how: "signal 11 (SIGSEGV)".to_owned(),
        output: "Fatal Python error: Segmentation fault\n\nCurrent thread 0x01 (most recent call first):\n  File \"tests/test_c.py\", line 9 in test_three\n".to_owned(),
        reports: vec![setup()],
        passed: Vec::new(),
        elapsed: Duration::from_millis(300),
        boxed: false,
    }
}

/// The last line that is not empty.
fn last_line(text: &str) -> &str {
    text.trim_end().rsplit('\n').next().unwrap_or_default()
}
