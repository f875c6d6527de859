//! The data folder of an embedded farm.
//!
//! ```text
//! postgres/       the private PostgreSQL            store/    blobs and masters
//! scratch/        uploads that are under way        workers/N  a cache for each worker
//! serve.lock      held while a farm runs            database.url   where its database is, meanwhile
//! ```

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use mixdown_coordinator::private_postgres::{Error, Options, PrivatePostgres};

use crate::errors::{CommandError, Exit};

/// A data folder.
#[derive(Debug, Clone)]
pub struct Home {
    folder: PathBuf,
}

/// Held while a farm runs on a data folder; the system lets go of it whatever becomes of us.
#[derive(Debug)]
pub struct Held {
    _lock: File,
    database_url_file: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        // A file left behind says where a database was: whoever reads it finds nobody there.
        let _ = std::fs::remove_file(&self.database_url_file);
    }
}

impl Home {
    /// A data folder; made if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(folder: &Path) -> Result<Self, CommandError> {
        let failed = |error: std::io::Error| CommandError::io("make", folder, &error);
        std::fs::create_dir_all(folder).map_err(failed)?;
        Ok(Self { folder: folder.canonicalize().map_err(failed)? })
    }

    /// Takes the folder for one farm.
    ///
    /// # Errors
    /// `data_in_use` when a farm runs on it.
    pub fn hold(&self) -> Result<Held, CommandError> {
        let path = self.folder.join("serve.lock");
        let failed = |error: &std::io::Error| CommandError::io("write", &path, error);
        let lock =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(|error| failed(&error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Held { _lock: lock, database_url_file: self.database_url_file() }),
            Err(TryLockError::WouldBlock) => Err(in_use(&self.folder)),
            Err(TryLockError::Error(error)) => Err(failed(&error)),
        }
    }

    /// Starts the private PostgreSQL and notes where it is.
    ///
    /// # Errors
    /// PostgreSQL is not installed, in use, or does not start.
    pub async fn start_database(&self, programs_dir: Option<&Path>) -> Result<PrivatePostgres, CommandError> {
        let options = Options {
            programs_dir: programs_dir.map(Path::to_owned),
            search_path: std::env::var_os("PATH"),
            runtime_dir: std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
            ..Options::new(self.folder.join("postgres"))
        };
        PrivatePostgres::start(&options).await.map_err(|error| self.describe(&error))
    }

    /// Notes for other commands where the database of the running farm is.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn note_database(&self, url: &str) -> Result<(), CommandError> {
        let path = self.database_url_file();
        File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(url.as_bytes()))
            .map_err(|error| CommandError::io("write", &path, &error))
    }

    /// Where the database of the farm is that runs on this folder, if one does.
    #[must_use]
    pub fn noted_database(&self) -> Option<String> {
        std::fs::read_to_string(self.database_url_file()).ok()
    }

    /// Folder of the blobs.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// Folder of uploads that are under way.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }

    /// Cache of a worker, counted from 1.
    #[must_use]
    pub fn worker(&self, number: usize) -> PathBuf {
        self.folder.join("workers").join(number.to_string())
    }

    fn database_url_file(&self) -> PathBuf {
        self.folder.join("database.url")
    }

    fn describe(&self, error: &Error) -> CommandError {
        match error {
            Error::InUse { .. } => in_use(&self.folder),
            Error::Programs(_) => {
                CommandError::new(Exit::Failed, "postgres_missing", "cannot find PostgreSQL on this machine")
                    .because(error)
                    .remedy(
                        "install it (Debian: apt install postgresql), name its folder with --postgres-bin DIR, \
                         or use one that runs with --database-url URL",
                    )
            }
            Error::File { source, .. } => CommandError::io("use", &self.folder, source).because(error),
            _ => CommandError::new(Exit::Failed, "postgres_failed", "the private PostgreSQL does not run")
                .because(error)
                .remedy("its log lies in the data folder; --database-url URL uses another PostgreSQL"),
        }
    }
}

fn in_use(folder: &Path) -> CommandError {
    CommandError::new(Exit::Failed, "data_in_use", format!("a farm runs already on {}", folder.display()))
        .remedy("use that one, stop it, or name another folder with --data")
}
