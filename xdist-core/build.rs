//! Lists the files of the Python package for `src/python`, which embeds them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The package, below this crate.
const PACKAGE: &str = "python/xdist_worker";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={PACKAGE}");
    let mut files = Vec::new();
    sources(Path::new(PACKAGE), &mut files)?;
    files.sort();
    if !files.contains(&Path::new(PACKAGE).join("__init__.py")) {
        println!("cargo::error=there is no Python package in {PACKAGE}");
    }
    let mut list = String::from("&[\n");
    for file in files {
        let path = file.to_str().ok_or_else(|| io::Error::other(format!("{} is not UTF-8", file.display())))?;
        let name = path.trim_start_matches("python/");
        let _ = writeln!(list, "    ({name:?}, include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{path}\"))),");
    }
    list.push_str("]\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(Path::new(&out).join("python_package.rs"), list)
}

/// Collects the files of a folder and of those in it, but for what Python and editors leave there.
fn sources(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || name == "__pycache__" {
            continue;
        }
        if path.is_dir() {
            sources(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
