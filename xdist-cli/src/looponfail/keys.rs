//! The keyboard of a loop: single keys without an echo, while the terminal is ours, and as it was whenever it is not.

use std::cell::Cell;
use std::fs::File;
use std::io;

use execnet_rs::process::is_in_foreground;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use xdist_core::looponfail::state::Key;

/// The terminal from which the program was started.
pub(crate) struct Keys {
    terminal: AsyncFd<File>,
    /// How the terminal was, while it is ours.
    before: Cell<Option<Termios>>,
    taken: Notify,
}

impl Keys {
    /// The keyboard, if there is one. Call inside of a tokio runtime.
    pub(crate) fn open() -> Option<Self> {
        if !rustix::termios::isatty(io::stdin()) || !rustix::termios::isatty(io::stdout()) {
            return None;
        }
        // Opened anew, it can be read without waiting, and nobody else's reading changes by that.
        let terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
        let flags = fcntl_getfl(&terminal).ok()?;
        fcntl_setfl(&terminal, flags | OFlags::NONBLOCK).ok()?;
        #[expect(deprecated, reason = "its successor is unsafe; a file of our own is open as long as it is registered")]
        let terminal = AsyncFd::new(terminal).ok()?;
        Some(Self { terminal, before: Cell::new(None), taken: Notify::new() })
    }

    /// Takes the terminal: keys come one by one. Ctrl-C and Ctrl-Z stay signals.
    pub(crate) fn take(&self) {
        if self.is_taken() || !is_in_foreground() {
            return;
        }
        let Ok(before) = tcgetattr(self.terminal.get_ref()) else { return };
        let mut ours = before.clone();
        ours.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        ours.special_codes[SpecialCodeIndex::VMIN] = 1;
        ours.special_codes[SpecialCodeIndex::VTIME] = 0;
        if tcsetattr(self.terminal.get_ref(), OptionalActions::Now, &ours).is_ok() {
            self.before.set(Some(before));
            self.taken.notify_waiters();
        }
    }

    /// Gives the terminal back as it was.
    pub(crate) fn give_back(&self) {
        if let Some(before) = self.before.take()
            && is_in_foreground()
        {
            let _ = tcsetattr(self.terminal.get_ref(), OptionalActions::Now, &before);
        }
    }

    /// Whether the terminal is ours.
    pub(crate) fn is_taken(&self) -> bool {
        let before = self.before.take();
        let taken = before.is_some();
        self.before.set(before);
        taken
    }

    /// Waits for a key that means something.
    pub(crate) async fn next(&self) -> Key {
        loop {
            // What is typed while the terminal is somebody else's is theirs.
            while !self.is_taken() {
                self.taken.notified().await;
            }
            let Ok(mut ready) = self.terminal.readable().await else { return std::future::pending().await };
            if !self.is_taken() {
                continue;
            }
            let mut byte = [0];
            match ready.try_io(|terminal| rustix::io::read(terminal.get_ref(), &mut byte).map_err(io::Error::from)) {
                Ok(Ok(1)) => {
                    #[cfg(debug_assertions)]
                    break_down(byte[0]);
                    if let Some(key) = meaning(byte[0]) {
                        return key;
                    }
                }
                // The terminal is gone, and SIGHUP is on its way.
                Ok(Ok(_) | Err(_)) => return std::future::pending().await,
                Err(_not_yet) => {}
            }
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// In builds for tests: a fault of this program at the next `!`, if a variable asks for it.
#[cfg(debug_assertions)]
fn break_down(byte: u8) {
    assert!(byte != b'!' || std::env::var_os("XDIST_BREAK_DOWN").is_none(), "a fault that was asked for");
}

/// What a key means.
pub(crate) fn meaning(byte: u8) -> Option<Key> {
    Some(match byte {
        b'\r' | b'\n' => Key::Again,
        b'a' => Key::All,
        b'f' => Key::FailingOnly,
        b'o' => Key::Output,
        b'p' => Key::Pause,
        b'?' | b'h' => Key::Help,
        // Ctrl-D as well.
        b'q' | 4 => Key::Quit,
        _ => return None,
    })
}
