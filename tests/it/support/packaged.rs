//! Files in the tree that code makes.

use std::fs;
use std::path::{Path, PathBuf};

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a file with what the code makes now, or writes it, when `UPDATE_GOLDEN` is set.
pub(crate) fn check(path: &Path, made: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let folder = path.parent().expect("a file has a folder");
        fs::create_dir_all(folder).expect("the tree can be written");
        fs::write(path, made).expect("the tree can be written");
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    let differs = found
        .lines()
        .zip(made.lines())
        .find(|(found, made)| found != made);
    assert!(
        found == made,
        "{} is not what the code makes: run `make generated`; first difference: {differs:#?}",
        path.display()
    );
}
