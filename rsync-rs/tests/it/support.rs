//! Both ends in one process, over a pair of sockets, and a walker that shares no code with the scanner.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rsync_rs::link::stream::{StreamReader, StreamWriter};
use rsync_rs::{
    Destination, Options, ReceiveError, Received, Rules, SendError, Snapshot, Source, Summary, Target, push,
};
use tempfile::TempDir;

/// A source, a destination and what both ends remember.
pub(crate) struct Pair {
    pub(crate) base: TempDir,
    pub(crate) source: Source,
    pub(crate) options: Options,
}

/// What one synchronisation came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) sent: Result<Summary, SendError>,
    pub(crate) received: Result<Received, ReceiveError>,
    pub(crate) snapshot: Snapshot,
    /// Bytes on the wire, to and from the receiver.
    pub(crate) bytes: (u64, u64),
}

impl Pair {
    pub(crate) fn new() -> Self {
        let base = TempDir::new().unwrap();
        fs::create_dir(base.path().join("from")).unwrap();
        let mut source = Source::directory(base.path().join("from"));
        source.state = Some(base.path().join("sender"));
        source.rules = Rules::none();
        let options = Options::new(base.path().join("to"), base.path().join("receiver"));
        Self { base, source, options }
    }

    pub(crate) fn from(&self, path: impl AsRef<Path>) -> PathBuf {
        self.base.path().join("from").join(path)
    }

    pub(crate) fn to(&self, path: impl AsRef<Path>) -> PathBuf {
        self.base.path().join("to").join(path)
    }

    pub(crate) fn run(&self) -> Outcome {
        self.run_snapshot(self.source.scan().unwrap())
    }

    pub(crate) fn run_snapshot(&self, snapshot: Snapshot) -> Outcome {
        let (target, receiver, bytes) = receiver(self.options.clone());
        let (snapshot, mut results) = push(&self.source, snapshot, &mut [target], &|_, _| ());
        let received = receiver.join().unwrap();
        let bytes = (bytes.0.load(Ordering::Relaxed), bytes.1.load(Ordering::Relaxed));
        Outcome { sent: results.remove(0), received, snapshot, bytes }
    }

    /// Synchronises, and checks that both trees are equal.
    pub(crate) fn sync(&self) -> Outcome {
        let outcome = self.run();
        outcome.sent.as_ref().unwrap();
        outcome.received.as_ref().unwrap();
        assert_eq!(walk(&self.to("")), walk(&self.from("")));
        outcome
    }
}

type Counters = (Arc<AtomicU64>, Arc<AtomicU64>);
type Receiving = std::thread::JoinHandle<Result<Received, ReceiveError>>;

/// A receiver in a thread, and the link to it.
pub(crate) fn receiver(options: Options) -> (Target, Receiving, Counters) {
    receiver_on(options, UnixStream::pair().unwrap())
}

pub(crate) fn receiver_on(options: Options, link: (UnixStream, UnixStream)) -> (Target, Receiving, Counters) {
    let (near, far) = link;
    let counters = Counters::default();
    let thread = std::thread::spawn(move || {
        let (mut reader, mut writer) = (StreamReader::new(far.try_clone().unwrap()), StreamWriter::new(far));
        let served = Destination::serve(options, Duration::from_secs(30), &mut reader, &mut writer);
        served.map(|(_, received)| received)
    });
    let reader = Counted(near.try_clone().unwrap(), Arc::clone(&counters.1));
    let writer = Counted(near, Arc::clone(&counters.0));
    let target = Target { reader: Box::new(StreamReader::new(reader)), writer: Box::new(StreamWriter::new(writer)) };
    (target, thread, counters)
}

struct Counted(UnixStream, Arc<AtomicU64>);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Does `work` again and again, from before `test` begins until it has ended, however it ends.
pub(crate) fn meanwhile(mut work: impl FnMut() + Send, test: impl FnOnce()) {
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (started, begun) = std::sync::mpsc::channel();
        let stop = Stop(&stop);
        let stopped = stop.0;
        scope.spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                work();
                let _ = started.send(());
            }
        });
        begun.recv().unwrap();
        test();
    });
}

/// A path's kind and mode, its time to the nanosecond unless it is a directory, and its contents or target.
pub(crate) type Seen = (char, u32, Option<(i64, i64)>, Vec<u8>);

pub(crate) fn walk(root: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut seen = BTreeMap::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let mode = metadata.permissions().mode() & 0o7777;
            let time = Some((metadata.mtime(), metadata.mtime_nsec()));
            let what = if metadata.is_dir() {
                left.push(path.clone());
                ('d', mode, None, Vec::new())
            } else if metadata.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                ('l', 0, time, target.into_os_string().into_encoded_bytes())
            } else {
                ('f', mode, time, fs::read(&path).unwrap())
            };
            seen.insert(path.strip_prefix(root).unwrap().to_path_buf(), what);
        }
    }
    seen
}

/// Bytes that do not compress and that `seed` determines.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub(crate) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The example that cargo builds beside the tests.
pub(crate) fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples/sync")
}
