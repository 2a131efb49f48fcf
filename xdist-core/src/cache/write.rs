//! Puts values into pytest's cache directory, in the form of pytest's own `Cache.set`.

use std::fs;
use std::io;
use std::path::Path;

use super::CacheFile;
use crate::files;

/// What tells backup programs to leave a directory alone: <https://bford.info/cachedir/>.
const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n";

/// Writes `values` below the cache directory `dir`, each only if the file says something else now.
///
/// What comes back says what could not be written, in the words of pytest's own warnings.
pub(crate) fn write(dir: &Path, values: &[CacheFile]) -> Vec<String> {
    let fault = |value: &CacheFile| {
        let error = set(dir, value).err()?;
        let path = dir.join("v").join(value.key);
        Some(format!("PytestCacheWarning: could not write cache path {}: {error}", path.display()))
    };
    values.iter().filter_map(fault).collect()
}

fn set(dir: &Path, file: &CacheFile) -> io::Result<()> {
    let path = dir.join("v").join(file.key);
    // As `json.dumps(value, ensure_ascii=False, indent=2)`.
    let text = serde_json::to_string_pretty(&file.value)?;
    if fs::read_to_string(&path).is_ok_and(|found| found == text) {
        return Ok(());
    }
    if !dir.is_dir() {
        // Left by pytest wherever it makes the directory: not for version control, not for backups.
        files::replace(&dir.join(".gitignore"), |out| out.write_all(b"*\n"))?;
        files::replace(&dir.join("CACHEDIR.TAG"), |out| out.write_all(CACHEDIR_TAG.as_bytes()))?;
    }
    files::replace(&path, |out| out.write_all(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use serde_json::json;

    use super::*;

    #[test]
    fn reads_like_pythons_json() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("cache");
        let value = json!({"a.py::test_b[\u{e4}\u{1}\"\\\n]": true, "a.py::test_a": true});
        assert_eq!(write(&cache, &[CacheFile { key: "cache/lastfailed", value }]), Vec::<String>::new());
        assert_eq!(
            fs::read_to_string(cache.join("v/cache/lastfailed")).unwrap(),
            "{\n  \"a.py::test_b[\u{e4}\\u0001\\\"\\\\\\n]\": true,\n  \"a.py::test_a\": true\n}"
        );
        assert_eq!(fs::read_to_string(cache.join(".gitignore")).unwrap(), "*\n");
    }

    #[test]
    fn an_unchanged_file_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v/cache/stepwise");
        let file = |value| [CacheFile { key: "cache/stepwise", value }];
        let inode = || fs::metadata(&path).unwrap().ino();
        write(dir.path(), &file(json!([])));
        let first = inode();
        write(dir.path(), &file(json!([])));
        assert_eq!(inode(), first);
        write(dir.path(), &file(json!(null)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "null");
    }

    #[test]
    fn failures_are_warnings_with_the_path() {
        let file = CacheFile { key: "cache/lastfailed", value: json!({}) };
        let warnings = write(Path::new("/dev/null/cache"), &[file]);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("/dev/null/cache"), "{warnings:?}");
    }
}
