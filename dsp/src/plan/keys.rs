//! Artifact keys: what an artifact is made of, and how, in one digest.

use std::collections::BTreeMap;
use std::fmt;

use crate::digest::Digest;
use crate::session::ValidSession;

/// The recipe digest of an artifact: over asset digests, canonical parameters, the revisions of the nodes and stages
/// used and the keys of what it is made of. How the work is cut never enters it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Key(pub Digest);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The keys of every artifact that a session can need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Per asset: the PCM of a lossy one; `None` for lossless assets, which are read directly.
    pub decoded: Vec<Option<Key>>,
    /// Per track: its stem.
    pub stems: Vec<Key>,
    /// Per mix: its audio after the master chain (or its plain sum without one).
    pub mixes: Vec<Key>,
    /// Per mix: the solution of its loudness gain; `None` where no gain is solved.
    pub solutions: Vec<Option<Key>>,
    /// Per deliverable: the finished file.
    pub masters: Vec<Key>,
}

/// Every revision that this build renders with, by name of node or stage: what workers register and jobs fix.
#[must_use]
pub fn revisions() -> BTreeMap<String, u32> {
    unimplemented!("plan agent")
}

impl Keys {
    /// The keys of a session's artifacts at this build's revisions.
    #[must_use]
    pub fn of(session: &ValidSession) -> Self {
        let _ = session;
        unimplemented!("plan agent")
    }
}
