//! A worker process, as far as the controller can tell it from a real one (`xdist_worker/worker.py`).

use std::collections::VecDeque;

use xdist_core::ids::TestIndex;
use xdist_core::run::Effect;

/// What a process is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Run these tests, after those that it has.
    Run(Vec<TestIndex>),
    /// Nothing more comes.
    NoMore,
    /// Start no further test.
    Stop,
}

impl Command {
    /// What an effect of the run state machine tells a worker, if it tells one something.
    pub fn of(effect: &Effect) -> Option<(usize, Self)> {
        match effect {
            Effect::Run(worker, tests) => Some((worker.at(), Self::Run(tests.clone()))),
            Effect::NoMore(worker) => Some((worker.at(), Self::NoMore)),
            Effect::StopWorker(worker) => Some((worker.at(), Self::Stop)),
            _ => None,
        }
    }
}

/// What a process does when it has nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It begins a test.
    Begin(TestIndex),
    /// It waits to be told something.
    Wait,
    /// Its session ends.
    End,
}

/// The state of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Process {
    /// Told to run and not begun.
    pub queue: VecDeque<TestIndex>,
    /// What it runs.
    pub running: Option<TestIndex>,
    closed: bool,
    stopped: bool,
}

impl Process {
    /// Takes a message.
    pub fn take(&mut self, command: Command) {
        match command {
            Command::Run(tests) => self.queue.extend(tests),
            Command::NoMore => self.closed = true,
            Command::Stop => (self.closed, self.stopped) = (true, true),
        }
    }

    /// What it does next, given that it runs nothing. A test begins only when its successor is known, or that there is
    /// none; no test begins once the stop page is set.
    pub fn advance(&mut self, page: bool) -> Next {
        if !self.closed && self.queue.len() < 2 {
            return Next::Wait;
        }
        match self.queue.front().copied().filter(|_| !self.stopped && !page) {
            Some(test) => {
                self.queue.pop_front();
                self.running = Some(test);
                Next::Begin(test)
            }
            None => Next::End,
        }
    }
}
