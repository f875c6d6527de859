//! What the farm's tests share: a production to render, the command line, and a farm of real processes.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub mod audit;
pub mod command;
pub mod farm;
pub mod fixture;
pub mod postgres;
pub mod process;
pub mod s3_server;
pub mod store;
pub mod way;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The delivered files in a folder: name and bytes. The quality report beside them is none.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.expect("the folder is read").path())
        .filter(|path| path.is_file() && path.file_name().is_some_and(|name| name != "report.html"))
        .map(|path| {
            let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("the file is read"))
        })
        .collect()
}

/// Asserts that two sets of files are the same bytes under the same names.
pub fn assert_same_files(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>, what: &str) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
    for (name, bytes) in expected {
        let first = found[name].iter().zip(bytes).position(|(found, expected)| found != expected);
        assert!(
            first.is_none() && found[name].len() == bytes.len(),
            "{what}: {name} differs from byte {first:?} on ({} bytes against {})",
            found[name].len(),
            bytes.len()
        );
    }
}

/// Waits, looking often, for something that must come true within a time; gives how long it took.
pub fn wait_until(what: &str, within: Duration, mut comes_true: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !comes_true() {
        assert!(begun.elapsed() < within, "{what}: not within {within:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    begun.elapsed()
}

/// The first file of this name below a folder.
pub fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).find_map(|path| {
        if path.is_dir() {
            find(&path, name)
        } else {
            path.file_name().is_some_and(|found| found == name).then_some(path)
        }
    })
}
