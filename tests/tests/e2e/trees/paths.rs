//! Paths given here are found there, and paths from there are shown as they are here.

use xdist_tests::Suite;

use super::{Far, TELLING, passed};

fn project() -> Suite {
    Suite::of(&[("src/mod.py", "def boom():\n    raise ValueError('boom')\n"), ("tests/test_tells.py", TELLING)])
}

#[test]
fn arguments_are_mapped_wherever_they_are_seen_from() {
    let (suite, far) = (project(), Far::new());
    suite.write("conf/other.ini", "[pytest]\nmarkers = mine\naddopts = --strict-markers\n");
    suite.write("tests/test_mark.py", "import pytest\n@pytest.mark.mine\ndef test_mark(): pass\n");
    let absolute = suite.path("tests").display().to_string();
    let config = suite.path("conf/other.ini").display().to_string();
    let root = format!("--rootdir={}", suite.root().display());
    let cut = format!("--confcutdir={}", suite.root().display());
    for (within, args) in [
        ("", &["tests/test_mark.py::test_mark", "-c", "conf/other.ini", "--rootdir=."][..]),
        ("", &["-c", &config, &root, &cut, "--ignore=tests/test_tells.py", "--", &absolute][..]),
        ("tests", &["test_mark.py", "-c", "../conf/other.ini", &root, "--confcutdir=.."][..]),
    ] {
        let rsyncdir = format!("--rsyncdir={absolute}");
        let run =
            far.run(&suite).within(within).args(["-v", &rsyncdir, "--tx", &far.spec()]).args(args.iter().copied());
        let outcome = run.run();
        outcome.expect_code(0).expect_text("test_mark.py::test_mark");
        assert_eq!(passed(&outcome), 1, "{}", outcome.describe());
    }
}

#[test]
fn what_no_host_gets_is_named_with_what_would_bring_it() {
    let (suite, far) = (project(), Far::new());
    suite.write("more/test_more.py", "def test_more(): pass\n");
    let run = |args: &[&str]| {
        far.run(&suite).args(["--rsyncdir=tests", "--tx", &far.spec()]).args(args.iter().copied()).run()
    };
    let outcome = run(&["tests", "more/test_more.py"]);
    outcome.expect_code(4).expect_no_survivors();
    outcome.expect_text(&format!(
        "`{}` lies in no directory that other hosts get",
        suite.path("more/test_more.py").display()
    ));
    outcome.expect_text(&format!("hint: `--rsyncdir {}`", suite.path("more").display()));
    run(&["--rsyncdir=absent", "tests"]).expect_code(4).expect_text("absent`: No such file");
    suite.write("pytest.ini", "[pytest]\ntestpaths = tests more\n");
    run(&[]).expect_code(4).expect_text("more` lies in no directory");
    let (one, two) = (Suite::one(TELLING), Suite::one(TELLING));
    let outside = [one.root().display().to_string(), two.root().display().to_string()];
    let outcome = run(&["--rsyncdir", &outside[0], "--rsyncdir", &outside[1], "tests"]);
    outcome.expect_code(4).expect_text("both lie outside of rootdir");
}

#[test]
fn reports_show_the_paths_of_here() {
    let (suite, far) = (project(), Far::new());
    let lib = Suite::of(&[("lib.py", "def call(function):\n    function()\n")]);
    suite.write(
        "tests/test_trace.py",
        &format!(
            "import os, sys, warnings\n\
             root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))\n\
             sys.path[:0] = [os.path.join(root, 'src'), os.path.join(root, '{}')]\n\
             import lib, mod\n\
             def test_trace():\n    warnings.warn('look')\n    lib.call(mod.boom)\n",
            lib.root().file_name().unwrap().display()
        ),
    );
    let (outer, here) = (lib.root().display().to_string(), suite.root().display().to_string());
    for more in [&["--tb=native"][..], &["--plugin-host=always", "--tb=native"]] {
        let args =
            ["--rsyncdir=tests", "--rsyncdir=src", "--rsyncdir", &outer, "--tx", &far.spec(), "tests/test_trace.py"];
        let outcome = far.run(&suite).args(args).args(more.iter().copied()).junit().run();
        outcome.expect_code(1).expect_text("test_trace.py::test_trace");
        outcome.expect_text(&format!("File \"{here}/src/mod.py\", line 2, in boom"));
        outcome.expect_text(&format!("File \"{outer}/lib.py\", line 2, in call"));
        outcome.expect_no_text(&far.copy().display().to_string());
        let junit = std::fs::read_to_string(suite.junit_path()).unwrap();
        assert!(
            junit.contains(&format!("{here}/src/mod.py")) && !junit.contains(&far.copy().display().to_string()),
            "{junit}"
        );
    }
}

