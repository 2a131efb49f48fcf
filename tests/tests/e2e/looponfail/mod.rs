//! The loop: edits, keys, ends, on a real terminal.

mod edits;

use xdist_tests::{Env, Invocation, Suite, Terminal};

/// What stands at the end of what a loop shows while it waits.
const WAITING: &str = "waiting for changes";

fn invocation(suite: &Suite) -> Invocation {
    let run = Invocation::xdist(&Env::usual(), suite).arg("-f");
    run.var("TERM", "xterm-256color").var("LC_ALL", "C.UTF-8").limit(60)
}

fn has(screen: &[String], text: &str) -> bool {
    screen.iter().any(|line| line.contains(text))
}

/// A loop on a terminal.
struct Looped(Terminal);

impl Looped {
    fn start(invocation: Invocation) -> Self {
        Self(invocation.on_terminal(100, 60))
    }

    /// Waits until it waits, with all these on the screen; returns the screen.
    fn waits(&mut self, texts: &[&str]) -> Vec<String> {
        let what = format!("the loop to wait with {texts:?}");
        self.0.wait_for(&what, |screen| has(screen, WAITING) && texts.iter().all(|text| has(screen, text)));
        self.0.screen()
    }

    /// Leaves by `q`.
    fn quits(mut self, code: i32) -> xdist_tests::Seen {
        self.0.press("q");
        let seen = self.0.finish();
        seen.outcome.expect_code(code).expect_no_survivors();
        seen
    }
}
