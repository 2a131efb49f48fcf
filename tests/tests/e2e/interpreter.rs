//! Which interpreter runs the tests.

use std::fs;
use std::os::unix::fs::symlink;

use xdist_tests::{Env, Invocation, Suite};

const TEST: &str = "
import sys
from truth_file import log
def test_it(): log(sys.prefix)
";

#[track_caller]
fn expect_prefix(suite: &Suite, env: &Env) {
    let root = fs::canonicalize(env.root()).unwrap();
    let found = suite.truth().logged();
    assert_eq!(found.len(), 1);
    assert_eq!(fs::canonicalize(&found[0].0).unwrap(), root);
}

#[test]
fn the_active_environment_is_used() {
    let env = Env::named("py311-pytest84");
    let suite = Suite::one(TEST);
    let outcome = Invocation::bare_xdist(&suite).n(1).var("VIRTUAL_ENV", env.root()).run();
    outcome.expect_code(0).expect_text("pytest-8.4.2");
    expect_prefix(&suite, &env);
}

#[test]
fn an_environment_above_the_working_directory_is_used() {
    let env = Env::named("py311-pytest84");
    let suite = Suite::of(&[("sub/deep/test_it.py", TEST)]);
    symlink(env.root(), suite.path(".venv")).unwrap();
    let run = Invocation::bare_xdist(&suite).n(1).within("sub/deep").var("PYTHONPATH", suite.root());
    run.run().expect_code(0);
    expect_prefix(&suite, &env);
}

#[test]
fn a_command_with_arguments_is_an_interpreter() {
    let env = Env::usual();
    let suite = Suite::one(
        "import sys, warnings\ndef test_it():\n    assert sys.flags.dev_mode\n    assert 'error::BytesWarning' in sys.warnoptions\n",
    );
    let command = format!("{} -X dev -W error::BytesWarning", env.python().display());
    Invocation::bare_xdist(&suite).arg("--python").arg(command).n(1).run().expect_code(0);
}

#[test]
fn one_that_has_no_pytest_is_passed_over_or_refused() {
    let suite = Suite::one(TEST);
    suite.write("fake/bin/python", "#!/bin/sh\nexit 1\n");
    let outcome = Invocation::bare_xdist(&suite).arg("--python").arg(suite.path("fake/bin/python")).n(1).run();
    assert!(outcome.code() >= 4, "{}", outcome.describe());
    outcome.expect_text("fake/bin/python");
    let outcome = Invocation::bare_xdist(&suite).n(1).var("PATH", "/nonexistent").run();
    assert!(outcome.code() >= 4, "{}", outcome.describe());
    outcome.expect_text("pytest").expect_text("install");
    let spec = format!("popen//python={}", Env::usual().python().display());
    let run = Invocation::bare_xdist(&suite).args(["--dist=load", "--tx", &spec]).var("PATH", "/nonexistent");
    run.run().expect_code(0).expect_text("(from --tx)");
}

#[test]
fn an_interpreter_that_makes_errors_of_all_warnings_has_none_of_ours_to_complain_about() {
    let env = Env::usual();
    let command = format!("{} -X dev -X warn_default_encoding -W error", env.python().display());
    let tests = "
import gc, os, pytest
@pytest.mark.parametrize('n', range(8))
def test_it(n, tmp_path):
    print('printed')
    gc.collect()
def test_fails():
    assert 0
def test_dies():
    os._exit(3)
";
    let conftests = [
        "",
        "import threading\nE = threading.Event()\nT = threading.Thread(target=E.wait, daemon=True)\nT.start()\n",
        "import asyncio\nLOOP = asyncio.new_event_loop()\ndef pytest_unconfigure(): LOOP.close()\n",
    ];
    for conftest in conftests {
        let suite = Suite::of(&[("test_it.py", tests), ("conftest.py", conftest)]);
        for (code, args) in [
            (1, &["-n", "2"][..]),
            (1, &["-n", "2", "--fork=imported"]),
            (1, &["-n", "2", "--fork=never"]),
            (1, &["-n", "2", "-x", "-s"]),
            (4, &["-n", "2", "no_such_file.py"]),
            (4, &["-n", "2", "--no-such-option"]),
            (0, &["-n", "2", "--collect-only"]),
            (1, &["-n", "0", "--deselect=test_it.py::test_dies"]),
        ] {
            let run = Invocation::bare_xdist(&suite).args(["--python", &command]).args(args);
            let outcome = run.run();
            outcome.expect_no_text("Warning").expect_no_text("Exception ignored").expect_no_survivors();
            outcome.expect_code(code);
        }
    }
}
