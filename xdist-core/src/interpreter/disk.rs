//! The real file system.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::Files;

/// Answers from the file system of this host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn is_program(&self, path: &Path) -> bool {
        path.is_file() && access(path, Access::EXEC_OK).is_ok()
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        path.canonicalize().ok()
    }

    fn owner(&self, path: &Path) -> Option<u32> {
        fs::metadata(path).ok().map(|found| found.uid())
    }

    fn user(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }
}
