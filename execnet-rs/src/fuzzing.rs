//! What must hold whatever arrives. The targets of `tests/fuzz` try these properties on inputs that nobody thought of, the
//! tests of this crate on the seeds. No part of the library: compiled for these alone.

mod frame;
mod greeting;
mod input;
mod mux;
mod token;
mod value;
mod wire;
mod xspec;

/// A target: its name, what must hold of any input, and inputs to begin with, which are made of real encodings.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All targets of this crate.
pub const TARGETS: [Target; 7] = [
    ("execnet_frame", frame::check, frame::seeds),
    ("execnet_wire", wire::check, wire::seeds),
    ("execnet_greeting", greeting::check, greeting::seeds),
    ("execnet_mux", mux::check, mux::seeds),
    ("execnet_value", value::check, value::seeds),
    ("execnet_xspec", xspec::check, xspec::seeds),
    ("execnet_token", token::check, token::seeds),
];

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
