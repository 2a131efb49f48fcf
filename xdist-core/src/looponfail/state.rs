//! The loop's decisions: what to run next, when to stop, when to wait. Pure: it knows neither files nor clocks.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::results::Results;
use crate::exit;
use crate::protocol::Selection;

/// What a change during a run does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnChange {
    /// The run is stopped, and another one begins.
    #[default]
    Restart,
    /// The run goes on, and another one follows.
    Queue,
}

impl OnChange {
    /// The choices with their names on the command line.
    pub const ALL: [(&'static str, Self); 2] = [("restart", Self::Restart), ("queue", Self::Queue)];
}

/// How the user wants the loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `--on-change`.
    pub on_change: OnChange,
    /// `--stop-when-green`.
    pub stop_when_green: bool,
}

/// What has changed since a run began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files with other contents, new ones, and those that are no more.
    pub files: BTreeSet<PathBuf>,
    /// Nobody knows what else: the system lost track.
    pub everything: bool,
}

impl Changes {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && !self.everything
    }

    /// Takes in more of them.
    pub fn extend(&mut self, more: Self) {
        self.files.extend(more.files);
        self.everything |= more.everything;
    }
}

/// What the user types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Run what fails.
    Again,
    /// Run everything.
    All,
    /// Run nothing but what fails, or everything again once that passes.
    FailingOnly,
    /// Show the last run once more.
    Output,
    /// Wait whatever changes, or no more.
    Pause,
    /// Which keys there are.
    Help,
    /// Leave.
    Quit,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The run is over.
    Ended(Box<Results>),
    /// Files have changed.
    Changed(Changes),
    /// The user typed a key.
    Key(Key),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Begin a run; what changed since the last one.
    Run(Selection, Changes),
    /// Stop the run that is on.
    Stop,
    /// Wait, and show what for.
    Wait,
    /// Show the last run once more.
    ShowOutput,
    /// Show which keys there are.
    ShowHelp,
    /// Leave with this exit code.
    Quit(u8),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Running { selection: Selection, stopped_for: Option<Next> },
    Waiting,
    Over,
}

/// What follows a run that was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Change,
    Again,
    All,
    Quit,
}

/// The loop.
#[derive(Clone, Debug)]
pub struct State {
    options: Options,
    phase: Phase,
    /// Tests that failed when they last ran, in the order in which they came.
    failing: Vec<String>,
    /// Collectors that failed.
    errors: Vec<String>,
    pending: Changes,
    failing_only: bool,
    paused: bool,
    /// The exit code of the last run, and whether it had all tests.
    last: Option<(u8, bool)>,
}

