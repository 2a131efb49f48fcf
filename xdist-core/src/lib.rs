//! The run of a pytest suite, apart from its command line and its terminal.
//!
//! A run is data flowing one way: what pytest says about its arguments ([`facts`]), what it collected
//! ([`collection`]), messages to and from workers ([`protocol`]), verdicts, and one linear stream of
//! [`event::RunEvent`]s that reporters read. Pure modules decide; the [`engine`] performs.

pub mod cache;
pub mod collection;
pub mod engine;
pub mod event;
pub mod exit;
pub mod facts;
pub mod files;
pub mod fork;
pub mod history;
pub mod ids;
pub mod interpreter;
pub mod looponfail;
pub mod protocol;
pub mod python;
pub mod report;
pub mod run;
pub mod schedule;
pub mod timestamp;
pub mod workers;