#[test]
fn paths_of_addopts_and_of_any_option_are_mapped_too() {
    let (suite, far) = (project(), Far::new());
    let root = suite.root().display().to_string();
    suite.write("conf/log.ini", "x\n");
    suite.write(
        "tests/conftest.py",
        "def pytest_addoption(parser):\n    parser.addoption('--data')\n    parser.addini('more', 'more')\n",
    );
    suite.write(
        "tests/test_data.py",
        "import os\n\
         here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))\n\
         def test_data(pytestconfig):\n    \
             assert pytestconfig.getoption('data') == os.path.join(here, 'tests', 'test_data.py')\n    \
             assert pytestconfig.getini('more') == os.path.join(here, 'tests')\n    \
             assert os.path.isabs(pytestconfig.getoption('log_file')) and not os.path.exists('conf')\n",
    );
    // What is not brought stays as it is.
    let addopts = format!("--confcutdir={root} --ignore={root}/tests/test_tells.py --log-file={root}/conf/log.ini");
    suite.write("pytest.ini", &format!("[pytest]\naddopts = {addopts}\n"));
    let data = format!("--data={root}/tests/test_data.py");
    let run = far.run(&suite).var("PYTEST_ADDOPTS", format!("-o more={root}/tests -v"));
    let outcome = run.args([&data, "--rsyncdir=tests", "--tx", &far.spec(), "tests"]).run();
    outcome.expect_code(0).expect_text("test_data.py::test_data");
    assert_eq!(passed(&outcome), 1, "{}", outcome.describe());
}

#[test]
fn paths_of_the_configuration_file_are_mapped_whatever_their_key_is() {
    let (suite, far) = (project(), Far::new());
    let (root, outer) = (suite.root().display().to_string(), Suite::of(&[("beyond.py", "")]));
    let outer = outer.root().display().to_string();
    suite.write(
        "tests/conftest.py",
        "def pytest_addoption(parser):\n    \
             parser.addini('data', 'a path')\n    \
             parser.addini('folders', 'paths', 'paths')\n    \
             parser.addini('env', 'as of a plugin', 'linelist')\n",
    );
    suite.write("data/a.txt", "here\n");
    suite.write(
        "tests/test_data.py",
        "import os\n\
         import mod\n\
         here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))\n\
         def test_data(pytestconfig):\n    \
             ini = pytestconfig.getini\n    \
             assert here == COPY\n    \
             assert os.path.dirname(mod.__file__) == os.path.join(here, 'src')\n    \
             assert open(ini('data')).read() == 'here\\n'\n    \
             assert ini('log_file') == os.path.join(here, 'tests', 'run.log')\n    \
             assert ini('env') == ['A=1', 'DATA=' + os.path.join(here, 'data')]\n    \
             assert str(ini('cache_dir')) == os.path.join(here, 'tests', '.cache')\n    \
             assert [str(path) for path in ini('folders')] == [os.path.join(here, 'relative'), OUTER]\n"
            .replace("OUTER", &format!("'{outer}'"))
            .replace("COPY", &format!("'{}'", far.copy().display()))
            .as_str(),
    );
    let ini = format!(
        "[pytest]\ntestpaths = {root}/tests\npythonpath = {root}/src\nlog_file = {root}/tests/run.log\n\
         cache_dir = {root}/tests/.cache\nnorecursedirs = {root}/tests/skipped\ndata = {root}/data/a.txt\n\
         env =\n  A=1\n  DATA={root}/data\nfolders = relative {outer}\n"
    );
    suite.write("pytest.ini", &ini);
    suite.write("tests/skipped/test_skipped.py", "def test_skipped(): assert False\n");
    suite.write("tests/test_tells.py", "");
    let roots = ["--rsyncdir=tests", "--rsyncdir=src", "--rsyncdir=data"];
    let outcome = far.run(&suite).args(roots).args(["-v", "--tx", &far.spec()]).run();
    outcome.expect_code(0).expect_text("test_data.py::test_data");
    assert_eq!(passed(&outcome), 1, "{}", outcome.describe());
    // The file of here is not the one that was written.
    assert!(far.copy().join("tests/run.log").exists());
}
