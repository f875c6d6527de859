//! Lease calls that wait: one claim serves all of this coordinator, when a call comes in, when a hint says that a task is
//! ready, and in any case once a second.

use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tonic::Status;

use crate::queue::claim::{Ask, Claim, Claimer, Terms};
use crate::wakeup::{Hint, Subscription, Wakeups};

/// How often waiting calls look without having been woken.
const POLL: Duration = Duration::from_secs(1);

/// Tasks that one claim is asked for, at most: what it takes is still a fraction of a second, and the first callers do not
/// wait for the last.
const TASKS_AT_ONCE: usize = 400;

/// The waiting calls of one coordinator; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Leasing {
    calls: mpsc::UnboundedSender<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    ask: Ask,
    deadline: Instant,
    /// It was part of a claim that found nothing for it.
    looked: bool,
    caller: oneshot::Sender<Result<Claim, Status>>,
}

impl Leasing {
    /// Serves calls for as long as there are clones.
    pub fn start(pool: PgPool, wakeups: &Wakeups, terms: Terms) -> Self {
        let (calls, coming) = mpsc::unbounded_channel();
        let desk = Desk { pool, terms, coming, waiting: Vec::new(), claimer: Claimer::default(), reserved: None };
        // Before the first look, so that a task that becomes ready after it is not missed.
        tokio::spawn(desk.run(wakeups.subscribe()));
        Self { calls }
    }

    /// Asks for tasks; waits for one to become ready, at most until the deadline.
    pub async fn lease(&self, ask: Ask, deadline: Instant) -> Result<Claim, Status> {
        let (caller, answer) = oneshot::channel();
        let waiting = Waiting { ask, deadline, looked: false, caller };
        let stopped = || Status::unavailable("the coordinator stops; try again");
        self.calls.send(waiting).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

struct Desk {
    pool: PgPool,
    terms: Terms,
    coming: mpsc::UnboundedReceiver<Waiting>,
    waiting: Vec<Waiting>,
    claimer: Claimer,
    /// When a claim last was free to keep workers free: seldom, because it looks at all workers.
    reserved: Option<Instant>,
}

impl Desk {
    async fn run(mut self, mut wakeups: Subscription) {
        let mut looked = Instant::now();
        loop {
            // A call that has just come in is looked at alone: nothing has changed for the others.
            let mut all = false;
            let poll = self.until_next_look(looked);
            tokio::select! {
                call = self.coming.recv() => match call {
                    Some(call) => self.add(call),
                    None => return,
                },
                () = wakeups.wait(poll, |hint| hint == Hint::Task), if !self.waiting.is_empty() => all = true,
            }
            while let Ok(call) = self.coming.try_recv() {
                self.add(call);
            }
            all |= wakeups.take_all(|hint| hint == Hint::Task);
            self.waiting.retain(|waiting| !waiting.caller.is_closed());
            if all {
                looked = Instant::now();
                self.waiting.iter_mut().for_each(|waiting| waiting.looked = false);
            }
            while self.claim().await {}
        }
    }

    /// Until the next poll or deadline.
    fn until_next_look(&self, looked: Instant) -> Duration {
        let deadlines = self.waiting.iter().map(|waiting| waiting.deadline);
        deadlines.chain([looked + POLL]).min().unwrap_or(looked).saturating_duration_since(Instant::now())
    }

    fn add(&mut self, call: Waiting) {
        if let Some(older) = self.waiting.iter().position(|waiting| waiting.ask.worker_id == call.ask.worker_id) {
            // The worker asks again because it no longer waits for this.
            let _ = self.waiting.swap_remove(older).caller.send(Ok(Claim::Assigned(Vec::new())));
        }
        self.waiting.push(call);
    }

    /// One claim for those who were not looked at; says whether to look again.
    async fn claim(&mut self) -> bool {
        let mut room = TASKS_AT_ONCE;
        let (asking, mut others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|waiting| {
                let asks = !waiting.looked && room > 0;
                if asks {
                    room = room.saturating_sub(usize::try_from(waiting.ask.max_tasks).unwrap_or(0));
                }
                asks
            });
        let mut more = others.iter().any(|waiting| !waiting.looked);
        if !asking.is_empty() {
            let asks: Vec<Ask> = asking.iter().map(|waiting| waiting.ask).collect();
            let reserve = self.reserved.is_none_or(|last| last.elapsed() >= POLL);
            if reserve {
                self.reserved = Some(Instant::now());
            }
            match self.claimer.claim(&self.pool, &asks, Terms { reserve, ..self.terms }).await {
                Ok(claims) => {
                    more |= claims.more;
                    others.extend(
                        asking
                            .into_iter()
                            .zip(claims.answers)
                            .filter_map(|(call, answer)| answer_call(call, answer, claims.more)),
                    );
                }
                Err(error) => {
                    let status = Status::from(error);
                    for call in asking {
                        let _ = call.caller.send(Err(status.clone()));
                    }
                }
            }
        }
        let now = Instant::now();
        for waiting in others {
            if now >= waiting.deadline {
                let _ = waiting.caller.send(Ok(Claim::Assigned(Vec::new())));
            } else {
                self.waiting.push(waiting);
            }
        }
        more && self.waiting.iter().any(|waiting| !waiting.looked)
    }
}

/// Answers a call, unless it is to wait on: then it is given back, to be looked at again at once if there is more.
fn answer_call(mut call: Waiting, answer: Claim, more: bool) -> Option<Waiting> {
    if matches!(&answer, Claim::Assigned(tasks) if tasks.is_empty()) {
        call.looked = !more;
        return Some(call);
    }
    // A caller that has gone asks again with the same id, and is given the same.
    let _ = call.caller.send(Ok(answer));
    None
}
