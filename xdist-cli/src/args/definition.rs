//! The one definition of all options that `xdist` documents.

use clap::builder::{PossibleValuesParser, Styles, TypedValueParser, ValueParser};
use clap::{Arg, ArgAction, Command};
use xdist_core::engine::PluginHost;
use xdist_core::fork::ForkLevel;
use xdist_core::looponfail::state::OnChange;

/// Who reads an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// This program: the option is taken out of the arguments.
    Xdist,
    /// pytest's parser, which learns these options from this program: they stay where they are.
    Pytest,
}

const OWN: &str = "Options of xdist";
const DISTRIBUTION: &str = "Distribution (also read from addopts, PYTEST_ADDOPTS and ini files)";
const LOOP: &str = "The loop: failed tests are run again whenever a file changes";
const TREES: &str = "Sources for other hosts, and for folders of this one (also read from ini files and conftests)";

/// Own flags that stand for an option which pytest knows by a name that is ours here.
pub(super) const STANDS_FOR: &[(&str, &str)] = &[("--pytest-help", "--help"), ("--pytest-version", "--version")];

/// Who reads this option of [`command`].
pub(super) fn owner(arg: &Arg) -> Owner {
    let heading = arg.get_help_heading();
    let pytests = heading != Some(OWN) && (heading != Some(LOOP) || arg.get_id() == "looponfail");
    if pytests { Owner::Pytest } else { Owner::Xdist }
}

/// All options of the program, in the order of its help.
pub(super) fn command() -> Command {
    Command::new("xdist")
        .about("Runs a pytest suite over many processes.")
        .version(env!("CARGO_PKG_VERSION"))
        .override_usage("xdist [OPTIONS] [PYTEST'S OPTIONS] [FILE_OR_DIR_OR_NODE_ID]...")
        .after_help(
            "Everything else goes to pytest as it is, and in order. After `--` nothing is an option of xdist.\n\
             Without -n, -d, --dist or --tx in force the tests run in one process, as under `pytest`.\n\n\
             pytest's own help, with its plugins and these options: xdist --pytest-help\n\
             pytest's own version: xdist --pytest-version",
        )
        .styles(Styles::styled())
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .args(own())
        .args(distribution())
        .args(looponfail())
        .args(trees())
}

fn own() -> Vec<Arg> {
    let levels = PossibleValuesParser::new(ForkLevel::ALL.map(ForkLevel::as_str));
    let level = levels.try_map(|name| name.parse::<ForkLevel>());
    let args = [
        value("python", "CMD").value_parser(ValueParser::os_string()).help(
            "Interpreter for the tests, may carry arguments: \"python3 -X dev\" [default: $VIRTUAL_ENV, \
                   $CONDA_PREFIX, .venv or venv here or above, python3, python: the first that has a usable pytest]",
        ),
        value("fork", "LEVEL").value_parser(level).help(
            "When workers are forked: after collection, with pytest imported, or never \
                   [default: ini xdist_fork, else what the project allows]",
        ),
        value("plugin-host", "WHEN")
            .value_parser(PossibleValuesParser::new(PluginHost::ALL.map(|(name, _)| name)))
            .help(
                "Whether to run a pytest session for the plugins' part on this side, such as totals and reports of the \
                   whole run: auto (if plugins need it), always, never [default: auto]",
            ),
        flag("no-history").help(
            "Neither read nor write how long tests took: what took long is else started first, where that makes the run \
             shorter",
        ),
        flag("require-all-hosts")
            .help("Run nothing if one of the hosts of --tx cannot be brought up; without it the others do the work"),
        value("trust", "HOST:PORT").help("Ask for the token of the socketserver there, and keep it for runs to come"),
        flag("pytest-help").help("Show pytest's own help"),
        flag("pytest-version").help("Show pytest's own version"),
        flag("version").short('V').help("Show the version of xdist"),
        flag("help").short('h').help("Show this help"),
    ];
    args.map(|arg| arg.help_heading(OWN)).into()
}

