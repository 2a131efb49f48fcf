//! What all targets share: a property of a crate is tried on an input, with no more memory than such an input may cost.
//!
//! What must hold stands in the crates (`fuzzing.rs`), since most of it is about what they keep to themselves.

use std::alloc::System;
use std::path::Path;
use std::{env, fs, process};

use cap::Cap;

/// Counts what Rust code allocates, and ends the process when that is too much.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// A target as crates list them: name, property, seeds.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// Bytes that a property may allocate: some that do not depend on the input, and some for each byte of it. A property reads
/// its input several times, and a value in memory takes 40 times what it takes on the wire; beyond that something was
/// allocated on trust.
const BUDGETS: [(&str, usize, usize); 4] = [
    // Up to 64 KiB of noise, copied and cut.
    ("execnet_greeting", 2 << 20, 400),
    // What eight channels may keep.
    ("execnet_mux", 6 << 20, 400),
    // Up to 10 000 copies of a spec.
    ("execnet_xspec", 16 << 20, 20_000),
    // Its own limits: trees of 1 MiB, packs of 1 MiB.
    ("rsync_", 16 << 20, 2000),
];

/// Writes the target's seeds into the directory that `FUZZ_SEEDS` names, if it does, and ends.
pub fn begin(targets: &[Target], name: &str) {
    let Some(directory) = env::var_os("FUZZ_SEEDS") else { return };
    for (number, seed) in find(targets, name).2().iter().enumerate() {
        let path = Path::new(&directory).join(format!("seed-{number:02}"));
        if let Err(error) = fs::write(&path, seed) {
            panic!("{}: {error}", path.display());
        }
    }
    process::exit(0);
}

fn find<'a>(targets: &'a [Target], name: &str) -> &'a Target {
    match targets.iter().find(|(known, ..)| *known == name) {
        Some(target) => target,
        None => panic!("no target `{name}`"),
    }
}

/// Tries the property of the target `name` on `input`.
pub fn run(targets: &[Target], name: &str, input: &[u8]) {
    let check = find(targets, name).1;
    let known = BUDGETS.iter().find(|(start, ..)| name.starts_with(start));
    let (fixed, each) = known.map_or((1 << 20, 400), |(_, fixed, each)| (*fixed, *each));
    let limited = MEMORY.set_limit(MEMORY.allocated() + fixed + each * input.len());
    assert_eq!(limited, Ok(()));
    check(input);
    assert_eq!(MEMORY.set_limit(usize::MAX), Ok(()));
}
