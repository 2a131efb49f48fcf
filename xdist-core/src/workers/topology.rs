//! Physical cores behind a set of processors, from the kernel's files. Pure: files come through a function.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The number of physical cores that `cpus` belong to; `None` where the kernel does not tell.
pub(super) fn cores(cpus: &BTreeSet<usize>, read: &dyn Fn(&Path) -> Option<String>) -> Option<usize> {
    from_sys(cpus, read).or_else(|| from_cpuinfo(cpus, &read(Path::new("/proc/cpuinfo"))?))
}

/// Processors with the same list of siblings are one core.
fn from_sys(cpus: &BTreeSet<usize>, read: &dyn Fn(&Path) -> Option<String>) -> Option<usize> {
    let mut cores = BTreeSet::new();
    for cpu in cpus {
        let topology = PathBuf::from(format!("/sys/devices/system/cpu/cpu{cpu}/topology"));
        let siblings = read(&topology.join("core_cpus_list"))
            // The name before Linux 5.3.
            .or_else(|| read(&topology.join("thread_siblings_list")))?;
        cores.insert(parse_list(&siblings).filter(|siblings| siblings.contains(cpu))?);
    }
    Some(cores.len()).filter(|&count| count > 0)
}

/// Processors with the same `physical id` and `core id` are one core.
fn from_cpuinfo(cpus: &BTreeSet<usize>, cpuinfo: &str) -> Option<usize> {
    let mut cores = BTreeSet::new();
    let mut seen = 0;
    for block in cpuinfo.split("\n\n") {
        let fields: BTreeMap<&str, &str> = block
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.trim(), value.trim()))
            .collect();
        let Some(cpu) = fields.get("processor").and_then(|value| value.parse().ok()) else {
            continue;
        };
        if cpus.contains(&cpu) {
            cores.insert((*fields.get("physical id")?, *fields.get("core id")?));
            seen += 1;
        }
    }
    (seen == cpus.len()).then_some(cores.len()).filter(|&count| count > 0)
}

/// The kernel's list format: `0-3,8,10-11`. `None` if it is something else.
pub(super) fn parse_list(text: &str) -> Option<BTreeSet<usize>> {
    /// No machine has more; a longer range is not a list of processors.
    const MOST: usize = 1 << 20;
    let mut cpus = BTreeSet::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse::<usize>().ok()?, last.trim().parse::<usize>().ok()?);
        if first > last || last >= MOST {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A machine with `cores` cores of two threads, thread `n` and `n + cores` on one core, as Linux numbers them.
    fn hyperthreaded(cores: usize, name: &'static str) -> impl Fn(&Path) -> Option<String> {
        move |path| {
            let text = path.to_str()?.strip_prefix("/sys/devices/system/cpu/cpu")?;
            let (cpu, file) = text.split_once("/topology/")?;
            let core = cpu.parse::<usize>().ok()? % cores;
            (file == name).then(|| format!("{core},{}\n", core + cores))
        }
    }

    #[test]
    fn threads_of_a_core_count_once() {
        for name in ["core_cpus_list", "thread_siblings_list"] {
            let read = hyperthreaded(4, name);
            assert_eq!(cores(&(0..8).collect(), &read), Some(4));
            assert_eq!(cores(&[0, 4].into(), &read), Some(1));
            assert_eq!(cores(&[0, 5, 6].into(), &read), Some(3));
        }
    }

    #[test]
    fn cpuinfo_helps_where_sys_is_hidden() {
        let cpuinfo = "processor\t: 0\nphysical id\t: 0\ncore id\t\t: 0\n\n\
                       processor\t: 1\nphysical id\t: 0\ncore id\t\t: 0\n\n\
                       processor\t: 2\nphysical id\t: 1\ncore id\t\t: 0\n\n\
                       processor\t: 3\nphysical id\t: 1\ncore id\t\t: 0\n";
        let read = |path: &Path| (path == Path::new("/proc/cpuinfo")).then(|| cpuinfo.to_owned());
        assert_eq!(cores(&(0..4).collect(), &read), Some(2));
        assert_eq!(cores(&[2].into(), &read), Some(1));
        assert_eq!(cores(&(0..5).collect(), &read), None, "a processor that is not listed");
    }

    #[test]
    fn nothing_is_made_up() {
        let arm =
            |path: &Path| (path == Path::new("/proc/cpuinfo")).then(|| "processor\t: 0\nBogoMIPS : 50\n".to_owned());
        assert_eq!(cores(&[0].into(), &arm), None);
        assert_eq!(cores(&[0].into(), &|_| None), None);
        assert_eq!(cores(&[3].into(), &|_| Some("0-1".into())), None, "not its own sibling");
    }

    #[test]
    fn lists_that_are_none() {
        for text in ["a", "3-1", "1-", "-", "0-99999999999"] {
            assert_eq!(parse_list(text), None, "{text}");
        }
        assert_eq!(parse_list(" 0-2,7\n"), Some([0, 1, 2, 7].into()));
    }

    proptest! {
        #[test]
        fn lists_survive_being_written(cpus in proptest::collection::btree_set(0usize..4096, 0..64)) {
            let text = cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            prop_assert_eq!(parse_list(&text), Some(cpus));
        }
    }
}