impl State {
    /// A loop whose first run is on: it has what failed last by pytest's cache.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            phase: Phase::Running { selection: Selection::LastFailed, stopped_for: None },
            failing: Vec::new(),
            errors: Vec::new(),
            pending: Changes::default(),
            failing_only: false,
            paused: false,
            last: None,
        }
    }

    /// What fails: collectors, then tests.
    pub fn failing(&self) -> impl Iterator<Item = &str> {
        self.errors.iter().chain(&self.failing).map(String::as_str)
    }

    /// Whether a run is on.
    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running { .. })
    }

    /// Whether nothing but what fails is run.
    pub fn is_failing_only(&self) -> bool {
        self.failing_only
    }

    /// Whether changes start nothing.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether something has changed that no run has seen.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// What is to be done.
    pub fn handle(&mut self, input: Input) -> Vec<Effect> {
        if self.phase == Phase::Over {
            return Vec::new();
        }
        match input {
            Input::Ended(results) => self.ended(&results),
            Input::Changed(changes) => self.changed(changes),
            Input::Key(key) => self.key(key),
        }
    }

    fn ended(&mut self, results: &Results) -> Vec<Effect> {
        let Phase::Running { selection, stopped_for } = std::mem::replace(&mut self.phase, Phase::Waiting) else {
            return Vec::new();
        };
        let (selection, had_all) = match (selection, &results.selected) {
            (Selection::LastFailed | Selection::Some(..), None) => (Selection::Everything, true),
            (Selection::LastFailed, Some(tests)) => {
                self.failing.clone_from(tests);
                (Selection::Some(tests.clone(), Vec::new()), false)
            }
            (selection, _) => {
                let all = selection == Selection::Everything;
                (selection, all)
            }
        };
        let complete = !results.cut_short && stopped_for.is_none() && !results.interrupted;
        let for_errors = !self.errors.is_empty();
        self.learn(&selection, results, complete);
        self.last = Some((results.exit, had_all && complete));
        match stopped_for {
            Some(Next::Quit) => return self.quit(exit::INTERRUPTED),
            _ if results.interrupted => return self.quit(exit::INTERRUPTED),
            Some(Next::All) => return self.run(Selection::Everything),
            Some(Next::Again) => return self.run(self.again()),
            Some(Next::Change) => return self.run(self.after_change()),
            None => {}
        }
        if !self.pending.is_empty() && !self.paused {
            return self.run(self.after_change());
        }
        if had_all && self.is_green() && results.exit == exit::OK && self.options.stop_when_green {
            return self.quit(exit::OK);
        }
        // What was asked for is done with: on to the rest.
        let well = results.failed.is_empty() && self.errors.is_empty() && complete;
        let ran = matches!(results.exit, exit::OK | exit::NO_TESTS_COLLECTED);
        if !had_all && well && ran && !self.paused {
            if !self.failing.is_empty() && for_errors {
                return self.run(Selection::Some(self.failing.clone(), Vec::new()));
            }
            if self.failing.is_empty() && !self.failing_only {
                return self.run(Selection::Everything);
            }
        }
        vec![Effect::Wait]
    }

    /// What a run says of the tests.
    fn learn(&mut self, selection: &Selection, results: &Results, complete: bool) {
        let asked: BTreeSet<&String> = match selection {
            Selection::Some(tests, _) => tests.iter().collect(),
            _ => BTreeSet::new(),
        };
        let no_errors = results.errors.is_empty() && results.collected;
        let all = *selection == Selection::Everything;
        if results.collected {
            if all || no_errors {
                self.errors.clear();
            }
            self.errors.retain(|known| !asked.contains(known));
            push_new(&mut self.errors, &results.errors);
        }
        let done = complete && no_errors;
        // A test that was asked for and that nobody has heard of is no more, or is not to run by pytest's options.
        self.failing.retain(|known| {
            let settled = results.passed.contains(known) || results.gone.contains(known);
            !settled && !(done && (all || asked.contains(known)))
        });
        push_new(&mut self.failing, &results.failed);
    }

    fn changed(&mut self, changes: Changes) -> Vec<Effect> {
        if changes.is_empty() {
            return Vec::new();
        }
        self.pending.extend(changes);
        let green = self.is_green();
        match &mut self.phase {
            Phase::Running { stopped_for, .. } => {
                if self.options.on_change == OnChange::Restart && !self.paused && stopped_for.is_none() {
                    *stopped_for = Some(Next::Change);
                    return vec![Effect::Stop];
                }
                Vec::new()
            }
            Phase::Waiting if self.paused => vec![Effect::Wait],
            Phase::Waiting if self.failing_only && green => {
                self.pending = Changes::default();
                vec![Effect::Wait]
            }
            Phase::Waiting => self.run(self.after_change()),
            Phase::Over => Vec::new(),
        }
    }

    fn key(&mut self, key: Key) -> Vec<Effect> {
        let running = self.is_running();
        match key {
            Key::Quit if running => self.stop_for(Next::Quit),
            Key::Quit => {
                let green = self.is_green() && self.last.is_some_and(|(code, _)| code == exit::OK);
                self.quit(if green { exit::OK } else { exit::TESTS_FAILED })
            }
            Key::All if running => self.stop_for(Next::All),
            Key::All => self.run(Selection::Everything),
            Key::Again if running => self.stop_for(Next::Again),
            Key::Again => self.run(self.again()),
            Key::FailingOnly => {
                self.failing_only = !self.failing_only;
                self.settled()
            }
            Key::Pause => {
                self.paused = !self.paused;
                if !self.paused && !running && !self.pending.is_empty() {
                    return self.run(self.after_change());
                }
                self.settled()
            }
            Key::Output if !running => vec![Effect::ShowOutput, Effect::Wait],
            Key::Help if !running => vec![Effect::ShowHelp],
            Key::Output | Key::Help => Vec::new(),
        }
    }

    /// Shows what is waited for, if anything is.
    fn settled(&self) -> Vec<Effect> {
        if self.is_running() { Vec::new() } else { vec![Effect::Wait] }
    }

    fn stop_for(&mut self, next: Next) -> Vec<Effect> {
        let Phase::Running { stopped_for, .. } = &mut self.phase else { return Vec::new() };
        // The word that came last counts; leaving counts most.
        let told = stopped_for.is_some();
        if *stopped_for != Some(Next::Quit) {
            *stopped_for = Some(next);
        }
        if told { Vec::new() } else { vec![Effect::Stop] }
    }

    fn is_green(&self) -> bool {
        self.failing.is_empty() && self.errors.is_empty()
    }

    /// What fails, collectors first: until they work, nobody knows what is in them.
    fn again(&self) -> Selection {
        match (self.errors.is_empty(), self.failing.is_empty()) {
            (false, _) => Selection::Some(self.errors.clone(), Vec::new()),
            (true, false) => Selection::Some(self.failing.clone(), Vec::new()),
            (true, true) => Selection::Everything,
        }
    }

    fn after_change(&self) -> Selection {
        match self.again() {
            Selection::Some(tests, _) if self.errors.is_empty() && !self.failing_only => {
                let files = self.pending.files.iter().filter_map(|path| path.to_str());
                Selection::Some(tests, files.map(str::to_owned).collect())
            }
            selection => selection,
        }
    }

    fn run(&mut self, selection: Selection) -> Vec<Effect> {
        self.phase = Phase::Running { selection: selection.clone(), stopped_for: None };
        vec![Effect::Run(selection, std::mem::take(&mut self.pending))]
    }

    fn quit(&mut self, code: u8) -> Vec<Effect> {
        self.phase = Phase::Over;
        vec![Effect::Quit(code)]
    }
}

fn push_new(list: &mut Vec<String>, more: &[String]) {
    let mut known: BTreeSet<String> = list.iter().cloned().collect();
    list.extend(more.iter().filter(|new| known.insert((*new).clone())).cloned());
}
