//! A command line that cannot be understood.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What is wrong with the arguments, and what to type instead. Reads after `error: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}\nhint: {hint}")]
pub struct UsageError {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl UsageError {
    /// An error from its two halves.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

impl From<clap::Error> for UsageError {
    /// Says in this program's words what clap found. Only own options reach clap, so these are its only complaints.
    fn from(error: clap::Error) -> Self {
        let context = |kind| error.get(kind).map(ContextValue::to_string).filter(|text| !text.is_empty());
        let typed = context(ContextKind::InvalidArg).unwrap_or_default();
        let option = typed.split([' ', '=']).next().unwrap_or_default();
        let message = match (error.kind(), context(ContextKind::InvalidValue)) {
            (ErrorKind::TooManyValues, _) => format!("`{option}` takes no value"),
            (ErrorKind::InvalidUtf8, _) => "an option's value is not UTF-8".to_owned(),
            (_, Some(value)) => format!("`{option}` does not know `{value}`"),
            (ErrorKind::InvalidValue, None) => format!("`{option}` needs a value"),
            (kind, None) => format!("`{option}`: {kind}"),
        };
        let hint = match context(ContextKind::ValidValue) {
            Some(values) => format!("write `{option}=` and one of {values}"),
            None => "`xdist --help` lists the options with their values".to_owned(),
        };
        Self { message, hint }
    }
}
