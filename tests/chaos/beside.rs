//! What happens beside the faults.

use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

use crate::client::Client;
use crate::relay::Relay;
use crate::script::Aside;

/// What was not used for so long may be collected: longer than any outage, so that whoever runs a job again finds what it
/// reads.
const UNUSED: Duration = Duration::from_secs(30);
/// Attempts that are settled again at once.
const AGAIN: usize = 2;

/// How much of it there was.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside {
    /// Settlements of attempts that had ended.
    pub settled_again: usize,
    /// Collections of garbage.
    pub collections: usize,
    /// Blobs that these took.
    pub collected: i64,
}

impl Beside {
    pub fn add(&mut self, other: Self) {
        self.settled_again += other.settled_again;
        self.collections += other.collections;
        self.collected += other.collected;
    }
}

impl Aside {
    /// Lets it happen; takes as long as the farm does not answer.
    pub async fn happen(self, client: Client, pool: PgPool, relay: Relay) -> Beside {
        match self {
            Self::SettleAgain => {
                let settled_again = fail_late(&client, &pool).await + settle_again(&client, &relay).await;
                Beside { settled_again, ..Beside::default() }
            }
            Self::CollectGarbage => {
                let collected = client.collect_garbage(UNUSED).await.blobs.unwrap_or_default().count;
                Beside { collections: 1, collected, ..Beside::default() }
            }
        }
    }
}

/// What a worker long given up for dead would say.
async fn fail_late(client: &Client, pool: &PgPool) -> usize {
    let ended =
        "select worker_id, task_id, attempt from attempt where end_time is not null order by end_time desc limit 2";
    let ended: Vec<(Uuid, Uuid, i32)> = sqlx::query_as(ended).fetch_all(pool).await.unwrap_or_default();
    for (worker, task, attempt) in &ended {
        assert!(!client.fail_late(*worker, *task, *attempt).await, "attempt {attempt} of {task} failed after its end");
    }
    ended.len()
}

/// What a network says that delivers calls once more, and a worker that asks again under another id.
async fn settle_again(client: &Client, relay: &Relay) -> usize {
    let last: Vec<_> = relay.seen().settled.iter().rev().take(AGAIN).cloned().collect();
    for (request, counted) in &last {
        let again = client.settle(request.clone()).await;
        assert_eq!(again, *counted, "the same settlement was answered otherwise the second time: {request:?}");
        let other = mixdown_proto::v1::SettleRequest { request_id: Uuid::new_v4().to_string(), ..request.clone() };
        assert!(!client.settle(other).await, "an attempt was settled twice: {request:?}");
    }
    2 * last.len()
}
