//! The plugin host: what plugins and conftests find on the controller's side, and what happens when it breaks.

mod broken;
mod endings;
mod inputs;
mod order;
mod scheduling;

use std::fs;

use xdist_tests::{Env, Invocation, Suite};

/// A run with a plugin host.
fn hosted(suite: &Suite, n: u32) -> Invocation {
    Invocation::xdist(&Env::usual(), suite).n(n).arg("--plugin-host=always")
}

/// A conftest with the record of tests, and more.
fn conftest(more: &str) -> String {
    format!("pytest_plugins = ['truth_log']\n{NOTES}\n{more}")
}

/// `note(text)` appends to the file `notes`; `SIDE` is `controller` or `worker` once pytest is configured.
const NOTES: &str = "
import os
SIDE = ''
def note(*words):
    with open('notes', 'a') as file:
        file.write(' '.join(map(str, words)) + '\\n')
def pytest_configure(config):
    global SIDE
    SIDE = 'worker' if hasattr(config, 'workerinput') else 'controller'
    configured(config)
def configured(config): pass
";

/// What was noted.
fn notes(suite: &Suite) -> Vec<String> {
    let text = fs::read_to_string(suite.path("notes")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
