//! A token that CI sets for other hosts: no test gets to see it.

use xdist_tests::{Env, Invocation, Suite};

/// Looks into the environment of this process and of all above it, and at what they were called with.
const LOOK: &str = "
import os
SECRET = b'zebra' * 3

def above():
    pid = os.getpid()
    while pid > 1:
        yield pid
        with open(f'/proc/{pid}/stat') as stat:
            pid = int(stat.read().rpartition(')')[2].split()[1])

def test_environment():
    assert 'XDIST_TOKEN' not in os.environ and 'XDIST_TOKEN_FILE' not in os.environ

def test_processes():
    for pid in above():
        with open(f'/proc/{pid}/cmdline', 'rb') as file:
            line = file.read()
        assert SECRET not in line
        if line.partition(b'\\0')[0].endswith(b'xdist'):
            # Root may look anywhere; that others may not is the kernel's word.
            assert os.stat(f'/proc/{pid}/mem').st_uid == 0
            return
        with open(f'/proc/{pid}/environ', 'rb') as file:
            assert b'XDIST_TOKEN' not in file.read()
    raise AssertionError('xdist is not above')
";

#[test]
fn a_token_in_the_environment_stays_with_the_controller() {
    for workers in [0, 2] {
        let suite = Suite::of(&[("test_look.py", LOOK)]);
        let secret = "zebra".repeat(3);
        let run = Invocation::xdist(&Env::usual(), &suite).n(workers).args(["-v", "-rA"]).junit();
        let outcome = run
            .var("XDIST_TOKEN", &secret)
            .var("XDIST_TOKEN_FILE", "/nonexistent/zebra")
            .var("XDIST_LOG", "trace")
            .run();
        outcome.expect_code(0).expect_text("2 passed").expect_no_text("zebra");
        let written = std::fs::read_to_string(suite.junit_path()).unwrap();
        assert!(!written.contains("zebra"), "{written}");
    }
}
