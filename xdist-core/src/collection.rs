//! What one pytest session collected.

use serde::Deserialize;

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
    /// Number of deselected tests (`-k`, `-m`, `--deselect`, `--lf`…).
    pub deselected: u32,
    /// Collectors that failed or were skipped.
    pub reports: Vec<CollectReport>,
    /// Lines of `pytest_report_collectionfinish`.
    pub lines: Vec<String>,
    /// Why collection was interrupted (`-x` over a collection error, `pytest.exit` during collection), if it was.
    pub stopped: Option<String>,
    /// How many of the first tests failed in the run before (`--ff`, `--lf`): they are dealt out first.
    pub failed_first: u32,
    /// What pytest's last-failed plugin holds after collection: as `CacheFacts::lastfailed`, with failed collectors
    /// added and those that pass again replaced by their tests. `None`: the plugin is off.
    pub lastfailed: Option<Vec<String>>,
    /// What pytest's stepwise plugin holds after collection. `None`: `--stepwise` is off.
    pub stepwise: Option<Stepwise>,
}

/// The state of pytest's stepwise plugin.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Stepwise {
    /// Node id of the test that failed last.
    pub last_failed: Option<String>,
    /// Number of tests before those were deselected that passed already; pytest up to 8.3 does not count.
    pub last_test_count: Option<i64>,
}
