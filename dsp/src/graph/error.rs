//! Why a render stops.

use std::io;
use std::path::Path;

use crate::media::MediaError;

/// Why a render stops.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An asset is broken, or is not what the session says.
    #[error("asset `{asset}`: {message}")]
    BadMedia {
        /// The asset's name in the session.
        asset: String,
        /// What was found, where, and what was expected.
        message: String,
    },
    /// A file could not be read or written.
    #[error("{what}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The monitor asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// A failure of reading an asset, by the name that the session gives it.
    #[must_use]
    pub fn media(asset: &str, error: MediaError) -> Self {
        match error {
            MediaError::Io { path, source } => Self::Io { what: format!("reading {}", path.display()), source },
            MediaError::Bad { message, .. } => Self::BadMedia { asset: asset.to_owned(), message },
        }
    }

    /// A failure of reading a stored file.
    pub fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self + use<'_> {
        move |source| Self::Io { what: format!("reading {}", path.display()), source }
    }

    /// A failure of writing a file.
    pub fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self + use<'_> {
        move |source| Self::Io { what: format!("writing {}", path.display()), source }
    }
}
