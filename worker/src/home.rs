//! The worker's own folder: who it is, what it keeps, where it works.
//!
//! ```text
//! lock            held while a worker runs: one folder, one worker
//! worker-id       the UUID under which it registers, kept between starts
//! life            how often it has registered
//! blobs/          the cache (cache.rs)
//! partial/        blobs on their way in; emptied at the start
//! work/           a folder for each attempt; emptied at the start
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::worker::Error;

/// The folder, locked for this worker alone.
#[derive(Debug)]
pub struct Home {
    dir: PathBuf,
    /// The id of this worker.
    pub worker_id: Uuid,
    // The lock is released when the file is closed, by a crash too.
    _lock: File,
}

impl Home {
    /// Opens the folder, making it where it is missing, and clears away what a crashed predecessor left half done.
    ///
    /// # Errors
    /// It cannot be made, read or written, or another worker uses it.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let unusable = |source| Error::Cache { path: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(unusable)?;
        let lock = File::create(dir.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::CacheInUse { path: dir.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        for cleared in ["partial", "work"] {
            clear(&dir.join(cleared)).map_err(unusable)?;
        }
        fs::create_dir_all(dir.join("blobs")).map_err(unusable)?;
        let worker_id = worker_id(dir).map_err(unusable)?;
        Ok(Self { dir: dir.to_owned(), worker_id, _lock: lock })
    }

    /// Begins the next life, after the one that ran last and after life `known`; counted on disk before it is told to
    /// anybody, so that no later start tells it again.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn begin_life(&self, known: i64) -> io::Result<i64> {
        let path = self.dir.join("life");
        let last = match fs::read_to_string(&path) {
            // A damaged count begins again: the farm tells how far it had come.
            Ok(text) => text.trim().parse().unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let life = known.max(last).max(0).saturating_add(1);
        replace(&path, &life.to_string())?;
        Ok(life)
    }

    /// Where cached blobs lie.
    #[must_use]
    pub fn blobs(&self) -> PathBuf {
        self.dir.join("blobs")
    }

    /// Where blobs are written before they are whole.
    #[must_use]
    pub fn partial(&self) -> PathBuf {
        self.dir.join("partial")
    }

    /// A new, empty folder for one attempt.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn work_dir(&self) -> io::Result<WorkDir> {
        let path = self.dir.join("work").join(Uuid::new_v4().to_string());
        fs::create_dir(&path)?;
        Ok(WorkDir { path })
    }
}

impl Home {
    /// Tries whether files can be written: about as much as the smallest task needs.
    ///
    /// # Errors
    /// The disk is full, read-only, or broken.
    pub fn probe(&self) -> io::Result<()> {
        const PROBE_BYTES: usize = 1 << 20;
        let path = self.dir.join("work").join(format!("probe-{}", Uuid::new_v4()));
        let tried = File::create(&path).and_then(|mut file| {
            file.write_all(&vec![0; PROBE_BYTES])?;
            file.sync_all()
        });
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => tried.and(Err(error)),
            _ => tried,
        }
    }
}

/// The folder of one attempt; removed with everything in it when dropped.
#[derive(Debug)]
pub struct WorkDir {
    path: PathBuf,
}

impl WorkDir {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a work folder; the next start will");
        }
    }
}

fn clear(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir(dir)
}

/// A damaged id is replaced: the farm then sees a new worker.
fn worker_id(dir: &Path) -> io::Result<Uuid> {
    let path = dir.join("worker-id");
    match fs::read_to_string(&path) {
        Ok(text) => {
            if let Ok(id) = Uuid::parse_str(text.trim()) {
                return Ok(id);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let id = Uuid::new_v4();
    replace(&path, &id.to_string())?;
    Ok(id)
}

/// Writes a line to a file, durably. Renamed into place, so that a crash leaves the old file or the new one.
fn replace(path: &Path, line: &str) -> io::Result<()> {
    let partial = path.with_extension("partial");
    let mut file = File::create(&partial)?;
    writeln!(file, "{line}")?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_keeps_its_id_between_starts() {
        let dir = tempfile::tempdir().unwrap();
        let first = Home::open(dir.path()).unwrap().worker_id;
        assert_eq!(Home::open(dir.path()).unwrap().worker_id, first);
    }

    #[test]
    fn a_damaged_id_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("worker-id"), "not an id").unwrap();
        let id = Home::open(dir.path()).unwrap().worker_id;
        assert_eq!(Home::open(dir.path()).unwrap().worker_id, id);
    }

    #[test]
    fn each_life_is_later_than_all_before_it_and_than_those_that_the_farm_knows() {
        let dir = tempfile::tempdir().unwrap();
        let begin = |known| Home::open(dir.path()).unwrap().begin_life(known).unwrap();
        assert_eq!([begin(0), begin(0), begin(7), begin(3)], [1, 2, 8, 9]);
        fs::write(dir.path().join("life"), "no number").unwrap();
        assert_eq!(begin(0), 1);
        assert_eq!(begin(9), 10);
    }

    #[test]
    fn two_workers_cannot_share_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let _first = Home::open(dir.path()).unwrap();
        assert!(matches!(Home::open(dir.path()), Err(Error::CacheInUse { .. })));
    }

    #[test]
    fn what_a_crash_left_half_done_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        for left in ["partial/half", "work/attempt/scratch"] {
            let path = dir.path().join(left);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "half").unwrap();
        }
        let home = Home::open(dir.path()).unwrap();
        assert_eq!(fs::read_dir(home.partial()).unwrap().count(), 0);
        assert_eq!(fs::read_dir(dir.path().join("work")).unwrap().count(), 0);
    }

    #[test]
    fn a_work_folder_goes_with_everything_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        let work = home.work_dir().unwrap();
        let path = work.path().to_owned();
        fs::write(path.join("scratch"), "bytes").unwrap();
        drop(work);
        assert!(!path.exists());
    }
}
