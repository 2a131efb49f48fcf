//! What the plugin host is told of the run, in the order in which it was decided.

use std::time::{Duration, Instant};

use serde_bytes::ByteBuf;

use super::super::Engine;
use crate::event::{Collected, Crashed, Environment, RunEvent, Verdict};
use crate::ids::{TestIndex, WorkerId};
use crate::protocol::{Followed, HostEnvironment, HostEvent, ToPython};
use crate::report::Report;

/// Plain passes are told this late, many of them together: that takes less of the machine than to tell each.
pub(super) const LATENESS: Duration = Duration::from_millis(50);
/// Bytes of plain passes that are told at once.
const ENOUGH: usize = 8192;

impl Engine<'_> {
    pub(in crate::engine) fn tell_host(&mut self, event: HostEvent) {
        self.send_host(ToPython::Event(Box::new(event)));
    }

    /// Sends the host a message, after everything that came before.
    pub(in crate::engine) fn send_host(&mut self, message: ToPython) {
        self.tell_followed();
        let Some(host) = self.live_host() else { return };
        if !host.ready {
            return host.early.push(message);
        }
        let member = host.member;
        self.members.get(member).tell(message);
    }

    /// Tells the tests that began and passed since it was last told.
    pub(super) fn tell_followed(&mut self) {
        let Some(host) = self.live_host().filter(|host| !host.followed.is_empty()) else { return };
        host.followed_since = None;
        let (member, followed) = (host.member, host.followed.take());
        self.members.get(member).tell(ToPython::Followed(followed));
    }

    /// Notes a test that began or passed, to be told soon.
    fn follow(&mut self, note: impl FnOnce(&mut Followed)) {
        let Some(host) = self.live_host() else { return };
        note(&mut host.followed);
        host.followed_since.get_or_insert_with(Instant::now);
        if host.followed.len() >= ENOUGH {
            self.tell_followed();
        }
    }

    /// Tells the host what the reporters are told.
    pub(in crate::engine) fn mirror(&mut self, event: &RunEvent) {
        if self.live_host().is_none() {
            return;
        }
        let event = match event {
            RunEvent::Configured(_) | RunEvent::Bringing(_) | RunEvent::Ended(_) | RunEvent::HostDied { .. } => return,
            RunEvent::Collected(collected) => {
                let environments = self.environments_for_host(collected);
                collection_event(collected, self.observer.lines(event), environments)
            }
            RunEvent::WorkerUp { worker, .. } => HostEvent::WorkerUp(worker.to_string()),
            RunEvent::WorkerDied { worker, how, replaced } => {
                HostEvent::WorkerDied(worker.to_string(), how.clone(), *replaced)
            }
            RunEvent::Started { test, worker } => {
                return self.follow(|followed| followed.began(*worker, *test));
            }
            RunEvent::Finished { test, worker, verdict } => match verdict {
                Verdict::Passed { durations } => {
                    return self.follow(|followed| followed.passed(*worker, *test, *durations));
                }
                Verdict::Reported(reports) => HostEvent::Reported(worker.to_string(), *test, whole(reports)),
                // Plugins have been shown it when they were asked.
                Verdict::Crashed(_) if self.plugins_see_crashes() => return,
                Verdict::Crashed(crashed) => crash_event(*test, *worker, crashed),
                Verdict::Interrupted => HostEvent::Interrupted(worker.to_string(), *test),
            },
            RunEvent::Warning(warning) => HostEvent::Warning(
                warning.when.clone(),
                warning.nodeid.clone(),
                warning.location.clone(),
                warning.raw.clone(),
            ),
            RunEvent::Output { worker, stderr, line } => HostEvent::Output(worker.to_string(), *stderr, line.clone()),
            RunEvent::InternalError { worker, text } => {
                HostEvent::InternalError(worker.map(|worker| worker.to_string()), text.clone())
            }
            RunEvent::Notice(text) => HostEvent::Notice(text.clone()),
            RunEvent::StillRunning { .. } => {
                return self.observer.lines(event).into_iter().for_each(|line| self.tell_host(HostEvent::Said(line)));
            }
            RunEvent::Stopping { why } => HostEvent::Stopping(why.clone()),
        };
        self.tell_host(event);
    }

    /// What the host is told of environments, if there are others than its own.
    fn environments_for_host(&self, collected: &Collected) -> Vec<HostEnvironment> {
        if collected.environments.len() < 2 && self.home().is_used() {
            return Vec::new();
        }
        let described = |one: &Environment| {
            let own = self.layout.as_ref().zip(one.workers.first()).and_then(|(layout, worker)| layout.own(*worker));
            own.map(|own| own.described.clone()).unwrap_or_default()
        };
        let of = |one: &Environment| HostEnvironment {
            label: one.label.clone(),
            workers: one.workers.iter().map(WorkerId::to_string).collect(),
            interpreter: one.interpreter.clone(),
            tests: one.tests.to_vec(),
            described: described(one),
        };
        collected.environments.iter().map(of).collect()
    }
}

fn whole(reports: &[Report]) -> Vec<ByteBuf> {
    reports.iter().map(|report| report.raw.clone()).collect()
}

pub(super) fn crash_event(test: TestIndex, worker: WorkerId, crashed: &Crashed) -> HostEvent {
    let (how, output) = (crashed.how.clone(), crashed.output.clone());
    HostEvent::Crashed(worker.to_string(), test, how, output, whole(&crashed.reports), crashed.passed.clone())
}

fn collection_event(collected: &Collected, how: Vec<String>, environments: Vec<HostEnvironment>) -> HostEvent {
    let collection = &collected.collection;
    HostEvent::Collected {
        ids: collection.ids.clone(),
        verdicts: collected.verdicts(),
        described: collection.described.clone(),
        reports: collection.raw.clone(),
        deselected: collection.deselected,
        lines: how,
        labels: if collected.each || environments.len() > 1 { collected.labels() } else { Vec::new() },
        environments,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_told_with_the_reports_from_before() {
        let report = Report { raw: ByteBuf::from(b"setup".to_vec()), ..Report::default() };
        let crashed = Crashed {
            how: "signal 9".to_owned(),
            output: "said".to_owned(),
            reports: vec![report],
            passed: vec![0.5],
            elapsed: Duration::ZERO,
            boxed: false,
        };
        let HostEvent::Crashed(worker, test, how, output, reports, passed) =
            crash_event(TestIndex(3), WorkerId(1), &crashed)
        else {
            panic!("another event");
        };
        assert_eq!((worker.as_str(), test, how.as_str(), output.as_str()), ("gw1", TestIndex(3), "signal 9", "said"));
        assert_eq!((reports, passed), (vec![ByteBuf::from(b"setup".to_vec())], vec![0.5]));
    }
}