fn distribution() -> Vec<Arg> {
    let args = [
        value("numprocesses", "NUM")
            .short('n')
            .help("Number of workers; auto or logical: as many as this process has cores; 0: none, as under `pytest`"),
        value("maxprocesses", "NUM").help("At most so many workers"),
        value("max-worker-restart", "NUM").help("Replace at most so many dead workers [default: 4 x NUM of -n]"),
        value("dist", "MODE").help(
            "How tests are dealt out: load (each to whoever is free), worksteal (the same, hardly any ahead), loadscope, \
             loadfile, loadgroup (what belongs to a class or module, a file, a group stays together), auto (groups stay \
             together, all else as under load), or no",
        ),
        flag("distload")
            .short('d')
            .long(None)
            .help("The same as --dist=load; without -n on as many workers as -n auto"),
        value("tx", "SPEC").help(
            "Where workers run: popen, ssh=HOST, socket=HOST:PORT or command=ARGV, with //python=…, //chdir=… and more; \
             NUM*SPEC for more than one",
        ),
        value("px", "SPEC").help("A gateway with an id, which others go through: //via=ID"),
        value("maxschedchunk", "NUM").help("At most so many tests in one message to a worker"),
        flag("loadscope-reorder").help("Of what stays together, begin with what has the most tests [default]"),
        flag("no-loadscope-reorder").help("Of what stays together, keep the order of collection"),
        value("testrunuid", "ID").help("What the fixture testrun_uid gives [default: a new one each run]"),
        flag("boxed")
            .visible_alias("forked")
            .help("Run each test in a process of its own, forked from its worker; without -n on one worker"),
        value("box-timeout", "SECONDS").help("End such a process after this time"),
        value("box-cpu", "SECONDS").help("End it after this time of the processor"),
        value("box-memory", "SIZE").help("The memory it may have beyond what its worker has, such as 500M"),
    ];
    args.map(|arg| arg.help_heading(DISTRIBUTION)).into()
}

fn looponfail() -> Vec<Arg> {
    let args = [
        flag("looponfail").short('f').help(
            "Run, wait for a change, run again what failed, and everything once that passes; with -n or without (also \
             read from addopts, PYTEST_ADDOPTS and ini files)",
        ),
        value("on-change", "WHAT").value_parser(PossibleValuesParser::new(OnChange::ALL.map(|(name, _)| name))).help(
            "A change during a run: restart (stop the run, begin another), queue (let it end) [default: restart]",
        ),
        value("poll", "SECONDS")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("1")
            .help("Look for changes that often, where the file system tells of none [default with --poll: 1]"),
        flag("no-clear").help("Leave on the screen what earlier runs wrote"),
        flag("bell").help("Ring the terminal's bell when a run is over"),
        flag("stop-when-green").help("Leave with exit code 0 as soon as a run of all tests passes"),
        flag("no-preload").help("Have every run import installed packages for itself"),
    ];
    args.map(|arg| arg.help_heading(LOOP)).into()
}

fn trees() -> Vec<Arg> {
    let args = [
        value("rsyncdir", "DIR").help(
            "Bring a folder to every host of --tx, and every chdir= of this one, before tests run there: only what has \
             changed travels",
        ),
        value("rsyncignore", "GLOB").help("Leave out what matches, by its name or path"),
        value("rsync-include", "GLOB")
            .help("Take what matches, even if it is a hidden file, a .gitignore names it, or the like"),
        value("rsync-links", "WHAT").help(
            "Links that lead out of what is brought: refuse (an error), skip, keep (as they are), copy (what they lead \
             to) [default: refuse]",
        ),
        flag("no-rsync-gitignore").help("Take what .gitignore files name"),
        flag("rsync-dry-run").help("Show what would go where, and why the rest would not; run nothing"),
    ];
    args.map(|arg| arg.help_heading(TREES)).into()
}

fn value(name: &'static str, placeholder: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(placeholder).num_args(1)
}

fn flag(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}
