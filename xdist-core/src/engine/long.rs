//! Which tests have been running for so long that users should know which: where no bar shows them, a run that waits for
//! one test says nothing otherwise.

use std::time::{Duration, Instant};

use crate::event::RunEvent;
use crate::ids::{TestIndex, WorkerId};

/// What a worker is at.
#[derive(Clone, Copy, Debug)]
struct Running {
    test: TestIndex,
    since: Instant,
    /// How long it has run when it is named next.
    next: Duration,
}

/// The running tests. Each is named once it has run for as long as is asked for, and again whenever that has doubled.
#[derive(Debug, Default)]
pub(super) struct LongTests {
    after: Duration,
    by_worker: Vec<Option<Running>>,
}

impl LongTests {
    /// Names tests that have run for this long; zero: none.
    pub(super) fn after(after: Duration) -> Self {
        Self { after, by_worker: Vec::new() }
    }

    /// Takes note of tests that begin and end.
    pub(super) fn follow(&mut self, event: &RunEvent, now: Instant) {
        if self.after.is_zero() {
            return;
        }
        match event {
            RunEvent::Started { test, worker } => {
                if self.by_worker.len() <= worker.at() {
                    self.by_worker.resize(worker.at() + 1, None);
                }
                self.by_worker[worker.at()] = Some(Running { test: *test, since: now, next: self.after });
            }
            RunEvent::Finished { test, worker, .. } => {
                if let Some(slot) = self.by_worker.get_mut(worker.at()) {
                    slot.take_if(|running| running.test == *test);
                }
            }
            _ => {}
        }
    }

    /// The tests to be named now: where, which, and for how long it has run.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(WorkerId, TestIndex, Duration)> {
        let mut due = Vec::new();
        for (worker, slot) in (0..).map(WorkerId).zip(&mut self.by_worker) {
            let Some(running) = slot else { continue };
            let elapsed = now.saturating_duration_since(running.since);
            if elapsed >= running.next {
                while running.next <= elapsed {
                    running.next *= 2;
                }
                due.push((worker, running.test, elapsed));
            }
        }
        due
    }

    /// Everything stood still for so long.
    pub(super) fn slept(&mut self, slept: Duration) {
        for running in self.by_worker.iter_mut().flatten() {
            running.since += slept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Verdict;

    const MINUTE: Duration = Duration::from_mins(1);
    const FIRST: WorkerId = WorkerId(0);
    const THIRD: WorkerId = WorkerId(2);

    fn started(worker: WorkerId, test: u32) -> RunEvent {
        RunEvent::Started { test: TestIndex(test), worker }
    }

    fn finished(worker: WorkerId, test: u32) -> RunEvent {
        RunEvent::Finished { test: TestIndex(test), worker, verdict: Verdict::Passed { durations: [0.0; 3] } }
    }

    #[test]
    fn a_test_is_named_again_when_its_time_has_doubled() {
        let mut long = LongTests::after(MINUTE);
        let began = Instant::now();
        long.follow(&started(THIRD, 7), began);
        let named: Vec<u64> =
            (0..=600u64).filter(|second| !long.due(began + Duration::from_secs(*second)).is_empty()).collect();
        assert_eq!(named, [60, 120, 240, 480]);
    }

    #[test]
    fn whoever_looks_late_is_told_once() {
        let mut long = LongTests::after(MINUTE);
        let began = Instant::now();
        long.follow(&started(THIRD, 7), began);
        assert_eq!(long.due(began + 5 * MINUTE), [(THIRD, TestIndex(7), 5 * MINUTE)]);
        assert_eq!(long.due(began + 7 * MINUTE), []);
        assert_eq!(long.due(began + 8 * MINUTE).len(), 1);
    }

    #[test]
    fn only_running_tests_are_named() {
        let mut long = LongTests::after(MINUTE);
        let began = Instant::now();
        long.follow(&started(FIRST, 1), began);
        long.follow(&started(THIRD, 2), began);
        long.follow(&finished(FIRST, 1), began + MINUTE / 2);
        // Word of the next test may come before that of the end of the one before it.
        long.follow(&started(THIRD, 3), began + MINUTE / 2);
        long.follow(&finished(THIRD, 2), began + MINUTE / 2);
        assert_eq!(long.due(began + MINUTE), []);
        assert_eq!(long.due(began + 2 * MINUTE), [(THIRD, TestIndex(3), MINUTE + MINUTE / 2)]);
    }

    #[test]
    fn sleep_does_not_count_and_zero_names_nothing() {
        let began = Instant::now();
        let mut long = LongTests::after(MINUTE);
        long.follow(&started(FIRST, 1), began);
        long.slept(10 * MINUTE);
        assert_eq!(long.due(began + 10 * MINUTE), []);
        assert_eq!(long.due(began + 11 * MINUTE).len(), 1);
        let mut never = LongTests::after(Duration::ZERO);
        never.follow(&started(FIRST, 1), began);
        assert_eq!(never.due(began + 100 * MINUTE), []);
    }
}
