//! Whether it was the kernel that killed a process, because there was no memory left: it counts whom it kills so, for each
//! cgroup and for the whole machine.

use std::fs;
use std::path::{Path, PathBuf};

/// The count of this process's cgroup, which is also that of what it starts.
#[derive(Debug, Default)]
pub(super) struct Starved {
    counter: Option<PathBuf>,
    /// Of those that were killed, how many are accounted for.
    known: u64,
    told: bool,
}

impl Starved {
    /// From now on.
    pub(super) fn since_now() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let places = counters(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        let found = places.into_iter().find_map(|path| Some((count_in(&path)?, path)));
        found.map(|(known, path)| Self { counter: Some(path), known, told: false }).unwrap_or_default()
    }

    /// Whether an end told in these words was the kernel's doing.
    pub(super) fn explains(&mut self, how: &str) -> bool {
        how.starts_with("signal 9 ") && self.takes_one()
    }

    /// Whether one more has been killed than is accounted for; then it is.
    fn takes_one(&mut self) -> bool {
        let count = self.counter.as_deref().and_then(count_in);
        let one = count.is_some_and(|count| count > self.known);
        self.known += u64::from(one);
        one
    }

    /// What the user can do about it; said once.
    pub(super) fn advice(&mut self, name: &str) -> Option<String> {
        let text = format!(
            "the kernel killed {name}, as no memory was left\nfewer workers (`-n`) leave more for each, and \
             `@pytest.mark.xdist_resource` keeps tests apart that need much"
        );
        (!std::mem::replace(&mut self.told, true)).then_some(text)
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
        assert!(!Starved { counter: Some("/no/such/file".into()), ..Starved::default() }.takes_one());
        assert!(!Starved::default().takes_one());
    }

    #[test]
    fn counts_are_found_in_each_kind_of_file() {
        assert_eq!(count("low 0\noom 7\noom_kill 3\noom_group_kill 1\n"), Some(3));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 12\n"), Some(12));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\n"), None);
    }

    #[test]
    fn each_that_was_killed_accounts_for_one_death() -> std::io::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("memory.events");
        fs::write(&path, "oom_kill 2\n")?;
        let mut starved = Starved { counter: Some(path.clone()), known: 2, told: false };
        assert!(!starved.takes_one());
        fs::write(&path, "oom_kill 4\n")?;
        let ends = ["exit code 9", "signal 9 (SIGKILL)", "signal 9 (SIGKILL) in call", "signal 9 (SIGKILL)"];
        assert_eq!(ends.map(|how| starved.explains(how)), [false, true, true, false]);
        assert!(starved.advice("gw1").is_some_and(|text| text.contains("gw1")));
        assert_eq!(starved.advice("gw2"), None);
        Ok(())
    }
}
