//! Files that come into a folder store by a second name instead of a copy.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use uuid::Uuid;

use super::Durability;

/// Gives a file the name `to` as well, replacing what has it: readers see what was there before, or all of it.
///
/// # Errors
/// What the file system says, another file system or too many names among it; nothing has changed then but folders made.
pub(super) fn link_into(file: &Path, to: &Path, durability: Durability) -> io::Result<()> {
    let is_durable = durability == Durability::Durable;
    let opened = File::open(file)?;
    // A blob that no row knows is left alone while it is young, and this one may have been written hours ago.
    opened.set_modified(SystemTime::now())?;
    if is_durable {
        opened.sync_all()?;
    }
    let folder = to.parent().ok_or(io::ErrorKind::InvalidInput)?;
    make_folder(folder, is_durable)?;
    let staged = staged(to);
    fs::hard_link(file, &staged)?;
    let placed = fs::rename(&staged, to);
    // Still there if that failed, and if both were names of the same file already.
    match fs::remove_file(&staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return placed.and(Err(error)),
        _ => placed?,
    }
    if is_durable { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// What a folder store calls a file on its way: cleared away if it stays behind.
fn staged(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(format!("#{}", Uuid::new_v4().as_u128()));
    name.into()
}

/// Makes a folder with those above it; durably, every one whose entries changed.
fn make_folder(folder: &Path, is_durable: bool) -> io::Result<()> {
    let made: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    if is_durable {
        for parent in made.iter().filter_map(|folder| folder.parent()) {
            File::open(parent)?.sync_all()?;
        }
    }
    Ok(())
}
