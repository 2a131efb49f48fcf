#![no_main]

use socketserver::fuzzing::TARGETS;
use xdist_fuzz::{begin, run};

libfuzzer_sys::fuzz_target!(init: begin(&TARGETS, "socketserver_door"), |input: &[u8]| run(&TARGETS, "socketserver_door", input));
