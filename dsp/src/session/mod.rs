//! The session document: read, resolved, validated.

pub mod document;
pub mod time;
pub mod valid;

pub use document::Document;
pub use valid::ValidSession;
