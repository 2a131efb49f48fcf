//! How often the kernel has killed a process because no memory was left: it counts for each cgroup and for the whole machine.

use std::fs;
use std::path::{Path, PathBuf};

/// The kernel's count for this process's cgroup, which is also that of what it starts; where it has none, that of the machine.
#[derive(Clone, Debug, Default)]
pub struct OomKills(Option<PathBuf>);

impl OomKills {
    /// Looks for the file with the count.
    pub fn find() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let places = counters(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        Self(places.into_iter().find(|path| count_in(path).is_some()))
    }

    /// How many it has killed so far; `None` if it does not tell.
    pub fn count(&self) -> Option<u64> {
        self.0.as_deref().and_then(count_in)
    }
}

fn count_in(path: &Path) -> Option<u64> {
    count(&fs::read_to_string(path).ok()?)
}

/// The number behind `oom_kill`: in `memory.events`, `memory.oom_control` and `/proc/vmstat` alike.
fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

/// Files that may hold the count, the most telling first, by `/proc/self/cgroup` and `/proc/self/mountinfo`.
fn counters(cgroups: &str, mounts: &str) -> Vec<PathBuf> {
    let mut first = Vec::new();
    let mut unified = Vec::new();
    for mount in mounts.lines() {
        let Some((ours, theirs)) = mount.split_once(" - ") else { continue };
        let ours: Vec<&str> = ours.split(' ').collect();
        let theirs: Vec<&str> = theirs.split(' ').collect();
        let (Some(root), Some(place), Some(kind)) = (ours.get(3), ours.get(4), theirs.first()) else { continue };
        let controls_memory = theirs.get(2).is_some_and(|options| options.split(',').any(|option| option == "memory"));
        let own = |is: fn(&str) -> bool| cgroups.lines().find_map(|line| own_path(line, is));
        let file = |path: &str, name| Path::new(place).join(below(path, root)).join(name);
        if *kind == "cgroup" && controls_memory {
            let own = own(|controllers| controllers.split(',').any(|one| one == "memory"));
            first.extend(own.map(|path| file(path, "memory.oom_control")));
        } else if *kind == "cgroup2" {
            unified.extend(own(str::is_empty).map(|path| file(path, "memory.events")));
        }
    }
    first.into_iter().chain(unified).chain(["/proc/vmstat".into()]).collect()
}

/// The path of a line `4:memory:/path` whose controllers are the ones looked for.
fn own_path(line: &str, is: fn(&str) -> bool) -> Option<&str> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    is(controllers).then_some(path)
}

/// A cgroup's path below what is mounted; a container may see only its own, and that as the root.
fn below<'a>(path: &'a str, root: &str) -> &'a str {
    let rest = if root == "/" { Some(path) } else { path.strip_prefix(root) };
    rest.unwrap_or_default().trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "\
9:name=systemd:/
4:cpu,memory:/user/run
0::/
";

    fn paths(cgroups: &str, mounts: &str) -> Vec<String> {
        counters(cgroups, mounts).into_iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn the_counter_of_the_own_cgroup_comes_first() {
        let mounts = "\
30 23 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:1 - cgroup2 cgroup rw
31 23 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
32 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,cpu,memory
33 23 0:29 / /tmp rw - tmpfs memory rw,memory
";
        let found = paths(V1, mounts);
        let wanted = [
            "/sys/fs/cgroup/memory/user/run/memory.oom_control",
            "/sys/fs/cgroup/unified/memory.events",
            "/proc/vmstat",
        ];
        assert_eq!(found, wanted);
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw shared:1 - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = paths("0::/user.slice/run.scope\n", mounts);
        assert_eq!(found, ["/sys/fs/cgroup/user.slice/run.scope/memory.events", "/proc/vmstat"]);
    }

    #[test]
    fn a_container_sees_its_own_cgroup_as_the_root() {
        let mount = |root: &str| format!("32 23 0:28 {root} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
        let file = |root: &str| paths("4:memory:/docker/a1b2/run\n", &mount(root)).swap_remove(0);
        assert_eq!(file("/docker/a1b2"), "/sys/fs/cgroup/memory/run/memory.oom_control");
        assert_eq!(file("/docker/other"), "/sys/fs/cgroup/memory/memory.oom_control");
    }

    #[test]
    fn what_cannot_be_read_tells_nothing() {
        for (cgroups, mounts) in [("", ""), ("nonsense\n1:2", "- \n a - b\n"), (V1, "")] {
            assert_eq!(paths(cgroups, mounts), ["/proc/vmstat"], "{cgroups:?} {mounts:?}");
        }
        assert_eq!(OomKills(Some("/no/such/file".into())).count(), None);
        assert_eq!(OomKills(None).count(), None);
    }

    #[test]
    fn counts_are_found_in_each_kind_of_file() {
        assert_eq!(count("low 0\noom 7\noom_kill 3\noom_group_kill 1\n"), Some(3));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 12\n"), Some(12));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\n"), None);
    }
}
