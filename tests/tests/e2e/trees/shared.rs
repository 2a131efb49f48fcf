//! Copies that stand before tests run in them, however many there are.

use xdist_tests::Suite;

use super::{Far, TELLING, passed};

/// A package with tests, a conftest above and one between.
fn project() -> Suite {
    let suite = Suite::of(&[
        ("pkg/__init__.py", "VALUE = 1\n"),
        ("pkg/tests/__init__.py", ""),
        ("pkg/tests/conftest.py", "import pytest\n@pytest.fixture\ndef inner(): return 'inner'\n"),
        ("pkg/tests/test_tells.py", TELLING),
        (
            "pkg/tests/test_value.py",
            "from pkg import VALUE\ndef test_value(inner, outer): assert (VALUE, inner, outer) == (1, 'inner', 'outer')\n",
        ),
        ("unrelated/big.txt", "not needed\n"),
    ]);
    let conftest = std::fs::read_to_string(suite.path("conftest.py")).unwrap();
    suite.write("conftest.py", &format!("{conftest}\nimport pytest\n@pytest.fixture\ndef outer(): return 'outer'\n"));
    suite
}

#[test]
fn a_host_gets_what_it_runs_and_reports_as_if_it_were_here() {
    let (suite, far) = (project(), Far::new());
    let run =
        || far.run(&suite).args(["-rP", "-v", "--rsyncdir=pkg", "--tx", &format!("2*{}", far.spec()), "pkg/tests"]);
    let outcome = run().junit().run();
    outcome.expect_code(1).expect_no_survivors();
    assert_eq!((passed(&outcome), outcome.counts().get("failed")), (2, 1), "{}", outcome.describe());
    outcome.expect_text(&format!(
        "running {} in {}",
        far.path("pkg/tests/test_tells.py").display(),
        far.copy().display()
    ));
    outcome.expect_text("pkg/tests/test_tells.py::test_fails").expect_text("sources brought to `");
    assert!(!far.path("unrelated").exists());
    let files = far.files();
    for file in ["conftest.py", "pytest.ini", "pkg/__init__.py", "pkg/tests/conftest.py", "pkg/tests/test_tells.py"] {
        assert!(files.iter().any(|known| known == file), "{file}: {files:?}");
    }
    // The next run sends what has changed, and nothing else.
    suite.write("pkg/__init__.py", "VALUE = 2\n");
    let outcome = run().run();
    outcome.expect_code(1).expect_text("1 written").expect_text("assert (2, 'inner', 'outer')");
    let outcome = run().run();
    outcome.expect_code(1).expect_text("nothing had changed");
}

#[test]
fn a_folder_of_this_host_gets_a_copy_and_this_one_none() {
    let (suite, far) = (project(), Far::new());
    let copy = format!("popen//chdir={}", far.copy().display());
    let args = ["--dist=each", "-rP", "--rsyncdir=pkg", "--tx", &copy, "--tx", "popen", "pkg/tests"];
    let outcome = far.run(&suite).args(args).run();
    outcome.expect_code(1).expect_no_survivors();
    assert_eq!(passed(&outcome), 4, "{}", outcome.describe());
    outcome.expect_text(&format!(
        "running {} in {}",
        far.path("pkg/tests/test_tells.py").display(),
        far.copy().display()
    ));
    outcome.expect_text(&format!("running {} in", suite.path("pkg/tests/test_tells.py").display()));
}

#[test]
fn one_scan_serves_all_hosts_and_each_folder_of_theirs() {
    let (suite, far, other) = (project(), Far::new(), Far::new());
    let (one, two) = (far.spec(), format!("{}//env:MARK=x", far.spec()));
    let args = ["--dist=each", "--rsyncdir=pkg", "--tx", &one, "--tx", &two, "--tx", &other.spec(), "pkg/tests"];
    let outcome = far.run(&suite).args(args).run();
    outcome.expect_code(1).expect_no_survivors();
    assert_eq!(passed(&outcome), 6, "{}", outcome.describe());
    assert_eq!(far.files(), other.files());
}

#[test]
fn plugins_are_told_of_copies() {
    let (suite, far) = (project(), Far::new());
    let conftest = std::fs::read_to_string(suite.path("conftest.py")).unwrap();
    let hooks = "
def pytest_xdist_rsyncstart(source, gateways):
    print('begins', source.name, [gateway.id for gateway in gateways])
def pytest_xdist_rsyncfinish(source, gateways):
    print('stands', source.name, [gateway.id for gateway in gateways])
";
    suite.write("conftest.py", &format!("{conftest}{hooks}"));
    let args = ["-s", "--rsyncdir=pkg", "--tx", "popen", "--tx", &far.spec(), "pkg/tests/test_value.py"];
    let outcome = far.run(&suite).args(args).run();
    outcome.expect_code(0).expect_text("begins pkg ['gw1']").expect_text("stands pkg ['gw1']");
    outcome.expect_text("stands truth_log.py ['gw1']");
}
