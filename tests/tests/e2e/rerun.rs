//! Every failure ends with a line that runs it alone: pasted into a shell where the user stands, it does just that.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use xdist_tests::{Env, Invocation, Outcome, Suite};

/// The commands that a run offers.
fn offered(outcome: &Outcome) -> Vec<String> {
    outcome.stdout.lines().filter_map(|line| line.strip_prefix("rerun: ")).map(str::to_owned).collect()
}

/// Runs the suite, then each failure alone by its line: every line must run that one test, and it must fail.
fn check(suite: &Suite, folder: &str, run: Invocation, failing: usize) -> Vec<String> {
    let outcome = run.within(folder).var("PYTHONPATH", ".").run();
    outcome.expect_code(1);
    let commands = offered(&outcome);
    assert_eq!(commands.len(), failing, "{}", outcome.describe());
    let mut failed = Vec::new();
    for command in &commands {
        let alone = Invocation::shell(suite, command).within(folder).var("PYTHONPATH", ".").run();
        alone.expect_code(1);
        let mut counts = alone.counts().0;
        counts.remove("warning");
        assert_eq!(counts, BTreeMap::from([("failed".to_owned(), 1)]), "{command}\n{}", alone.describe());
        failed.extend(failures(&alone));
    }
    failed.sort_unstable();
    assert_eq!(failed, failures(&outcome), "{}", outcome.describe());
    commands
}

/// What failed, without the way to it: outside the root directory that depends on how pytest was called.
fn failures(outcome: &Outcome) -> Vec<String> {
    let lines = outcome.stdout.lines().filter_map(|line| line.strip_prefix("FAILED "));
    let mut names: Vec<_> = lines.filter_map(|line| line.split_once("::")).map(|(_, name)| name.to_owned()).collect();
    names.sort_unstable();
    names
}

fn n2(suite: &Suite) -> Invocation {
    Invocation::xdist(&Env::usual(), suite).n(2)
}

#[test]
fn ids_of_every_kind() {
    let suite = Suite::of(&[
        (
            "sub/test_ids.py",
            r#"
import pytest
@pytest.mark.parametrize("s", [
    "a b", "x::y", "q'u\"o", "back\\slash", "\ud800", "[br]", "$HOME `id` !x", "new\nline", "ü", "", "-z", "%s", "a/b.py",
])
def test_s(s): assert 0
class TestIn:
    @pytest.mark.parametrize("s", ["a::b[c]"])
    def test_class(self, s): assert 0
"#,
        ),
        ("-n it's a test_file.py", "def test_x(): assert 0\n"),
        ("pytest.ini", "[pytest]\npython_files = test_*.py *test_file.py\n"),
    ]);
    check(&suite, "", n2(&suite), 15);
    check(&suite, "sub", n2(&suite).arg(".."), 15);
}

#[test]
fn ids_that_are_not_escaped() {
    let suite = Suite::of(&[
        (
            "test_ids.py",
            "import pytest\n@pytest.mark.parametrize('s', ['new\\nline\\t', '\\u00fc\\u6f22', '%d\\x1b[31m'])\n\
             def test_s(s): assert 0\n",
        ),
        ("pytest.ini", "[pytest]\ndisable_test_id_escaping_and_forfeit_all_rights_to_community_support = true\n"),
    ]);
    check(&suite, "", n2(&suite), 3);
}

#[test]
fn doctests_and_options_of_collection() {
    let suite = Suite::of(&[
        ("pkg/__init__.py", ""),
        ("pkg/mod.py", "def half(n):\n    '''\n    >>> half(4)\n    3\n    '''\n    return n // 2\n"),
        ("notes.md", "    >>> 1 + 1\n    3\n"),
        ("check_more.py", "def probe_it(): assert 0\ndef test_not(): pass\n"),
        ("other.ini", "[pytest]\naddopts = -p plugs\n"),
        (
            "plugs.py",
            "def pytest_addoption(parser): parser.addoption('--slow', action='store_true')\n\
             def pytest_collection_modifyitems(config, items):\n    if not config.option.slow: items[:] = []\n",
        ),
        ("more/plug.py", ""),
    ]);
    let run = n2(&suite)
        .args(["-v", "--doctest-modules", "--doctest-glob", "*.md", "-c", "other.ini", "--rootdir=.", "--slow"])
        .args(["-o", "python_files=check_*.py", "-opython_functions=probe_*", "-p", "more.plug", "-x", "--maxfail=9"])
        .args(["--import-mode=append", "--confcutdir", ".", "-W", "ignore::UserWarning", "--tb", "short"]);
    for command in check(&suite, "", run, 3) {
        assert!(!command.contains(" -x") && !command.contains("--tb"), "{command}");
    }
}

