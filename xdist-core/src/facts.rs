//! What pytest itself says about the arguments, ini files and conftests of this run.
//!
//! pytest is the authority on its arguments: nothing here is computed twice in Rust.

use serde::{Deserialize, Serialize};

/// Sent by a session after pytest parsed arguments and loaded the initial conftests, before anything is configured.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Why this run must be plain pytest in the foreground (`--collect-only`, `--fixtures`, `-n 0`, nothing asked for
    /// distribution…); `None`: distributed.
    pub plain: Option<String>,
    /// Which plugins and conftests ask for a plugin host, and by what.
    pub host_reasons: Vec<String>,
    /// Options that make a run fail by what a plugin finds out in a host: without one they would check nothing.
    pub host_checks: Vec<String>,
    /// Whether the host has to be ready before anything is collected; else both happen at once.
    pub host_first: bool,
    /// Options of pytest-xdist and ours, as pytest's parser understood them (command line, `addopts`,
    /// `PYTEST_ADDOPTS`).
    pub dist: DistOptions,
    /// Who read the worker's identity while initial conftests were loaded: `(file, line, what)`.
    pub identity_read: Option<(String, i64, String)>,
    /// pytest's root directory.
    pub rootdir: String,
    /// Where pytest was invoked.
    pub invocation_dir: String,
    /// The configuration file, relative to rootdir where pytest prints it so; empty if there is none.
    pub configfile: String,
    /// How to show results.
    pub display: DisplayOptions,
    /// `--maxfail` (`-x` is 1; 0 is no limit).
    pub maxfail: u32,
    /// `--max-warnings` or the ini option of that name (pytest >= 9.1).
    pub max_warnings: Option<u32>,
    /// `--continue-on-collection-errors`.
    pub continue_on_collection_errors: bool,
    /// `--junitxml`, if asked for.
    pub junit: Option<JunitOptions>,
    /// What Rust must write into pytest's cache, if the cache provider is active.
    pub cache: Option<CacheFacts>,
    /// Whether pytest's terminal plugin is active (`-p no:terminal` turns all output off).
    pub terminal: bool,
    /// `config.args`: paths and node ids to collect.
    pub args: Vec<String>,
    /// Arguments, as typed, that a rerun of one test must repeat: options that decide how it is found, imported and run.
    pub repeated: Vec<String>,
    /// Modules of third-party plugins that this session imported, in order, none of them under rootdir.
    pub plugin_modules: Vec<String>,
    /// What a loop needs to know, if the arguments ask for one (`-f`) and tests are run.
    pub looponfail: Option<LoopFacts>,
    /// What is to be brought to other hosts, if anything.
    pub trees: Option<TreeFacts>,
    /// The run's base temporary directory, made by pytest; empty if the run is plain or has none. Workers that are not
    /// forked from the collector are to be given `<basetemp>/popen-gwN`.
    pub basetemp: String,
}

/// What is to be brought to other hosts, and where the paths are that the arguments name. Paths are absolute, without `..`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TreeFacts {
    /// Directories, and files, of `--rsyncdir`, of the ini file and of conftests. At least one.
    pub roots: Vec<String>,
    /// Patterns of what to leave out.
    pub ignore: Vec<String>,
    /// Patterns of what to take whatever else is said.
    pub include: Vec<String>,
    /// `--rsync-links`: refuse, skip, keep or copy.
    pub links: String,
    /// What `.gitignore` files name is left out.
    pub gitignore: bool,
    /// `--rsync-dry-run`.
    pub dry_run: bool,
    /// The configuration file that rules the run; empty if there is none.
    pub configfile: String,
    /// Files that rule how tests run, named by options of plugins.
    pub files: Vec<String>,
    /// pytest's arguments: what stands before a path, the path, what stands behind it. Without a path the first is all.
    pub words: Vec<(String, String, String)>,
    /// `addopts` of the ini file, likewise.
    pub addopts: Vec<(String, String, String)>,
    /// `PYTEST_ADDOPTS`, likewise.
    pub environment: Vec<(String, String, String)>,
    /// Other keys whose values, in the configuration file or by `-o`, hold absolute paths.
    pub inis: Vec<IniWords>,
    /// Files and directories that were asked for by name.
    pub named: Vec<String>,
}

/// A key of the configuration file: its name, how its value is written, and its words as those of arguments.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct IniWords(pub String, pub Written, pub Vec<(String, String, String)>);

/// How words make the value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// There is one, and it is the value.
    Text,
    /// Each is a line.
    Lines,
    /// As a shell would read them.
    Words,
}

