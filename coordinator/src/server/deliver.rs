//! Puts masters that are stored already under the names that jobs asked for.

use sqlx::PgPool;

use super::mend;
use crate::blobs::{Delivered, Store};
use crate::queue::deliveries::{self, Delivery};
use crate::state::{Failure, FailureKind};

/// Delivers what waits for it, of one job or of all. What fails is logged and tried again by housekeeping.
pub(crate) async fn pending(pool: &PgPool, store: &Store, job_id: Option<uuid::Uuid>) {
    let waiting = match deliveries::pending(pool, job_id).await {
        Ok(waiting) => waiting,
        Err(error) => {
            tracing::warn!(error = %crate::rpc::describe(&error), "cannot look for masters to deliver now");
            return;
        }
    };
    for delivery in waiting {
        if let Err(error) = deliver(pool, store, &delivery).await {
            tracing::warn!(job.id = %delivery.job_id, error = %error, "cannot deliver {} now", delivery.file_name);
        }
    }
}

async fn deliver(pool: &PgPool, store: &Store, delivery: &Delivery) -> Result<(), String> {
    let Delivery { project_id, digest, file_name, deliver_to, .. } = delivery;
    let size_bytes = u64::try_from(delivery.size_bytes).unwrap_or(0);
    let copied = async {
        let to = store.delivery(project_id, deliver_to, file_name)?;
        store.deliver(project_id, digest, size_bytes, &to, delivery.replace).await
    };
    let delivered = copied.await.map_err(|error| crate::rpc::describe(&error))?;
    let noted = match delivered {
        Delivered::Done => deliveries::done(pool, delivery).await,
        Delivered::Damaged => {
            mend::look_at(pool, store, project_id, digest).await;
            Ok(())
        }
        Delivered::OtherBytes => {
            let message = format!(
                "{deliver_to}/{file_name} holds other bytes: deliver elsewhere, or replace them with --replace"
            );
            deliveries::refuse(pool, delivery, &Failure { kind: FailureKind::BadSession, message }).await
        }
    };
    noted.map_err(|error| crate::rpc::describe(&error))
}
