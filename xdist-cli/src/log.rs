//! `XDIST_LOG=LEVEL`: what the program does, for whoever looks for a fault in it; on stderr.

use std::io;

use tracing_subscriber::filter::LevelFilter;

use crate::args::UsageError;

/// The variable that asks for it.
const VARIABLE: &str = "XDIST_LOG";

/// Starts to log, if the user wants it.
pub(crate) fn start() -> Result<(), UsageError> {
    let Some(typed) = std::env::var_os(VARIABLE).filter(|typed| !typed.is_empty()) else { return Ok(()) };
    let level: Option<LevelFilter> = typed.to_str().and_then(|typed| typed.parse().ok());
    let level = level.ok_or_else(|| {
        let hint = format!("write `{VARIABLE}=` and one of off, error, warn, info, debug, trace");
        UsageError::new(format!("`{VARIABLE}` does not know `{}`", typed.display()), hint)
    })?;
    // Fails only where a log was set up before.
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(false)
        .without_time()
        .try_init();
    Ok(())
}
