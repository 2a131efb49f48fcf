//! Many receivers at once.

use std::fs;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;

use rsync_rs::link::{MessageReader, MessageWriter};
use rsync_rs::{Options, SendError, Target, push};
use rustix::fs::inotify;
use rustix::io::Errno;

use crate::support::{Pair, noise, receiver, receiver_on, walk};

#[test]
fn all_get_the_tree_whatever_each_of_them_had() {
    let pair = Pair::new();
    for at in 0..60u64 {
        fs::write(pair.from(format!("{at}")), noise(at, 40_000)).unwrap();
    }
    fs::write(pair.from("large"), noise(99, 3_000_000)).unwrap();
    let options: Vec<_> = (0..5)
        .map(|at| Options::new(pair.base.path().join(format!("to{at}")), pair.base.path().join(format!("state{at}"))))
        .collect();
    // One is up to date, one has an older tree, one has a part of it that it was not given.
    for up_to_date in &options[..2] {
        let (target, thread, _) = receiver(up_to_date.clone());
        push(&pair.source, pair.source.scan().unwrap(), &mut [target], &|_, _| ()).1.remove(0).unwrap();
        thread.join().unwrap().unwrap();
        fs::write(pair.from("3"), noise(1000, 40_000)).unwrap();
    }
    fs::write(pair.from("5"), noise(1001, 40_000)).unwrap();
    fs::create_dir(&options[2].destination).unwrap();
    for at in (0..60u64).step_by(3) {
        fs::write(options[2].destination.join(format!("{at}")), noise(at, 40_000)).unwrap();
    }
    let (mut targets, mut threads) = (Vec::new(), Vec::new());
    for options in &options {
        let (target, thread, _) = receiver(options.clone());
        targets.push(target);
        threads.push(thread);
    }
    let (_, results) = push(&pair.source, pair.source.scan().unwrap(), &mut targets, &|_, _| ());
    for ((result, thread), options) in results.into_iter().zip(threads).zip(&options) {
        result.unwrap();
        thread.join().unwrap().unwrap();
        assert_eq!(walk(&options.destination), walk(&pair.from("")));
    }
}

