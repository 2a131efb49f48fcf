//! Runs under a virtual clock: the real run state machine and its real schedulers, among simulated processes on
//! simulated hosts, with whatever may befall them.
//!
//! | module | its part |
//! |---|---|
//! | `scenario` | what a run is to be, made from a seed |
//! | `each` | the same where every worker has tests of its own |
//! | `world` | plays it: who is told what when, who dies, what arrives late or twice |
//! | `truth` | sees what processes really do, and fails where a promise is broken |
//! | `process` | a worker process, as far as the controller can tell |
//! | `race` | how long a run takes when nothing goes wrong |
//! | `peers` | the arithmetic of pytest-xdist's schedulers, for comparison |
//! | `clock`, `random` | time and chance |
//!
//! Nothing here knows a thread, a file or the time of day: the same seed gives the same run everywhere.

pub mod clock;
mod each;
pub mod peers;
pub mod process;
pub mod race;
pub mod random;
pub mod scenario;
mod truth;
pub mod world;
