//! junit.xml where a run does not go its usual way: the file says what serial pytest's says.

use xdist_tests::{Env, Invocation, Junit, Outcome, Suite};

/// The same run serially and on two workers, with their files.
fn both(files: &[(&str, &str)], args: &[&str]) -> [(Outcome, Junit); 2] {
    let env = Env::usual();
    let run = |invocation: &dyn Fn(&Suite) -> Invocation| {
        let suite = Suite::of(files);
        let run = invocation(&suite).args(args.iter().copied()).var("PYTHONPATH", ".");
        let outcome = run.junit().run();
        (outcome, suite.junit())
    };
    [run(&|suite| Invocation::pytest(&env, suite)), run(&|suite| Invocation::xdist(&env, suite).n(2))]
}

#[test]
fn a_test_that_ends_the_session_has_no_case() {
    for end in ["pytest.exit('bye', returncode=7)", "raise KeyboardInterrupt"] {
        // In order, whoever runs them.
        let module = format!(
            "import os, time, pytest\ndef test_a(): open('ran', 'w').close()\ndef test_b():\n    \
             until = time.monotonic() + 60\n    while not os.path.exists('ran') and time.monotonic() < until:\n        \
             time.sleep(0.01)\n    {end}\n"
        );
        let [(serial, mut expected), (ours, found)] = both(&[("test_it.py", &module)], &[]);
        ours.expect_code(serial.code());
        // pytest leaves an element without a name, which it does not count.
        expected.cases.retain(|case| case.attributes.contains_key("name"));
        assert_eq!(found, expected, "{}", ours.describe());
    }
}

#[test]
fn an_exception_after_the_tests_is_told_once_and_stops_nobody() {
    let tests = "import pytest\n@pytest.mark.parametrize('n', range(9))\ndef test_it(n): pass\n";
    for hook in ["pytest_sessionfinish(session)", "pytest_unconfigure(config)"] {
        let conftest = format!("def {hook}: raise RuntimeError('plugin broke')\n");
        let [(serial, expected), (ours, found)] = both(&[("test_it.py", tests), ("plug.py", &conftest)], &["-pplug"]);
        serial.expect_code(1).expect_text("RuntimeError: plugin broke");
        ours.expect_code(1).expect_no_survivors();
        assert_eq!(ours.occurrences("RuntimeError: plugin broke"), 1, "{}", ours.describe());
        assert_eq!(ours.counts().get("passed"), 9, "{}", ours.describe());
        assert_eq!(found, expected, "{}", ours.describe());
    }
}

#[test]
fn an_exception_amid_the_tests_is_one_case() {
    let conftest = "def pytest_runtest_logfinish(nodeid): raise RuntimeError('plugin broke')\n";
    let [(serial, _), (ours, found)] =
        both(&[("test_it.py", "def test_a(): pass\ndef test_b(): pass\n"), ("plug.py", conftest)], &["-pplug"]);
    ours.expect_code(serial.code());
    let internal = found.cases.iter().filter(|case| case.attributes["name"] == "internal");
    assert_eq!(internal.count(), 1, "{}", ours.describe());
    assert_eq!(found.suite["errors"], "1");
}

#[test]
fn lone_surrogates_in_failures_are_written_as_pytest_writes_them() {
    let module = r#"
import pytest
def test_fails(): raise ValueError("bad \ud800 x, \u00e9 \\ud800")
def test_skips(): pytest.skip("why \udcff")
@pytest.mark.xfail(reason="known \udc80")
def test_expected(): assert 0
"#;
    let suite = Suite::one(module);
    let args = ["-p", "no:cacheprovider", "-o", "junit_family=xunit1"];
    Invocation::pytest(&Env::usual(), &suite).args(args).junit().run().expect_code(1);
    let cases = |file: String| {
        let lines = file.replace(" />", "/>").replace("><", ">\n<");
        let kept =
            |line: &&str| !line.starts_with("<testcase") && !line.starts_with("<testsuite") && !line.starts_with("<?");
        lines.lines().filter(kept).map(str::to_owned).collect::<Vec<_>>()
    };
    let serial = cases(std::fs::read_to_string(suite.junit_path()).unwrap());
    assert!(serial.iter().any(|line| line.contains("bad #xD800 x, \u{e9} \\ud800")), "{serial:#?}");
    Invocation::xdist(&Env::usual(), &suite).n(1).args(args).junit().run().expect_code(1);
    assert_eq!(cases(std::fs::read_to_string(suite.junit_path()).unwrap()), serial);
}

#[test]
fn lone_surrogates_in_properties_are_written_as_pytest_writes_them() {
    let module = r#"
def test_it(record_property, record_testsuite_property, record_xml_attribute):
    record_property("n", "a \ud800 \x01")
    record_xml_attribute("attr", "\udfff")
    record_testsuite_property("suite", "b \ud801")
"#;
    let suite = Suite::one(module);
    let run = Invocation::xdist(&Env::usual(), &suite).n(1).args(["-o", "junit_family=xunit1"]).junit().run();
    run.expect_code(0);
    let file = std::fs::read_to_string(suite.junit_path()).unwrap();
    for text in ["value=\"a #xD800 #x01\"", "attr=\"#xDFFF\"", "value=\"b #xD801\""] {
        assert!(file.contains(text), "{text}\n{file}");
    }
}
