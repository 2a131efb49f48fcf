//! Workers that collected for themselves: how what they have relates to the run's tests, and what is said if it differs.
//! Replacements are no exception.

use std::collections::HashSet;
use std::sync::Arc;

use super::Engine;
use super::differences::{self, Side};
use super::happening::MemberId;
use super::translate::Translation;
use crate::collection::Collection;
use crate::event::RunEvent;
use crate::ids::TestIndex;
use crate::protocol::ToPython;
use crate::run::{Input, Lacking};

impl Engine<'_> {
    /// A worker collected for itself and tells the digest of what it has.
    pub(super) fn collected_alike(&mut self, member: MemberId, digest: String) {
        self.members.get_mut(member).digest = Some(digest);
        self.match_waiting();
    }

    /// Compares collections, as far as both sides are known.
    pub(super) fn match_waiting(&mut self) {
        if self.layout.is_none() {
            return;
        }
        for member in self.members.living() {
            let (Some(worker), Some(layout)) = (self.worker_of(member), &self.layout) else { continue };
            let own = layout.own(worker).map(|own| own.digest.clone()).unwrap_or_default();
            let translation = layout.translation(worker);
            let entry = self.members.get_mut(member);
            match entry.digest.take() {
                Some(digest) if digest == own => {
                    entry.readiness.matched = true;
                    entry.translation = translation;
                    self.tell_ready(member);
                }
                Some(_) => entry.tell(ToPython::SendIds),
                None => {}
            }
        }
        self.bury_early();
    }

    pub(super) fn collected_otherwise(&mut self, member: MemberId, own: &Collection) {
        let (Some(worker), Some(layout)) = (self.worker_of(member), &self.layout) else { return };
        let reference = layout.own(worker).cloned().unwrap_or_default();
        let translation = layout.translation_of(worker, &own.ids);
        let one = self.environment(self.members.get(member).environment);
        let first = one.workers.first().copied().unwrap_or_default().to_string();
        let interpreter = one.interpreter.clone();
        let tests = u32::try_from(reference.ids.len()).unwrap_or(u32::MAX);
        let lacks = Translation::by_node_id(&reference.ids, &own.ids, 0).lacks(0..tests).len();
        let extra = own.ids.len() + lacks - reference.ids.len();
        let each = !layout.parts.is_empty();
        let mut missing = translation.lacks(layout.range(worker));
        if !each {
            let had: HashSet<TestIndex> = layout.tests_of(worker).iter().copied().collect();
            missing.retain(|test| had.contains(test));
        }
        let missing = self.run.as_ref().map(|run| run.lacking(worker, &missing));
        let entry = self.members.get_mut(member);
        entry.translation = Arc::new(translation);
        entry.readiness.matched = true;
        let replacement = if entry.incarnation > 0 { "the replacement of " } else { "" };
        let name = format!("{replacement}{}", entry.name);
        if lacks + extra > 0 {
            let fate = missing.map(|missing| fate(missing, lacks, each)).unwrap_or_default();
            let mut text = format!("different tests were collected: {}", relation(&name, &first, lacks, &fate, extra));
            // Once is enough of it: mostly, all workers have the same reason.
            if !std::mem::replace(&mut self.differences_told, true)
                && let Some((_, details)) = differences::between(
                    &[Side::of(&first, &reference, &interpreter), Side::of(&name, own, &interpreter)],
                    "",
                )
                .as_deref()
                .and_then(|text| text.split_once('\n'))
            {
                text = format!("{text}\n{details}");
            }
            self.emit(&RunEvent::Notice(text));
            if self.facts.dist.strict_collection {
                self.feed(Input::CollectionsDiffer);
            } else if extra > lacks {
                // Ids that hold the time or a random value differ everywhere, and as many tests run.
                self.feed(Input::LeftOut);
            }
        }
        self.tell_ready(member);
    }
}

/// How a worker's tests relate to those of the first one of its environment.
fn relation(name: &str, first: &str, lacks: usize, fate: &str, extra: usize) -> String {
    let lack = format!("lacks {lacks} of the tests of {first}, {fate}");
    let have = format!("has {extra} others, which do not run");
    match (lacks, extra) {
        (_, 0) => format!("{name} {lack}"),
        (0, _) => format!("{name} has {extra} tests that {first} has not, which do not run"),
        _ => format!("{name} {lack}, and {have}"),
    }
}

/// What becomes of the tests that a worker lacks, as far as that can be known.
fn fate(Lacking { open, homeless }: Lacking, lacks: usize, each: bool) -> String {
    match (open, homeless) {
        (0, _) => "which have run".to_owned(),
        (_, 0) => "which are left to others".to_owned(),
        (open, homeless) if each && open == homeless && homeless >= lacks => "which do not run there".to_owned(),
        (_, homeless) if each => format!("of which {homeless} have not run there, and do not"),
        (_, homeless) if homeless >= lacks => "which do not run: nobody else takes tests any more".to_owned(),
        (_, homeless) => format!("of which {homeless} do not run: nobody else takes tests any more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_tests_that_a_worker_lacks_is_so() {
        let of = |open, homeless, each| fate(Lacking { open, homeless }, 3, each);
        assert_eq!(of(0, 0, false), "which have run");
        assert_eq!(of(3, 0, false), "which are left to others");
        assert_eq!(of(3, 3, false), "which do not run: nobody else takes tests any more");
        assert_eq!(of(3, 1, false), "of which 1 do not run: nobody else takes tests any more");
        assert_eq!(of(3, 3, true), "which do not run there");
        assert_eq!(of(1, 1, true), "of which 1 have not run there, and do not");
        assert_eq!(of(0, 0, true), "which have run");
    }

    #[test]
    fn what_is_not_so_is_not_said() {
        let of = |lacks, extra| relation("gw1", "gw0", lacks, "which have run", extra);
        assert_eq!(of(1, 0), "gw1 lacks 1 of the tests of gw0, which have run");
        assert_eq!(of(0, 2), "gw1 has 2 tests that gw0 has not, which do not run");
        assert_eq!(of(1, 2), "gw1 lacks 1 of the tests of gw0, which have run, and has 2 others, which do not run");
    }
}
