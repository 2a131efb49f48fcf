//! Runs a program as if it were far away, and counts what passes: for benchmarks and trials.
//!
//! `relay [--shell] MILLISECONDS COUNTS COMMAND…` starts the command and passes on its standard input and output, each
//! piece so much later than it came; bandwidth is not limited. When both have ended, `to N, from N` in bytes is appended
//! to the file COUNTS. `--shell` takes, and ignores, a host's name before the command: what `rsync --rsh` calls.

#![expect(clippy::print_stderr, reason = "a program for a terminal")]

use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that are passed on at once.
const PIECE: usize = 256 << 10;
/// Pieces under way.
const UNDER_WAY: usize = 256;

fn main() -> ExitCode {
    match relay(std::env::args_os().skip(1).collect()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("relay: {error}");
            ExitCode::FAILURE
        }
    }
}

fn relay(mut words: Vec<OsString>) -> Result<u8, Box<dyn Error>> {
    let shell = words.first().is_some_and(|word| word == "--shell");
    if shell {
        words.remove(0);
    }
    let [delay, counts, command @ ..] = &words[..] else {
        return Err("usage: relay [--shell] MILLISECONDS COUNTS COMMAND…".into());
    };
    let delay = delay.to_str().and_then(|text| text.parse().ok()).ok_or("a delay that is no number")?;
    let delay = Duration::from_secs_f64(f64::max(delay, 0.0) / 1e3);
    let [program, arguments @ ..] = &command[usize::from(shell).min(command.len())..] else {
        return Err("no command".into());
    };
    let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("the child has no pipes".into());
    };
    let own = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().map(File::from);
    let (stdin, stdout) = (own(io::stdin().as_fd())?, own(io::stdout().as_fd())?);
    let counted: Arc<[AtomicU64; 2]> = Arc::default();
    let to = Arc::clone(&counted);
    // Not waited for: who started this may keep its end open until this has ended.
    thread::spawn(move || pass(stdin, input, delay, &to[0]));
    pass(output, stdout, delay, &counted[1]);
    let status = child.wait()?;
    let [to, from] = [0, 1].map(|at: usize| counted[at].load(Ordering::Relaxed));
    let mut file = File::options().create(true).append(true).open(counts)?;
    file.write_all(format!("to {to}, from {from}\n").as_bytes())?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Passes everything on, and the end of it, and counts what comes. Ends early if nobody takes it.
fn pass(mut from: impl Read, mut to: impl Write + Send, delay: Duration, counted: &AtomicU64) {
    let mut buffer = vec![0; PIECE];
    if delay.is_zero() {
        while let Some(piece) = piece(&mut from, &mut buffer, counted) {
            if to.write_all(piece).is_err() {
                return;
            }
        }
        return;
    }
    thread::scope(|scope| {
        let (sender, queue) = sync_channel::<(Instant, Vec<u8>)>(UNDER_WAY);
        scope.spawn(move || {
            for (due, piece) in queue {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if to.write_all(&piece).is_err() {
                    return;
                }
            }
        });
        let later = |piece: &[u8]| sender.send((Instant::now() + delay, piece.to_vec()));
        while let Some(piece) = piece(&mut from, &mut buffer, counted) {
            if later(piece).is_err() {
                return;
            }
        }
        // The end is as far away as everything else. Nobody may be there any more.
        let _ = later(&[]);
    });
}

fn piece<'b>(from: &mut impl Read, buffer: &'b mut [u8], counted: &AtomicU64) -> Option<&'b [u8]> {
    loop {
        match from.read(buffer) {
            Ok(0) => return None,
            Ok(read) => {
                counted.fetch_add(read as u64, Ordering::Relaxed);
                return buffer.get(..read);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}
