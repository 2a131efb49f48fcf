//! Errors before and between tests: exit code as serial pytest's, its message once, no endless restarts.

use xdist_tests::{Env, Invocation, Suite};

struct Case {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    args: &'static [&'static str],
    /// Text that must be shown, no more often than serial pytest shows it; empty: serial pytest says nothing.
    text: &'static str,
}

const GOOD: (&str, &str) = ("test_good.py", "def test_good(): pass\ndef test_two(): pass\n");

const CASES: &[Case] = &[
    Case {
        name: "missing path",
        files: &[GOOD],
        args: &["nowhere.py"],
        text: "file or directory not found: nowhere.py",
    },
    Case { name: "missing node id", files: &[GOOD], args: &["test_good.py::test_absent"], text: "not found: " },
    Case { name: "unknown option", files: &[GOOD], args: &["--no-such-option"], text: "unrecognized arguments" },
    Case {
        name: "usage error in configure",
        files: &[
            GOOD,
            ("conftest.py", "import pytest\ndef pytest_configure(config): raise pytest.UsageError('do it so')\n"),
        ],
        args: &[],
        text: "do it so",
    },
    Case {
        name: "usage error at import of a conftest",
        files: &[GOOD, ("conftest.py", "import pytest\nraise pytest.UsageError('import it so')\n")],
        args: &[],
        text: "import it so",
    },
    Case {
        name: "conftest that does not import",
        files: &[GOOD, ("conftest.py", "import no_such_module\n")],
        args: &[],
        text: "No module named 'no_such_module'",
    },
    Case {
        name: "conftest in a subdirectory that does not import",
        files: &[
            ("test_a.py", "def test_a(): pass\n"),
            ("sub/conftest.py", "1/0\n"),
            ("sub/test_b.py", "def test_b(): pass\n"),
        ],
        args: &[],
        text: "ZeroDivisionError",
    },
    Case {
        name: "a module that does not import",
        files: &[GOOD, ("test_bad.py", "import no_such_module\n")],
        args: &[],
        text: "ERROR test_bad.py",
    },
    Case {
        name: "a module with an error of syntax",
        files: &[GOOD, ("test_bad.py", "def broken(:\n")],
        args: &[],
        text: "ERROR test_bad.py",
    },
    Case {
        name: "a module that fails an assertion",
        files: &[GOOD, ("test_bad.py", "assert 1 == 2, 'at module level'\n")],
        args: &[],
        text: "ERROR test_bad.py",
    },
    Case {
        name: "two modules that do not import, and on",
        files: &[GOOD, ("test_bad.py", "1/0\n"), ("test_worse.py", "raise KeyError('k')\n")],
        args: &["--continue-on-collection-errors"],
        text: "ERROR test_worse.py",
    },
    Case {
        name: "collection errors up to maxfail",
        files: &[GOOD, ("test_bad.py", "1/0\n"), ("test_worse.py", "raise KeyError('k')\n")],
        args: &["-x"],
        text: "ERROR test_bad.py",
    },
    Case {
        name: "exit in a conftest",
        files: &[GOOD, ("conftest.py", "import sys\nsys.exit(9)\n")],
        args: &[],
        text: "",
    },
    Case {
        name: "pytest.exit at import of a module",
        files: &[GOOD, ("test_bad.py", "import pytest\npytest.exit('left early', returncode=9)\n")],
        args: &[],
        text: "left early",
    },
    Case {
        name: "pytest.exit in configure",
        files: &[
            GOOD,
            ("conftest.py", "import pytest\ndef pytest_configure(config): pytest.exit('not today', returncode=8)\n"),
        ],
        args: &[],
        text: "not today",
    },
    Case {
        name: "pytest.exit in sessionstart",
        files: &[
            GOOD,
            ("conftest.py", "import pytest\ndef pytest_sessionstart(session): pytest.exit('no start', returncode=8)\n"),
        ],
        args: &[],
        text: "no start",
    },
    Case {
        name: "pytest.exit in a hook of a test",
        files: &[
            GOOD,
            ("conftest.py", "import pytest\ndef pytest_runtest_setup(item): pytest.exit('no set-up', returncode=8)\n"),
        ],
        args: &[],
        text: "no set-up",
    },
    Case {
        name: "a plugin that raises in configure",
        files: &[GOOD, ("conftest.py", "def pytest_configure(config): raise RuntimeError('plugin broke')\n")],
        args: &[],
        text: "RuntimeError: plugin broke",
    },
    Case {
        name: "a plugin that raises in sessionstart",
        files: &[GOOD, ("conftest.py", "def pytest_sessionstart(session): raise RuntimeError('plugin broke')\n")],
        args: &[],
        text: "RuntimeError: plugin broke",
    },
    Case {
        name: "a plugin that raises while it modifies items",
        files: &[
            GOOD,
            ("conftest.py", "def pytest_collection_modifyitems(items): raise RuntimeError('plugin broke')\n"),
        ],
        args: &[],
        text: "RuntimeError: plugin broke",
    },
    Case {
        name: "a plugin that raises in the protocol of a test",
        files: &[GOOD, ("conftest.py", "def pytest_runtest_logreport(report): raise RuntimeError('plugin broke')\n")],
        args: &[],
        text: "RuntimeError: plugin broke",
    },
    Case {
        name: "strict markers",
        files: &[("test_a.py", "import pytest\n@pytest.mark.nobody_knows_it\ndef test_a(): pass\n")],
        args: &["--strict-markers"],
        text: "ERROR test_a.py",
    },
    Case { name: "nothing selected", files: &[GOOD], args: &["-k", "nothing_like_that"], text: "2 deselected" },
    Case {
        name: "broken ini",
        files: &[GOOD, ("pytest.ini", "[pytest]\nno_such_key = 1\n")],
        args: &["--strict-config"],
        text: "no_such_key",
    },
];

