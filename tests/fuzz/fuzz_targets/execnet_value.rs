#![no_main]

use execnet_rs::fuzzing::TARGETS;
use xdist_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin(&TARGETS, "execnet_value"), |input: &[u8]| run(&TARGETS, "execnet_value", input));
