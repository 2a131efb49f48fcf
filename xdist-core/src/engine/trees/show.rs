//! What users are told of trees: what went where with `-v`, and what would go where in a dry run.

use super::plan::Plan;
use std::time::Duration;

use super::{Copy, Engine, EnvironmentId, Stage};
use crate::event::{Bringing, RunEvent};
use crate::exit;
use crate::protocol::HostEvent;

/// What takes longer is shown.
const LONG: Duration = Duration::from_secs(1);

impl Engine<'_> {
    /// Says something as soon as the header was shown.
    pub(super) fn notice(&mut self, text: String) {
        if self.configured {
            self.emit(&RunEvent::Notice(text));
        } else {
            self.notices.push(text);
        }
    }

    /// Shows how far sources are, once it takes long.
    pub(in crate::engine) fn tell_tree_progress(&mut self) {
        let Some(trees) = &mut self.trees else { return };
        let seconds = trees.began.elapsed();
        let under_way = trees.copies.iter().any(|copy| !copy.failed && copy.sent.is_none());
        if !under_way || self.stage == Stage::Ending {
            if std::mem::take(&mut trees.progress_shown) {
                self.emit(&RunEvent::Bringing(None));
            }
            return;
        }
        let sum = |of: fn(&Copy) -> u64| trees.copies.iter().map(of).sum();
        let bringing = Bringing {
            copies: trees.copies.len(),
            files: sum(|copy| copy.needs.0),
            bytes: sum(|copy| copy.needs.1),
            sent: sum(|copy| copy.bytes),
            seconds: seconds.as_secs_f64(),
        };
        if seconds >= LONG && bringing.files > 0 {
            trees.progress_shown = true;
            self.emit(&RunEvent::Bringing(Some(bringing)));
        }
    }

    /// What may be wrong with a copy in which something is not found that is here.
    pub(in crate::engine) fn hint_of_copy(&self, id: EnvironmentId, text: &str) -> &'static str {
        let missing = text.contains("No module named '") && !text.contains("No module named 'pytest'");
        if missing && self.environment(id).copy.is_some() {
            "\nhint: of the sources, only what `--rsyncdir` names is there; `--rsync-dry-run` shows it"
        } else {
            ""
        }
    }

    /// Tells plugins that sources are being brought.
    pub(in crate::engine) fn tell_trees_begin(&mut self) {
        let count = self.trees.as_ref().map_or(0, |trees| trees.copies.len());
        for at in 0..count {
            self.tell_plugins_of_copy(at, false);
        }
    }

    /// Tells plugins that a copy begins, or stands.
    pub(super) fn tell_plugins_of_copy(&mut self, at: usize, stands: bool) {
        let Some(trees) = &self.trees else { return };
        let sources = trees.plan.roots.iter().map(|root| root.display().to_string()).collect();
        let environments = self.environments_of_copy(at);
        let workers = environments.iter().flat_map(|id| self.environment(*id).workers.iter().map(ToString::to_string));
        let workers = workers.collect();
        let paths = environments.first().map(|id| self.translations(*id)).unwrap_or_default();
        self.tell_host(HostEvent::Tree(sources, workers, stands, paths));
    }

    /// Says what went to a copy, to those who want to know.
    pub(super) fn tell_of_copy(&mut self, at: usize) {
        let place = self.place_of_copy(at);
        let Some(trees) = &self.trees else { return };
        let copy = &trees.copies[at];
        let Some(summary) = copy.sent.clone() else { return };
        let (bytes, seconds) = (size(copy.bytes), trees.began.elapsed().as_secs_f64());
        for text in summary.notices {
            self.notice(format!("{place}: {text}"));
        }
        if self.facts.display.verbosity > 0 {
            let mut parts = Vec::new();
            for (count, what) in [
                (summary.written, "written"),
                (summary.removed, "removed"),
                (summary.adjusted, "adjusted"),
                (summary.reused, "from what was there before"),
            ] {
                if count > 0 {
                    parts.push(format!("{count} {what}"));
                }
            }
            let what = if parts.is_empty() { "nothing had changed".to_owned() } else { parts.join(", ") };
            let text = format!("sources brought to {place}: {what}; {bytes} sent, after {seconds:.2} s");
            if self.configured || self.host.is_some() {
                self.notice(text);
            } else if let Some(trees) = &mut self.trees {
                trees.told.push(text);
            }
        }
    }

    /// Shows what would be brought where, and what would not; the run ends with that.
    pub(super) fn show_trees(&mut self, plan: &Plan, copies: &[Copy]) -> Result<(), String> {
        let snapshot = plan.source.scan().map_err(|error| error.to_string())?;
        let mut lines = Vec::new();
        for copy in copies {
            let place = match self.site(copy.site).name.as_str() {
                "" => copy.folder.display().to_string(),
                host => format!("{host}:{}", copy.folder.display()),
            };
            lines.push(format!("to {place}"));
        }
        if copies.is_empty() {
            lines.push("to nowhere: no `--tx` names another host, or another folder by `chdir=`".to_owned());
        }
        let manifest = snapshot.manifest();
        let (mut files, mut bytes) = (0_u64, 0);
        for entry in manifest.entries() {
            if let Some((size, _)) = entry.file() {
                files += 1;
                bytes += size;
            }
            lines.push(format!("  {}", entry.path));
        }
        for skipped in snapshot.skipped() {
            let path = rsync_rs::escape(skipped.path.as_os_str().as_encoded_bytes());
            lines.push(format!("  not {path}: {}", skipped.reason));
        }
        lines.push(format!("{files} files, {}; {} paths left out", size(bytes), snapshot.skipped().len()));
        lines.push(String::new());
        self.observer.raw(false, lines.join("\n").as_bytes());
        self.exit = Some(exit::OK);
        self.wind_up();
        Ok(())
    }
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
