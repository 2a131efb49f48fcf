//! What must hold at the door whoever knocks. The target of `tests/fuzz` tries it on inputs that nobody thought of, the tests
//! of this crate on the seeds. No part of the program: compiled for these alone.

mod door;

/// A target: its name, what must hold of any input, and inputs to begin with, which are made of real encodings.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All targets of this crate.
pub const TARGETS: [Target; 1] = [("socketserver_door", door::check, door::seeds)];

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
