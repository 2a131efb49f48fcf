//! What happened, one line of JSON each. No secret is ever given to this module; what peers say is escaped.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::fs::{CWD, Mode, OFlags, openat};
use serde_json::{Map, Value, json};

/// Lines on strangers in any [`WINDOW`]; others are only counted, so that nobody can fill a disk.
const LINES: u32 = 50;
const WINDOW: Duration = Duration::from_secs(10);

/// Where the lines go.
pub(crate) struct Audit {
    inner: Mutex<Inner>,
}

struct Inner {
    out: Box<dyn Write + Send>,
    window: Instant,
    lines: u32,
    left_out: u64,
}

impl Audit {
    /// To a file, or to standard error.
    ///
    /// # Errors
    /// If the file cannot be appended to, or is a link.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let out: Box<dyn Write + Send> = match path {
            None => Box::new(io::stderr()),
            Some(path) => {
                let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                Box::new(File::from(openat(CWD, path, flags, Mode::RUSR | Mode::WUSR)?))
            }
        };
        Ok(Self { inner: Mutex::new(Inner { out, window: Instant::now(), lines: 0, left_out: 0 }) })
    }

    /// Writes a line.
    pub(crate) fn say(&self, event: &str, more: Value) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).write(event, more);
    }

    /// Writes a line on somebody unknown, unless there were too many just now.
    pub(crate) fn say_of_stranger(&self, event: &str, more: Value) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.next_window();
        if inner.lines < LINES {
            inner.lines += 1;
            inner.write(event, more);
        } else {
            inner.left_out += 1;
        }
    }

    /// Tells how many lines were left out, if some were and their time is over.
    pub(crate) fn tell_left_out(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).next_window();
    }
}

impl Inner {
    fn next_window(&mut self) {
        if self.window.elapsed() >= WINDOW {
            (self.window, self.lines) = (Instant::now(), 0);
            let left_out = std::mem::take(&mut self.left_out);
            if left_out > 0 {
                self.write("strangers", json!({ "lines_left_out": left_out }));
            }
        }
    }

    fn write(&mut self, event: &str, more: Value) {
        let mut line = Map::new();
        line.insert("time".to_owned(), format!("{:.3}", Timestamp::now()).into());
        line.insert("event".to_owned(), event.into());
        if let Value::Object(more) = more {
            line.extend(more);
        }
        // A log that cannot be written must not end the sessions.
        let _ = writeln!(self.out, "{}", Value::Object(line));
    }
}
