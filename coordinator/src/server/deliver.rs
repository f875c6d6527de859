//! Puts masters that are stored under the names that jobs asked for. Only coordinators do, and only once the settlement
//! that made a master is accepted: an attempt that lost its lease can write blobs, which harm nobody, but no names.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use sqlx::PgPool;

use crate::blobs::Store;
use crate::blobs::naming::{Master, Put, There};
use crate::queue;
use crate::queue::deliveries::{self, Contested, Delivery, Turn};
use crate::rpc::{Farm, describe};
use crate::state::{Failure, FailureKind};
use crate::unavailable::Unavailable;

/// Masters that one coordinator copies at once.
const AT_ONCE: usize = 4;
/// How often one looks for masters that nobody told it of.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A master that cannot be put under its name now is tried again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Delivers what is to be delivered, for ever.
pub(super) async fn run(farm: &Farm) {
    let mut turns = tokio::time::interval(LOOK_EVERY);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(()) = under_way.next() => {}
            () = farm.masters.notified(), if under_way.len() < AT_ONCE => {}
            _ = turns.tick(), if under_way.len() < AT_ONCE => {}
        }
        match deliveries::claim(&farm.pool, AT_ONCE - under_way.len(), farm.lease).await {
            Ok(claimed) => under_way.extend(claimed.into_iter().map(|delivery| hold(farm, delivery))),
            Err(error) => tracing::warn!(error = %describe(&error), "cannot look for masters to deliver now"),
        }
    }
}

/// Delivers one, and lets no other coordinator begin meanwhile.
async fn hold(farm: &Farm, delivery: Delivery) {
    let delivered = async {
        if deliver(&farm.pool, &farm.store, &delivery).await? == Came::Damaged {
            farm.mender.look_at(&delivery.project_id, &delivery.digest).await;
        }
        Ok::<_, Unavailable>(())
    };
    tokio::pin!(delivered);
    let mut renewals = tokio::time::interval(farm.lease / 3);
    renewals.tick().await;
    let delivered = loop {
        tokio::select! {
            delivered = &mut delivered => break delivered,
            _ = renewals.tick() => {
                // One that cannot be renewed is begun by another coordinator too, which does no harm.
                let _ = deliveries::put_off(&farm.pool, &delivery, farm.lease).await;
            }
        }
    };
    let noted = match delivered {
        Ok(()) => return,
        Err(Unavailable::Store(error)) => {
            let cause = describe(&error);
            tracing::warn!(job.id = %delivery.job_id, error = cause, "cannot deliver {} now", delivery.file_name);
            deliveries::failed(&farm.pool, &delivery, &cause).await
        }
        Err(Unavailable::Queue(error)) => Err(error),
    };
    if let Err(error) = noted {
        // It is tried again once its hold has run out.
        tracing::warn!(job.id = %delivery.job_id, error = %describe(&error), "cannot note a delivery now");
    }
}

/// What came of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It is noted what: the master lies there, another's does, it is to be tried again, or its job has failed.
    Noted,
    /// The blob is not what it should be: nothing is noted, somebody is to look at it.
    Damaged,
}

/// Puts a master under its name if it is its turn, or fails its job if that name is taken.
///
/// # Errors
/// When the store or the database fails.
pub async fn deliver(pool: &PgPool, store: &Store, delivery: &Delivery) -> Result<Came, Unavailable> {
    let name = store.place(&delivery.path())?;
    let master = Master {
        project_id: &delivery.project_id,
        digest: &delivery.digest,
        size_bytes: u64::try_from(delivery.size_bytes).unwrap_or(0),
        fresh: delivery.fresh,
    };
    loop {
        match deliveries::take_name(pool, delivery).await? {
            Turn::Taken => {}
            Turn::Superseded => break deliveries::superseded(pool, delivery).await?,
            Turn::Wait => break deliveries::put_off(pool, delivery, AGAIN_AFTER).await?,
        }
        let seen = store.there(master, &name).await?;
        if seen == There::Same {
            break deliveries::done(pool, delivery).await?;
        }
        if seen == There::Other && !delivery.replace {
            deliveries::leave_name(pool, delivery).await?;
            break deliveries::refuse(pool, delivery, &occupied(delivery)).await?;
        }
        // The look may have taken long.
        if deliveries::take_name(pool, delivery).await? != Turn::Taken {
            continue;
        }
        match store.put_under(master, &name, seen).await? {
            Put::Written => break deliveries::done(pool, delivery).await?,
            Put::Taken => {}
            Put::Damaged => {
                deliveries::leave_name(pool, delivery).await?;
                return Ok(Came::Damaged);
            }
        }
    }
    Ok(Came::Noted)
}

fn occupied(delivery: &Delivery) -> Failure {
    let Delivery { deliver_to, file_name, .. } = delivery;
    let message =
        format!("{deliver_to}/{file_name} holds other bytes: deliver elsewhere, or replace them with --replace");
    Failure { kind: FailureKind::BadSession, message }
}

/// Looks at the names that somebody may have written to whose turn had passed, and puts the right masters back.
///
/// # Errors
/// When the database fails. Where the store fails, it is looked at again the next time.
pub async fn mend_contested(pool: &PgPool, store: &Store) -> Result<(), queue::Error> {
    for name in deliveries::contested(pool).await? {
        match mend_name(store, &name).await {
            Ok(mended) => {
                if mended {
                    tracing::warn!(path = name.path, "a writer whose turn had passed wrote here; put the master back");
                }
                deliveries::looked_at(pool, &name, mended).await?;
            }
            Err(error) => tracing::warn!(path = name.path, error = %describe(&error), "cannot look here now"),
        }
    }
    Ok(())
}

async fn mend_name(store: &Store, name: &Contested) -> Result<bool, Unavailable> {
    let Contested { project_id, digest, .. } = name;
    let size_bytes = u64::try_from(name.size_bytes).unwrap_or(0);
    let master = Master { project_id, digest, size_bytes, fresh: false };
    let path = store.place(&name.path)?;
    // What is gone was taken away by its owner.
    Ok(store.there(master, &path).await? == There::Other
        && store.put_under(master, &path, There::Other).await? == Put::Written)
}
