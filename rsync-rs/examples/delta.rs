//! What of a changed file has to travel: content-defined chunks of several sizes against a rolling sum over blocks.
//! `cargo run --release -p rsync-rs --example delta [FILE]`, with noise if no file is given. For each change it prints the
//! bytes of the description of the old file, the bytes of data, and the CPU time of both ends.
//!
//! The measurement behind the choice in ARCHITECTURE.md; none of it is used by the library.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use fastcdc::v2020::{FastCDC, Normalization};

/// What one method needs for one change.
struct Cost {
    description: usize,
    data: usize,
    time: Duration,
}

fn main() -> std::io::Result<()> {
    let old = match std::env::args_os().nth(1) {
        Some(file) => std::fs::read(file)?,
        None => noise(1, 2_500_000),
    };
    println!("{} bytes; description + data in bytes, time in ms", old.len());
    for (name, new) in changes(&old) {
        let rolling = rolling(&old, &new);
        print!("{name:28} rolling {:>6}+{:<7} {:>6.1}", rolling.description, rolling.data, millis(rolling.time));
        for size in [2, 4, 8, 16] {
            let chunks = chunks(&old, &new, size << 10);
            print!("  cdc {size:2}K {:>6}+{:<7} {:>5.1}", chunks.description, chunks.data, millis(chunks.time));
        }
        println!();
    }
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn changes(old: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let third = old.len() / 3;
    let mut scattered = old.to_vec();
    for at in 1..=100 {
        let place = at * (old.len() / 101);
        scattered[place..place + 10].copy_from_slice(&noise(at as u64, 10));
    }
    let mut overwritten = old.to_vec();
    overwritten[third..third + 4096].copy_from_slice(&noise(2, 4096));
    vec![
        ("nothing", old.to_vec()),
        ("6 bytes inserted", [&old[..third], b"six by", &old[third..]].concat()),
        ("100 bytes removed", [&old[..third], &old[third + 100..]].concat()),
        ("1000 bytes appended", [old, &noise(3, 1000)].concat()),
        ("4096 bytes overwritten", overwritten),
        ("100 places of 10 bytes", scattered),
        ("two thirds swapped", [&old[third..], &old[..third]].concat()),
    ]
}

fn chunks(old: &[u8], new: &[u8], size: u32) -> Cost {
    let begin = Instant::now();
    let size = size as usize;
    let recipe = |bytes: &[u8]| -> Vec<(usize, [u8; 8])> {
        let cut = FastCDC::with_level(bytes, size / 4, size, size * 8, Normalization::Level1);
        cut.map(|chunk| {
            let mut sum = [0; 8];
            sum.copy_from_slice(&blake3::hash(&bytes[chunk.offset..chunk.offset + chunk.length]).as_bytes()[..8]);
            (chunk.length, sum)
        })
        .collect()
    };
    let (old, new) = (recipe(old), recipe(new));
    let known: HashSet<_> = old.iter().copied().collect();
    let data = new.iter().filter(|chunk| !known.contains(*chunk)).map(|(length, _)| length).sum();
    Cost { description: old.len() * 10, data, time: begin.elapsed() }
}

/// The weak sum of rsync's kind: two sums that a byte enters and another leaves in constant time.
#[derive(Clone, Copy)]
struct Weak {
    plain: u32,
    weighted: u32,
    length: u32,
}

impl Weak {
    fn of(block: &[u8]) -> Self {
        let length = u32::try_from(block.len()).unwrap_or(u32::MAX);
        let (mut plain, mut weighted) = (0u32, 0u32);
        for byte in block {
            plain = plain.wrapping_add(u32::from(*byte));
            weighted = weighted.wrapping_add(plain);
        }
        Self { plain, weighted, length }
    }

    fn roll(&mut self, leaves: u8, enters: u8) {
        self.plain = self.plain.wrapping_sub(u32::from(leaves)).wrapping_add(u32::from(enters));
        self.weighted =
            self.weighted.wrapping_sub(self.length.wrapping_mul(u32::from(leaves))).wrapping_add(self.plain);
    }

    fn sum(self) -> u32 {
        self.plain & 0xffff | self.weighted << 16
    }
}

fn rolling(old: &[u8], new: &[u8]) -> Cost {
    let begin = Instant::now();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the root of a length is small")]
    let size = ((24.0 * old.len() as f64).sqrt() as usize).clamp(1 << 10, 64 << 10);
    let strong = |block: &[u8]| {
        let mut sum = [0; 16];
        sum.copy_from_slice(&blake3::hash(block).as_bytes()[..16]);
        sum
    };
    let mut blocks: HashMap<u32, Vec<[u8; 16]>> = HashMap::new();
    for block in old.chunks(size) {
        blocks.entry(Weak::of(block).sum()).or_default().push(strong(block));
    }
    // The file as a whole is hashed at both ends, as by the other method.
    let (mut at, mut data) = (0, 0);
    let mut weak = None;
    while at < new.len() {
        let end = (at + size).min(new.len());
        let window = &new[at..end];
        let sum: &mut Weak = weak.get_or_insert_with(|| Weak::of(window));
        if blocks.get(&sum.sum()).is_some_and(|known| known.contains(&strong(window))) {
            at = end;
            weak = None;
            continue;
        }
        data += 1;
        if end < new.len() {
            sum.roll(new[at], new[end]);
        } else {
            weak = None;
            if window.len() < size.min(64) {
                data += window.len() - 1;
                break;
            }
        }
        at += 1;
    }
    Cost { description: old.len().div_ceil(size) * 20, data, time: begin.elapsed() }
}
