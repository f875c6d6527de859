//! Calls that are answered together: while one batch of them runs, the next gathers. A batch is one transaction, so that
//! what a commit costs is shared by as many calls as came in meanwhile; a call that comes alone does not wait.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};

/// Calls in one batch, at most: what a batch of that size takes is still milliseconds.
const MAX_BATCH: usize = 400;

/// Gathers calls and runs them in batches. Clones gather together.
#[derive(Debug)]
pub(crate) struct Combiner<Q, A> {
    calls: mpsc::UnboundedSender<(Q, oneshot::Sender<A>)>,
}

impl<Q, A> Clone for Combiner<Q, A> {
    fn clone(&self) -> Self {
        Self { calls: self.calls.clone() }
    }
}

impl<Q: Send + 'static, A: Send + 'static> Combiner<Q, A> {
    /// `run` answers the calls of a batch, in order; so many batches run at once. What it has begun it ends, whether or not
    /// the callers wait.
    pub fn new<F: Future<Output = Vec<A>> + Send + 'static>(
        batches: usize,
        run: impl Fn(Vec<Q>) -> F + Send + Sync + 'static,
    ) -> Self {
        let (calls, mut coming) = mpsc::unbounded_channel::<(Q, oneshot::Sender<A>)>();
        tokio::spawn(async move {
            let (permits, run) = (Arc::new(Semaphore::new(batches)), Arc::new(run));
            while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
                let mut batch = Vec::new();
                if coming.recv_many(&mut batch, MAX_BATCH).await == 0 {
                    return;
                }
                let run = Arc::clone(&run);
                tokio::spawn(async move {
                    let (requests, callers): (Vec<Q>, Vec<_>) = batch.into_iter().unzip();
                    for (answer, caller) in run(requests).await.into_iter().zip(callers) {
                        // Who has gone needs no answer.
                        let _ = caller.send(answer);
                    }
                    drop(permit);
                });
            }
        });
        Self { calls }
    }

    /// Makes a call; none if its batch was given up.
    pub async fn call(&self, request: Q) -> Option<A> {
        let (caller, answer) = oneshot::channel();
        self.calls.send((request, caller)).ok()?;
        answer.await.ok()
    }
}
