//! Drives runs, one or, if pytest's arguments ask for a loop, one after the other.
//!
//! Whether there is a loop is known when pytest has parsed its arguments, in the first run. What follows from what is
//! decided by `xdist_core::looponfail::state`; here it is waited for what happens, and done what is decided.

mod cycle;
mod keys;
mod observer;
mod screen;

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use xdist_core::engine::{EngineError, Idle, Request, Warm};
use xdist_core::exit;
use xdist_core::facts::Facts;
use xdist_core::looponfail::installed::{Installed, is_setting};
use xdist_core::looponfail::state::{Changes, Effect, Input, Options, State};
use xdist_core::looponfail::watch::{Told, Watch};
use xdist_core::protocol::Selection;

use self::keys::Keys;
use self::screen::{Outcome, Screen};
use crate::args::LoopOptions;
use crate::watcher::Copied;

/// How often it is looked whether a loop in the background has come to the foreground: nobody tells.
const FOREGROUND: Duration = Duration::from_millis(500);

/// A loop, or a single run that might have become one.
pub(crate) struct Loop<'g> {
    warm: Warm<'g>,
    request: Request,
    options: LoopOptions,
    state: State,
    watch: Option<(Watch, mpsc::UnboundedReceiver<Told>)>,
    /// Opened when it is known that there is a loop; then, if there is a keyboard.
    keys: Rc<OnceCell<Keys>>,
    screen: Screen,
    output: Copied,
    outcome: Option<Outcome>,
    /// What pytest said of the arguments when it last came so far.
    facts: Option<Arc<Facts>>,
    installed: Option<Installed>,
    /// Where the interpreter is, its packages, and the files of those in use.
    interpreter: (PathBuf, Vec<PathBuf>, Vec<PathBuf>),
    /// When the program was started: what was written since may have changed before anybody watched.
    since: SystemTime,
    cycles: u64,
    /// What had changed when somebody was last shown what.
    shown: Changes,
}

/// What a loop waits for between two runs.
enum Woken {
    Signal(Idle),
    Told(Told),
    Key(xdist_core::looponfail::state::Key),
    Time,
}

impl<'g> Loop<'g> {
    pub(crate) fn new(warm: Warm<'g>, request: Request, options: LoopOptions, color: bool) -> Self {
        let decisions = Options { on_change: options.on_change, stop_when_green: options.stop_when_green };
        Self {
            warm,
            request,
            state: State::new(decisions),
            watch: None,
            keys: Rc::default(),
            screen: Screen::new(!options.no_clear, options.bell, color),
            options,
            output: Copied::default(),
            outcome: None,
            facts: None,
            installed: None,
            interpreter: Default::default(),
            since: SystemTime::now(),
            cycles: 0,
            shown: Changes::default(),
        }
    }

    /// Runs until there is nothing more to run, and returns the exit code.
    ///
    /// # Errors
    /// What kept the first run from taking place.
    pub(crate) async fn drive(mut self) -> Result<u8, EngineError> {
        let (code, mut todo) = self.cycle(Selection::LastFailed, &Changes::default()).await?;
        // What was wrong with the command line will be wrong with it whatever changes.
        let misused = code == exit::USAGE_ERROR && self.state.failing().next().is_none();
        if misused || self.facts.is_none() {
            return Ok(self.leave(code).await);
        }
        // Whether what is to be done follows from a run's end.
        let mut follows = true;
        loop {
            let Some(effect) = todo.pop_front() else {
                follows = false;
                match self.wait().await {
                    Ok(input) => todo.extend(self.state.handle(input)),
                    Err(code) => return Ok(self.leave(code).await),
                }
                continue;
            };
            match effect {
                Effect::Run(selection, changes) => {
                    // All tests after what failed: for the same reason.
                    if !follows || !changes.is_empty() {
                        self.shown.clone_from(&changes);
                    }
                    self.prepare(&selection, &changes).await;
                    todo = self.again(selection, &changes).await;
                    follows = true;
                }
                // Nothing is on.
                Effect::Stop => {}
                Effect::Wait => self.screen.wait(&self.state, self.outcome.as_ref(), self.keys.get().is_some()),
                Effect::ShowOutput => self.screen.again(&self.output.borrow()),
                Effect::ShowHelp => Screen::help(),
                Effect::Quit(code) => return Ok(self.leave(code).await),
            }
        }
    }

    /// Another run; one that cannot take place is told, and waited after.
    async fn again(&mut self, selection: Selection, changes: &Changes) -> VecDeque<Effect> {
        match self.cycle(selection, changes).await {
            Ok((_, effects)) => effects,
            Err(error) => {
                self.screen.notice(&error.to_string());
                self.state.handle(Input::Ended(Box::default())).into()
            }
        }
    }

    /// What is to be done before a run: a fork server that has imported what is no more true is of no use.
    async fn prepare(&mut self, selection: &Selection, changes: &Changes) {
        self.screen.run(selection, &self.shown);
        let (interpreter, directories, files) = &self.interpreter;
        let now = Installed::look(interpreter, directories, files);
        let other = self.installed.as_ref().is_some_and(|before| *before != now);
        if other || changes.everything || changes.files.iter().any(|path| is_setting(path)) {
            self.warm.cool().await;
        }
        self.installed = None;
    }

    /// Waits for something that means something; an exit code if it is the end.
    async fn wait(&mut self) -> Result<Input, u8> {
        loop {
            let Self { warm, watch, keys, .. } = self;
            if let Some(keys) = keys.get() {
                keys.take();
            }
            let elsewhere = keys.get().is_some_and(|keys| !keys.is_taken());
            let woken = tokio::select! {
                signal = warm.idle() => Woken::Signal(signal),
                told = cycle::next_told(watch) => Woken::Told(told),
                key = cycle::next_key(keys.get()) => Woken::Key(key),
                () = tokio::time::sleep(FOREGROUND), if elsewhere => Woken::Time,
            };
            match woken {
                Woken::Signal(Idle::Leave) => return Err(exit::INTERRUPTED),
                Woken::Signal(Idle::Suspend) => self.suspend(),
                Woken::Told(Told::Notice(text)) => self.screen.notice(&text),
                Woken::Told(Told::Changed(changes)) => return Ok(Input::Changed(changes)),
                Woken::Key(key) => return Ok(Input::Key(key)),
                Woken::Time => {}
            }
        }
    }

    /// Ctrl-Z while nothing runs.
    fn suspend(&self) {
        if let Some(keys) = self.keys.get() {
            keys.give_back();
        }
        execnet_rs::process::stand_still();
        if let Some(keys) = self.keys.get() {
            keys.take();
        }
    }

    async fn leave(mut self, code: u8) -> u8 {
        if let Some(keys) = self.keys.get() {
            keys.give_back();
        }
        self.warm.cool().await;
        code
    }
}
