//! How often the two ends wait for each other: each answer of the receiver is one round trip.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rsync_rs::link::MessageReader;
use rsync_rs::{Options, Target, push};

use crate::support::{Pair, noise, receiver, walk};

struct Counting(Box<dyn MessageReader>, Arc<AtomicUsize>);

impl MessageReader for Counting {
    fn receive(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let message = self.0.receive()?;
        self.1.fetch_add(usize::from(message.is_some()), Ordering::Relaxed);
        Ok(message)
    }
}

/// Synchronises, and counts the answers.
fn turns(pair: &Pair, options: &Options) -> usize {
    let (target, thread, _) = receiver(options.clone());
    let turns = Arc::new(AtomicUsize::new(0));
    let target = Target { reader: Box::new(Counting(target.reader, Arc::clone(&turns))), writer: target.writer };
    push(&pair.source, pair.source.scan().unwrap(), &mut [target], &|_, _| ()).1.remove(0).unwrap();
    thread.join().unwrap().unwrap();
    assert_eq!(walk(&options.destination), walk(&pair.from("")));
    turns.load(Ordering::Relaxed)
}

#[test]
fn what_both_ends_remember_saves_round_trips() {
    let pair = Pair::new();
    for at in 0..20u64 {
        fs::write(pair.from(format!("{at}")), noise(at, 1000)).unwrap();
    }
    fs::write(pair.from("large"), noise(50, 300_000)).unwrap();
    let options = &pair.options;
    assert_eq!(turns(&pair, options), 2, "a first copy: unknown, done");
    assert_eq!(turns(&pair, options), 1, "nothing changed: done");
    fs::write(pair.from("3"), "changed").unwrap();
    let large = [noise(50, 300_000), b"more".to_vec()].concat();
    fs::write(pair.from("large"), large).unwrap();
    assert_eq!(turns(&pair, options), 2, "a small edit: unknown, done");
    fs::rename(pair.from("4"), pair.from("renamed")).unwrap();
    assert_eq!(turns(&pair, options), 2, "a new name: unknown, done");
    fs::rename(pair.from("renamed"), pair.from("4")).unwrap();
    assert_eq!(turns(&pair, options), 1, "a tree that was there before: done");
    fs::remove_file(pair.to("7")).unwrap();
    assert_eq!(turns(&pair, options), 2, "a file is missing that nobody has but the sender: need, done");
}
