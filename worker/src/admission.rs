//! Whether this worker has room for what it was given; what it has no room for goes back.

use std::time::Duration;

use mixdown_proto::v1::{LeaseRef, RelinquishRequest};
use uuid::Uuid;

use crate::config::Config;
use crate::lease::{Lease, Leases, Share};
use crate::task::Bench;
use crate::worker::ANSWER;

/// How long a task waits for those that were settled to make room, before it is given back.
const ADMISSION_PATIENCE: Duration = Duration::from_secs(5);
const ADMISSION_POLL: Duration = Duration::from_millis(20);

/// Whether this worker has room for everything that it holds. Its coordinator counts too, and better; but a coordinator
/// that is mistaken must not bring the machine down.
pub(crate) async fn admitted(config: &Config, leases: &Leases) -> bool {
    let fits = || {
        let Share { slots, memory_bytes } = leases.share();
        slots <= config.slots && (config.memory_bytes == 0 || memory_bytes <= config.memory_bytes)
    };
    let begun = tokio::time::Instant::now();
    while !fits() {
        if begun.elapsed() >= ADMISSION_PATIENCE {
            return false;
        }
        tokio::time::sleep(ADMISSION_POLL).await;
    }
    true
}

/// Gives a lease back unused.
pub(crate) async fn give_back(bench: &Bench, lease: Lease) {
    tracing::warn!("there is no room for it; giving it back");
    let request = RelinquishRequest {
        worker_id: bench.home.worker_id.to_string(),
        leases: vec![LeaseRef::from(&lease.id)],
        leaving: false,
        request_id: Uuid::new_v4().to_string(),
        register_request_id: String::new(),
    };
    let call = bench
        .link
        .call("relinquish", ANSWER, request, |mut client, request| async move { client.relinquish(request).await });
    if let Ok(Err(status)) = lease.unless_stopped(call).await {
        tracing::warn!(code = ?status.code(), message = status.message(), "could not give a lease back");
    }
}
