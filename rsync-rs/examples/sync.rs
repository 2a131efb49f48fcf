//! Synchronises a directory to others through pipes to child processes:
//! `cargo run -p rsync-rs --example sync -- [--all] [--stats] [--state DIR] [--through COMMAND] SOURCE DESTINATION…`
//!
//! `--all` takes hidden and ignored files, too. Each destination is received by a process of its own, this program with
//! `--receive DESTINATION STATE`, as it would be on another host; `--through` names, in words without quotes, what starts
//! it: a program that runs the rest of its arguments. `--stats` has both ends tell on standard error what they took.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rsync_rs::link::stream::{StreamReader, StreamWriter};
use rsync_rs::{Destination, Event, Options, Rules, SendError, Source, Summary, Target, push};

fn main() -> ExitCode {
    let words = std::env::args_os().skip(1).collect();
    let result = Arguments::read(words).and_then(|arguments| match &arguments.paths[..] {
        [destination, state] if arguments.receive => receive(&arguments, destination, state),
        [from, destinations @ ..] if !arguments.receive => send(&arguments, from, destinations),
        _ => Err("usage: sync [--all] [--stats] [--state DIR] [--through COMMAND] SOURCE DESTINATION…".into()),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What was typed.
#[derive(Default)]
struct Arguments {
    all: bool,
    stats: bool,
    receive: bool,
    state: Option<PathBuf>,
    through: Vec<OsString>,
    paths: Vec<PathBuf>,
}

impl Arguments {
    fn read(words: Vec<OsString>) -> Result<Self, Box<dyn Error>> {
        let mut read = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or("an option without its value");
            match word.to_str() {
                Some("--all") => read.all = true,
                Some("--stats") => read.stats = true,
                Some("--receive") => read.receive = true,
                Some("--state") => read.state = Some(value()?.into()),
                Some("--through") => {
                    let command = value()?.into_string().map_err(|_| "a command that is no text")?;
                    read.through = command.split_whitespace().map(OsString::from).collect();
                }
                _ => read.paths.push(word.into()),
            }
        }
        Ok(read)
    }
}

fn receive(arguments: &Arguments, destination: &Path, state: &Path) -> Result<(), Box<dyn Error>> {
    let (mut reader, mut writer) = (StreamReader::new(std::io::stdin()), StreamWriter::new(std::io::stdout()));
    let options = Options::new(destination, state);
    drop(Destination::serve(options, Duration::from_mins(1), &mut reader, &mut writer)?);
    if arguments.stats {
        eprintln!("receiver: at most {} KiB", peak());
    }
    Ok(())
}

fn send(arguments: &Arguments, from: &Path, destinations: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    let state = arguments.state.clone().unwrap_or_else(|| std::env::temp_dir().join("rsync-rs-example"));
    let mut source = Source { state: Some(state.join("source")), ..Source::directory(from) };
    if arguments.all {
        source.rules = Rules::none();
    }
    let mut targets = Vec::new();
    let mut children = Vec::new();
    for (number, destination) in destinations.iter().enumerate() {
        let (target, child) = spawn(arguments, destination, &state.join(format!("host{number}")))?;
        targets.push(target);
        children.push(child);
    }
    let snapshot = source.scan()?;
    for skipped in snapshot.skipped() {
        eprintln!("skipped {}: {}", rsync_rs::escape(skipped.path.as_os_str().as_encoded_bytes()), skipped.reason);
    }
    let sent = AtomicU64::new(0);
    let (snapshot, results) = push(&source, snapshot, &mut targets, &|_, event| {
        if let Event::Sent(bytes) = event {
            sent.fetch_add(bytes, Ordering::Relaxed);
        }
    });
    let stands = begin.elapsed().as_secs_f64();
    drop(targets);
    for child in &mut children {
        child.wait()?;
    }
    println!(
        "{} entries, {} bytes read, {} bytes sent, {stands:.3} s",
        snapshot.manifest().entries().len(),
        snapshot.bytes_read(),
        sent.into_inner(),
    );
    if arguments.stats {
        eprintln!("sender: at most {} KiB, stands after {stands:.6} s", peak());
    }
    let told: Vec<_> =
        destinations.iter().zip(&results).map(|(destination, result)| tell(destination, result)).collect();
    if told.contains(&false) { Err("not everything was synchronised".into()) } else { Ok(()) }
}

/// Says what became of a destination; whether it has the tree.
fn tell(destination: &Path, result: &Result<Summary, SendError>) -> bool {
    let shown = destination.display();
    match result {
        Ok(Summary { written, removed, adjusted, notices, .. }) => {
            println!("{shown}: {written} written, {removed} removed, {adjusted} adjusted");
            for notice in notices {
                eprintln!("{notice}");
            }
        }
        Err(error) => eprintln!("{shown}: error: {error}"),
    }
    result.is_ok()
}

fn spawn(arguments: &Arguments, destination: &Path, state: &Path) -> Result<(Target, Child), Box<dyn Error>> {
    let mut words = arguments.through.clone();
    words.push(std::env::current_exe()?.into());
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .args(arguments.stats.then_some("--stats"))
        .arg("--receive")
        .args([destination, state])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("the child has no pipes".into());
    };
    let target = Target { reader: Box::new(StreamReader::new(output)), writer: Box::new(StreamWriter::new(input)) };
    Ok((target, child))
}

/// The most memory that this process has had, in KiB; 0 where the system does not tell.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
