//! What every part of the output needs to know about this run: options, names, versions.

use std::path::PathBuf;

use xdist_core::event::Configured;
use xdist_core::facts::{DisplayOptions, Interpreter};
use xdist_core::ids::WorkerId;

use super::alone::Alone;
use super::names::Names;
use super::options::{TerminalOptions, layout_width};
use super::places::Places;
use super::style::{Ink, Style};

/// How this run shows itself.
#[derive(Clone, Debug)]
pub(crate) struct Face {
    /// Colours and width.
    pub(crate) style: Style,
    /// Continuous integration: messages in full.
    pub(crate) ci: bool,
    /// pytest's display options.
    pub(crate) display: DisplayOptions,
    /// Node ids for the user.
    pub(crate) names: Names,
    /// Major and minor version of pytest, for what differs between them.
    pytest: (u32, u32),
    /// `linux -- Python 3.11.7 /path/python`.
    interpreter: String,
    /// Commands that run one test alone.
    alone: Alone,
    /// Where tests run.
    pub(crate) places: Places,
}

impl Face {
    /// Before anything is known of the run.
    pub(crate) fn new(options: &TerminalOptions) -> Self {
        Self {
            style: Style { color: options.color, width: layout_width(options.width) },
            ci: options.ci,
            display: DisplayOptions::default(),
            names: Names::default(),
            pytest: (u32::MAX, 0),
            interpreter: String::new(),
            alone: Alone::default(),
            places: Places::default(),
        }
    }

    /// Takes over what pytest said.
    pub(crate) fn configure(&mut self, configured: &Configured) {
        let interpreter = &configured.interpreter;
        self.display = configured.facts.display.clone();
        self.names.rootdir = PathBuf::from(&configured.facts.rootdir);
        self.names.invoked = PathBuf::from(&configured.facts.invocation_dir);
        self.pytest = version(&interpreter.pytest);
        self.interpreter = line_of(interpreter);
        self.alone = Alone::new(configured);
    }

    /// Whether `-r` asked for this character.
    pub(crate) fn wants(&self, character: char) -> bool {
        self.display.reportchars.contains(character)
    }

    /// Whether this pytest is at least `major.minor`.
    pub(crate) fn since(&self, major: u32, minor: u32) -> bool {
        self.pytest >= (major, minor)
    }

    /// Whether messages are printed in full, not cut to the width.
    pub(crate) fn full_messages(&self) -> bool {
        (self.ci || (self.display.verbosity >= 2 && self.since(8, 1))) && !self.display.force_short_summary
    }

    /// The line that says where a report was made.
    pub(crate) fn worker_line(&self, worker: WorkerId) -> String {
        match self.places.environment(worker) {
            Some(one) => format!("[{worker}] {}, pytest-{}\n", line_of(&one.interpreter), one.interpreter.pytest),
            None => format!("[{worker}] {}\n", self.interpreter),
        }
    }

    /// ` [py311]`, where a verdict needs to say whose it is.
    pub(crate) fn label(&self, worker: Option<WorkerId>) -> String {
        let label = worker.and_then(|worker| self.places.label(worker));
        label.map(|label| format!(" [{label}]")).unwrap_or_default()
    }

    /// The last line of every failure: how to run it alone.
    pub(crate) fn rerun_line(&self, nodeid: &str, worker: Option<WorkerId>) -> String {
        let there = worker.and_then(|worker| self.places.environment(worker)).map(|one| one.alone.as_slice());
        let command = self.alone.command(&self.names, nodeid, there);
        format!("{} {command}\n", self.style.paint("rerun:", &[Ink::CYAN]))
    }

    /// A node id as the user would type it, its part within the file in bold.
    pub(crate) fn bold_nodeid(&self, nodeid: &str) -> String {
        let nodeid = self.names.relative(nodeid);
        match super::names::split(&nodeid) {
            (path, Some(rest)) => format!("{path}::{}", self.style.paint(rest, &[Ink::BOLD])),
            (path, None) => path.to_owned(),
        }
    }
}

/// `linux -- Python 3.11.7 /path/python`.
fn line_of(interpreter: &Interpreter) -> String {
    format!("{} -- Python {} {}", interpreter.platform, interpreter.version, interpreter.executable)
}

/// Major and minor version; of a text that is none, the newest there could be.
fn version(text: &str) -> (u32, u32) {
    let mut parts = text.split('.');
    let major = parts.next().and_then(|part| part.parse().ok());
    let minor = parts.next().and_then(|part| part.parse().ok());
    (major.unwrap_or(u32::MAX), minor.unwrap_or(0))
}