fn check(case: &Case, n: u32) -> Result<(), String> {
    let env = Env::usual();
    let serial = Invocation::pytest(&env, &Suite::of(case.files)).args(case.args).run();
    let suite = Suite::of(case.files);
    let ours = Invocation::xdist(&env, &suite).n(n).args(case.args).limit(30).run();
    let mut faults = Vec::new();
    if ours.code() != serial.code() {
        faults.push(format!("exit code {} and not {}", ours.code(), serial.code()));
    }
    if ours.occurrences(case.text) == 0 {
        faults.push(format!("no {:?}", case.text));
    }
    if !case.text.is_empty() && ours.occurrences(case.text) > serial.occurrences(case.text) {
        let (ours, serial) = (ours.occurrences(case.text), serial.occurrences(case.text));
        faults.push(format!("{:?} {ours} times, serially {serial}", case.text));
    }
    let internal = |text: &str| text.contains("INTERNALERROR");
    if internal(&ours.stdout) != (internal(&serial.stdout) || internal(&serial.stderr)) {
        faults.push("INTERNALERROR only on one side".to_owned());
    }
    if !ours.survivors(std::time::Duration::from_secs(5)).is_empty() {
        faults.push("processes live on".to_owned());
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!(
        "## {} (-n {n}): {}\n{}\n## serially\n{}",
        case.name,
        faults.join("; "),
        ours.describe(),
        serial.describe()
    ))
}

#[test]
fn errors_are_those_of_serial_pytest() {
    let faults: Vec<_> = CASES.iter().filter_map(|case| check(case, 2).err()).collect();
    assert!(faults.is_empty(), "{} cases differ\n{}", faults.len(), faults.join("\n\n"));
}

#[test]
fn a_conftest_that_ends_its_process_ends_the_run_soon() {
    for text in ["import os\nos._exit(7)\n", "import os\nos._exit(0)\n", "import os, signal\nos.kill(os.getpid(), 9)\n"]
    {
        let suite = Suite::of(&[GOOD, ("conftest.py", text)]);
        let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).limit(30).run();
        assert!(![0, 5].contains(&outcome.code()), "a lost session is no success\n{}", outcome.describe());
        outcome.expect_no_survivors();
    }
}

#[test]
fn a_plugin_that_raises_at_the_end_of_the_session() {
    let suite =
        Suite::of(&[GOOD, ("conftest.py", "def pytest_sessionfinish(session): raise RuntimeError('plugin broke')\n")]);
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).run();
    outcome.expect_no_survivors().expect_text("plugin broke");
    assert_ne!(outcome.code(), 0, "{}", outcome.describe());
}

#[test]
fn own_usage_errors() {
    let suite = Suite::of(&[GOOD]);
    for (args, text) in [
        (&["-n", "many"][..], "-n"),
        (&["-n", "2", "--dist=nonsense"], "nonsense"),
        (&["-n", "2", "--pdb"], "--pdb"),
        (&["-n", "2", "--max-worker-restart=often"], "max-worker-restart"),
        (&["-n", "2", "--fork=sometimes"], "--fork"),
    ] {
        let outcome = Invocation::xdist(&Env::usual(), &suite).args(args).run();
        outcome.expect_code(4).expect_text(text).expect_no_survivors();
        assert!(suite.truth().ids().is_empty(), "no test runs\n{}", outcome.describe());
    }
}

#[test]
fn breakpoint_in_a_worker_fails_the_test_with_a_hint() {
    let suite =
        Suite::one("def test_stops():\n    breakpoint()\ndef test_pdb():\n    import pdb\n    pdb.set_trace()\n");
    let outcome = Invocation::xdist(&Env::usual(), &suite).n(2).limit(30).run();
    outcome.expect_code(1).expect_text("--pdb").expect_no_survivors();
    assert_eq!(outcome.counts().get("failed"), 2, "{}", outcome.describe());
}
