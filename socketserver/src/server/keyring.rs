//! The tokens that open the server now, as the files were when they were read last.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use execnet_rs::transport::socket::noise::ServerKey;
use execnet_rs::transport::socket::private::PrivateError;
use execnet_rs::transport::socket::token::TokenId;

use crate::store::{Entry, Store, StoreError};

/// The server's key and its tokens.
pub(super) struct Keyring {
    store: Store,
    key: ServerKey,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    tokens: HashMap<TokenId, Entry>,
    /// When the directory had changed last, when it was read.
    changed: Option<SystemTime>,
    /// What was wrong with files.
    wrong: Vec<String>,
}

impl Keyring {
    /// Reads all for the first time.
    ///
    /// # Errors
    /// Also for a token file that is of no use: before anybody has come, that is for the user to put right.
    pub(super) fn open() -> Result<Self, StoreError> {
        let store = Store::of_this_user()?;
        let key = store.key()?;
        if let Some(error) = store.tokens(&key)?.1.into_iter().next() {
            return Err(error);
        }
        let keyring = Self { store, key, known: Mutex::default() };
        keyring.reload();
        Ok(keyring)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn key(&self) -> &ServerKey {
        &self.key
    }

    /// All tokens.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.known().tokens.values().cloned().collect()
    }

    pub(super) fn has(&self, id: TokenId) -> bool {
        self.known().tokens.contains_key(&id)
    }

    /// The token of an id. If it is not known, and files have changed, they are read: whoever has just made a token need
    /// not wait for the watch.
    pub(super) fn get(&self, id: TokenId) -> Option<Entry> {
        let found = self.known().tokens.get(&id).cloned();
        if found.is_some() || self.changed() == self.known().changed {
            return found;
        }
        self.reload();
        self.known().tokens.get(&id).cloned()
    }

    fn changed(&self) -> Option<SystemTime> {
        std::fs::metadata(self.store.tokens_directory()).and_then(|directory| directory.modified()).ok()
    }

    /// Reads the files again. Tells what is wrong with some, if that is news.
    pub(super) fn reload(&self) -> Vec<String> {
        let changed = self.changed();
        let (entries, errors) = match self.store.tokens(&self.key) {
            Ok(found) => found,
            Err(error) => (Vec::new(), vec![error]),
        };
        let mut known = self.known();
        let before = std::mem::replace(&mut known.tokens, entries.into_iter().map(with_id).collect());
        // What could not be read for want of something is as it was. What others can get at is no token.
        for path in errors.iter().filter_map(unread) {
            let kept = before.values().filter(|entry| entry.path.starts_with(path)).cloned();
            known.tokens.extend(kept.map(with_id));
        }
        known.changed = changed;
        let wrong: Vec<String> = errors.iter().map(ToString::to_string).collect();
        if wrong == known.wrong {
            Vec::new()
        } else {
            known.wrong.clone_from(&wrong);
            wrong
        }
    }
}

fn with_id(entry: Entry) -> (TokenId, Entry) {
    (entry.token.id(), entry)
}

/// What could not be read although it is there.
fn unread(error: &StoreError) -> Option<&std::path::Path> {
    match error {
        StoreError::Private(PrivateError::System { path, error }) if error.kind() != io::ErrorKind::NotFound => {
            Some(path)
        }
        _ => None,
    }
}
