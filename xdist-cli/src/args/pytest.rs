//! Which of pytest's own options take the next argument as their value.
//!
//! Only needed so that such a value is not taken for one of this program's options (`-k --fork`). pytest decides what
//! its arguments mean; an option that is missing here can only matter where its value looks exactly like one of ours.

/// Letters of short options that stand alone, so that more may follow in the same argument (`-xvs`).
pub(super) const FLAGS: &[u8] = b"lqsvx";

/// Letters of short options whose value is the rest of the argument or the next one.
pub(super) const WITH_VALUE: &[u8] = b"Wckmopr";

/// Long options with a value that may be the next argument.
pub(super) const LONG_WITH_VALUE: &[&str] = &[
    "--assert",
    "--basetemp",
    "--capture",
    "--code-highlight",
    "--color",
    "--confcutdir",
    "--config-file",
    "--deselect",
    "--doctest-glob",
    "--doctest-report",
    "--durations",
    "--durations-min",
    "--ignore",
    "--ignore-glob",
    "--import-mode",
    "--junit-prefix",
    "--junit-xml",
    "--junitprefix",
    "--junitxml",
    "--last-failed-no-failures",
    "--lfnf",
    "--log-auto-indent",
    "--log-cli-date-format",
    "--log-cli-format",
    "--log-cli-level",
    "--log-date-format",
    "--log-disable",
    "--log-file",
    "--log-file-date-format",
    "--log-file-format",
    "--log-file-level",
    "--log-file-mode",
    "--log-format",
    "--log-level",
    "--max-warnings",
    "--maxfail",
    "--override-ini",
    "--pastebin",
    "--pdbcls",
    "--pythonwarnings",
    "--report-chars",
    "--rootdir",
    "--show-capture",
    "--tb",
    "--verbosity",
];
