//! Files whose shared fixtures are dear: under `--dist=auto` each is a unit of its own, so that they are set up once.
//!
//! To part such a file costs its set-up once more, on some worker; to keep it whole costs balance, the less of it the
//! smaller the file is beside what a worker has to do. So a file is kept if its set-up is a good part of it, and it is a
//! small part of a worker's share.

use std::collections::HashMap;

use super::Job;

/// A set-up is worth thinking of from so many seconds.
const NOTICED: f64 = 0.05;
/// And from this part of what the tests of the file take.
const WORTH: f64 = 0.1;
/// A file that is kept whole takes at most this part of a worker's share of the whole.
const SMALL: f64 = 0.25;

/// The units of a job, with each file whose fixtures are dear made one; a file of which some tests belong to bigger units
/// stays as it is.
pub(super) fn units(job: &Job) -> Vec<u32> {
    parted(job).0
}

/// How many files these are.
pub(super) fn files(job: &Job) -> usize {
    parted(job).1
}

fn parted(job: &Job) -> (Vec<u32>, usize) {
    let files = job.files.iter().copied().max().map_or(0, |most| most as usize + 1);
    let mut spent = vec![0.0; files];
    for (file, seconds) in job.files.iter().zip(&job.seconds) {
        spent[*file as usize] += f64::from(*seconds);
    }
    let set_up = |file: usize| job.set_ups.get(file).copied().map_or(0.0, f64::from);
    let total: f64 = (0..files).map(|file| spent[file] + set_up(file)).sum();
    let most = SMALL * total / f64::from(job.workers.max(1));
    let mut dear: Vec<bool> = (0..files)
        .map(|file| {
            let own = set_up(file);
            own >= NOTICED && own >= WORTH * spent[file] && own + spent[file] <= most
        })
        .collect();
    if !dear.contains(&true) {
        return (job.units.clone(), 0);
    }
    let mut sizes: HashMap<u32, u32> = HashMap::new();
    for unit in &job.units {
        *sizes.entry(*unit).or_default() += 1;
    }
    let unit = |test: usize| job.units.get(test).copied();
    for (test, file) in job.files.iter().enumerate() {
        if unit(test).is_some_and(|unit| sizes.get(&unit).is_some_and(|size| *size > 1)) {
            dear[*file as usize] = false;
        }
    }
    // Numbers that nobody has.
    let mut next = job.units.iter().max().map_or(0, |most| most.saturating_add(1));
    let mut fresh = || {
        next = next.saturating_add(1);
        next - 1
    };
    let kept = dear.iter().filter(|dear| **dear).count();
    let of_file: Vec<Option<u32>> = dear.into_iter().map(|dear| dear.then(&mut fresh)).collect();
    let units = (0..job.tests as usize).map(|test| {
        let file = job.files.get(test).and_then(|file| of_file.get(*file as usize).copied().flatten());
        file.or_else(|| unit(test)).unwrap_or_else(&mut fresh)
    });
    (units.collect(), kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten files with five tests of 0.1 s each.
    fn job(set_up: f32, workers: u32) -> Job {
        Job {
            tests: 50,
            workers,
            seconds: vec![0.1; 50],
            files: (0..50).map(|test| test / 5).collect(),
            set_ups: (0..10).map(|file| if file == 3 { set_up } else { 0.0 }).collect(),
            ..Job::default()
        }
    }

    #[test]
    fn a_file_is_kept_whole_if_its_set_up_is_dear_and_it_is_small() {
        let kept = |job: &Job| {
            let units = units(job);
            let kept = units.len() == 50 && units[15..20].iter().all(|unit| *unit == units[15]);
            assert_eq!(files(job), usize::from(kept));
            kept
        };
        assert!(kept(&job(0.5, 1)));
        assert!(!kept(&job(0.04, 1)), "not worth it");
        assert!(!kept(&job(0.5, 4)), "too big a part of a share");
        assert!(!kept(&job(100.0, 1)), "nearly all there is");
    }

    #[test]
    fn groups_go_before_files() {
        let grouped = Job { units: (0..50).map(|test| if test == 19 { 0 } else { test }).collect(), ..job(0.5, 1) };
        assert_eq!(units(&grouped), grouped.units);
        let alone = Job { units: (0..50).collect(), ..job(0.5, 1) };
        let found = units(&alone);
        assert_eq!(found[..15], alone.units[..15]);
        assert!(found[15..20].iter().all(|unit| *unit == 50));
    }
}