#[test]
fn what_decides_the_outcome() {
    let suite = Suite::one(
        "
import logging, sys, warnings, pytest
def test_warns(): warnings.warn('w')
@pytest.mark.xfail
def test_xfails(): assert 0
def test_optimised(): assert not sys.flags.dev_mode
",
    );
    let python = format!("{} -X dev", Env::usual().python().display());
    let run = Invocation::bare_xdist(&suite).arg("--python").arg(python).n(2);
    check(&suite, "", run.args(["-Werror", "--runxfail"]), 3);
}

#[test]
fn tests_that_the_project_leaves_out_by_itself() {
    let suite = Suite::of(&[
        ("test_it.py", "import pytest\n@pytest.mark.slow\ndef test_slow(): assert 0\ndef test_fast(): pass\n"),
        ("pytest.ini", "[pytest]\nmarkers = slow\naddopts = -m 'not slow' -n 2\n"),
    ]);
    let run = Invocation::xdist(&Env::usual(), &suite).args(["-m", "slow or not slow"]);
    check(&suite, "", run, 1);
}

#[test]
fn tests_outside_the_root_directory() {
    let suite = Suite::of(&[
        ("here/pytest.ini", "[pytest]\n"),
        ("there/tests/test_far.py", "def test_far(): assert 0\n"),
        ("here/sub/test_near.py", "def test_near(): assert 0\n"),
    ]);
    let args = ["-c", "pytest.ini", "--rootdir=.", "../there/tests", "sub"];
    check(&suite, "here", n2(&suite).args(args), 2);
}

#[test]
fn a_folder_with_a_configuration_of_its_own() {
    let suite = Suite::of(&[
        ("pytest.ini", "[pytest]\npython_functions = probe*\n"),
        ("sub/pytest.ini", "[pytest]\n"),
        ("sub/test_it.py", "def probe_it(): assert 0\n"),
    ]);
    check(&suite, "", n2(&suite), 1);
}

#[test]
fn a_project_without_a_configuration_file() {
    let suite = Suite::of(&[
        ("sub/test_it.py", "def test_it(planted): assert planted\n"),
        ("conftest.py", "import pytest\n@pytest.fixture\ndef planted(): return False\n"),
        ("sub/deep/setup.py", ""),
        ("sub/deep/test_deep.py", "def test_deep(planted): assert planted\n"),
    ]);
    std::fs::remove_file(suite.path("pytest.ini")).unwrap();
    check(&suite, "sub", n2(&suite).arg(".."), 2);
    check(&suite, "", n2(&suite), 2);
}

#[test]
fn names_that_are_no_text() {
    let suite = Suite::of(&[]);
    let folder = suite.path("").join(OsStr::from_bytes(b"d\xff\xc3\xbc 'x"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(OsStr::from_bytes(b"test_\xfe.py")), "def test_x(): assert 0\n").unwrap();
    check(&suite, "", n2(&suite).arg("-pno:cacheprovider"), 1);
}

#[test]
fn a_locale_in_which_names_cannot_be_decoded() {
    let suite = Suite::of(&[("dïr/test_漢.py", "def test_it(): assert 0\n")]);
    let ascii = |run: Invocation| run.var("LC_ALL", "C").var("PYTHONUTF8", "0").var("PYTHONCOERCECLOCALE", "0");
    let outcome = ascii(n2(&suite)).run();
    outcome.expect_code(1);
    let [command] = offered(&outcome).try_into().unwrap();
    assert!(
        command.ends_with(" 'dïr/test_漢.py::test_it'") || command.ends_with(" dïr/test_漢.py::test_it"),
        "{command}"
    );
    let alone = Invocation::shell(&suite, &command).run();
    alone.expect_code(1);
    assert_eq!(alone.counts().get("failed"), 1, "{}", alone.describe());
}
