//! Workers that collected for themselves: how what they have relates to the run's tests, and what is said if it differs.
//! Replacements are no exception.

use std::sync::Arc;

use super::Engine;
use super::differences::{self, Side};
use super::happening::MemberId;
use super::translate::Translation;
use crate::collection::Collection;
use crate::event::RunEvent;
use crate::protocol::ToPython;
use crate::run::Input;

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
        let entry = self.members.get_mut(member);
        entry.translation = Arc::new(translation);
        entry.readiness.matched = true;
        let replacement = if entry.incarnation > 0 { "the replacement of " } else { "" };
        let name = format!("{replacement}{}", entry.name);
        if lacks + extra > 0 {
            let elsewhere = if each { "do not run there" } else { "are left to others" };
            let mut text = format!(
                "different tests were collected: {name} lacks {lacks} of the tests of {first}, which {elsewhere}, and has \
                 {extra} others, which do not run"
            );
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