/// How often files of the source were opened while it was scanned and sent to so many at once.
fn openings(receivers: usize) -> usize {
    let pair = Pair::new();
    for at in 0..60u64 {
        fs::write(pair.from(format!("{at}")), noise(at, 40_000)).unwrap();
    }
    fs::write(pair.from("large"), noise(99, 3_000_000)).unwrap();
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&watch, pair.from(""), inotify::WatchFlags::OPEN).unwrap();
    let path = |name: &str, at: usize| pair.base.path().join(format!("{name}{at}"));
    let options = (0..receivers).map(|at| Options::new(path("to", at), path("state", at)));
    let (mut targets, mut threads) = (Vec::new(), Vec::new());
    for options in options {
        let (target, thread, _) = receiver(options);
        targets.push(target);
        threads.push(thread);
    }
    push(&pair.source, pair.source.scan().unwrap(), &mut targets, &|_, _| ()).1.into_iter().for_each(|result| {
        result.unwrap();
    });
    for (at, thread) in threads.into_iter().enumerate() {
        thread.join().unwrap().unwrap();
        assert_eq!(fs::read_dir(path("to", at)).unwrap().count(), 61);
    }
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(&watch, &mut buffer);
    let mut count = 0;
    loop {
        match events.next() {
            Ok(event) => count += usize::from(!event.events().contains(inotify::ReadFlags::ISDIR)),
            Err(Errno::AGAIN) => return count,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn the_source_is_read_once_for_all() {
    let once = openings(1);
    assert!(once >= 61, "{once}");
    assert_eq!(openings(8), once);
}

/// A link that passes nothing on until it is told to.
struct Gate(std::sync::mpsc::Receiver<()>, Box<dyn MessageWriter>);

impl MessageWriter for Gate {
    fn send(&mut self, message: &[u8]) -> std::io::Result<()> {
        // Once the other end of the gate is gone, it is open.
        let _ = self.0.recv();
        self.1.send(message)
    }
}

#[test]
fn a_slow_one_holds_nobody_up() {
    let pair = Pair::new();
    for at in 0..40u64 {
        fs::write(pair.from(format!("{at}")), noise(at, 200_000)).unwrap();
    }
    let slow = Options::new(pair.base.path().join("slow"), pair.base.path().join("slow state"));
    let (quick_target, quick, _) = receiver(pair.options.clone());
    let (slow_target, slow_thread, _) = receiver(slow.clone());
    let (open, gate) = channel();
    let Target { reader, writer } = slow_target;
    let gated = Target { reader, writer: Box::new(Gate(gate, writer)) };
    let (done, quick_is_done) = channel();
    let watched = std::thread::spawn({
        let to = pair.to("");
        move || {
            // The slow one is let go when the quick one has everything, and not before.
            quick_is_done.recv().unwrap();
            assert_eq!(walk(&to).len(), 40);
            drop(open);
        }
    });
    let quick_target = Target { reader: Box::new(Last(quick_target.reader, done)), writer: quick_target.writer };
    let (_, results) = push(&pair.source, pair.source.scan().unwrap(), &mut [gated, quick_target], &|_, _| ());
    for result in results {
        result.unwrap();
    }
    watched.join().unwrap();
    quick.join().unwrap().unwrap();
    slow_thread.join().unwrap().unwrap();
    assert_eq!(walk(&slow.destination), walk(&pair.from("")));
}

/// Tells when the receiver has said its last: `Done`.
struct Last(Box<dyn MessageReader>, std::sync::mpsc::Sender<()>);

impl MessageReader for Last {
    fn receive(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let message = self.0.receive()?;
        if message.as_ref().is_some_and(|message| message.first() == Some(&3)) {
            self.1.send(()).unwrap();
        }
        Ok(message)
    }
}

#[test]
fn one_that_fails_leaves_the_others_alone() {
    let pair = Pair::new();
    fs::write(pair.from("file"), noise(1, 3_000_000)).unwrap();
    let broken = Options::new(pair.base.path().join("from/file"), pair.base.path().join("state"));
    let (good, good_thread, _) = receiver(pair.options.clone());
    let (bad, bad_thread, _) = receiver(broken);
    let (near, far) = UnixStream::pair().unwrap();
    let link = near.try_clone().unwrap();
    let options = Options::new(pair.base.path().join("gone"), pair.base.path().join("state"));
    let (gone, gone_thread, _) = receiver_on(options, (near, far));
    let gone = Target { reader: gone.reader, writer: Box::new(Cut(gone.writer, 3, link)) };
    let (_, results) = push(&pair.source, pair.source.scan().unwrap(), &mut [bad, good, gone], &|_, _| ());
    assert!(
        matches!(&results[0], Err(SendError::Receiver(text)) if text.contains("cannot make the directory")),
        "{results:?}"
    );
    assert!(results[1].is_ok(), "{results:?}");
    assert!(matches!(&results[2], Err(SendError::Link(_) | SendError::Ended | SendError::Receiver(_))), "{results:?}");
    drop(bad_thread.join().unwrap().unwrap_err());
    good_thread.join().unwrap().unwrap();
    drop(gone_thread.join().unwrap().unwrap_err());
    assert_eq!(walk(&pair.to("")), walk(&pair.from("")));
    assert!(!pair.base.path().join("gone/file").exists());
}

/// A link that breaks after some messages.
struct Cut(Box<dyn MessageWriter>, usize, UnixStream);

impl MessageWriter for Cut {
    fn send(&mut self, message: &[u8]) -> std::io::Result<()> {
        if self.1 == 0 {
            self.2.shutdown(Shutdown::Both)?;
        }
        self.1 = self.1.saturating_sub(1);
        self.0.send(message)
    }
}
