//! What must hold whatever arrives. The targets of `tests/fuzz` try these properties on inputs that nobody thought of, the
//! tests of this crate on the seeds. No part of the library: compiled for these alone.

mod manifest;
mod message;
mod path;

use crate::codec::Take;
use crate::receive::fuzzing as receive;

/// A target: its name, what must hold of any input, and inputs to begin with, which are made of real encodings.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All targets of this crate.
pub const TARGETS: [Target; 5] = [
    ("rsync_path", path::check, path::seeds),
    ("rsync_manifest", manifest::check, manifest::seeds),
    ("rsync_message", message::check, message::seeds),
    ("rsync_pack", receive::pack::check, receive::pack::seeds),
    ("rsync_session", receive::session::check, receive::session::seeds),
];

/// Decisions made from bytes: where none are left, all are 0.
impl<'a> Take<'a> {
    pub(crate) fn choice(&mut self, bound: u8) -> u8 {
        self.byte().unwrap_or(0) % bound
    }

    pub(crate) fn amount(&mut self, bound: u64) -> u64 {
        self.number().unwrap_or(0) % bound
    }

    pub(crate) fn part(&mut self) -> &'a [u8] {
        let length = usize::from(self.choice(u8::MAX)).min(self.rest().len());
        self.raw(length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_hold_holds_of_the_seeds() {
        for (_, check, seeds) in TARGETS {
            check(&[]);
            for seed in seeds() {
                check(&seed);
                check(&seed[..seed.len() / 2]);
            }
        }
    }
}
