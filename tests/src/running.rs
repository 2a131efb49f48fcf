//! A run under way: its output as it comes, signals to it, its end or its deadline.

use std::io::Read;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::procs::{kill_marked, marked};
use crate::wait::{until, until_some};
use crate::{Outcome, Proc};

/// How long output may stay open after the program ended before that counts as a fault.
const OUTPUT_LIMIT: Duration = Duration::from_secs(5);

/// A started run. Dropping it kills what is left of it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    shown: String,
    mark: String,
    started: Instant,
    limit: Duration,
    stdout: Reader,
    stderr: Reader,
}

#[derive(Debug)]
struct Reader {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Reader {
    fn new(mut source: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(count @ 1..) = source.read(&mut buffer) {
                sink.lock().expect("reader").extend_from_slice(&buffer[..count]);
            }
        });
        Self { bytes, thread }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("reader")).into_owned()
    }
}

impl Running {
    pub(crate) fn new(mut child: Child, shown: String, mark: String, limit: Duration) -> Self {
        let stdout = Reader::new(child.stdout.take().expect("piped stdout"));
        let stderr = Reader::new(child.stderr.take().expect("piped stderr"));
        Self { child, shown, mark, started: Instant::now(), limit, stdout, stderr }
    }

    /// The process id of the program itself.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    /// Sends a signal to the program alone.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid()).expect("a process id");
        kill_process(pid, signal).expect("signal to a run under way");
    }

    /// What it wrote to stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// What it wrote to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// Its living processes, the program itself included.
    pub fn processes(&self) -> Vec<Proc> {
        marked(&self.mark)
    }

    /// Waits until `condition` holds; fails the test if the run's deadline passes or the run ends first.
    pub fn wait_for(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let limit = self.remaining();
        let held = until(limit, || condition(self) || matches!(self.child.try_wait(), Ok(Some(_))));
        if !held || !condition(self) {
            self.fail(&format!("waited in vain for {what}"));
        }
    }

    /// Waits for its end and fails the test if its deadline passes.
    pub fn finish(mut self) -> Outcome {
        let limit = self.remaining();
        let Some(status) = until_some(limit, || self.child.try_wait().expect("wait")) else {
            self.fail("did not end in time");
        };
        let elapsed = self.started.elapsed();
        if !until(OUTPUT_LIMIT, || self.stdout.thread.is_finished() && self.stderr.thread.is_finished()) {
            self.fail("ended, and a process it left behind holds its output open");
        }
        Outcome {
            shown: self.shown.clone(),
            mark: self.mark.clone(),
            status,
            stdout: self.stdout.so_far(),
            stderr: self.stderr.so_far(),
            elapsed,
        }
    }

    fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.started.elapsed())
    }

    fn fail(&mut self, why: &str) -> ! {
        let alive = self.processes();
        kill_marked(&self.mark);
        panic!(
            "{why} after {:?}: {}\nalive: {alive:#?}\n--- stdout\n{}\n--- stderr\n{}",
            self.started.elapsed(),
            self.shown,
            self.stdout.so_far(),
            self.stderr.so_far()
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            kill_marked(&self.mark);
            self.child.wait().ok();
        }
    }
}
