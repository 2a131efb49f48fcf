//! The Python side of a run: embedded in the program, extracted where interpreters can import it.
//!
//! The package goes to the user's cache directory under a name made of its contents. So two versions of the program
//! never meet, and the byte code that Python writes beside the sources makes the second start fast. Interpreters run
//! what stands there, so the folder must be the user's alone; where that cannot be had, a private folder for this run
//! serves.

mod extract;

use std::io;
use std::path::{self, Path, PathBuf};

use etcetera::BaseStrategy;

/// The files of the package: path from the folder that holds the package, contents.
type Files<'a> = &'a [(&'a str, &'a [u8])];

/// What the build found.
const PACKAGE: Files<'static> = include!(concat!(env!("OUT_DIR"), "/python_package.rs"));

/// The folder of the package `xdist_worker`, with its `__init__.py`, extracted if need be. Absolute.
///
/// `fallback` is a private folder of the caller, used where the cache directory cannot be: no home, read-only,
/// owned by or open to others. It must live as long as interpreters run. Blocks on the file system, briefly.
pub fn package_dir(fallback: &Path) -> io::Result<PathBuf> {
    let cache = etcetera::choose_base_strategy().ok().map(|strategy| strategy.cache_dir());
    // What is relative would lie in the project.
    let cache = cache.filter(|cache| cache.is_absolute());
    Ok(path::absolute(package_dir_in(cache.as_deref(), fallback, PACKAGE)?)?.join("xdist_worker"))
}

/// The files of the package: path from the folder that holds the package, contents.
pub fn files() -> &'static [(&'static str, &'static [u8])] {
    PACKAGE
}

/// A name for exactly these files.
pub fn digest() -> String {
    extract::digest(PACKAGE)
}

/// The folder in which the files are.
fn package_dir_in(cache: Option<&Path>, fallback: &Path, files: Files<'_>) -> io::Result<PathBuf> {
    if let Some(cache) = cache {
        match extract::into_cache(cache, files) {
            Ok(dir) => return Ok(dir),
            Err(error) => tracing::debug!(%error, "the cache directory cannot hold the Python package"),
        }
    }
    extract::into_private(fallback, files)
}

#[cfg(test)]
mod tests;
