//! The processor time that control groups leave to this process. Pure: files come through a function.
//!
//! A quota may be set on the process's own group or any group above it, so all of them are looked at, up to the root
//! of the mounted hierarchy (the highest that a container sees), in both versions of the interface.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// The smallest quota in force, in processors (1.5: one and a half); `None` if there is no limit.
pub(super) fn quota(read: Read<'_>) -> Option<f64> {
    let groups = read(Path::new("/proc/self/cgroup"))?;
    let mounts = read(Path::new("/proc/self/mountinfo"))?;
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    groups
        .lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, group) = (fields.next()?, fields.next()?);
            let version = match controllers {
                "" => Version::Two,
                list if list.split(',').any(|name| name == "cpu") => Version::One,
                _ => return None,
            };
            let mount = mounts.iter().find(|mount| mount.version == version)?;
            mount.chain(Path::new(group)).iter().filter_map(|dir| version.quota(dir, read)).reduce(f64::min)
        })
        .reduce(f64::min)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    fn quota(self, dir: &Path, read: Read<'_>) -> Option<f64> {
        let (quota, period) = match self {
            Self::Two => {
                let text = read(&dir.join("cpu.max"))?;
                let mut words = text.split_whitespace();
                let quota = words.next()?.parse::<f64>().ok()?;
                (quota, words.next().map_or(Some(100_000.0), |period| period.parse().ok())?)
            }
            Self::One => {
                let number = |name: &str| read(&dir.join(name))?.trim().parse::<f64>().ok();
                (number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
            }
        };
        (quota > 0.0 && period > 0.0).then_some(quota / period)
    }
}

/// One mounted hierarchy that has the processor controller.
#[derive(Debug, PartialEq)]
struct Mount {
    version: Version,
    /// Which group of the hierarchy is mounted.
    root: PathBuf,
    point: PathBuf,
}

impl Mount {
    /// A line of mountinfo: `30 23 0:26 /group /point options… - type source options`.
    fn parse(line: &str) -> Option<Self> {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, point) = (place.next()?, place.next()?);
        let mut kind = kind.split(' ');
        let version = match kind.next()? {
            "cgroup2" => Version::Two,
            "cgroup" if kind.nth(1)?.split(',').any(|option| option == "cpu") => Version::One,
            _ => return None,
        };
        Some(Self { version, root: unescape(root), point: unescape(point) })
    }

    /// Directories of `group` and of every group above it, as far as they are mounted.
    fn chain(&self, group: &Path) -> Vec<PathBuf> {
        let below = group.strip_prefix(&self.root).unwrap_or(Path::new(""));
        // A group outside of this namespace's root is written with leading `..`.
        let below = if below.components().any(|part| part == Component::ParentDir) { Path::new("") } else { below };
        below.ancestors().map(|part| self.point.join(part)).collect()
    }
}

/// mountinfo writes blanks and backslashes as three octal digits.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\')
            .then(|| after.get(..3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        if let Some(byte) = octal {
            bytes.push(byte);
            rest = &after[3..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V2: &str = "24 29 0:22 / /proc rw,nosuid - proc proc rw\n\
                      35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "33 32 0:28 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
                      34 32 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:9 - cgroup cgroup rw,cpu,cpuacct\n";

    fn quota_of(files: &[(&str, &str)]) -> Option<f64> {
        quota(&|path: &Path| files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned()))
    }

    #[test]
    fn version_two_takes_the_smallest_on_the_way_up() {
        let group = ("/proc/self/cgroup", "0::/ci.slice/job.scope\n");
        let mounts = ("/proc/self/mountinfo", V2);
        let own = "/sys/fs/cgroup/ci.slice/job.scope/cpu.max";
        let above = "/sys/fs/cgroup/ci.slice/cpu.max";
        assert_eq!(quota_of(&[group, mounts, (own, "150000 100000\n")]), Some(1.5));
        assert_eq!(quota_of(&[group, mounts, (own, "max 100000\n"), (above, "200000 100000\n")]), Some(2.0));
        assert_eq!(quota_of(&[group, mounts, (own, "400000 100000\n"), (above, "50000 100000\n")]), Some(0.5));
        assert_eq!(quota_of(&[group, mounts, (own, "max 100000\n")]), None);
        assert_eq!(quota_of(&[group, mounts]), None);
        assert_eq!(quota_of(&[group]), None);
    }

    #[test]
    fn version_one_in_a_container() {
        let dir = "/sys/fs/cgroup/cpu,cpuacct";
        let (quota_file, period_file) = (format!("{dir}/cpu.cfs_quota_us"), format!("{dir}/cpu.cfs_period_us"));
        for group in ["4:cpu,cpuacct:/docker/abc\n0::/\n", "4:cpu,cpuacct:/\n", "4:cpu,cpuacct:/../other\n"] {
            let files = |quota| {
                [
                    ("/proc/self/cgroup", group),
                    ("/proc/self/mountinfo", V1),
                    (quota_file.as_str(), quota),
                    (period_file.as_str(), "100000\n"),
                ]
            };
            assert_eq!(quota_of(&files("250000\n")), Some(2.5), "{group}");
            assert_eq!(quota_of(&files("-1\n")), None, "{group}");
        }
    }

    #[test]
    fn version_one_below_the_mounted_group() {
        assert_eq!(
            quota_of(&[
                ("/proc/self/cgroup", "2:cpu:/docker/abc/inner\n1:memory:/docker/abc\n"),
                ("/proc/self/mountinfo", V1),
                ("/sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_quota_us", "100000"),
                ("/sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_period_us", "50000"),
            ]),
            Some(2.0)
        );
    }

    #[test]
    fn mount_points_with_blanks() {
        let line = r"30 23 0:26 / /mnt/my\040groups\134x rw - cgroup2 none rw";
        assert_eq!(Mount::parse(line).unwrap().point, Path::new(r"/mnt/my groups\x"));
    }

    proptest! {
        #[test]
        fn any_text_is_harmless(group in ".*", mounts in ".*", cpu in ".*") {
            let limit = quota(&|path: &Path| Some(match path.to_str() {
                Some("/proc/self/cgroup") => format!("0::/{group}"),
                Some("/proc/self/mountinfo") => format!("{V2}{mounts}"),
                _ => cpu.clone(),
            }));
            prop_assert!(limit.is_none_or(|limit| limit > 0.0));
        }
    }
}
