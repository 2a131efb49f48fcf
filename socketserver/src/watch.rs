//! Tells when token files change.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::sync::Notify;

/// How often to look where the system has no watch to give.
const LOOK: Duration = Duration::from_secs(1);

/// A directory that is watched, by a thread of its own that lasts as long as the process.
#[derive(Debug)]
pub(crate) struct Watch(Arc<Notify>);

impl Watch {
    /// Watches a directory's files. The first call of [`Watch::changed`] returns as soon as that has begun.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub(crate) fn begin(directory: PathBuf) -> io::Result<Self> {
        let notify = Arc::new(Notify::new());
        let tell = Arc::clone(&notify);
        std::thread::Builder::new().name("watch".to_owned()).spawn(move || watch(&directory, &tell))?;
        Ok(Self(notify))
    }

    /// Waits until something has changed, or may have. Cancel safe.
    pub(crate) async fn changed(&self) {
        self.0.notified().await;
    }
}

fn watch(directory: &Path, tell: &Notify) {
    loop {
        // A new watch each time: the directory may be another one by now. Whoever is told looks after it was made.
        let watch = open(directory);
        tell.notify_one();
        let read = watch.and_then(|watch| rustix::io::read(watch, &mut [0; 4096]));
        if read.is_err() {
            std::thread::sleep(LOOK);
        }
    }
}

fn open(directory: &Path) -> rustix::io::Result<OwnedFd> {
    let watch = inotify::init(CreateFlags::CLOEXEC)?;
    let changes = WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::MOVE
        | WatchFlags::CLOSE_WRITE
        | WatchFlags::ATTRIB
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF;
    inotify::add_watch(&watch, directory, changes)?;
    Ok(watch)
}
