//! Sources that change while they are read or sent, and destinations under attack.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use rsync_rs::{Reason, ReceiveError, SendError};

use crate::support::{Pair, meanwhile, noise, walk};

#[test]
fn a_source_that_changes_after_the_scan_is_scanned_again() {
    let pair = Pair::new();
    for at in 0..30u64 {
        fs::write(pair.from(format!("{at}")), noise(at, 50_000)).unwrap();
    }
    fs::write(pair.from("large"), noise(40, 3_000_000)).unwrap();
    let changes: [fn(&Path); 4] = [
        |path| fs::write(path.join("7"), "shorter").unwrap(),
        |path| fs::remove_file(path.join("8")).unwrap(),
        |path| fs::write(path.join("large"), noise(41, 3_000_000)).unwrap(),
        // As long, with the old time, and right after the scan.
        |path| {
            let time = fs::metadata(path.join("9")).unwrap().modified().unwrap();
            fs::write(path.join("9"), noise(1009, 50_000)).unwrap();
            File::options().write(true).open(path.join("9")).unwrap().set_modified(time).unwrap();
        },
    ];
    for change in changes {
        let snapshot = pair.source.scan().unwrap();
        change(&pair.from(""));
        let _ = fs::remove_dir_all(pair.to(""));
        let _ = fs::remove_dir_all(pair.base.path().join("receiver"));
        let outcome = pair.run_snapshot(snapshot);
        outcome.sent.unwrap();
        assert_eq!(walk(&pair.to("")), walk(&pair.from("")));
    }
}

#[test]
fn a_file_that_never_stops_changing_is_named() {
    let pair = Pair::new();
    fs::write(pair.from("calm"), noise(1, 100_000)).unwrap();
    fs::write(pair.from("busy"), noise(0, 20 << 20)).unwrap();
    let (path, mut at) = (pair.from("busy"), 0u64);
    let change = || {
        at += 1;
        File::options().write(true).open(&path).unwrap().write_all_at(&at.to_le_bytes(), 0).unwrap();
    };
    meanwhile(change, || {
        let error = match pair.source.scan() {
            Err(error) => error.to_string(),
            Ok(snapshot) => pair.run_snapshot(snapshot).sent.unwrap_err().to_string(),
        };
        assert!(error.contains("`busy`") && error.contains("change") && !error.contains("calm"), "{error}");
    });
    assert!(!pair.to("").exists() || walk(&pair.to("")).is_empty());
}

#[test]
fn files_that_vanish_are_no_error() {
    let pair = Pair::new();
    fs::write(pair.from("stays"), "stays").unwrap();
    let mut at = 0u64;
    let come_and_go = || {
        at += 1;
        let directory = pair.from(format!("gone{}", at % 7));
        fs::create_dir(&directory).unwrap();
        (0..9).for_each(|name| fs::write(directory.join(format!("{name}")), "x").unwrap());
        fs::remove_dir_all(directory).unwrap();
    };
    meanwhile(come_and_go, || {
        let end = Instant::now() + Duration::from_millis(500);
        while Instant::now() < end {
            let snapshot = pair.source.scan().unwrap();
            assert!(snapshot.skipped().iter().all(|skipped| skipped.reason == Reason::Vanished));
            match pair.run_snapshot(snapshot).sent {
                Ok(_) | Err(SendError::Changing(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    pair.sync();
}

#[test]
fn a_link_in_place_of_a_directory_leads_nobody_out() {
    let pair = Pair::new();
    let outside = pair.base.path().join("outside");
    fs::create_dir_all(outside.join("deep")).unwrap();
    fs::create_dir_all(pair.from("swapped/deep")).unwrap();
    for name in ["file", "deep/file"] {
        fs::write(outside.join(name), "canary").unwrap();
        fs::write(pair.from("swapped").join(name), "0").unwrap();
    }
    pair.sync();
    let before = walk(&outside);
    let (swapped, aside) = (pair.to("swapped"), pair.to("aside"));
    let swap = || {
        let _ = fs::rename(&swapped, &aside);
        let _ = symlink(&outside, &swapped);
        let _ = fs::remove_file(&swapped);
        let _ = fs::rename(&aside, &swapped);
    };
    meanwhile(swap, || {
        let end = Instant::now() + Duration::from_millis(1500);
        let mut runs = 0;
        while Instant::now() < end {
            runs += 1;
            // Writes, changes of mode and time, and removals, all under the directory that is swapped.
            for name in ["file", "deep/file"] {
                fs::write(pair.from("swapped").join(name), format!("{runs}")).unwrap();
            }
            let more = pair.from("swapped/deep/more");
            if runs % 2 == 0 { fs::write(more, "") } else { fs::remove_file(more).or(Ok(())) }.unwrap();
            match pair.run().received {
                Ok(_) | Err(ReceiveError::File(_) | ReceiveError::InTheWay(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    assert_eq!(walk(&outside), before);
    pair.run().sent.unwrap();
    assert_eq!(walk(&pair.to("swapped")), walk(&pair.from("swapped")));
}
