//! Watches one run of a loop: what [`Watcher`] does, and what the loop wants to know of it.

use std::cell::OnceCell;
use std::rc::Rc;

use tokio::sync::oneshot;
use xdist_core::engine::Observer;
use xdist_core::event::RunEvent;
use xdist_core::facts::Facts;
use xdist_core::looponfail::results::Gathering;
use xdist_core::protocol::Rendering;
use xdist_core::report::Warning;

use super::keys::Keys;
use crate::watcher::Watcher;

/// Watches a run.
pub(crate) struct LoopObserver {
    pub(crate) watcher: Watcher,
    pub(crate) gathering: Gathering,
    /// Told the facts once, if the run is distributed.
    pub(crate) facts: Option<oneshot::Sender<Facts>>,
    /// The keyboard, which is the shell's while the program is stopped.
    pub(crate) keys: Rc<OnceCell<Keys>>,
}

impl Observer for LoopObserver {
    fn rendering(&mut self, facts: &Facts, hosted: bool) -> Rendering {
        self.gathering.facts(facts);
        if let Some(tell) = self.facts.take() {
            let _ = tell.send(facts.clone());
        }
        self.watcher.rendering(facts, hosted)
    }

    fn lines(&mut self, event: &RunEvent) -> Vec<String> {
        self.watcher.lines(event)
    }

    fn results(&mut self) -> Vec<String> {
        self.watcher.results()
    }

    fn event(&mut self, event: &RunEvent) {
        self.gathering.handle(event);
        self.watcher.event(event);
    }

    fn closing(&mut self) -> Vec<Warning> {
        self.watcher.closing()
    }

    fn raw(&mut self, stderr: bool, bytes: &[u8]) {
        self.watcher.raw(stderr, bytes);
    }

    fn tick(&mut self) {
        self.watcher.tick();
    }

    fn suspend(&mut self) {
        if let Some(keys) = self.keys.get() {
            keys.give_back();
        }
    }

    fn resume(&mut self) {
        if let Some(keys) = self.keys.get() {
            keys.take();
        }
    }
}
