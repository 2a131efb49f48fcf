//! The built program at work: real connections, real sessions, real interpreters.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what goes wrong in a test fails it")]

mod ending;
mod files;
mod hygiene;
mod relay;
mod serving;
mod strangers;
mod support;
