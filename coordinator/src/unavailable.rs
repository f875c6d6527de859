//! That something cannot be done for now.

use crate::{blobs, queue};

/// What failed. Trying again may help.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The database.
    #[error(transparent)]
    Queue(#[from] queue::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] blobs::Error),
}

impl From<sqlx::Error> for Unavailable {
    fn from(error: sqlx::Error) -> Self {
        Self::Queue(error.into())
    }
}
