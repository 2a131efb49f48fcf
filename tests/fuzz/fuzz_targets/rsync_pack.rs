#![no_main]

use rsync_rs::fuzzing::TARGETS;
use xdist_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin(&TARGETS, "rsync_pack"), |input: &[u8]| run(&TARGETS, "rsync_pack", input));
