//! What one pytest session collected.

use std::collections::HashSet;

use serde::Deserialize;
use serde_bytes::ByteBuf;

use crate::report::CollectReport;

/// The tests that a session collected, with what else the collection had to say.
///
/// Sent by the session that collects for the run and, in short form, by every worker that collected for itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Collection {
    /// Node ids in the order of collection. A node id may occur more than once.
    pub ids: Vec<String>,
    /// What `-v` prints for a test where that is not its node id (another working directory, a test defined in
    /// another file): empty when no test needs it, else as long as `ids`, with empty strings for "as the node id".
    pub display: Vec<String>,
    /// Where each test stands: `(file relative to rootdir, 0-based line or -1)`; as long as `ids` when junit wants it,
    /// else empty.
    pub places: Vec<(String, i64)>,
    /// The unit of each test, equal for tests that stay together on one worker; empty under modes that keep none
    /// together.
    pub units: Vec<u32>,
    /// The name of the group of each test (`xdist_group`), empty for a test without; empty where there are no groups or
    /// the mode does not go by them.
    pub group_names: Vec<String>,
    /// What neighbours have in common and is better kept together where that costs nothing (a module, the value of a
    /// fixture of a module or the session), as a number a test; may be empty.
    pub groups: Vec<u32>,
    /// Tests that run while no other does (`xdist_serial`).
    pub serial: Vec<u32>,
    /// Resources: how many workers may have tests that need it (`xdist_resource`), and which tests do.
    pub resources: Vec<(String, u32, Vec<u32>)>,
    /// Number of deselected tests (`-k`, `-m`, `--deselect`, `--lf`…).
    pub deselected: u32,
    /// Collectors that failed or were skipped.
    pub reports: Vec<CollectReport>,
    /// Lines of `pytest_report_collectionfinish`.
    pub lines: Vec<String>,
    /// Why collection was interrupted (`-x` over a collection error, `pytest.exit` during collection), if it was.
    pub stopped: Option<String>,
    /// What pytest prints beneath that.
    pub stop_detail: String,
    /// Digest of `ids`, as workers that collect for themselves compute it too.
    pub digest: String,
    /// How many of the first tests failed in the run before (`--ff`, `--lf`): they are dealt out first.
    pub failed_first: u32,
    /// Keys of the last-failed plugin's `lastfailed` when collection was over (collectors that failed are in, collectors
    /// that work again are replaced by what is in them); `None` where the plugin is off.
    pub lastfailed: Option<Vec<String>>,
    /// Whether the project's filters show warnings that the cache cannot be written.
    pub cache_warnings: bool,
    /// The stepwise plugin's state when collection was over; `None` where it is off.
    pub stepwise: Option<Stepwise>,
    /// What the loop learns from a collection, if there is one.
    pub loop_news: Option<LoopNews>,
    /// Places and keywords of all tests, for a plugin host.
    pub described: ByteBuf,
    /// `reports` whole, for a plugin host.
    pub raw: Vec<ByteBuf>,
}

impl Collection {
    /// Number of what is handed out: units where tests stay together, else tests.
    pub fn unit_count(&self) -> u32 {
        let alone = self.ids.len().saturating_sub(self.units.len());
        let units = self.units.iter().collect::<HashSet<_>>().len();
        u32::try_from(alone + units).unwrap_or(u32::MAX)
    }
}

/// What a loop wants to know of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LoopNews {
    /// Node ids that were asked for and are no more.
    pub gone: Vec<String>,
    /// Directories outside of the interpreter's from which modules were imported.
    pub imported: Vec<String>,
    /// Modules from the interpreter's directories that the fork server does not have yet, with rewritten assertions.
    pub rewritten: Vec<String>,
    /// Those without, in the order in which they were imported.
    pub installed: Vec<String>,
    /// Files of all modules from the interpreter's directories.
    pub files: Vec<String>,
    /// Why the fork server had better not import them; empty if nothing speaks against it.
    pub keep_out: String,
}

/// Where `--stepwise` stands before the first test.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Stepwise {
    /// Node id to continue from, as it is after collection (a reset or a changed number of tests forgets it).
    pub last_failed: Option<String>,
    /// Number of tests before stepwise deselected any (pytest >= 8.4).
    pub last_test_count: Option<u64>,
    /// `--sw-skip`: the first failure does not count.
    pub skip: bool,
}
