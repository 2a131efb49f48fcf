//! Several hosts in one run: mixtures, ways through others, hosts that do not come up.

use xdist_tests::{Env, Suite};

use super::{agent, expect_clean, spec, xdist};

const TELLING: &str = "
import os, pytest

@pytest.mark.parametrize('number', range(30))
def test_tells(number, worker_id):
    mark = os.environ.get('MARK')
    assert mark is None or os.environ['PWD'] == os.getcwd()
    print(f'{worker_id} in {os.getcwd()}, {mark}')
";

#[test]
fn this_host_and_others_share_the_work() {
    let (suite, far) = (Suite::one(TELLING), Suite::one(TELLING));
    // From a conftest and from the ini file: both count.
    let conftest = std::fs::read_to_string(suite.path("conftest.py")).unwrap();
    suite.write("conftest.py", &format!("{conftest}\noption_tx = ['popen']\n"));
    suite.write("pytest.ini", &format!("[pytest]\naddopts = --tx '2*{}//env:MARK=far'\n", spec(&far)));
    let outcome = xdist(&suite).args(["-rP", "-v"]).run();
    outcome.expect_code(0).expect_text("3 workers in 2 environments [30 items]").expect_text("py311@");
    expect_clean(&suite, &outcome);
    assert_eq!(suite.truth().ids().len(), 30, "{}", outcome.describe());
    assert_eq!(outcome.counts().get("passed"), 30, "{}", outcome.describe());
    for ran in suite.truth().started() {
        let (root, mark) = if ran.worker == "gw0" { (&suite, "None") } else { (&far, "far") };
        let shown = format!("{} in {}, {mark}", ran.worker, root.root().display());
        outcome.expect_text(&shown);
    }
    assert!(suite.truth().workers().len() > 1, "{}", outcome.describe());
}

#[test]
fn environments_of_one_host_share_its_agent() {
    let tests = "
import os, pathlib

def agents():
    for process in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            program, *arguments = (process / 'cmdline').read_text().split('\\0')
            mine = os.environ['E2E_RUN_MARK'] in (process / 'environ').read_text()
        except (OSError, ValueError):
            continue
        if mine and program.endswith('socketserver') and '--stdio' in arguments:
            yield process

def test_it():
    print('agents seen by', os.environ['MARK'], len(list(agents())))
";
    let (suite, far) = (Suite::one(tests), Suite::one(tests));
    let spec = spec(&far);
    let run = xdist(&suite).args(["-rP", "--dist=each", "--tx", &format!("{spec}//env:MARK=a")]);
    let outcome = run.args(["--tx", &format!("{spec}//env:MARK=b")]).run();
    outcome.expect_code(0).expect_text("agents seen by a 1").expect_text("agents seen by b 1");
    expect_clean(&suite, &outcome);
}

#[test]
fn a_gateway_leads_through_another() {
    let (suite, far) = (Suite::one(TELLING), Suite::one(TELLING));
    let agent = agent();
    let (python, far_root) = (Env::usual().python(), far.root());
    let tail = format!("python={}//chdir={}", python.display(), far_root.display());
    let run = xdist(&suite).args(["--px", &format!("id=door//command={} --stdio", agent.display())]);
    let run = run.args(["--tx", &format!("popen//via=door//{tail}")]);
    let outcome = run.args(["--tx", &format!("command={} --stdio//via=door//{tail}", agent.display())]).run();
    outcome.expect_code(0).expect_text("2 workers in 2 environments");
    expect_clean(&suite, &outcome);
    assert_eq!(outcome.counts().get("passed"), 30, "{}", outcome.describe());
    let lost = ["--px", "id=door//command=false", "--tx", "popen//via=door", "--tx", "command=true//via=door"];
    let outcome = xdist(&suite).args(lost).run();
    outcome
        .expect_code(12)
        .expect_text("environment `popen//via=door` cannot run tests, gw0 does not take part: no agent at");
    outcome.expect_text(
        "environment `command=true//via=door` cannot run tests: the gateway `door` on the way: no agent at",
    );
    let wrong = xdist(&suite).args(["--tx", "popen//via=nowhere"]).run();
    wrong.expect_code(4).expect_text("no gateway `nowhere` to go through");
}

#[test]
fn the_folder_of_workers_is_made_if_none_is_named() {
    let suite = Suite::one("def test_a(): pass\n");
    let (agent, python) = (agent(), Env::usual().python());
    let spec = format!("command={} --stdio//python={}", agent.display(), python.display());
    // The agent starts where it is started from; there is nothing in that folder.
    let outcome = xdist(&suite).args(["--tx", &spec]).run();
    outcome.expect_code(5);
    expect_clean(&suite, &outcome);
    assert!(suite.path("pyexecnetcache").is_dir(), "{}", outcome.describe());
}

