//! Synchronises a directory to others through pipes to child processes:
//! `cargo run -p rsync-rs --example sync -- [--all] [--state DIR] SOURCE DESTINATION…`
//!
//! `--all` takes hidden and ignored files, too. Each destination is received by a process of its own, this program with
//! `--receive DESTINATION STATE`, as it would be on another host.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rsync_rs::link::stream::{StreamReader, StreamWriter};
use rsync_rs::{Destination, Event, Options, Rules, Source, Target, push};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let result = match &arguments[..] {
        [flag, destination, state] if flag == "--receive" => receive(Path::new(destination), Path::new(state)),
        _ => send(arguments.into_iter().map(PathBuf::from).collect()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn receive(destination: &Path, state: &Path) -> Result<(), Box<dyn Error>> {
    let (mut reader, mut writer) = (StreamReader::new(std::io::stdin()), StreamWriter::new(std::io::stdout()));
    let options = Options::new(destination, state);
    let opened = Destination::open(options, Duration::from_mins(1), || {
        // If nobody listens, the next message fails as well.
        let _ = Destination::say_waiting(&mut writer);
    });
    match opened {
        Ok(mut destination) => drop(destination.receive(&mut reader, &mut writer)?),
        Err(error) => Destination::refuse(&error, &mut reader, &mut writer)?,
    }
    Ok(())
}

fn send(mut arguments: Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let mut source = Source::default();
    if arguments.first().is_some_and(|argument| argument.as_os_str() == "--all") {
        arguments.remove(0);
        source.rules = Rules::none();
    }
    let mut state = std::env::temp_dir().join("rsync-rs-example");
    if arguments.first().is_some_and(|argument| argument.as_os_str() == "--state") && arguments.len() > 1 {
        state = arguments.remove(1);
        arguments.remove(0);
    }
    let [from, destinations @ ..] = &arguments[..] else {
        return Err("usage: sync [--all] [--state DIR] SOURCE DESTINATION…".into());
    };
    source.mounts = Source::directory(from).mounts;
    source.state = Some(state.join("source"));

    let begin = Instant::now();
    let mut targets = Vec::new();
    let mut children = Vec::new();
    for (number, destination) in destinations.iter().enumerate() {
        let (target, child) = spawn(destination, &state.join(format!("host{number}")))?;
        targets.push(target);
        children.push(child);
    }
    let snapshot = source.scan()?;
    for skipped in snapshot.skipped() {
        eprintln!("skipped {}: {}", rsync_rs::escape(skipped.path.as_os_str().as_encoded_bytes()), skipped.reason);
    }
    let sent = std::sync::atomic::AtomicU64::new(0);
    let (snapshot, results) = push(&source, snapshot, &mut targets, &|_, event| {
        if let Event::Sent(bytes) = event {
            sent.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        }
    });
    drop(targets);
    for child in &mut children {
        child.wait()?;
    }
    let mut failed = false;
    for (destination, result) in destinations.iter().zip(results) {
        match result {
            Ok(summary) => {
                println!(
                    "{}: {} written, {} removed, {} adjusted",
                    destination.display(),
                    summary.written,
                    summary.removed,
                    summary.adjusted
                );
                for notice in summary.notices {
                    eprintln!("{notice}");
                }
            }
            Err(error) => {
                eprintln!("{}: error: {error}", destination.display());
                failed = true;
            }
        }
    }
    println!(
        "{} entries, {} bytes read, {} bytes sent, {:.3} s",
        snapshot.manifest().entries().len(),
        snapshot.bytes_read(),
        sent.into_inner(),
        begin.elapsed().as_secs_f64()
    );
    if failed { Err("not everything was synchronised".into()) } else { Ok(()) }
}

fn spawn(destination: &Path, state: &Path) -> Result<(Target, Child), Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
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
