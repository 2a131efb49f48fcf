//! Every example runs and shows what it is for. Two are missing: `ssh` wants a host, and `bench` takes its time.

use std::process::Command;
use std::thread;

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
    let built = std::env::current_exe().unwrap();
    let examples = built.parent().unwrap().with_file_name("examples");
    let running = EXAMPLES.map(|(name, said)| {
        let mut command = Command::new(examples.join(name));
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
