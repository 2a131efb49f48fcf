//! How early in a session's life workers are forked.

use std::fmt;
use std::str::FromStr;

/// Where a worker's process comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForkLevel {
    /// From a session that has collected: the fastest, and all memory is shared.
    #[default]
    Collected,
    /// From a process that has imported pytest and its plugins: each worker configures and collects for itself.
    Imported,
    /// From nothing: each worker is a fresh interpreter.
    Never,
}

/// A name that is no fork level. Reads after `error: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no fork level: it is one of `collected`, `imported`, `never`")]
pub struct UnknownForkLevel(pub String);

impl ForkLevel {
    /// All levels, from the earliest result to the least shared.
    pub const ALL: [Self; 3] = [Self::Collected, Self::Imported, Self::Never];

    /// The name on the command line, in ini files and in the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Collected => "collected",
            Self::Imported => "imported",
            Self::Never => "never",
        }
    }
}

impl fmt::Display for ForkLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ForkLevel {
    type Err = UnknownForkLevel;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|level| level.as_str() == name).ok_or_else(|| UnknownForkLevel(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_known_by_its_name() {
        for level in ForkLevel::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert_eq!("Collected".parse::<ForkLevel>(), Err(UnknownForkLevel("Collected".to_owned())));
    }
}
