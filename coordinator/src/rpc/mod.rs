//! The services of `mixdown.v1`: requests are checked and turned into operations of the queue, their results into answers.

pub(crate) mod auth;
pub(crate) mod beats;
pub(crate) mod blobs;
mod check;
pub(crate) mod combine;
pub(crate) mod jobs;
pub(crate) mod leasing;
mod status;
mod submit;
mod views;
mod watch;
pub(crate) mod workers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::Notify;

use self::beats::Beats;
use self::leasing::Leasing;
use self::workers::Settling;
use crate::blobs::Store;
use crate::server::mend::Mender;
use crate::wakeup::Wakeups;

/// What the services stand on.
#[derive(Debug, Clone)]
pub(crate) struct Farm {
    pub pool: PgPool,
    pub store: Store,
    /// Which store it is; workers that were given another are told.
    pub store_id: String,
    /// Notified when masters may wait to be put under their names.
    pub masters: Arc<Notify>,
    pub wakeups: Wakeups,
    pub leasing: Leasing,
    pub beats: Beats,
    pub settling: Settling,
    pub mender: Mender,
    /// Where uploads gather.
    pub scratch_dir: PathBuf,
    /// How long a lease lives without a heartbeat.
    pub lease: Duration,
    /// How often workers heartbeat.
    pub heartbeat: Duration,
    /// Whether calls without a token count as those of an admin of project `default`.
    pub anonymous: bool,
    /// How long an object that no row knows is left alone.
    pub orphan_grace: Duration,
}

impl Farm {
    /// How long a worker may be silent before it counts as lost.
    fn lost_after_seconds(&self) -> f64 {
        lost_after(self.lease).as_secs_f64()
    }
}

/// How long a worker may be silent before it counts as lost, given how long leases live.
pub(crate) fn lost_after(lease: Duration) -> Duration {
    // Heartbeats come more often than leases run out, and are gathered for up to a second.
    lease.max(Duration::from_secs(3))
}

/// An error with its causes, for the log.
pub(crate) fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    status::chain(error)
}
