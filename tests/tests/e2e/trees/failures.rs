//! Copies that cannot be made.

use xdist_tests::{Env, Invocation, Suite};

use super::{Far, TELLING, passed};

fn project() -> Suite {
    Suite::of(&[("tests/test_it.py", "def test_a(): pass\ndef test_b(): pass\n")])
}

#[test]
fn a_host_without_a_copy_is_left_out_with_the_reason() {
    let (suite, far, bad) = (project(), Far::new(), Far::new());
    // A directory that nobody here made stands where a file should be.
    std::fs::create_dir_all(bad.path("tests/test_it.py/theirs")).unwrap();
    let args = ["--rsyncdir=tests", "--tx", &bad.spec(), "--tx", &far.spec(), "tests"];
    let outcome = far.run(&suite).args(args).run();
    outcome.expect_code(0).expect_no_survivors();
    outcome
        .expect_text("gw0 does not take part: the sources cannot be brought to")
        .expect_text("is in the way, with files that were not put there");
    assert_eq!(passed(&outcome), 2, "{}", outcome.describe());
    let outcome = far.run(&suite).args(["--rsyncdir=tests", "--tx", &bad.spec(), "tests"]).run();
    outcome.expect_code(14).expect_text("the sources cannot be brought to").expect_no_survivors();
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_host_that_is_lost_in_the_middle_is_left_out_and_gets_the_rest_next_time() {
    let (suite, far, good) = (project(), Far::new(), Far::new());
    std::fs::write(suite.path("tests/data.bin"), noise(3_000_000)).unwrap();
    let agent = far.spec();
    let cut = agent
        .replacen("command=", "command=sh -c 'dd bs=4096 count=300 status=none | \"$0\" --stdio' ", 1)
        .replacen(" --stdio//", "//", 1);
    let run = |spec: &str| {
        let args = ["-v", "--rsyncdir=tests", "--tx", spec, "--tx", &good.spec(), "tests"];
        far.run(&suite).args(args).run()
    };
    let outcome = run(&cut);
    outcome.expect_code(0).expect_no_survivors().expect_text("gw0 does not take part");
    assert!(!far.path("tests/data.bin").exists(), "{}", outcome.describe());
    assert_eq!(passed(&outcome), 2, "{}", outcome.describe());
    let outcome = run(&agent);
    outcome.expect_code(0).expect_text("2 workers");
    assert_eq!(std::fs::read(far.path("tests/data.bin")).unwrap(), noise(3_000_000));
}

#[test]
fn a_host_without_room_says_so() {
    let (suite, far, good) = (project(), Far::new(), Far::new());
    std::fs::write(suite.path("tests/data.bin"), noise(3_000_000)).unwrap();
    std::fs::create_dir(far.copy()).unwrap();
    let small = format!("mount -t tmpfs -o size=1m none {}; exec \"$0\" \"$1\"", far.copy().display());
    let unshare = format!("command=unshare --user --map-root-user --mount sh -ec '{small}' ");
    let spec = far.spec().replacen("command=", &unshare, 1);
    let args = ["--rsyncdir=tests", "--tx", &spec, "--tx", &good.spec(), "tests"];
    let outcome = far.run(&suite).args(args).run();
    outcome
        .expect_code(0)
        .expect_no_survivors()
        .expect_text("gw0 does not take part: the sources cannot be brought to");
    outcome.expect_text("tests/data.bin").expect_text("No space left on device");
}

#[test]
fn an_interpreter_without_pytest_is_named_with_what_to_do() {
    let (suite, far) = (project(), Far::new());
    let bare = far.spec().replace(&format!("python={}", Env::usual().python().display()), "python=python3 -I -S");
    let outcome = far.run(&suite).args(["--rsyncdir=tests", "--tx", &bare, "--tx", &far.spec(), "tests"]).run();
    outcome.expect_code(0).expect_text("No module named 'pytest'").expect_text("pip install pytest");
}

#[test]
fn a_second_run_to_one_folder_waits_for_the_first() {
    let (suite, far) = (Suite::of(&[("tests/test_it.py", TELLING)]), Far::new());
    suite.write(
        "tests/test_first.py",
        "import os, pathlib, time\n\
         def test_first():\n    pathlib.Path(os.environ['E2E_STARTED']).touch()\n    go = pathlib.Path(os.environ['E2E_GO'])\n    \
         deadline = time.time() + 40\n    while not go.exists() and time.time() < deadline:\n        time.sleep(0.02)\n    \
         assert go.exists()\n",
    );
    let (started, go) = (far.dir.path().join("started"), far.dir.path().join("go"));
    let run = |test: &str| {
        let run = far.run(&suite).args(["-v", "--rsyncdir=tests", "--tx", &far.spec(), test]);
        run.var("E2E_STARTED", started.as_os_str()).var("E2E_GO", go.as_os_str())
    };
    let mut first = run("tests/test_first.py").start();
    first.wait_for("its test", |_| started.exists());
    let mut second = run("tests/test_it.py::test_tells").start();
    second.wait_for("its turn", |run| run.stderr().contains("waiting for its end"));
    std::fs::write(&go, "").unwrap();
    first.finish().expect_code(0);
    second.finish().expect_code(0);
}

#[test]
fn two_ways_to_one_folder_are_told_apart() {
    let (suite, far) = (project(), Far::new());
    let other = far.spec().replacen("command=", "command=env ", 1);
    let outcome = far.run(&suite).args(["--rsyncdir=tests", "--tx", &far.spec(), "--tx", &other, "tests"]).run();
    outcome.expect_code(0).expect_no_survivors().expect_text("has the same folder on the same host");
    assert_eq!(passed(&outcome), 2, "{}", outcome.describe());
}

#[test]
fn a_module_that_was_left_behind_is_missed_with_a_hint() {
    let (suite, far) = (project(), Far::new());
    // Its plugin for records stays behind.
    let run = Invocation::xdist(&Env::usual(), &suite).var("XDG_CACHE_HOME", far.dir.path().join("cache"));
    let outcome = run.args(["--rsyncdir=tests", "--tx", &far.spec(), "tests"]).run();
    outcome.expect_text("No module named 'truth_").expect_text("only what `--rsyncdir` names is there");
    outcome.expect_code(12).expect_no_survivors();
}
