//! Digests of input files that were hashed before, so that a recall does not read a whole production again to find that
//! nothing has changed.
//!
//! A file is known by its device and inode, and is the same while its size, time of modification and time of change are. The
//! last of these no program can set: a file that was written to, renamed onto or given back its old time of modification has
//! another. Only one that was at rest for a while when it was hashed is remembered, or a write within the clock's grain would
//! not show.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use mixdown_dsp::digest::Digest;
use serde::{Deserialize, Serialize};

/// A file must have been at rest for this long: more than the grain of any file system's clock.
const AT_REST: Duration = Duration::from_secs(3);
/// Files that are remembered; the least recently used are forgotten.
const MOST_FILES: usize = 4096;
/// How exactly it is kept when a file was last asked for.
const USED_GRAIN: Duration = Duration::from_secs(24 * 3600);

/// What is remembered, by device and inode.
pub struct KnownDigests {
    /// Where it is kept; `None` keeps nothing.
    path: Option<PathBuf>,
    at_rest: Duration,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    files: BTreeMap<String, Known>,
    changed: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    facts: Facts,
    digest: Digest,
    /// Seconds since 1970.
    used: u64,
}

/// What differs once a file was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Facts {
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Facts {
    fn of(meta: &Metadata) -> Self {
        Self {
            bytes: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// Whether nobody had written to it for so long.
    fn was_at_rest(&self, at_rest: Duration) -> bool {
        let since = |(seconds, _): (i64, i64)| u64::try_from(seconds).unwrap_or(0);
        since(self.modified.max(self.changed)) + at_rest.as_secs() <= seconds_now()
    }
}

impl KnownDigests {
    /// Those that this user's earlier commands left in `$XDG_CACHE_HOME/mixdown`, or `~/.cache/mixdown`.
    pub fn of_this_user() -> Self {
        let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
        Self::kept_in(caches.map(|caches| caches.join("mixdown/digests.json")), AT_REST)
    }

    fn kept_in(path: Option<PathBuf>, at_rest: Duration) -> Self {
        // What cannot be read is as good as nothing.
        let read = path.as_deref().and_then(|path| serde_json::from_slice(&fs::read(path).ok()?).ok());
        Self { path, at_rest, book: Mutex::new(Book { files: read.unwrap_or_default(), changed: false }) }
    }

    /// The digest of a file: known, or found by reading it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn of(&self, path: &Path) -> io::Result<Digest> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        let (name, facts) = (format!("{}:{}", meta.dev(), meta.ino()), Facts::of(&meta));
        if let Some(digest) = self.lock().known(&name, &facts) {
            return Ok(digest);
        }
        let digest = Digest::of_reader(&file)?;
        if facts.was_at_rest(self.at_rest) && Facts::of(&file.metadata()?) == facts {
            let mut book = self.lock();
            book.files.insert(name, Known { facts, digest, used: seconds_now() });
            book.changed = true;
        }
        Ok(digest)
    }

    /// Leaves what is known to later commands. Two that end together keep what one of them knew.
    pub fn keep(&self) {
        let mut book = self.lock();
        if let Some(path) = self.path.as_deref().filter(|_| book.changed)
            && let Err(error) = book.write(path)
        {
            tracing::debug!(%error, path = %path.display(), "cannot remember digests");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        // Nothing under the lock panics halfway through a change.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn known(&mut self, name: &str, facts: &Facts) -> Option<Digest> {
        let known = self.files.get_mut(name).filter(|known| known.facts == *facts)?;
        let now = seconds_now();
        if known.used + USED_GRAIN.as_secs() < now {
            known.used = now;
            self.changed = true;
        }
        Some(known.digest)
    }

    fn write(&mut self, path: &Path) -> io::Result<()> {
        let mut uses: Vec<u64> = self.files.values().map(|known| known.used).collect();
        if let Some(too_many) = uses.len().checked_sub(MOST_FILES) {
            uses.sort_unstable();
            let oldest = uses.get(too_many).copied().unwrap_or(0);
            self.files.retain(|_, known| known.used >= oldest);
        }
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        fs::create_dir_all(folder)?;
        let mut partial = tempfile::NamedTempFile::new_in(folder)?;
        partial.write_all(&serde_json::to_vec(&self.files)?)?;
        partial.persist(path)?;
        Ok(())
    }
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "these are tests")]
mod tests {
    use super::*;

    /// A folder with a file, and what is known of it and kept.
    fn hashed(bytes: &[u8], at_rest: Duration) -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (file, book) = (dir.path().join("file"), dir.path().join("mixdown/digests.json"));
        fs::write(&file, bytes).unwrap();
        let known = KnownDigests::kept_in(Some(book.clone()), at_rest);
        assert_eq!(known.of(&file).unwrap(), Digest::of(bytes));
        known.keep();
        (dir, file, book)
    }

    fn again(book: &Path, file: &Path) -> Digest {
        KnownDigests::kept_in(Some(book.to_owned()), Duration::ZERO).of(file).unwrap()
    }

    #[test]
    fn a_file_that_nobody_wrote_to_is_not_read_again() {
        let (_dir, file, book) = hashed(b"one", Duration::ZERO);
        // What the book says can come from the book alone.
        let other = Digest::of(b"other").to_string();
        let text = fs::read_to_string(&book).unwrap().replace(&Digest::of(b"one").to_string(), &other);
        fs::write(&book, text).unwrap();
        assert_eq!(again(&book, &file).to_string(), other);
    }

    #[test]
    fn a_file_that_was_written_to_is_read_even_if_its_size_and_time_were_put_back() {
        let (_dir, file, book) = hashed(b"one", Duration::ZERO);
        let modified = fs::metadata(&file).unwrap().modified().unwrap();
        let before = fs::metadata(&file).unwrap();
        // As often as the clock of the file system needs to move on.
        while Facts::of(&fs::metadata(&file).unwrap()).changed == Facts::of(&before).changed {
            fs::write(&file, b"two").unwrap();
            File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
        }
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), modified);
        assert_eq!(again(&book, &file), Digest::of(b"two"));
    }

    #[test]
    fn a_file_that_replaced_another_is_read() {
        let (dir, file, book) = hashed(b"one", Duration::ZERO);
        fs::write(dir.path().join("new"), b"two").unwrap();
        fs::rename(dir.path().join("new"), &file).unwrap();
        assert_eq!(again(&book, &file), Digest::of(b"two"));
    }

    #[test]
    fn a_file_that_was_just_written_is_not_remembered() {
        let (_dir, _, book) = hashed(b"one", AT_REST);
        assert!(!book.exists());
    }

    #[test]
    fn a_damaged_book_is_as_good_as_none_and_a_full_one_forgets_the_oldest() {
        let (_dir, file, book) = hashed(b"one", Duration::ZERO);
        fs::write(&book, "{").unwrap();
        assert_eq!(again(&book, &file), Digest::of(b"one"));

        let facts = Facts { bytes: 1, modified: (0, 0), changed: (0, 0) };
        let known = |used| Known { facts, digest: Digest::of(b""), used };
        let files = (0..MOST_FILES as u64 + 5).map(|used| (format!("0:{used}"), known(used))).collect();
        Book { files, changed: true }.write(&book).unwrap();
        let kept: BTreeMap<String, Known> = serde_json::from_slice(&fs::read(&book).unwrap()).unwrap();
        assert_eq!((kept.len(), kept.values().map(|known| known.used).min()), (MOST_FILES, Some(5)));
    }
}
