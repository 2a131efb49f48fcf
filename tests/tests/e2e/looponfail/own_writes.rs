//! What a run writes starts no other one.

use xdist_tests::{Env, Suite};

use super::{Looped, has, invocation, invocation_in, started, two};

const WRITES: &str = "
import logging, os, random, shutil, sqlite3, subprocess, sys
from pathlib import Path
def content(): return f'x = {random.random()}'
def test_writes():
    logging.getLogger().warning(content())
    Path('made.py').write_text(content())
    Path('snapshot.json').write_text(content())
    os.makedirs('made/deep', exist_ok=True)
    Path('made/deep/more.py').write_text(content())
    Path('before').write_text(content())
    os.replace('before', 'after.py')
    with open('grows.txt', 'a') as file: file.write(content())
    sqlite3.connect('data.db').execute('create table if not exists t(x)')
    shutil.rmtree('passing', ignore_errors=True)
    shutil.copytree('made', 'passing')
    write = 'import random, sys; open(sys.argv[1], \"w\").write(str(random.random()))'
    subprocess.run([sys.executable, '-c', write, 'by_child.txt'], check=True)
    assert 0
";

#[test]
fn files_that_tests_and_reports_write_start_nothing() {
    let suite = Suite::of(&[("test_it.py", WRITES), ("snapshot.json", "{}"), ("mod.py", "x = 1\n")]);
    let run = invocation(&suite).args(["--junitxml=out/junit.xml", "--log-file=run.txt"]);
    let mut looped = Looped::start(run);
    looped.waits(&["1 failing"]);
    for value in 2..5 {
        suite.write("mod.py", &format!("x = {value}\n"));
        looped.0.wait_for("another run", |_| started(&suite, "test_writes") == value);
        looped.waits(&["changed: mod.py; running 1 that failed", "1 failing"]);
    }
    // The user's edit of such a file counts.
    suite.write("snapshot.json", "{\"x\": 1}");
    looped.waits(&["changed: snapshot.json; running 1 that failed", "1 failing"]);
    assert_eq!(started(&suite, "test_writes"), 5);
    looped.quits(1);
}

#[test]
fn coverage_and_its_reports_start_nothing() {
    let suite = two();
    let reports = ["--cov=.", "--cov-report=xml", "--cov-report=html:pages", "--cov-report=term"];
    let mut looped = Looped::start(invocation_in(&Env::named("py311-plugins"), &suite).args(reports));
    looped.waits(&["plugin host: pytest-cov", "1 failing", "TOTAL", "1 failed, 1 passed"]);
    assert!(suite.path("pages").exists() && suite.path("coverage.xml").exists());
    suite.write("mod.py", "value = 1\n");
    let screen = looped.waits(&["running all tests", "TOTAL", "2 passed in", "all tests pass"]);
    assert!(!has(&screen, "INTERNALERROR"), "{}", screen.join("\n"));
    assert_eq!((started(&suite, "test_one"), started(&suite, "test_two")), (3, 2));
    looped.quits(0);
}
