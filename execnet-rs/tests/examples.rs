//! Every example runs and shows what it is for. Two are missing: `ssh` wants a host, and `bench` takes its time.

#![expect(clippy::unwrap_used, reason = "what goes wrong in a test fails it")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use execnet_rs::link::TRACE;

fn example(name: &str) -> PathBuf {
    let built = std::env::current_exe().unwrap();
    built.parent().unwrap().with_file_name("examples").join(name)
}

/// Names, and what each must say among other things.
const EXAMPLES: [(&str, &str); 10] = [
    ("blocking", "wc says 3 and ended with exit code 0"),
    ("channels", "the largest is Int(42)"),
    ("command", "python there says Tuple([Str(\"hello\")"),
    ("hello", "25! = BigInt(15511210043330985984000000)"),
    ("many", "channel 3: Tuple([Str(\"gw3\")"),
    ("processes", "says \"here I am\""),
    ("remote_errors", "1 / 0: ZeroDivisionError in line Some(3)"),
    ("specs", "`nice` takes a whole number from -40 to 40"),
    ("status", "1 sources run (thread)"),
    ("transport", "the agent saw: the other side said goodbye"),
];

#[test]
fn examples_run() {
    let running = EXAMPLES.map(|(name, said)| {
        let mut command = Command::new(example(name));
        thread::spawn(move || {
            let output = command.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success() && text.contains(said), "{name}: {output:?}");
        })
    });
    for example in running {
        example.join().unwrap();
    }
}

#[test]
fn a_trace_has_a_line_for_every_frame() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    assert!(Command::new(example("hello")).env(TRACE, &trace).output().unwrap().status.success());
    assert_eq!(trace.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&trace).unwrap();
    for (kind, count) in [("Open", 2), ("Data", 3), ("Close", 1)] {
        let found = text.lines().filter(|line| line.contains(&format!(" {kind} channel "))).count();
        assert!(found >= count, "{found} of {kind}:\n{text}");
    }
    assert!(text.lines().any(|line| line.contains("import math")), "{text}");
}