#[test]
fn a_host_that_does_not_come_up_is_named_and_the_others_do_the_work() {
    let (suite, far) = (Suite::one(TELLING), Suite::one(TELLING));
    let agent = agent();
    let good = spec(&far);
    for (bad, why) in [
        ("command=/no/such/program".to_owned(), "cannot start `/no/such/program`: No such file"),
        ("command=false".to_owned(), "no agent at `false`, which ended with exit code 1"),
        (format!("command={} --stdio//python=no-such-python", agent.display()), "`no-such-python` cannot be started"),
        (format!("command={} --stdio//python=python3 -I -S", agent.display()), "No module named 'pytest'"),
    ] {
        suite.forget();
        let outcome = xdist(&suite).args(["--tx", &format!("2*{bad}"), "--tx", &good, "--tx", "popen"]).run();
        outcome
            .expect_code(0)
            .expect_text(&format!("environment `{bad}` cannot run tests, 2 workers do not take part"));
        outcome.expect_text(why).expect_text("2 workers in 2 environments [30 items] (4 asked for)");
        expect_clean(&suite, &outcome);
        assert_eq!(suite.truth().ids().len(), 30, "{}", outcome.describe());
        let workers: Vec<_> = suite.truth().workers().into_iter().collect();
        assert!(workers.iter().all(|worker| ["gw2", "gw3"].contains(&worker.as_str())), "{workers:?}");
    }
    let each = ["--dist=each", "--tx", "command=false", "--tx", &good, "--tx", "popen"];
    let outcome = xdist(&suite).args(each).run();
    outcome.expect_code(0).expect_no_survivors();
    assert_eq!(outcome.counts().get("passed"), 60, "{}", outcome.describe());
}

#[test]
fn a_host_that_has_not_what_is_asked_for_is_left_out() {
    let (suite, near, far) = (Suite::one(TELLING), Suite::one(TELLING), Suite::one("def test_a(): pass\n"));
    for of in [&suite, &near] {
        of.write("sub/test_sub.py", "def test_sub(): pass\n");
    }
    let run = |folder: &Suite| xdist(&suite).args(["--tx", "popen", "--tx", &spec(folder), "sub"]).run();
    let outcome = run(&far);
    outcome.expect_code(0).expect_text("gw1 does not take part").expect_text("file or directory not found: sub");
    expect_clean(&suite, &outcome);
    run(&near).expect_code(0).expect_text("2 workers in 2 environments");
    let outcome = xdist(&suite).args(["--tx", &spec(&far), "sub"]).run();
    outcome.expect_code(4).expect_text("file or directory not found: sub");
}

#[test]
fn a_host_with_few_descriptors_has_fewer_workers_or_is_left_out() {
    for limit in [12, 24, 32] {
        let (suite, far) = (Suite::one(TELLING), Suite::one(TELLING));
        let command = format!("command=sh -c 'ulimit -n {limit}; exec {} --stdio'", agent().display());
        let usual = format!("command={} --stdio", agent().display());
        let narrow = spec(&far).replace(&usual, &command);
        let outcome = xdist(&suite).args(["--tx", "popen", "--tx", &format!("6*{narrow}")]).junit().run();
        outcome.expect_code(0).expect_text("Too many open files");
        expect_clean(&suite, &outcome);
        assert_eq!(outcome.counts().get("passed"), 30, "{limit}\n{}", outcome.describe());
        assert_eq!(suite.truth().ids().len(), 30, "{limit}\n{}", outcome.describe());
    }
}

#[test]
fn plugins_of_the_controller_go_on_without_a_host() {
    let suite = Suite::of(&[
        ("test_it.py", "def test_a(): pass\n"),
        (
            "conftest.py",
            "def pytest_testnodeready(node): print(f'ready {node.gateway.id}')\n\
             def pytest_testnodedown(node, error): print(f'down {node.gateway.id} {error}')\n",
        ),
    ]);
    let outcome = xdist(&suite).args(["--tx", "command=false", "--tx", "popen"]).run();
    outcome.expect_code(0).expect_text("ready gw1").expect_text("down gw1 None").expect_text("`command=false`");
    expect_clean(&suite, &outcome);
}

#[test]
fn without_any_host_or_with_one_that_must_be_there_nothing_runs() {
    let (suite, far) = (Suite::one(TELLING), Suite::one(TELLING));
    let outcome = xdist(&suite).args(["--tx", "command=false", "--tx", "command=true"]).run();
    outcome.expect_code(12).expect_text("error: environment `command=false` cannot run tests");
    outcome.expect_text("environment `command=true` cannot run tests");
    expect_clean(&suite, &outcome);
    let outcome = xdist(&suite).args(["--require-all-hosts", "--tx", "command=false", "--tx", &spec(&far)]).run();
    outcome.expect_code(12).expect_text("error: environment `command=false` cannot run tests: no agent at");
    expect_clean(&suite, &outcome);
    assert!(suite.truth().started().is_empty(), "{}", outcome.describe());
}
