//! How many workers `-n auto` and `-n logical` mean on this machine.
//!
//! Counted are the processors that this process may use: those of its affinity mask, no more than its cgroup's quota
//! pays for. `logical` counts them all, `auto` counts the physical cores they belong to, as pytest-xdist does where
//! psutil is installed.

mod cgroup;
mod topology;

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZero;
use std::path::Path;

use rustix::thread::{CpuSet, sched_getaffinity};

/// What to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// `-n auto`: physical cores.
    Auto,
    /// `-n logical`: hardware threads.
    Logical,
}

/// The number of workers that `word` means here; at least 1.
pub fn count(word: Word) -> usize {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let cpus = affinity(&read);
    let available = match word {
        Word::Logical => cpus.len(),
        Word::Auto => topology::cores(&cpus, &read).unwrap_or(cpus.len()),
    };
    limited(available, cgroup::quota(&read))
}

/// `available` processors under a quota of so many processors' time, rounded up.
fn limited(available: usize, quota: Option<f64>) -> usize {
    let available = available.max(1);
    match quota {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
        Some(quota) if quota < available as f64 => (quota.ceil() as usize).max(1),
        _ => available,
    }
}

/// Numbers of the processors this process may run on.
fn affinity(read: &dyn Fn(&Path) -> Option<String>) -> BTreeSet<usize> {
    let mask: BTreeSet<usize> = sched_getaffinity(None)
        .map(|set| (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
        .unwrap_or_default();
    if !mask.is_empty() {
        return mask;
    }
    // The kernel refuses masks shorter than its own on machines with more processors than the set has room for.
    let listed = read(Path::new("/proc/self/status")).and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        topology::parse_list(line)
    });
    listed.filter(|cpus| !cpus.is_empty()).unwrap_or_else(|| {
        let count = std::thread::available_parallelism().map_or(1, NonZero::get);
        (0..count).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_round_up_and_never_below_one() {
        for (available, quota, expected) in [
            (8, None, 8),
            (0, None, 1),
            (8, Some(1.5), 2),
            (8, Some(2.0), 2),
            (8, Some(0.05), 1),
            (2, Some(64.0), 2),
            (4, Some(3.999), 4),
        ] {
            assert_eq!(limited(available, quota), expected, "{available} {quota:?}");
        }
    }

    #[test]
    fn this_machine_has_cores_and_no_more_cores_than_threads() {
        let (auto, logical) = (count(Word::Auto), count(Word::Logical));
        assert!(1 <= auto && auto <= logical, "{auto} {logical}");
        let read = |path: &Path| fs::read_to_string(path).ok();
        assert!(logical <= affinity(&read).len());
    }

    #[test]
    fn affinity_agrees_with_the_kernels_own_list() {
        let read = |path: &Path| fs::read_to_string(path).ok();
        let status = read(Path::new("/proc/self/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
        assert_eq!(affinity(&read), topology::parse_list(line).unwrap());
    }
}
