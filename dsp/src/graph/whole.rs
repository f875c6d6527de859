//! Files that have their name only once they are whole.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::Error;

/// A file on its way: written under a name that ends in `.part`, then renamed.
#[derive(Debug, Clone)]
pub struct WholeFile {
    path: PathBuf,
    partial: PathBuf,
}

impl WholeFile {
    /// A file that will be at `path`.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".part");
        Self { path: path.to_owned(), partial: partial.into() }
    }

    /// Where it will be.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it is written.
    #[must_use]
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Gives the written file its name.
    ///
    /// # Errors
    /// What the file system says.
    pub fn complete(&self) -> Result<(), Error> {
        fs::rename(&self.partial, &self.path).map_err(Error::writing(&self.path))
    }
}
