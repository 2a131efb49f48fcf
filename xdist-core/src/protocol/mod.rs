//! Messages between the controller and the Python processes of a run.
//!
//! Each frame is one msgpack value: a unit variant is a string (`"plain"`), every other is a map with one entry
//! (`{"run": [1, 2]}`). Structures are maps by field name; unknown fields are ignored, missing ones get defaults.
//! `xdist_worker/wire.py` is the other end.

mod from_python;
mod host;
mod to_python;

pub use from_python::{BoxDied, Ended, FromPython, Hello, Stopping};
pub use host::{Followed, HostEnvironment, HostEvent, HostReady, HostSetup, RunOver};
pub use to_python::{Argument, Cycle, ForkRequest, Identity, Rendering, Role, Selection, ToPython};
