//! Extraction into folders that are new, damaged, shared, or somebody else's.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::thread;

use tempfile::TempDir;

use super::*;

const FILES: Files<'static> =
    &[("pkg/__init__.py", b"# \xc3\xa9\n"), ("pkg/deep/er/mod.py", b"x = 1\n"), ("pkg/empty.py", b"")];

fn folders() -> (TempDir, TempDir) {
    (TempDir::new().unwrap(), TempDir::new().unwrap())
}

fn assert_complete(dir: &Path) {
    for (name, contents) in FILES {
        assert_eq!(fs::read(dir.join(name)).unwrap(), *contents, "{name}");
    }
}

/// Whether the answer lies in the cache, not in the fallback.
fn cached(cache: &Path, fallback: &Path) -> bool {
    let dir = package_dir_in(Some(cache), fallback, FILES).unwrap();
    assert_complete(&dir);
    assert_eq!(dir.metadata().unwrap().mode() & 0o777, 0o700);
    assert!(dir.starts_with(cache) || dir.starts_with(fallback));
    dir.starts_with(cache)
}

#[test]
fn the_package_is_embedded_without_its_tests() {
    assert!(PACKAGE.iter().any(|(name, _)| *name == "xdist_worker/__init__.py"));
    assert!(PACKAGE.iter().all(|(name, _)| name.starts_with("xdist_worker/")));
    assert!(!PACKAGE.iter().any(|(name, _)| name.contains("__pycache__") || name.contains("/test_")));
}

#[test]
fn the_answer_is_the_folder_of_the_package() {
    let fallback = TempDir::new().unwrap();
    let dir = package_dir(fallback.path()).unwrap();
    assert!(dir.is_absolute() && dir.ends_with("xdist_worker") && dir.join("__init__.py").is_file());
}

#[test]
fn a_second_call_changes_nothing() {
    let (cache, fallback) = folders();
    let cache = cache.path().join("made/on/the/way");
    let dir = package_dir_in(Some(&cache), fallback.path(), FILES).unwrap();
    let inode = |name: &str| dir.join(name).metadata().unwrap().ino();
    let before = FILES.iter().map(|(name, _)| inode(name)).collect::<Vec<_>>();
    assert!(cached(&cache, fallback.path()));
    assert_eq!(before, FILES.iter().map(|(name, _)| inode(name)).collect::<Vec<_>>());
    assert_eq!(fs::read_dir(cache.join("xdist")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(fallback.path()).unwrap().count(), 0);
}

#[test]
fn other_contents_get_another_folder() {
    let (cache, fallback) = folders();
    let one = package_dir_in(Some(cache.path()), fallback.path(), FILES).unwrap();
    let other = package_dir_in(Some(cache.path()), fallback.path(), &[("pkg/__init__.py", b"")]).unwrap();
    assert_ne!(one, other);
    assert_complete(&one);
}

#[test]
fn damage_is_repaired_and_byte_code_stays() {
    let (cache, fallback) = folders();
    let dir = package_dir_in(Some(cache.path()), fallback.path(), FILES).unwrap();
    fs::write(dir.join("pkg/__init__.py"), "# cut").unwrap();
    fs::remove_dir_all(dir.join("pkg/deep")).unwrap();
    fs::create_dir(dir.join("pkg/__pycache__")).unwrap();
    assert!(cached(cache.path(), fallback.path()));
    assert!(dir.join("pkg/__pycache__").is_dir());
}

#[test]
fn folders_open_to_others_are_not_used() {
    let (cache, fallback) = folders();
    let dir = package_dir_in(Some(cache.path()), fallback.path(), FILES).unwrap();
    let ours = cache.path().join("xdist");
    for (path, mode) in [(dir.as_path(), 0o755), (&ours, 0o770), (&ours, 0o702), (cache.path(), 0o777)] {
        let before = path.metadata().unwrap().permissions();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        assert!(!cached(cache.path(), fallback.path()), "{} {mode:o}", path.display());
        fs::set_permissions(path, before).unwrap();
        assert!(cached(cache.path(), fallback.path()));
    }
    fs::set_permissions(cache.path(), Permissions::from_mode(0o1777)).unwrap();
    assert!(cached(cache.path(), fallback.path()), "others cannot rename in a folder with the sticky bit");
}

#[test]
fn links_in_our_place_are_not_followed() {
    let (cache, fallback) = folders();
    let (elsewhere, dir) =
        (TempDir::new().unwrap(), package_dir_in(Some(cache.path()), fallback.path(), FILES).unwrap());
    fs::remove_dir_all(&dir).unwrap();
    symlink(elsewhere.path(), &dir).unwrap();
    assert!(!cached(cache.path(), fallback.path()));
    fs::remove_dir_all(cache.path().join("xdist")).unwrap();
    symlink(elsewhere.path(), cache.path().join("xdist")).unwrap();
    assert!(!cached(cache.path(), fallback.path()));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn without_a_cache_directory_the_fallback_serves() {
    let (cache, fallback) = folders();
    let file = cache.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(!cached(&file, fallback.path()));
    let dir = package_dir_in(None, fallback.path(), FILES).unwrap();
    assert_complete(&dir);
    let nowhere = package_dir_in(None, &file, FILES).unwrap_err();
    assert!(nowhere.to_string().contains("file/python"), "{nowhere}");
}

#[test]
fn many_processes_at_once_agree() {
    let (cache, fallback) = folders();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert!(cached(cache.path(), fallback.path())));
        }
    });
    let left: Vec<_> = fs::read_dir(cache.path().join("xdist")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
