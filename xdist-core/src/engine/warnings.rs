//! Warnings on their way to the reporters: each counts once, however many processes raise it.

use std::collections::{HashMap, HashSet};

use super::Engine;
use super::happening::MemberId;
use crate::event::RunEvent;
use crate::report::Warning;

/// What pytest did not record.
const UNRECORDED: &str = "unrecorded";

/// Warnings told so far.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    /// How many the reporters know of.
    pub(super) count: u32,
    /// Who was the first to tell of one that belongs to no test.
    first: HashMap<Warning, MemberId>,
    /// Arrived before the run was introduced.
    early: Vec<Warning>,
    unrecorded: HashSet<String>,
    /// What Python would have printed since the header, in order.
    late: String,
}

impl Engine<'_> {
    /// A process tells of a warning.
    pub(super) fn warning(&mut self, member: MemberId, warning: Warning) {
        // The plugin host is configured, too, and says the same.
        if self.host.is_some() && (warning.when == UNRECORDED || warning.when == "config") {
            return;
        }
        if warning.when == UNRECORDED {
            return self.unrecorded(warning.message);
        }
        if warning.when != "runtest" {
            // Workers that configured and collected for themselves repeat what the collector has told.
            let repeats = self.worker_of(member).is_some() && !self.members.get(member).shares_collection;
            if repeats || *self.warnings.first.entry(warning.clone()).or_insert(member) != member {
                return;
            }
        }
        self.warnings.count += 1;
        if self.configured {
            self.emit(&RunEvent::Warning(warning));
        } else {
            self.warnings.early.push(warning);
        }
    }

    /// The run has been introduced: reporters can show places as the user would call them.
    pub(super) fn early_warnings(&mut self) {
        for warning in std::mem::take(&mut self.warnings.early) {
            self.emit(&RunEvent::Warning(warning));
        }
    }

    /// Printed where Python prints it in a serial run: before the header or after everything.
    fn unrecorded(&mut self, text: String) {
        if self.warnings.unrecorded.contains(&text) {
            return;
        }
        if self.configured {
            self.warnings.late.push_str(&text);
        } else {
            self.observer.raw(true, text.as_bytes());
        }
        self.warnings.unrecorded.insert(text);
    }

    /// Everything else was said.
    pub(super) fn late_warnings(&mut self) {
        let text = std::mem::take(&mut self.warnings.late);
        if !text.is_empty() {
            self.observer.raw(true, text.as_bytes());
        }
    }
}
