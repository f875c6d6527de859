//! Heartbeats: those of all workers of this coordinator in one statement a second. An answer may be held back while there
//! is nothing to tell, so that a worker hears of a cancelled task at once without asking all the time.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};
use tonic::Status;
use uuid::Uuid;

use crate::queue::heartbeat::{Beat, Heartbeat, heartbeats, look};
use crate::wakeup::{Hint, Subscription, Wakeups};

/// How long beats gather, unless heartbeats are so frequent that this would hold them up.
const GATHER: Duration = Duration::from_secs(1);

/// The beats of one coordinator; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Beats {
    calls: mpsc::UnboundedSender<Beating>,
}

#[derive(Debug)]
struct Beating {
    beat: Beat,
    deadline: Instant,
    caller: oneshot::Sender<Result<Heartbeat, Status>>,
}

impl Beats {
    /// Serves calls for as long as there are clones; `every` is how often workers beat.
    pub fn start(pool: PgPool, wakeups: &Wakeups, lease: Duration, every: Duration) -> Self {
        let (calls, coming) = mpsc::unbounded_channel();
        let pulse = Pulse { pool, lease, coming, new: HashMap::new(), held_back: HashMap::new() };
        tokio::spawn(pulse.run(wakeups.subscribe(), GATHER.min(every / 4)));
        Self { calls }
    }

    /// Says that a worker lives; answers when there is something to tell, at the latest after the deadline.
    pub async fn beat(&self, beat: Beat, deadline: Instant) -> Result<Heartbeat, Status> {
        let (caller, answer) = oneshot::channel();
        let stopped = || Status::unavailable("the coordinator stops; try again");
        self.calls.send(Beating { beat, deadline, caller }).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

struct Pulse {
    pool: PgPool,
    lease: Duration,
    coming: mpsc::UnboundedReceiver<Beating>,
    /// By worker, those that the database has not heard.
    new: HashMap<Uuid, Beating>,
    /// By worker, those that it has.
    held_back: HashMap<Uuid, Beating>,
}

impl Pulse {
    async fn run(mut self, mut wakeups: Subscription, gather: Duration) {
        let mut ticks = tokio::time::interval(gather);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                call = self.coming.recv() => match call {
                    Some(call) => self.add(call),
                    None => return,
                },
                _ = ticks.tick() => {
                    self.tell_new().await;
                    self.look().await;
                }
                () = wakeups.wait(Duration::MAX, |hint| hint == Hint::Stop) => {
                    wakeups.take_all(|_| true);
                    self.look().await;
                }
            }
        }
    }

    fn add(&mut self, call: Beating) {
        let worker_id = call.beat.worker_id;
        let older = [self.held_back.remove(&worker_id), self.new.insert(worker_id, call)];
        for older in older.into_iter().flatten() {
            // The worker beats again because it no longer waits for this.
            let _ = older.caller.send(Ok(Heartbeat::Heard { stop: Vec::new(), drain: false, quarantine_reason: None }));
        }
    }

    /// Tells the database of the new beats.
    async fn tell_new(&mut self) {
        let new: Vec<Beating> = std::mem::take(&mut self.new).into_values().collect();
        if new.is_empty() {
            return;
        }
        let beats: Vec<&Beat> = new.iter().map(|beating| &beating.beat).collect();
        let heard = heartbeats(&self.pool, &beats, self.lease).await;
        self.answer(new, heard);
    }

    /// Looks whether there is something to tell by now.
    async fn look(&mut self) {
        self.held_back.retain(|_, beating| !beating.caller.is_closed());
        let held: Vec<Beating> = std::mem::take(&mut self.held_back).into_values().collect();
        if held.is_empty() {
            return;
        }
        let beats: Vec<&Beat> = held.iter().map(|beating| &beating.beat).collect();
        let heard = look(&self.pool, &beats).await;
        self.answer(held, heard);
    }

    /// Answers those that there is something to tell, or that have waited long enough; keeps the others.
    fn answer(&mut self, beating: Vec<Beating>, heard: Result<Vec<Heartbeat>, crate::queue::Error>) {
        let heard = match heard {
            Ok(heard) => heard,
            Err(error) => {
                let status = Status::from(error);
                for call in beating {
                    let _ = call.caller.send(Err(status.clone()));
                }
                return;
            }
        };
        let now = Instant::now();
        for (call, heard) in beating.into_iter().zip(heard) {
            let nothing = matches!(&heard, Heartbeat::Heard { stop, drain: false, .. } if stop.is_empty());
            if nothing && now < call.deadline {
                self.held_back.insert(call.beat.worker_id, call);
            } else {
                let _ = call.caller.send(Ok(heard));
            }
        }
    }
}
