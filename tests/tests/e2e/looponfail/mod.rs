//! The loop: edits, keys, ends, on a real terminal.

mod edits;
mod ends;
mod keys;
mod own_writes;
mod plain;
mod tree;
mod underway;
mod warmth;

use xdist_tests::{Env, Invocation, Proc, Seen, Suite, Terminal, xdist_binary};

/// What stands at the end of what a loop shows while it waits.
const WAITING: &str = "waiting for changes";
/// Two tests; one fails unless `mod.value` is 1.
const TWO: &str = "import mod\ndef test_one(): assert mod.value == 1\ndef test_two(): pass\n";

fn two() -> Suite {
    Suite::of(&[("test_it.py", TWO), ("mod.py", "value = 2\n")])
}

fn invocation(suite: &Suite) -> Invocation {
    invocation_in(&Env::usual(), suite)
}

fn invocation_in(env: &Env, suite: &Suite) -> Invocation {
    let run = Invocation::xdist(env, suite).arg("-f");
    run.var("TERM", "xterm-256color").var("LC_ALL", "C.UTF-8").limit(60)
}

fn has(screen: &[String], text: &str) -> bool {
    screen.iter().any(|line| line.contains(text))
}

/// Whether a process is the program itself.
fn is_program(process: &Proc) -> bool {
    process.command.starts_with(&xdist_binary().display().to_string()) && process.command.contains(" -f")
}

/// How often a test has started.
fn started(suite: &Suite, name: &str) -> usize {
    suite.truth().started().iter().filter(|ran| ran.id.ends_with(name)).count()
}

/// A loop on a terminal.
struct Looped(Terminal);

impl Looped {
    fn start(invocation: Invocation) -> Self {
        Self(invocation.on_terminal(100, 60))
    }

    /// Waits for all these on the screen; returns it.
    fn shows(&mut self, texts: &[&str]) -> Vec<String> {
        self.0.wait_for(&format!("{texts:?}"), |screen| texts.iter().all(|text| has(screen, text)));
        self.0.screen()
    }

    /// Waits until it waits, with all these on the screen; returns the screen.
    fn waits(&mut self, texts: &[&str]) -> Vec<String> {
        self.shows(&[texts, &[WAITING]].concat())
    }

    fn press(&mut self, keys: &str) {
        self.0.press(keys);
    }

    /// Leaves by `q`.
    fn quits(mut self, code: i32) -> Seen {
        self.0.press("q");
        self.ends(code)
    }

    fn ends(self, code: i32) -> Seen {
        let seen = self.0.finish();
        seen.outcome.expect_code(code).expect_no_survivors();
        seen
    }
}
