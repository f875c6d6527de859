//! Files that a killed process left half written in a folder store: what lies under `partial/`, and what the store calls
//! `NAME#1` until it is whole. In a bucket such a thing is an upload that was never completed, which its own rules sweep.

use std::path::Path;
use std::time::SystemTime;
use std::{fs, io};

use mixdown_proto::layout;

use crate::queue::garbage::Amount;

/// Deletes those below a store's folder that nobody has written to since `old`, or only counts them.
///
/// # Errors
/// When a folder cannot be read or a file not deleted.
pub(crate) fn drop_before(store: &Path, old: SystemTime, dry_run: bool) -> io::Result<Amount> {
    let mut amount = Amount::default();
    let mut folders = vec![store.join("projects")];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let meta = match entry.metadata() {
                // It was finished, and moved, since the folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                meta => meta?,
            };
            if meta.is_dir() {
                folders.push(entry.path());
            } else if is_unfinished(store, &entry.path()) && meta.modified()? < old {
                amount.add(i64::try_from(meta.len()).unwrap_or(i64::MAX));
                if !dry_run {
                    fs::remove_file(entry.path())?;
                }
            }
        }
    }
    Ok(amount)
}

fn is_unfinished(store: &Path, file: &Path) -> bool {
    let below: Vec<&str> = file.strip_prefix(store).into_iter().flatten().filter_map(|part| part.to_str()).collect();
    match below[..] {
        ["projects", _, "partial", _] => true,
        // No name that anything is delivered under looks like this.
        [.., name] => name.contains('#') && !layout::is_safe_name(name),
        [] => false,
    }
}