/// What there is to watch in a loop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LoopFacts {
    /// ini `looponfailroots`, else what is brought to other hosts; empty if neither is set.
    pub roots: Vec<String>,
    /// Files and directories that the run itself writes, as far as options tell.
    pub outputs: Vec<String>,
    /// Patterns of the names of files with tests (`python_files`).
    pub python_files: Vec<String>,
    /// Node ids to which this run is narrowed; `None`: it has all tests.
    pub selected: Option<Vec<String>>,
    /// Directories in which installed packages are.
    pub installed: Vec<String>,
}

/// Options about distribution.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DistOptions {
    /// `-n`: a number, already resolved for `auto`/`logical` by hook or environment variable; `None` otherwise.
    pub numprocesses: Option<i64>,
    /// `-n auto` or `-n logical`, left for the controller to count.
    pub auto: Option<String>,
    /// `--maxprocesses`.
    pub maxprocesses: Option<i64>,
    /// `--dist` after `-n`/`-d` had their say.
    pub mode: String,
    /// `--tx`, as typed.
    pub tx: Vec<String>,
    /// `--px`, as typed.
    pub px: Vec<String>,
    /// `--max-worker-restart`.
    pub max_worker_restart: Option<i64>,
    /// `--maxschedchunk`.
    pub maxschedchunk: Option<u32>,
    /// `--no-loadscope-reorder`.
    pub keep_order: bool,
    /// `--strict-collection`.
    pub strict_collection: bool,
    /// `--testrunuid`, or a fresh one.
    pub testrunuid: String,
    /// ini `xdist_fork`; empty if not set.
    pub fork: String,
    /// ini `xdist_slow_after`, seconds as typed; empty if not set.
    pub slow_after: String,
}

/// Options about what the user sees.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DisplayOptions {
    /// `-v` minus `-q`.
    pub verbosity: i64,
    /// ini `verbosity_test_cases` where set, else as `verbosity`.
    pub verbosity_test_cases: i64,
    /// `--tb`: auto, long, short, line, native, no.
    pub tbstyle: String,
    /// `-r` characters after pytest expanded them (`getreportopt`).
    pub reportchars: String,
    /// `--durations`; `None`: not asked.
    pub durations: Option<i64>,
    /// `--durations-min`, seconds.
    pub durations_min: f64,
    /// `--show-capture`: no, stdout, stderr, log, all.
    pub showcapture: String,
    /// `--color`: yes, no, auto.
    pub color: String,
    /// `-s` or `--capture=no`.
    pub no_capture: bool,
    /// What workers write is shown at once: nothing is captured, or pytest logs live (`log_cli`).
    pub live_output: bool,
    /// `--no-header`.
    pub no_header: bool,
    /// `--no-summary`.
    pub no_summary: bool,
    /// `--no-fold-skipped` turned into its positive.
    pub fold_skipped: bool,
    /// `--disable-warnings` / `--disable-pytest-warnings`.
    pub disable_warnings: bool,
    /// ini `console_output_style`: classic, progress, count, times, progress-even-when-capture-no.
    pub output_style: String,
    /// `--xfail-tb` (pytest >= 8.1).
    pub xfail_tb: bool,
    /// `--force-short-summary` (pytest >= 8.3).
    pub force_short_summary: bool,
}

/// Options of junit.xml.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct JunitOptions {
    /// Absolute path of the file.
    pub path: String,
    /// `--junitprefix`; empty if none.
    pub prefix: String,
    /// ini `junit_suite_name`.
    pub suite_name: String,
    /// ini `junit_logging`: no, log, system-out, system-err, out-err, all.
    pub logging: String,
    /// ini `junit_log_passing_tests`.
    pub log_passing: bool,
    /// ini `junit_duration_report`: total or call.
    pub duration: String,
    /// ini `junit_family` after pytest resolved its aliases: xunit1 or xunit2.
    pub family: String,
    /// Version of pytest, for differences between versions, e.g. `[9, 2]`.
    pub pytest: Vec<u32>,
}

/// The state of pytest's cache before the run.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct CacheFacts {
    /// The cache directory; pytest made it, with its supporting files.
    pub dir: String,
    /// `cache/lastfailed` as it was read; `None`: the last-failed plugin is off.
    pub lastfailed: Option<Vec<String>>,
    /// `--lf`/`--ff` were given: the file is written even if nothing changed.
    pub lf: bool,
    /// `--sw`/`--sw-skip`: is stepwise on.
    pub stepwise: bool,
    /// Version of pytest, which decides the format of `cache/stepwise`.
    pub pytest: Vec<u32>,
}

/// The interpreter that runs the tests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interpreter {
    /// `sys.executable`.
    pub executable: String,
    /// `3.11.7`.
    pub version: String,
    /// `CPython`, `PyPy`.
    pub implementation: String,
    /// `sys.platform`.
    pub platform: String,
    /// Where it was started.
    pub cwd: String,
    /// `9.2.0`.
    pub pytest: String,
    /// `1.6.0`.
    pub pluggy: String,
}
