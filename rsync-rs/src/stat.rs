//! What tells cheaply whether a file is still the one that was read: device, inode, size and times.

use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, FileType, StatxFlags, statx};
use rustix::io::Result;

use crate::codec::{Malformed, Put, Take};

/// A moment as the file system has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time {
    /// Seconds since 1970, may be negative.
    pub seconds: i64,
    /// Nanoseconds, below 10⁹.
    pub nanos: u32,
}

impl Time {
    pub(crate) fn put(self, into: &mut Vec<u8>) {
        into.put_signed(self.seconds);
        into.put_number(u64::from(self.nanos));
    }

    pub(crate) fn take(from: &mut Take<'_>) -> std::result::Result<Self, Malformed> {
        let time = Self { seconds: from.signed()?, nanos: from.small()? };
        if time.nanos < 1_000_000_000 { Ok(time) } else { Err(Malformed("nanoseconds out of range")) }
    }

    fn since_epoch(self) -> Option<Duration> {
        Some(Duration::new(u64::try_from(self.seconds).ok()?, self.nanos))
    }
}

/// The identity and the times of one file, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Stat {
    /// Device, major and minor in one number.
    pub(crate) device: u64,
    /// Inode.
    pub(crate) inode: u64,
    /// Size in bytes.
    pub(crate) size: u64,
    /// Last change of the contents.
    pub(crate) modified: Time,
    /// Last change of contents or metadata; no program can set it.
    pub(crate) changed: Time,
    /// Type and permission bits, as in `st_mode`.
    pub(crate) mode: u32,
}

impl Stat {
    /// Of `name` in the directory `at`, or of `at` itself if `name` is empty. Links are not followed.
    pub(crate) fn at(at: impl rustix::fd::AsFd, name: &[u8]) -> Result<Self> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
        let found = statx(at, name, flags, StatxFlags::BASIC_STATS)?;
        let time = |from: rustix::fs::StatxTimestamp| Time { seconds: from.tv_sec, nanos: from.tv_nsec };
        Ok(Self {
            device: u64::from(found.stx_dev_major) << 32 | u64::from(found.stx_dev_minor),
            inode: found.stx_ino,
            size: found.stx_size,
            modified: time(found.stx_mtime),
            changed: time(found.stx_ctime),
            mode: u32::from(found.stx_mode),
        })
    }

    pub(crate) fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.mode)
    }

    pub(crate) fn is_file(&self) -> bool {
        self.kind() == FileType::RegularFile
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.kind() == FileType::Directory
    }

    pub(crate) fn is_link(&self) -> bool {
        self.kind() == FileType::Symlink
    }

    /// The permission bits that are synchronised: no set-user-ID, set-group-ID or sticky bit.
    pub(crate) fn permissions(&self) -> u32 {
        self.mode & 0o777
    }

    /// Whether a later change could leave every time as it is: the file changed so shortly before `now` that the file
    /// system's clock may not have ticked since. Clocks without fractions tick once or twice in two seconds, others at
    /// least every 10 ms; both with a margin.
    pub(crate) fn is_young(&self, now: SystemTime) -> bool {
        let newest = self.modified.max(self.changed);
        let granule = if self.changed.nanos == 0 { Duration::from_secs(3) } else { Duration::from_millis(50) };
        let Some(newest) = newest.since_epoch() else { return false };
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        newest + granule >= now
    }

    pub(crate) fn put(&self, into: &mut Vec<u8>) {
        for number in [self.device, self.inode, self.size, u64::from(self.mode)] {
            into.put_number(number);
        }
        self.modified.put(into);
        self.changed.put(into);
    }

    pub(crate) fn take(from: &mut Take<'_>) -> std::result::Result<Self, Malformed> {
        let (device, inode, size, mode) = (from.number()?, from.number()?, from.number()?, from.small()?);
        Ok(Self { device, inode, size, mode, modified: Time::take(from)?, changed: Time::take(from)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(seconds: i64, nanos: u32) -> Stat {
        Stat { changed: Time { seconds, nanos }, ..Stat::default() }
    }

    #[test]
    fn what_just_changed_is_young() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        assert!(changed(99, 990_000_000).is_young(now));
        assert!(!changed(99, 900_000_000).is_young(now));
        assert!(changed(98, 0).is_young(now), "a clock of whole seconds");
        assert!(changed(200, 1).is_young(now), "a clock that is ahead");
        assert!(!changed(-5, 1).is_young(now));
    }

    #[test]
    fn bytes_and_back() {
        let stat = Stat { device: 1, inode: u64::MAX, size: 3, mode: 0o100_644, ..changed(-7, 999_999_999) };
        let mut bytes = Vec::new();
        stat.put(&mut bytes);
        assert_eq!(Stat::take(&mut Take::new(&bytes)), Ok(stat));
        assert!(Time::take(&mut Take::new(&[0, 0x80, 0x94, 0xeb, 0xdc, 3])).is_err());
    }
}
